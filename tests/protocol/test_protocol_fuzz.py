"""Whatever the network sends, it is parsed or an OidcError is raised; nothing else escapes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from traceback import format_exception
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oidcclient import IDTokenRefused, OidcError, Policy
from oidcclient.protocol import (
    HttpResponse,
    SignedJwt,
    check_token_type,
    check_userinfo_sub,
    granted_scope,
    key_set_from,
    keys_for,
    metadata_addresses,
    missing_scopes,
    parse_callback,
    parse_challenges,
    parse_id_token,
    parse_jwt,
    parse_key_set,
    parse_metadata,
    parse_par_response,
    parse_token_response,
    parse_userinfo_response,
    pushed_address,
    redirect_target,
    verify_id_token,
    verify_jwt,
    verify_userinfo,
)
from tests.protocol.examples import (
    CLAIMS,
    CLIENT_ID,
    CODE,
    ISSUER,
    METADATA,
    NONCE,
    POLICY,
    REDIRECT_URI,
    REQUEST_URI,
    STATE,
    TOKENS,
    WITH_ISS,
    WITH_PAR,
    claims,
    expected,
    keys,
    metadata,
    transaction,
)
from tests.protocol.signing import ALGORITHMS, b64, signer

# The same variable that `make soak` sets for every other test; read here for a default of its own.
fuzz = settings(max_examples=int(os.environ.get("OIDCCLIENT_FUZZ_EXAMPLES", "300")))

NUMBERS = st.one_of(
    st.integers(),
    st.integers(10**14, 10**16),
    st.sampled_from([2**31, 2**53, 2**63, 10**400, -(10**400), 10**4000, 1800000000]),
    st.floats(),
    st.sampled_from([float("nan"), float("inf"), 1e308, 5e-324, -0.0]),
)
TEXTS = st.one_of(
    st.text(st.characters(), max_size=20),  # lone surrogates too
    st.text("\r\n\t\x00\x1b\x7f\\\"'<>&=;,.:/?#@%+ -_~eyJ0", max_size=20),
    st.sampled_from(
        [ISSUER, CLIENT_ID, NONCE, "https://[", "http://127.0.0.1", "ES256", "none", "Bearer", "\ud800", ""]
    ),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
DEPTHS = st.one_of(st.integers(1, 80), st.integers(900, 1100), st.integers(1, 30_000))


def encoded(value: Any) -> bytes:
    """Return JSON as a careless or hostile server writes it: NaN, raw surrogates, numbers nearly without end."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def altered(members: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a good document in which some members are missing, others are anything, and strange ones are added."""
    names = st.sampled_from(sorted(members))
    return st.builds(
        lambda changes, more, absent: {
            name: value for name, value in {**members, **changes, **more}.items() if name not in absent
        },
        st.dictionaries(names, VALUES, max_size=3),
        st.dictionaries(TEXTS, VALUES, max_size=2),
        st.sets(names, max_size=1),
    )


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Return good bytes with a few places overwritten, cut out or doubled."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=3))
            case 1:
                del data[at : at + draw(st.integers(1, 20))]
            case 2:
                data[at:at] = data[at : at + draw(st.integers(1, 20))]
            case _:
                del data[at:]
    return bytes(data)


def bodies(members: Mapping[str, Any]) -> st.SearchStrategy[bytes]:
    return st.one_of(
        altered(members).map(encoded),
        damaged(encoded(members)),
        VALUES.map(encoded),
        st.binary(max_size=200),
        st.integers(4000, 6000).map(lambda digits: b'{"expires_in": ' + b"9" * digits + b"}"),
        st.builds(lambda depth, opening: opening * depth, DEPTHS, st.sampled_from([b"[", b'{"a":', b'{"iss":['])),
        st.builds(
            lambda depth, name: encoded({**members, name: nest(depth)}), DEPTHS, st.sampled_from(sorted(members))
        ),
    )


def nest(depth: int) -> Any:
    value: Any = []
    for _ in range(min(depth, 900)):  # what json.dumps can still write
        value = [value]
    return value


