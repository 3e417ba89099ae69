"""What a protected resource lets in, and what it answers to all else."""

import asyncio
import json
import math
import pickle
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oidcclient_dpop.server import (
    AccessRefused,
    ApiRequest,
    AuthorizationServerUnavailable,
    CheckedToken,
    MemoryReplayCache,
    Needs,
    NonceIssuer,
    ProofVerifier,
    ProtectedResource,
    ReplayUnavailable,
    Rule,
    VerifiedProof,
    events,
)
from tests.dpop_server.proofs import ClientKey, new_key, prove
from tests.resource_server.lab import API, ISSUER, Lab, accepted, access_token, challenges, header, refused

METADATA = f'resource_metadata="{API}/.well-known/oauth-protected-resource"'
ALGS = "ES256 ES384 ES512 Ed25519 EdDSA PS256 PS384 PS512"
SECRET = b"s" * 32


def test_a_bound_token_with_its_proof_is_let_in(lab: Lab) -> None:
    verified = accepted(lab.resource(), lab.good())
    assert (verified.scheme, verified.subject, verified.jkt) == ("DPoP", "ann", lab.key.jkt)
    assert verified.scopes == {"profile"}
    assert verified.claims["iss"] == ISSUER
    assert lab.events == [events.ProofVerified("resource", lab.key.jkt), events.RequestAccepted("DPoP")]


def test_nothing_of_the_token_is_shown(lab: Lab) -> None:
    request = lab.good()
    verified = accepted(lab.resource(), request)
    assert "ann" not in repr(verified)
    assert request.proofs[0] not in repr(request)
    assert request.authorization[0] not in repr(request)


@pytest.mark.parametrize("path", ["/files/a%2Fb", "/files/%E2%82%AC", "/a//b", "/%7Eann/"])
def test_the_proof_is_for_the_path_as_it_was_sent(lab: Lab, path: str) -> None:
    """RFC 9449 section 4.3 step 9."""
    accepted(lab.resource(), lab.request(lab.token(), path=path))


def test_a_path_that_only_decodes_to_the_proofs_is_refused(lab: Lab) -> None:
    token = lab.token()
    proof = prove(lab.key, "GET", f"{API}/files/a/b", token)
    refusal = refused(lab.resource(), ApiRequest("GET", "/files/a%2Fb", (f"DPoP {token}",), (proof,)))
    assert refusal.error == "invalid_dpop_proof"
    assert lab.events[0] == events.ProofRejected("resource", Rule.HTU)


def test_a_prefix_that_a_proxy_takes_off_is_part_of_the_public_url(lab: Lab) -> None:
    resource = ProtectedResource(f"{API}/v1/", lab.resource()._tokens)
    token = lab.token()
    proof = prove(lab.key, "GET", f"{API}/v1/me", token)
    accepted(resource, ApiRequest("GET", "/me", (f"DPoP {token}",), (proof,)))
    assert resource.metadata_url == f"{API}/.well-known/oauth-protected-resource/v1"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "https://api.example.com/?a=b",
        "https://api.example.com#x",
        "https://ann@api.example.com",
        "ftp://api.example.com",
        "api.example.com",
        "http://localhost.example.com",
    ],
)
def test_a_public_url_that_is_no_plain_https_url_is_a_mistake(lab: Lab, url: str) -> None:
    with pytest.raises(ValueError, match="public_url"):
        ProtectedResource(url, lab.resource()._tokens)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]", "http://LOCALHOST:1"])
def test_http_is_for_loopback(lab: Lab, url: str) -> None:
    ProtectedResource(url, lab.resource()._tokens)


def test_a_mode_that_there_is_not_is_a_mistake(lab: Lab) -> None:
    with pytest.raises(ValueError, match="mode"):
        lab.resource(mode="bearer_only")


# No token, and too many of them


def test_a_request_without_a_token_is_told_of_no_error(lab: Lab) -> None:
    """RFC 6750 section 3.1, RFC 9449 section 7.2."""
    refusal = refused(lab.resource(), ApiRequest("GET", "/me"))
    assert (refusal.answer.status, refusal.error, refusal.answer.body) == (401, None, b"{}")
    assert challenges(refusal) == [f'DPoP algs="{ALGS}", {METADATA}']
    assert lab.events == [events.RequestRefused(401, None, None)]


