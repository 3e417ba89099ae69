"""
What a coverage-guided fuzzer runs: whatever is sent, it is verified or refused with the one documented error.

A module of its own, because the fuzzer ends its process as it likes. Arguments are libFuzzer's:
`python -m tests.dpop_server.guided -max_total_time=20`.
"""

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import atheris  # type: ignore[import-untyped]  # it has none

with atheris.instrument_imports(include=["oidcclient_dpop.server"]):
    from oidcclient_dpop.server import (
        ALGORITHMS,
        MemoryReplayCache,
        NonceIssuer,
        ProofRefused,
        ProofVerifier,
        Rule,
        VerifiedProof,
        keys,  # loaded with the first key, and that would be too late
    )

from tests.dpop_server.proofs import ClientKey, ath, b64, header_of, new_key, seal

NOW = 1_700_000_000.0
URL = "https://api.example.com/v1/things"
TOKEN = "an-access-token"
NONCES = NonceIssuer(b"s" * 32)
KEYS = {alg: new_key(alg) for alg in ALGORITHMS}
CLAIMS = {
    "jti": "a-jti",
    "htm": "GET",
    "htu": URL,
    "iat": int(NOW),
    "ath": ath(TOKEN),
    "nonce": NONCES.issue(now=NOW),
}
PROOFS = [seal(key, header_of(key), CLAIMS) for key in KEYS.values()]
KEY = KEYS["ES256"]
REQUEST = {"method": "GET", "url": URL, "access_token": TOKEN, "jkt": KEY.jkt, "now": NOW}
JWK_MEMBERS = ("kty", "crv", "x", "y", "n", "e", "d", "use", "kid")
HEADER_MEMBERS = ("typ", "alg", "jwk", "crit", "b64", "kid")
LONGEST = 3_000

Data = Any  # atheris.FuzzedDataProvider, which has no types
Case = tuple[list[str], dict[str, Any]]  # the header's values, and what differs in the request


def value(data: Data, depth: int = 0) -> Any:
    """Draw a JSON value."""
    kind = data.ConsumeIntInRange(0, 8 if depth < 3 else 6)
    simple: list[Callable[[], Any]] = [
        lambda: None,
        data.ConsumeBool,
        lambda: data.ConsumeInt(data.PickValueInList([1, 8, 200])),
        data.ConsumeFloat,
        lambda: data.ConsumeUnicode(20),
        lambda: b64(data.ConsumeBytes(40)),
        lambda: data.PickValueInList([*ALGORITHMS, "P-256", "secp256k1", "EC", "OKP", "RSA", "GET", URL, "dpop+jwt"]),
        lambda: [value(data, depth + 1) for _ in range(data.ConsumeIntInRange(0, 3))],
        lambda: members(data, (data.ConsumeUnicode(5), *JWK_MEMBERS), depth + 1),
    ]
    return simple[kind]()


def members(data: Data, names: tuple[str, ...], depth: int = 0) -> dict[str, Any]:
    """Draw some members of an object."""
    return {data.PickValueInList(list(names)): value(data, depth) for _ in range(data.ConsumeIntInRange(0, 4))}


def any_text(data: Data) -> Case:
    """Header fields of anything."""
    return [data.ConsumeUnicode(200) for _ in range(data.ConsumeIntInRange(0, 3))], {}


def any_segments(data: Data) -> Case:
    """Three segments that decode, of anything."""
    return [".".join(b64(data.ConsumeBytes(200)) for _ in range(3))], {}


def spoiled(data: Data) -> Case:
    """A good proof in which some characters were changed, dropped or added."""
    proof = data.PickValueInList(PROOFS)
    for _ in range(data.ConsumeIntInRange(1, 4)):
        place = data.ConsumeIntInRange(0, len(proof))
        proof = proof[:place] + data.ConsumeUnicode(3) + proof[place + data.ConsumeIntInRange(0, 3) :]
    return [proof], {}


def signed_claims(data: Data) -> Case:
    """Other claims, signed well."""
    return [seal(KEY, header_of(KEY), {**CLAIMS, **members(data, tuple(CLAIMS))})], {}


def signed_bytes(data: Data) -> Case:
    """A payload of bytes, signed well."""
    return [seal(KEY, header_of(KEY), b64(data.ConsumeBytes(LONGEST)))], {}