def responses(members: Mapping[str, Any], status: int = 200) -> st.SearchStrategy[HttpResponse]:
    types = st.one_of(st.just("application/json"), st.sampled_from(["application/jwt", "text/html", ""]), TEXTS)
    names = st.sampled_from(["Content-Type", "content-type", "WWW-Authenticate", "Retry-After", "Cache-Control"])
    return st.builds(
        lambda code, kind, more, body: HttpResponse(code, (("Content-Type", kind), *more), body),
        st.one_of(st.just(status), st.sampled_from([200, 201, 204, 302, 400, 401, 403, 429, 500, 503])),
        types,
        st.lists(st.tuples(names, TEXTS), max_size=2),
        bodies(members),
    )


def contained(call: Callable[[], Any]) -> Any:
    """Return what comes back, or None where it was refused as it should be; anything else escapes and fails."""
    try:
        return call()
    except OidcError as refusal:
        error = refusal
    assert error.hint
    assert len(str(error)) <= 600
    assert "".join(format_exception(error)).encode("utf-8")  # fit to be written anywhere
    return None


@fuzz
@given(
    responses({**METADATA, **WITH_PAR, **WITH_ISS}),
    st.sampled_from([POLICY, Policy(require_iss=True, require_par=True)]),
)
def test_whatever_metadata_holds(response: HttpResponse, policy: Policy) -> None:
    found = contained(lambda: parse_metadata(response, issuer=ISSUER, policy=policy))
    if found is not None:
        assert found.issuer == ISSUER
        assert found.token_endpoint.startswith("https://")
        contained(lambda: pushed_address(found, client_id=CLIENT_ID, pushed=parse_par_response(response)))


@fuzz
@given(TEXTS)
def test_wherever_metadata_redirects(location: str) -> None:
    target = contained(lambda: redirect_target("metadata", f"{ISSUER}/a", location, issuer=ISSUER, policy=POLICY))
    assert target is None or target.startswith("https://")
    assert metadata_addresses(ISSUER)


KEY_SET = {"keys": [signer(name).jwk() for name in ("ES256", "RS256", "Ed25519")]}
GOOD_TOKENS = [signer(name).sign(claims()) for name in ("ES256", "RS256", "Ed25519")]
OCTETS = st.one_of(st.binary(max_size=70), st.integers(0, 600).map(lambda size: b"\xff" * size)).map(b64)
DAMAGED_KEYS = st.builds(
    lambda name, changes: {**signer(name).jwk(), **changes},
    st.sampled_from(ALGORITHMS),
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "key_ops", "alg", "kid"]), OCTETS | VALUES, max_size=2
    ),
)


@fuzz
@given(responses(KEY_SET))
def test_whatever_a_key_set_holds(response: HttpResponse) -> None:
    found = contained(lambda: parse_key_set(response))
    if found is not None:
        for token in GOOD_TOKENS:
            jwt = parse_id_token(token)
            contained(partial(verify_jwt, jwt, found, allowed=ALGORITHMS, what="it", error=IDTokenRefused))


@fuzz
@given(st.lists(DAMAGED_KEYS, max_size=2), st.sampled_from(ALGORITHMS))
def test_whatever_a_key_holds(members: list[dict[str, Any]], algorithm: str) -> None:
    found = contained(lambda: key_set_from({"keys": members}))
    if found is not None:
        jwt = parse_jwt(signer(algorithm).sign(CLAIMS), "it", IDTokenRefused)
        contained(lambda: verify_jwt(jwt, found, allowed=ALGORITHMS, what="it", error=IDTokenRefused))
        keys_for(found, kid=None, algorithm=algorithm)


@fuzz
@given(responses({**TOKENS, "scope": "openid", "id_token": GOOD_TOKENS[0]}))
def test_whatever_a_token_response_holds(response: HttpResponse) -> None:
    found = contained(lambda: parse_token_response(response))
    if found is not None:
        contained(lambda: check_token_type(found, known=False))
        granted_scope(found, ("openid",))
        missing_scopes(found, ("openid", "offline_access"))
        assert found.access_token.isascii()
        assert found.access_token.isprintable()
        assert found.access_token not in repr(found) or len(found.access_token) < 20


SIGNED_USERINFO = {"iss": ISSUER, "aud": CLIENT_ID, "sub": "ann"}