def test_where_bearer_is_taken_too_each_scheme_has_its_challenge(lab: Lab) -> None:
    refusal = refused(lab.resource(mode="dpop_and_bearer"), ApiRequest("GET", "/me"))
    assert challenges(refusal) == [f"Bearer {METADATA}", f'DPoP algs="{ALGS}", {METADATA}']


@pytest.mark.parametrize(
    "authorization",
    [
        ("Basic YW5uOmFubg==",),
        ("Negotiate abc",),
        ("",),
        ('Digest username="ann", uri="/me"',),
        ('Digest username="x, DPoP y", uri="a \\", DPoP b"',),
        ('Digest username="a, DPoP b\\',),
        ("Basic abc", "Negotiate abc"),
    ],
)
def test_another_scheme_is_no_token(lab: Lab, authorization: tuple[str, ...]) -> None:
    refusal = refused(lab.resource(mode="dpop_and_bearer"), ApiRequest("GET", "/me", authorization))
    assert (refusal.answer.status, refusal.error) == (401, None)


def test_where_only_dpop_is_taken_bearer_is_another_scheme(lab: Lab) -> None:
    refusal = refused(lab.resource(), lab.request(access_token(lab.signer), scheme="Bearer"))
    assert (refusal.answer.status, refusal.error) == (401, None)
    assert challenges(refusal) == [f'DPoP algs="{ALGS}", {METADATA}']


@pytest.mark.parametrize(
    "authorization",
    [
        ("Bearer {0}", "DPoP {0}"),
        ("DPoP {0}", "DPoP {0}"),
        ("Bearer {0}, DPoP {0}",),
        ("Basic abc=", "DPoP {0}"),
        ('Digest a="b", c="d",\tdpop {0}',),
        ("Bearer {0},",),
    ],
)
def test_both_schemes_at_once_are_a_bad_request(lab: Lab, authorization: tuple[str, ...]) -> None:
    """RFC 9449 section 7.2."""
    good = lab.good()
    token = good.authorization[0].removeprefix("DPoP ")
    both = tuple(one.format(token) for one in authorization)
    refusal = refused(lab.resource(mode="dpop_and_bearer"), ApiRequest("GET", "/me", both, good.proofs))
    assert (refusal.answer.status, refusal.error) == (400, "invalid_request")


def test_an_error_that_belongs_to_no_scheme_is_on_every_challenge(lab: Lab) -> None:
    token = lab.token()
    refusal = refused(
        lab.resource(mode="dpop_and_bearer"), ApiRequest("GET", "/me", (f"Bearer {token}", f"DPoP {token}"))
    )
    assert all('error="invalid_request"' in one for one in challenges(refusal))


@pytest.mark.parametrize("query", ["access_token=abc", "a=b&access_token=", "%61ccess_token=abc"])
def test_a_token_in_the_query_is_refused(lab: Lab, query: str) -> None:
    """RFC 9700 section 4.3.2: never, and not beside a good one either."""
    good = lab.good()
    request = ApiRequest(good.method, good.raw_path, good.authorization, good.proofs, query)
    refusal = refused(lab.resource(), request)
    assert (refusal.answer.status, refusal.error) == (400, "invalid_request")


@pytest.mark.parametrize("query", ["q=%61", "q=access_token", "my_access_token=1"])
def test_a_query_that_holds_no_token_does_no_harm(lab: Lab, query: str) -> None:
    good = lab.good()
    accepted(lab.resource(), ApiRequest(good.method, good.raw_path, good.authorization, good.proofs, query))


@pytest.mark.parametrize("value", ["DPoP", "DPoP ", "DPoP a b", 'DPoP "quoted"', "DPoP tök"])
def test_what_is_no_token68_is_a_bad_request(lab: Lab, value: str) -> None:
    """RFC 9110 section 11.2."""
    refusal = refused(lab.resource(), ApiRequest("GET", "/me", (value,), ("proof",)))
    assert (refusal.answer.status, refusal.error) == (400, "invalid_request")


