"""The hook, stepped: which request gets what, and how often it goes out again."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient import hooks
from oidcclient_dpop import DPoP, Protection, SigningKey
from oidcclient_dpop.stores import SoftwareKey, generate

Kind = hooks.ExchangeKind
API = "https://api.example.com/me"
TOKEN_ENDPOINT = "https://login.example.com/token"
CHALLENGE = {"www-authenticate": 'Bearer, DPoP error="use_dpop_nonce", algs="ES256"'}
BAD_PROOF = {"www-authenticate": 'DPoP error="invalid_dpop_proof"'}


@dataclass
class Bench:
    """A hook in the context of one session, and the answers it will get."""

    hook: DPoP
    context: hooks.HookContext
    events: list[Any] = field(default_factory=list)
    sent: list[tuple[hooks.HttpRequest, str | None]] = field(default_factory=list)

    def run(self, kind: Kind, *answers: hooks.HttpResponse, url: str = API, **more: Any) -> hooks.HttpResponse:
        """Send one request through the hook; each time it goes out it gets the next answer, and uses all of them."""
        left = iter(answers)

        def proceed(request: hooks.HttpRequest, *, reason: str | None = None) -> hooks.Flow[hooks.HttpResponse]:
            self.sent.append((request, reason))
            yield from ()
            return next(left)

        if kind in {Kind.RESOURCE, Kind.USERINFO}:
            more = {"access_token": "the-token", "token_type": "DPoP", **more}
        request = hooks.HttpRequest("POST", url)
        response: hooks.HttpResponse = perform(
            self.hook.exchange(self.context, hooks.Exchange(kind, request, **more), proceed)
        )
        assert next(left, None) is None
        return response

    def claims(self, number: int = -1) -> dict[str, Any]:
        proof = self.sent[number][0].header("DPoP") or ""
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(proof.split(".")[1] + "=="))
        return claims

    @property
    def reasons(self) -> list[str | None]:
        return [reason for _, reason in self.sent]


def perform(flow: hooks.Flow[Any]) -> Any:
    """Do what the flow asks for: this hook asks for nothing but calls."""
    result = None
    try:
        while True:
            effect = flow.send(result)
            result = effect.call()  # type: ignore[union-attr] # a Run
    except StopIteration as end:
        return end.value


def answer(status: int = 200, headers: Mapping[str, str] | None = None, **body: Any) -> hooks.HttpResponse:
    return hooks.HttpResponse(status, tuple((headers or {}).items()), json.dumps(body).encode())


def asks(nonce: str, status: int = 401) -> hooks.HttpResponse:
    return answer(status, {**CHALLENGE, "dpop-nonce": nonce}, error="use_dpop_nonce")


def refuses(status: int = 401, *, clock: float) -> hooks.HttpResponse:
    """Refuse the proof, by a clock that differs from ours."""
    return answer(status, {**BAD_PROOF, "date": formatdate(time.time() + clock)}, error="invalid_dpop_proof")


def make(hook: DPoP | None = None, **raw: Any) -> Bench:
    events: list[Any] = []
    context = hooks.HookContext(
        issuer="https://login.example.com",
        client_id="app",
        profile="default",
        account=None,
        metadata=hooks.ProviderMetadata("https://login.example.com", raw=raw),
        policy=oidcclient.Policy(),
        now=0.0,
        emit=events.append,
    )
    return Bench(hook or DPoP(key=generate("ES256")), context, events)


@pytest.fixture
def bench() -> Bench:
    """A session that was just begun."""
    made = make(dpop_signing_alg_values_supported=["ES256"])
    perform(made.hook.prepare(made.context))
    return made


@pytest.mark.parametrize(
    "kind", [Kind.PAR, Kind.TOKEN, Kind.REFRESH, Kind.DEVICE, Kind.DEVICE_AUTHORIZATION, Kind.CLIENT_CREDENTIALS]
)
def test_each_request_for_a_token_has_a_proof_without_the_hash_of_one(bench: Bench, kind: Kind) -> None:
    """RFC 9449 sections 5 and 10.1."""
    bench.run(kind, answer(), url=TOKEN_ENDPOINT)
    assert set(bench.claims()) == {"jti", "htm", "htu", "iat"}
    assert bench.sent[0][0].header("authorization") is None


@pytest.mark.parametrize("kind", [Kind.RESOURCE, Kind.USERINFO])
def test_where_a_token_goes_its_hash_goes_along(bench: Bench, kind: Kind) -> None:
    """RFC 9449 section 7."""
    bench.run(kind, answer())
    assert bench.claims()["ath"]
    assert bench.sent[0][0].header("authorization") == "DPoP the-token"


def test_a_revocation_needs_no_proof(bench: Bench) -> None:
    bench.run(Kind.REVOCATION, answer())
    assert bench.sent[0][0].headers == ()


def test_a_retry_has_a_fresh_proof_with_the_nonce(bench: Bench) -> None:
    """RFC 9449 sections 7.3 and 8."""
    assert bench.run(Kind.TOKEN, asks("n-1", 400), answer(), url=TOKEN_ENDPOINT).status == 200
    first, second = bench.claims(0), bench.claims(1)
    assert "nonce" not in first
    assert second["nonce"] == "n-1"
    assert first["jti"] != second["jti"]
    assert bench.reasons == [None, "nonce"]


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 500, 503])
def test_a_nonce_on_any_answer_is_used_from_the_next_request_on(bench: Bench, status: int) -> None:
    """RFC 9449 section 8.2."""
    bench.run(Kind.RESOURCE, answer(status, {"DPoP-Nonce": "next"}))
    bench.run(Kind.RESOURCE, answer())
    assert bench.claims()["nonce"] == "next"


def test_a_nonce_on_the_answer_to_a_retry_is_used_too(bench: Bench) -> None:
    """Where it is forgotten, every call is challenged."""
    bench.run(Kind.RESOURCE, asks("one"), answer(200, {"dpop-nonce": "two"}))
    bench.run(Kind.RESOURCE, answer())
    assert bench.claims()["nonce"] == "two"


def test_the_nonce_of_one_server_never_goes_to_another(bench: Bench) -> None:
    """RFC 9449 section 9."""
    bench.run(Kind.TOKEN, answer(200, {"dpop-nonce": "of-the-provider"}), url=TOKEN_ENDPOINT)
    bench.run(Kind.RESOURCE, answer(200, {"dpop-nonce": "of-the-api"}))
    assert "nonce" not in bench.claims()
    bench.run(Kind.REFRESH, answer(), url=TOKEN_ENDPOINT)
    assert bench.claims()["nonce"] == "of-the-provider"


def test_a_second_challenge_is_an_error_and_no_loop(bench: Bench) -> None:
    with pytest.raises(oidcclient.ResponseRefused) as refusal:
        bench.run(Kind.RESOURCE, asks("one"), asks("two"))
    assert refusal.value.rule == "use_dpop_nonce"
    assert len(bench.sent) == 2


@pytest.mark.parametrize(
    "challenge",
    [
        answer(401, CHALLENGE, error="use_dpop_nonce"),
        answer(401, {"www-authenticate": 'Bearer error="use_dpop_nonce"', "dpop-nonce": "n"}),
        answer(401, {"www-authenticate": 'DPoP error="invalid_token"', "dpop-nonce": "n"}),
        answer(401, {"dpop-nonce": "n"}, error="use_dpop_nonce"),
        answer(403, {**CHALLENGE, "dpop-nonce": "n"}),
        answer(500, {**CHALLENGE, "dpop-nonce": "n"}),
    ],
)
def test_an_api_is_asked_again_only_for_a_challenge_of_its_own_with_a_nonce(
    bench: Bench, challenge: hooks.HttpResponse
) -> None:
    """Anything else is for the program; others repeat the request for every 400 and 401."""
    assert bench.run(Kind.RESOURCE, challenge) is challenge


@pytest.mark.parametrize(
    "body", [b"", b"[", b"[]", b'"use_dpop_nonce"', b'{"error": ["use_dpop_nonce"]}', b" " * 70_000, b"[" * 60_000]
)
def test_a_body_that_is_no_error_asks_for_nothing(bench: Bench, body: bytes) -> None:
    refusal = hooks.HttpResponse(400, (("dpop-nonce", "n"),), body)
    assert bench.run(Kind.TOKEN, refusal, url=TOKEN_ENDPOINT) is refusal


def test_a_nonce_and_a_clock_are_two_reasons_each_good_once(bench: Bench) -> None:
    assert bench.run(Kind.RESOURCE, asks("one"), refuses(clock=300), answer()).status == 200
    assert bench.reasons == [None, "nonce", "clock"]
    assert bench.claims()["nonce"] == "one"
    assert abs(bench.claims()["iat"] - time.time() - 300) < 3
    bench.sent.clear()
    assert bench.run(Kind.RESOURCE, asks("two"), refuses(clock=900), asks("three")).status == 401
    assert bench.reasons == [None, "nonce", "clock"]


def test_a_clock_that_is_off_is_remembered_for_its_server_alone_and_told_once(bench: Bench) -> None:
    bench.run(Kind.RESOURCE, refuses(clock=-400), answer())
    bench.run(Kind.RESOURCE, answer())
    assert abs(bench.claims()["iat"] - time.time() + 400) < 3
    bench.run(Kind.REFRESH, answer(), url=TOKEN_ENDPOINT)
    assert abs(bench.claims()["iat"] - time.time()) < 3
    assert len(bench.events) == 1
    assert re.search("40[01] seconds behind", bench.events[0].text)


@pytest.mark.parametrize(
    "headers", [{}, {"date": "yesterday"}, {"date": ""}, {"date": "Mon, 01 Jan 99999 00:00:00 GMT"}]
)
def test_without_a_good_date_a_refused_proof_is_not_tried_again(bench: Bench, headers: dict[str, str]) -> None:
    refusal = answer(401, {**BAD_PROOF, **headers})
    assert bench.run(Kind.RESOURCE, refusal) is refusal


def test_a_clock_that_is_right_is_not_the_reason(bench: Bench) -> None:
    bench.run(Kind.RESOURCE, refuses(clock=25))
    assert not bench.events


def test_a_bearer_token_that_was_accepted_goes_as_it_is() -> None:
    made = make(DPoP(key=generate("ES256"), require=False), dpop_signing_alg_values_supported=["ES256"])
    perform(made.hook.prepare(made.context))
    made.run(Kind.RESOURCE, answer(), token_type="Bearer")
    assert made.sent[0][0].headers == ()


@pytest.mark.parametrize("token_type", ["DPoP", "dpop", "DPOP"])
def test_the_type_of_a_token_is_compared_without_case(bench: Bench, token_type: str) -> None:
    """RFC 6749 section 5.1."""
    response = hooks.TokenResponse("token", token_type)
    assert bench.hook.accept_token(bench.context, Kind.TOKEN, response)
    bench.run(Kind.RESOURCE, answer(), token_type=token_type)
    assert bench.sent[0][0].header("authorization") == "DPoP the-token"


@pytest.mark.parametrize("kind", [Kind.TOKEN, Kind.REFRESH, Kind.DEVICE, Kind.CLIENT_CREDENTIALS])
@pytest.mark.parametrize("token_type", ["Bearer", "MAC", ""])
def test_an_unbound_token_is_refused_unless_that_is_accepted_knowingly(
    bench: Bench, kind: Kind, token_type: str
) -> None:
    """RFC 9449 section 5."""
    response = hooks.TokenResponse("token", token_type)
    with pytest.raises(oidcclient.DowngradeRefused):
        bench.hook.accept_token(bench.context, kind, response)
    assert not DPoP(require=False).accept_token(bench.context, kind, response)


def test_the_code_is_bound_to_the_key(bench: Bench) -> None:
    """RFC 9449 section 10."""
    jkt = bench.context.state["jkt"]
    assert perform(bench.hook.authorization_parameters(bench.context)) == {"dpop_jkt": jkt}


@pytest.mark.parametrize(
    ("supported", "ours", "chosen"),
    [
        (["ES256", "ES384"], ("ES384", "ES256"), "ES384"),
        (["EdDSA"], ("Ed25519", "ES256"), "EdDSA"),
        (["Ed25519"], ("Ed25519",), "Ed25519"),
        (["RS256", "PS256", 7, None], ("ES256", "PS256"), "PS256"),
        (["RS256"], ("RS256",), "RS256"),
    ],
)
def test_the_first_of_ours_that_the_provider_knows_is_taken(
    tmp_path: Path, supported: list[Any], ours: tuple[str, ...], chosen: str
) -> None:
    """RFC 9449 section 5.1; RFC 9864 for the two names of Ed25519."""
    made = make(DPoP(store=f"file:{tmp_path}", algorithms=ours), dpop_signing_alg_values_supported=supported)
    perform(made.hook.prepare(made.context))
    assert made.context.state["alg"] == chosen


@pytest.mark.parametrize("supported", [[], ["RS256"], ["none", "HS256"], ["es256"]])
def test_no_common_algorithm_is_an_error_before_anything_is_opened(supported: list[str]) -> None:
    """RFC 9449 section 5.1; RS256 only where it is asked for by name (RFC 9700 has better)."""
    made = make(dpop_signing_alg_values_supported=supported)
    with pytest.raises(oidcclient.DiscoveryRefused) as refusal:
        perform(made.hook.prepare(made.context))
    assert refusal.value.rule == "dpop_signing_alg_values_supported"


@pytest.mark.parametrize("raw", [{}, {"dpop_signing_alg_values_supported": "ES256"}])
def test_a_provider_that_says_nothing_is_an_error_unless_it_is_forced(raw: dict[str, Any]) -> None:
    with pytest.raises(oidcclient.DiscoveryRefused):
        perform(DPoP(key=generate("ES256")).prepare(make(**raw).context))
    perform(DPoP(key=generate("ES256"), force=True).prepare(make(**raw).context))


def test_a_key_of_the_programs_own_must_meet_the_minimum(bench: Bench) -> None:
    with pytest.raises(oidcclient.KeyUnavailable):
        perform(DPoP(key=generate("ES256"), minimum=Protection.HARDWARE).prepare(bench.context))


def reopened(bench: Bench, hook: DPoP, **state: Any) -> Bench:
    """The same session when the program starts again."""
    again = make(hook)
    again.context.state.update(bench.context.state, **state)
    return again


@pytest.mark.parametrize(
    "state", [{"jkt": None}, {"jkt": "another"}, {"protection": int(Protection.HARDWARE)}, {"protection": 3, "jkt": 7}]
)
def test_a_key_is_never_replaced_and_never_downgraded(bench: Bench, state: dict[str, Any]) -> None:
    again = reopened(bench, bench.hook, **state)
    with pytest.raises(oidcclient.KeyLost):
        again.run(Kind.RESOURCE)
    assert not again.sent


def test_another_key_of_the_programs_own_is_not_the_sessions(bench: Bench) -> None:
    with pytest.raises(oidcclient.KeyLost):
        reopened(bench, DPoP(key=generate("ES256"))).run(Kind.RESOURCE)


def test_a_key_kept_less_well_than_is_demanded_now_is_not_used(bench: Bench, tmp_path: Path) -> None:
    made = make(DPoP(store=f"file:{tmp_path}"), dpop_signing_alg_values_supported=["ES256"])
    perform(made.hook.prepare(made.context))
    again = reopened(made, DPoP(store=f"file:{tmp_path}", minimum=Protection.KEYRING))
    with pytest.raises(oidcclient.KeyUnavailable):
        again.run(Kind.RESOURCE)
    assert reopened(made, DPoP()).run(Kind.RESOURCE, answer()).status == 200  # the session names the store


class Slow:
    """A key in a device."""

    blocks = True
    protection = Protection.HARDWARE

    def __init__(self, inner: SoftwareKey) -> None:
        self.alg = inner.alg
        self.public_jwk = inner.public_jwk
        self.sign = inner.sign


def test_signing_that_blocks_happens_where_blocking_is_allowed() -> None:
    """A software key signs where it is; a key that blocks is called through an effect."""
    quick = generate("ES256")
    keys: list[tuple[SigningKey, int]] = [(quick, 0), (Slow(quick), 1)]
    for key, effects in keys:
        made = make(DPoP(key=key), dpop_signing_alg_values_supported=["ES256"])
        perform(made.hook.prepare(made.context))
        flow = made.hook.exchange(
            made.context, hooks.Exchange(Kind.TOKEN, hooks.HttpRequest("POST", TOKEN_ENDPOINT)), answers_at_once
        )
        assert len(list(effects_of(flow))) == effects


def answers_at_once(request: hooks.HttpRequest, *, reason: str | None = None) -> hooks.Flow[hooks.HttpResponse]:
    assert request.header("dpop")
    yield from ()
    return answer()


def effects_of(flow: hooks.Flow[Any]) -> Iterator[Any]:
    try:
        effect = next(flow)
        while True:
            yield effect
            effect = flow.send(effect.call())  # type: ignore[union-attr] # a Run
    except StopIteration:
        return


@pytest.mark.parametrize(
    ("protection", "words"),
    [
        (Protection.HARDWARE, "cannot be copied off this machine"),
        (Protection.ISOLATED, "not given out"),
        (Protection.KEYRING, "programs that run as you can read it"),
        (Protection.FILE, "whoever can read it has the key"),
    ],
)
def test_the_words_for_people_claim_no_more_than_is_true(protection: Protection, words: str) -> None:
    described = DPoP().describe({"title": "TPM 2.0", "protection": int(protection), "jkt": "thumb"})
    assert described.startswith("TPM 2.0: ")
    assert words in described
    assert "thumb" in described
    assert ("copied" in described) is (protection == Protection.HARDWARE)


def test_the_repr_shows_no_key() -> None:
    assert repr(DPoP(key=generate("ES256"))) == "DPoP(minimum=FILE, require=True, userinfo='dpop')"