def signed_json(data: Data) -> Case:
    """Good claims in which some bytes were changed, signed well."""
    text = json.dumps(CLAIMS).encode()
    place = data.ConsumeIntInRange(0, len(text))
    changed = text[:place] + data.ConsumeBytes(8) + text[place + data.ConsumeIntInRange(0, 8) :]
    return [seal(KEY, header_of(KEY), b64(changed))], {}


def signed_header(data: Data) -> Case:
    """Other headers, signed well."""
    return [seal(KEY, {**header_of(KEY), **members(data, HEADER_MEMBERS)}, CLAIMS)], {}


def other_keys(data: Data) -> Case:
    """A key that was tampered with."""
    key = KEYS[data.PickValueInList(list(ALGORITHMS))]
    jwk = {**key.jwk, **members(data, JWK_MEMBERS)}
    signature = data.ConsumeBytes(132)
    return [seal(ClientKey(key.alg, {}, lambda _: signature), header_of(key, jwk=jwk), CLAIMS)], {}


def other_requests(data: Data) -> Case:
    """A good proof with another request."""
    changes: dict[str, Callable[[], Any]] = {
        "method": lambda: data.ConsumeUnicode(10),
        "url": lambda: url(data),
        "access_token": lambda: data.ConsumeUnicode(20),
        "jkt": lambda: value(data),
        "now": data.ConsumeRegularFloat,
    }
    name = data.PickValueInList(list(changes))
    return [data.PickValueInList(PROOFS)], {name: changes[name]()}


def url(data: Data) -> str:
    """Draw an address, or what looks like one."""
    pieces = [
        "https://",
        "http",
        "api.example.com",
        "[::1]",
        ":443",
        ":",
        "@",
        "/",
        "..",
        ".",
        "%2e",
        "%",
        "?",
        "#",
        "A",
    ]
    return "".join(
        data.PickValueInList(pieces) if data.ConsumeBool() else data.ConsumeUnicode(3)
        for _ in range(data.ConsumeIntInRange(0, 10))
    )


def same_urls(data: Data) -> Case:
    """A proof whose address is that of the request, whatever that is."""
    here = data.PickValueInList(["", "https://api.example.com"]) + url(data)
    return [seal(KEY, header_of(KEY), {**CLAIMS, "htu": here})], {"url": data.PickValueInList([here, f"{here}?a=b"])}


CASES = [
    any_text,
    any_segments,
    spoiled,
    signed_claims,
    signed_bytes,
    signed_json,
    signed_header,
    other_keys,
    other_requests,
    same_urls,
]
SETTINGS: list[dict[str, Any]] = [
    {"algorithms": ALGORITHMS, "nonces": NONCES},
    {"algorithms": ALGORITHMS, "nonces": NONCES, "skew_with_nonce": math.inf},
]
KNOWING = [ProofVerifier(**settings) for settings in SETTINGS]


def outcome(rules: ProofVerifier, proofs: list[str], changes: dict[str, Any]) -> VerifiedProof | Rule:
    """Verify; anything that is raised but the documented error ends the run."""
    request: dict[str, Any] = {**REQUEST, **changes}
    try:
        return rules.verify(proof_headers=proofs, **request)
    except ProofRefused as error:
        return error.rule


def try_one(source: bytes) -> None:
    """Make a case of these bytes, and look at what comes of it."""
    data = atheris.FuzzedDataProvider(source)
    number = data.ConsumeIntInRange(0, len(SETTINGS) - 1)
    proofs, changes = data.PickValueInList(CASES)(data)
    found = outcome(KNOWING[number], proofs, changes)
    assert found == outcome(ProofVerifier(**SETTINGS[number]), proofs, changes), "a known key made a difference"
    if isinstance(found, VerifiedProof):
        assert found.jkt == KEY.jkt
        assert found.expires_at >= {**REQUEST, **changes}["now"]
        MemoryReplayCache().use(found, now=NOW)


def check_the_cases() -> None:
    """Make sure that what is spoiled here is good to begin with: else all would be refused for one reason."""
    for key, proof in zip(KEYS.values(), PROOFS, strict=True):
        for rules in KNOWING:
            assert isinstance(outcome(rules, [proof], {"jkt": key.jkt}), VerifiedProof)
    assert keys.read_key("ES256", dict(KEY.jwk)).jkt == KEY.jkt


if __name__ == "__main__":
    check_the_cases()
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