@pytest.mark.parametrize("scheme", ["dpop", "DPOP", "DPoP "])
def test_schemes_have_no_case(lab: Lab, scheme: str) -> None:
    accepted(lab.resource(), lab.request(lab.token(), scheme=scheme))


# Bound and unbound tokens


def test_a_bound_token_is_no_bearer_token(lab: Lab) -> None:
    """RFC 9449 section 7.2: the downgrade."""
    refusal = refused(lab.resource(mode="dpop_and_bearer"), lab.request(lab.token(), scheme="Bearer"))
    assert (refusal.answer.status, refusal.error) == (401, "invalid_token")
    bearer, dpop = challenges(refusal)
    assert bearer.startswith('Bearer error="invalid_token", error_description="')
    assert "error" not in dpop
    assert lab.events == [events.AccessTokenRefused("bound"), events.RequestRefused(401, "invalid_token", "Bearer")]


def test_a_token_bound_in_a_way_that_is_not_checked_here_is_no_bearer_token(lab: Lab) -> None:
    token = access_token(lab.signer, cnf={"x5t#S256": "a" * 43})
    refusal = refused(lab.resource(mode="dpop_and_bearer"), lab.request(token, scheme="Bearer"))
    assert refusal.error == "invalid_token"


def test_an_unbound_token_is_a_bearer_token_where_those_are_taken(lab: Lab) -> None:
    verified = accepted(lab.resource(mode="dpop_and_bearer"), lab.request(access_token(lab.signer), scheme="Bearer"))
    assert (verified.scheme, verified.jkt) == ("Bearer", None)
    assert lab.events == [events.RequestAccepted("Bearer")]


def test_an_unbound_token_is_no_dpop_token(lab: Lab) -> None:
    refusal = refused(lab.resource(mode="dpop_and_bearer"), lab.request(access_token(lab.signer)))
    assert refusal.error == "invalid_token"
    dpop, bearer = challenges(refusal)  # the one that was tried comes first
    assert (bearer.partition(" ")[0], dpop.partition(" ")[0]) == ("Bearer", "DPoP")
    assert "error" not in bearer
    assert 'error="invalid_token"' in dpop


def test_a_token_of_another_key_is_an_invalid_token(lab: Lab) -> None:
    """RFC 9449 section 7.1."""
    token = lab.token(cnf={"jkt": new_key().jkt})
    refusal = refused(lab.resource(), lab.request(token))
    assert (refusal.answer.status, refusal.error) == (401, "invalid_token")
    assert lab.events[0] == events.ProofRejected("resource", Rule.JKT)


# Proofs


def test_a_token_without_its_proof_is_refused(lab: Lab) -> None:
    refusal = refused(lab.resource(), ApiRequest("GET", "/me", (f"DPoP {lab.token()}",)))
    assert (refusal.answer.status, refusal.error) == (401, "invalid_dpop_proof")


def test_two_proofs_are_refused(lab: Lab) -> None:
    good = lab.good()
    refusal = refused(lab.resource(), ApiRequest("GET", "/me", good.authorization, good.proofs * 2))
    assert refusal.error == "invalid_dpop_proof"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"htm": "POST"}, Rule.HTM),
        ({"htu": "https://other.example.com/me"}, Rule.HTU),
        ({"iat": 1}, Rule.IAT),
        ({"ath": "a" * 43}, Rule.ATH),
        ({"jti": None}, Rule.CLAIMS),
    ],
)
def test_a_proof_that_breaks_a_rule_is_refused_by_its_name(lab: Lab, changes: dict[str, Any], rule: Rule) -> None:
    refusal = refused(lab.resource(), lab.request(lab.token(), **changes))
    assert (refusal.answer.status, refusal.error) == (401, "invalid_dpop_proof")
    assert f'algs="{ALGS}"' in challenges(refusal)[0]
    assert lab.events == [
        events.ProofRejected("resource", rule),
        events.RequestRefused(401, "invalid_dpop_proof", "DPoP"),
    ]