@fuzz
@given(responses(SIGNED_USERINFO))
def test_whatever_userinfo_holds(response: HttpResponse) -> None:
    found = contained(lambda: parse_userinfo_response(response))
    if isinstance(found, Mapping):
        contained(lambda: check_userinfo_sub(found, "ann"))


@fuzz
@given(altered(SIGNED_USERINFO))
def test_whatever_signed_userinfo_holds(members: dict[str, Any]) -> None:
    token = signer().sign_bytes(encoded(signer().header()), encoded(members))
    response = HttpResponse(200, (("Content-Type", "application/jwt"),), token.encode())
    jwt = contained(lambda: parse_userinfo_response(response))
    if isinstance(jwt, SignedJwt):
        contained(lambda: verify_userinfo(jwt, keys(), issuer=ISSUER, client_id=CLIENT_ID, allowed=("ES256",)))


@fuzz
@given(responses({"request_uri": REQUEST_URI, "expires_in": 60}, 201))
def test_whatever_the_answer_to_a_push_holds(response: HttpResponse) -> None:
    found = contained(lambda: parse_par_response(response))
    if found is not None:
        assert found.expires_in > 0
        assert pushed_address(metadata(), client_id=CLIENT_ID, pushed=found).isascii()


def verify(token: str) -> Any:
    return verify_id_token(
        token, parse_id_token(token), keys(), allowed=POLICY.id_token_algorithms, expected=expected()
    )


SWAPPED = st.builds(
    lambda parts, joint: joint.join(parts),
    st.lists(st.sampled_from([part for token in GOOD_TOKENS for part in token.split(".")]), max_size=5),
    st.sampled_from([".", "..", "", "=."]),
)


@fuzz
@given(
    st.one_of(
        TEXTS,
        SWAPPED,
        st.sampled_from(GOOD_TOKENS)
        .flatmap(lambda token: damaged(token.encode()))
        .map(lambda data: data.decode("latin-1")),
    )
)
def test_whatever_an_id_token_is(token: str) -> None:
    found = contained(lambda: verify(token))
    assert found is None or token in GOOD_TOKENS


@fuzz
@given(st.one_of(altered(CLAIMS).map(encoded), bodies(CLAIMS)), st.one_of(st.just({}), altered(signer().header())))
def test_whatever_a_well_signed_id_token_claims(payload: bytes, header: dict[str, Any]) -> None:
    found = contained(lambda: verify(signer().sign_bytes(encoded(header or signer().header()), payload)))
    if found is not None:
        said = found.claims
        assert (said["iss"], said["nonce"]) == (ISSUER, NONCE)
        assert said["aud"] in (CLIENT_ID, [CLIENT_ID])
        assert found.sub.isascii()


GOOD_CALLBACK = (("code", CODE), ("state", STATE), ("iss", ISSUER))
NAMES = st.sampled_from(["code", "state", "iss", "error", "error_description", "error_uri", "response", "id_token"])
PAIRS = st.tuples(NAMES | TEXTS, TEXTS | st.sampled_from([STATE, CODE, ISSUER]))


@fuzz
@given(
    st.one_of(
        st.lists(PAIRS, max_size=6).map(tuple),
        st.builds(lambda pairs, more: (*pairs, *more), st.permutations(GOOD_CALLBACK), st.lists(PAIRS, max_size=2)),
        st.builds(
            lambda kept, more: (*kept, *more), st.lists(st.sampled_from(GOOD_CALLBACK)), st.lists(PAIRS, max_size=2)
        ),
    ),
    st.booleans(),
)
def test_whatever_a_callback_holds(parameters: tuple[tuple[str, str], ...], advertised: bool) -> None:
    known = metadata(**WITH_ISS) if advertised else metadata()
    code = contained(lambda: parse_callback(parameters, transaction(), known, received_at=REDIRECT_URI))
    if code is not None:
        assert ("state", STATE) in parameters
        assert ("code", code) in parameters
        assert {value for name, value in parameters if name == "iss"} <= {ISSUER}


@fuzz
@given(st.lists(st.one_of(TEXTS, st.text('Bearer,=" \\', max_size=40)), max_size=3))
def test_whatever_a_challenge_holds(fields: list[str]) -> None:
    for challenge in parse_challenges(HttpResponse(401, tuple(("WWW-Authenticate", text) for text in fields))):
        assert challenge.scheme