def test_a_proof_is_good_once(lab: Lab) -> None:
    """RFC 9449 section 11.1."""
    resource, request = lab.resource(), lab.good()
    accepted(resource, request)
    assert refused(resource, request).error == "invalid_dpop_proof"
    assert events.ProofRejected("resource", Rule.REPLAY) in lab.events


def test_a_proof_is_used_up_after_every_other_check(lab: Lab) -> None:
    resource, request = lab.resource(), lab.good()
    refused(resource, request, Needs(("write",)))
    assert len(resource.replay) == 0  # type: ignore[arg-type] # the one in memory
    accepted(resource, request)


def test_where_it_cannot_be_told_whether_a_proof_was_used_nobody_gets_in(lab: Lab) -> None:
    resource = lab.resource(replay=MemoryReplayCache(1))
    accepted(resource, lab.good())
    refusal = refused(resource, lab.good())
    assert refusal.answer.status == 503
    assert header(refusal, "Retry-After") == "1"
    assert not challenges(refusal)
    assert isinstance(refusal.__cause__, ReplayUnavailable)
    assert lab.events[2:] == [
        events.ProofUndecided("resource"),
        events.RequestRefused(503, "temporarily_unavailable", "DPoP"),
    ]


def test_the_algorithms_are_those_of_the_verifier(lab: Lab) -> None:
    refusal = refused(lab.resource(proofs=ProofVerifier(algorithms=["Ed25519"])), lab.good())
    assert 'algs="Ed25519"' in challenges(refusal)[0]


# Nonces


def test_a_proof_without_a_nonce_gets_one(lab: Lab) -> None:
    """RFC 9449 section 9."""
    resource = lab.resource(nonces=NonceIssuer(SECRET))
    refusal = refused(resource, lab.good())
    assert (refusal.answer.status, refusal.error) == (401, "use_dpop_nonce")
    assert challenges(refusal)[0].startswith('DPoP error="use_dpop_nonce", ')
    assert header(refusal, "Cache-Control") == "no-store"
    assert lab.events[0] == events.NonceChallenged("resource")
    nonce = header(refusal, "DPoP-Nonce")
    accepted(resource, lab.request(lab.token(), nonce=nonce))
    again = refused(resource, lab.request(lab.token(), nonce="another"))
    assert again.error == "use_dpop_nonce"


def test_a_good_answer_carries_the_nonce_and_is_not_stored(lab: Lab) -> None:
    """RFC 9449 section 8.2."""
    (name, nonce), no_store = lab.resource(nonces=NonceIssuer(SECRET)).nonce_headers()
    assert name == "DPoP-Nonce"
    assert nonce
    assert no_store == ("Cache-Control", "no-store")
    assert lab.resource().nonce_headers() == ()


def test_nonces_can_be_optional(lab: Lab) -> None:
    nonces = NonceIssuer(SECRET)
    accepted(lab.resource(nonces=nonces, proofs=ProofVerifier(nonces=nonces)), lab.good())


# What a route needs


def test_a_scope_that_is_missing_is_named(lab: Lab) -> None:
    """RFC 6750 section 3.1."""
    refusal = refused(lab.resource(), lab.good(), Needs(("profile", "write")))
    assert (refusal.answer.status, refusal.error) == (403, "insufficient_scope")
    assert 'scope="profile write"' in challenges(refusal)[0]
    assert lab.events == [
        events.ProofVerified("resource", lab.key.jkt),
        events.RequestRefused(403, "insufficient_scope", "DPoP"),
    ]
    accepted(lab.resource(), lab.good(scope="write openid profile"), Needs(("profile", "write")))


@pytest.mark.parametrize("claims", [{}, {"acr": "weak"}, {"acr": 5}, {"acr": ["strong"]}])
def test_a_weak_sign_in_is_to_be_done_again(lab: Lab, claims: dict[str, Any]) -> None:
    """RFC 9470 section 3."""
    needs = Needs(("write",), acr_values=("strong", "stronger"))
    refusal = refused(lab.resource(), lab.good(**claims), needs)
    assert (refusal.answer.status, refusal.error) == (401, "insufficient_user_authentication")
    assert 'acr_values="strong stronger", scope="write"' in challenges(refusal)[0]


@pytest.mark.parametrize(
    "auth_time",
    [None, True, "1700000000", 1_700_000_000, time.time() + 3_600, 10**400, -(10**400), math.inf, math.nan],
    ids=["missing", "bool", "text", "old", "next-hour", "huge", "tiny", "infinite", "nan"],
)
def test_an_old_sign_in_is_to_be_done_again(lab: Lab, auth_time: Any) -> None:
    refusal = refused(lab.resource(), lab.good(auth_time=auth_time), Needs(max_age=300))
    assert refusal.error == "insufficient_user_authentication"
    assert 'max_age="300"' in challenges(refusal)[0]
    assert "acr_values" not in challenges(refusal)[0]


def test_a_strong_and_fresh_sign_in_is_enough(lab: Lab) -> None:
    needs = Needs(acr_values=("weak", "strong"), max_age=0)
    accepted(lab.resource(), lab.good(acr="strong", auth_time=int(time.time())), needs)


def test_more_can_be_asked_of_a_request_that_was_let_in(lab: Lab) -> None:
    resource = lab.resource(mode="dpop_and_bearer")
    verified = accepted(resource, lab.good())
    resource.check_needs(verified, Needs(("profile",)))
    with pytest.raises(AccessRefused) as caught:
        resource.check_needs(verified, Needs(("write",)))
    assert caught.value.answer.status == 403
    assert ["error=" in one for one in challenges(caught.value)] == [True, False]
    assert lab.events[1:] == [
        events.RequestAccepted("DPoP"),
        events.RefusedLater(403, "insufficient_scope", "DPoP"),
    ]


@pytest.mark.parametrize("scopes", ["write", ("a b",), ('a"b',), ("",)])
def test_needs_that_no_challenge_could_name_are_a_mistake(scopes: Any) -> None:
    with pytest.raises(ValueError, match="words"):
        Needs(scopes)
    with pytest.raises(ValueError, match="words"):
        Needs(acr_values=scopes)


def test_a_negative_max_age_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="max_age"):
        Needs(max_age=-1)


# The answer itself


def test_a_description_has_no_character_that_could_end_a_header(lab: Lab) -> None:
    """RFC 6750 section 3."""

    class Odd:
        issuer = ISSUER

        def check(self, token: str, *, now: float) -> CheckedToken:
            from oidcclient_dpop.server import InvalidAccessToken  # noqa: PLC0415 - used here alone

            raise InvalidAccessToken("odd", 'a "quote", a \\ and\r\nX: y, é')

        async def check_async(self, token: str, *, now: float) -> CheckedToken:
            return self.check(token, now=now)

    refusal = refused(lab.resource(access_tokens=Odd()), lab.good())
    assert 'error_description="a ?quote?, a ? and??X: y, ?"' in challenges(refusal)[0]
    assert json.loads(refusal.answer.body)["error_description"] == "a ?quote?, a ? and??X: y, ?"


def test_an_answer_is_json_and_is_not_stored(lab: Lab) -> None:
    refusal = refused(lab.resource(), lab.good(exp=1))
    assert json.loads(refusal.answer.body) == {
        "error": "invalid_token",
        "error_description": "The access token has expired",
    }
    assert header(refusal, "Content-Type") == "application/json"
    assert header(refusal, "Content-Length") == str(len(refusal.answer.body))
    assert header(refusal, "Cache-Control") == "no-store"


def test_no_nonce_is_shown(lab: Lab) -> None:
    refusal = refused(lab.resource(nonces=NonceIssuer(SECRET)), lab.good())
    assert str(header(refusal, "DPoP-Nonce")) not in repr(refusal.answer)


def test_a_refusal_survives_pickling(lab: Lab) -> None:
    refusal = refused(lab.resource(), ApiRequest("GET", "/me"))
    again = pickle.loads(pickle.dumps(refusal))  # noqa: S301 - our own
    assert (str(again), again.answer, again.error) == (str(refusal), refusal.answer, refusal.error)


def test_an_authorization_server_that_is_away_is_no_fault_of_the_request(lab: Lab) -> None:
    class Away:
        issuer = ISSUER

        def check(self, token: str, *, now: float) -> CheckedToken:
            raise AuthorizationServerUnavailable("no answer from 10.0.0.1")

        async def check_async(self, token: str, *, now: float) -> CheckedToken:
            return self.check(token, now=now)

    refusal = refused(lab.resource(access_tokens=Away()), lab.good())
    assert (refusal.answer.status, refusal.error) == (503, "temporarily_unavailable")
    assert b"10.0.0.1" not in refusal.answer.body


# On an event loop


class Slow:
    """A replay cache that waits, and knows in which thread."""

    blocks = True

    def __init__(self) -> None:
        self.inner = MemoryReplayCache()
        self.threads: list[int] = []

    def use(self, proof: VerifiedProof, *, now: float) -> None:
        import threading  # noqa: PLC0415 - used here alone

        self.threads.append(threading.get_ident())
        self.inner.use(proof, now=now)


class Loops:
    """A replay cache for event loops."""

    def __init__(self) -> None:
        self.inner = MemoryReplayCache()

    async def use(self, proof: VerifiedProof, *, now: float) -> None:
        await asyncio.sleep(0)
        self.inner.use(proof, now=now)


@pytest.mark.parametrize("cache", [MemoryReplayCache, Slow, Loops])
def test_the_decision_is_the_same_on_an_event_loop(lab: Lab, cache: type) -> None:
    resource, request = lab.resource(replay=cache()), lab.good()

    async def main() -> None:
        assert (await resource.check_async(request)).subject == "ann"
        with pytest.raises(AccessRefused, match="used before"):
            await resource.check_async(request)

    asyncio.run(main())


def test_a_bearer_token_is_let_in_on_an_event_loop_too(lab: Lab) -> None:
    request = lab.request(access_token(lab.signer), scheme="Bearer")
    verified = asyncio.run(lab.resource(mode="dpop_and_bearer").check_async(request))
    assert (verified.scheme, verified.subject) == ("Bearer", "ann")


def test_a_cache_that_waits_is_called_in_a_thread(lab: Lab) -> None:
    import threading  # noqa: PLC0415 - used here alone

    cache = Slow()
    asyncio.run(lab.resource(replay=cache).check_async(lab.good()))
    assert cache.threads
    assert cache.threads[0] != threading.get_ident()


def test_a_cache_for_event_loops_is_no_cache_for_threads(lab: Lab) -> None:
    resource = lab.resource(replay=Loops())
    assert resource.needs_event_loop
    with pytest.raises(TypeError, match="event loop"):
        resource.check(lab.good())


ODD = st.text(max_size=40) | st.sampled_from(
    ["DPoP ", "Bearer a", "DPoP a.b.c", "dpop e30.e30.e30", "access_token=%61"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # the lab collects events
@given(ODD, ODD, st.lists(ODD, max_size=3), st.lists(ODD, max_size=2), ODD)
def test_whatever_a_request_holds_it_is_refused_with_an_answer_that_can_be_sent(
    lab: Lab, method: str, path: str, authorization: list[str], proofs: list[str], query: str
) -> None:
    for mode in ("dpop_only", "dpop_and_bearer"):
        request = ApiRequest(method, path, tuple(authorization), tuple(proofs), query)
        answer = refused(lab.resource(mode=mode), request).answer
        assert answer.status in {400, 401}
        assert all(value.isascii() and value.isprintable() for _, value in answer.headers)
        json.loads(answer.body)


def test_a_good_token_with_an_odd_proof_or_path_is_refused(lab: Lab) -> None:
    token = lab.token()
    for path in ("//evil.example.com/", "http://evil.example.com/me", "*", "", "/\ud800", "/a\r\nb"):
        proof = prove(lab.key, "GET", f"{API}/me", token)
        assert refused(lab.resource(), ApiRequest("GET", path, (f"DPoP {token}",), (proof,))).answer.status == 401


def test_keys_of_every_kind_sign_proofs(signer: ClientKey) -> None:
    for alg in ("ES384", "Ed25519", "PS256"):
        lab = Lab(signer, new_key(alg))
        accepted(lab.resource(), lab.good())
