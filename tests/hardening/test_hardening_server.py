"""Requests that were made to slip past an API's protection, and programs that are not quite as expected."""

# No `from __future__ import annotations`: FastAPI reads the annotations of a route.

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fastapi import FastAPI, Security
from starlette.testclient import TestClient

from oidcclient_dpop.server import (
    ApiRequest,
    InvalidAccessToken,
    JWTAccessTokens,
    Needs,
    NonceIssuer,
    ProofRefused,
    ProofVerifier,
    ProtectedResource,
    Route,
    Rule,
    VerifiedRequest,
)
from oidcclient_dpop.server import asgi as for_asgi
from oidcclient_dpop.server import wsgi as for_wsgi
from oidcclient_dpop.server.authlib import TokenBinding
from oidcclient_dpop.server.fastapi import DPoPMiddleware, DPoPSecurity
from tests.dpop_server.proofs import ClientKey, new_key, prove, rsa_key, seal
from tests.resource_server import test_resource_asgi as over_asgi
from tests.resource_server import test_resource_wsgi as over_wsgi
from tests.resource_server.lab import API, ISSUER, KID, Lab, jwks, refused

ADMIN = [Route("/admin/*", Needs(("admin",))), Route("/files/{name}", Needs(("write",)), methods=["DELETE"])]


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(new_key(), new_key())


def asked(lab: Lab, path: str, method: str = "GET") -> dict[str, str]:
    """Return what a WSGI server hands over for a good request."""
    token = lab.token()
    proof = prove(lab.key, method, API + path, token)
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "REQUEST_URI": path,
        "HTTP_AUTHORIZATION": f"DPoP {token}",
        "HTTP_DPOP": proof,
    }


# Where a proof is for


@pytest.mark.parametrize("target", [":8443/me", ".example.org/me", "x/../me", "me", "/me#/elsewhere", "*", ""])
def test_a_target_that_is_no_path_becomes_no_part_of_the_address(lab: Lab, target: str) -> None:
    """RFC 9449 section 4.3 step 9: else a proof for `api.example.com.example.org` would do here."""
    token = lab.token()
    proof = prove(lab.key, "GET", (API + target).partition("#")[0], token)
    refusal = refused(lab.resource(), ApiRequest("GET", target, (f"DPoP {token}",), (proof,)))
    assert (refusal.answer.status, refusal.error) == (401, "invalid_dpop_proof")


@pytest.mark.parametrize("salt", [0, 20, 222])
def test_the_salt_of_a_pss_signature_is_as_long_as_the_hash(salt: int) -> None:
    """RFC 7518 section 3.5."""
    private = rsa.generate_private_key(65537, 2048)
    good = rsa_key("PS256", private)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    odd = ClientKey("PS256", good.jwk, lambda data: private.sign(data, pss, hashes.SHA256()))
    check = partial(ProofVerifier().verify, method="GET", url=API, now=time.time())
    check(proof_headers=[prove(good, "GET", API)])
    with pytest.raises(ProofRefused) as caught:
        check(proof_headers=[prove(odd, "GET", API)])
    assert caught.value.rule is Rule.SIGNATURE


def test_nonces_that_nobody_checks_or_nobody_makes_are_a_mistake(lab: Lab) -> None:
    """RFC 9449 section 11.3: else a proof without a nonce would do, or no proof ever."""
    nonces = NonceIssuer(b"s" * 32)
    with pytest.raises(ValueError, match="nonces"):
        lab.resource(nonces=nonces, proofs=ProofVerifier(past=30))
    with pytest.raises(ValueError, match="nonces"):
        lab.resource(proofs=ProofVerifier(nonces=nonces, nonce_required=True))
    with pytest.raises(ValueError, match="nonces"):
        TokenBinding({"token": f"{API}/token"}, nonces=nonces, proofs=ProofVerifier())


# Which route a request is for


@pytest.mark.parametrize(
    "path", ["//admin/x", "/x/../admin/y", "/./admin/x", "/x/..//admin", "/admin/../public", "admin/x"]
)
def test_a_path_that_can_be_read_in_two_ways_is_refused(lab: Lab, path: str) -> None:
    """Bottle takes `//admin` for `/admin`, Werkzeug `admin`, servers of files follow the dots."""
    lab.events.clear()
    app = for_wsgi.DPoPMiddleware(over_wsgi.who, lab.resource(), routes=ADMIN)
    status, told, _ = over_wsgi.call(app, **asked(lab, path))
    assert status == "400 Bad Request"
    assert 'error="invalid_request"' in told["WWW-Authenticate"][0]
    assert [type(event).__name__ for event in lab.events] == ["RequestRefused"]
    open_to_all = for_wsgi.DPoPMiddleware(over_wsgi.who, lab.resource(), routes=ADMIN, default=None)
    assert over_wsgi.call(open_to_all, PATH_INFO=path)[0] == "400 Bad Request"


@pytest.mark.parametrize("path", ["/files//a", "/.well-known/x", "/a/../b", "/files/a/."])
def test_a_path_that_needs_the_same_either_way_is_served(lab: Lab, path: str) -> None:
    app = for_wsgi.DPoPMiddleware(over_wsgi.who, lab.resource(), routes=ADMIN)
    assert over_wsgi.call(app, **asked(lab, path))[0] == "200 OK"


@pytest.mark.parametrize("method", ["delete", "Delete", "DELETE"])
def test_a_route_covers_a_method_however_it_is_spelled(lab: Lab, method: str) -> None:
    """Django and Werkzeug take a `delete` for a `DELETE`."""
    app = for_wsgi.DPoPMiddleware(over_wsgi.who, lab.resource(), routes=ADMIN)
    assert over_wsgi.call(app, **asked(lab, "/files/a", method))[0] == "403 Forbidden"
    assert Route("/x", methods=[method]).covers("DELETE", "/x")


# Answers


def test_an_answer_to_head_has_no_body_over_wsgi(lab: Lab) -> None:
    """RFC 9110 section 9.3.2; wsgiref and Gunicorn send what they are given, and the next answer would begin wrong."""
    app = for_wsgi.DPoPMiddleware(over_wsgi.who, lab.resource())
    for path in ("/me", "/.well-known/oauth-protected-resource"):
        _, told, body = over_wsgi.call(app, REQUEST_METHOD="HEAD", PATH_INFO=path)
        assert body == b""
        assert int(told["Content-Length"][0]) > 0


def test_a_refusal_after_start_response_takes_its_place(lab: Lab) -> None:
    """PEP 3333: a second `start_response` has the error with it."""
    told: list[tuple[str, bool]] = []

    def start_response(status: str, _headers: Any, error: Any = None) -> Any:
        told.append((status, error is not None))

    def app(_environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        start("200 OK", [])
        lab.resource().check(ApiRequest("GET", "/me"))
        return []

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/me"}
    list(for_wsgi.DPoPMiddleware(app, lab.resource(), default=None)(environ, start_response))
    assert told == [("200 OK", False), ("401 Unauthorized", True)]


def test_an_early_hint_does_not_take_the_nonce(lab: Lab) -> None:
    async def hints_first(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.early_hint", "links": []})
        await over_asgi.echo(scope, receive, send)

    resource = lab.resource(nonces=NonceIssuer(b"s" * 32))
    app = for_asgi.DPoPMiddleware(hints_first, resource, default=None)
    hint, start, *_ = over_asgi.call(app, over_asgi.scope_of("/me"))
    assert hint == {"type": "http.response.early_hint", "links": []}
    assert [value for name, value in start["headers"] if name == b"dpop-nonce"] != [b"mine"]


def test_the_metadata_is_at_the_root_whatever_the_server_puts_before_each_path(lab: Lab) -> None:
    """Uvicorn's `root_path` goes before the path of every request, and the well-known path is at the host's root."""
    resource = lab.resource(resource=f"{API}/v1")
    path = "/v1/.well-known/oauth-protected-resource/v1"
    sent = over_asgi.call(for_asgi.DPoPMiddleware(over_asgi.echo, resource), over_asgi.scope_of(path, root_path="/v1"))
    assert sent[0]["status"] == 200


@pytest.mark.parametrize(
    "identifier", ["urn:example:api", "http://api.example.com", f'{API}/"x', f"{API}/?a=b", f"{API}/#a", ""]
)
def test_a_resource_identifier_that_no_challenge_could_name_is_a_mistake(lab: Lab, identifier: str) -> None:
    """RFC 9728 section 1.2: an https URL without fragment; the challenge names its metadata in quotes."""
    with pytest.raises(ValueError, match="resource"):
        lab.resource(resource=identifier)


# Tokens


@pytest.mark.parametrize("claim", ["iss", "exp", "aud", "sub"])
def test_a_required_claim_that_is_null_is_missing(lab: Lab, claim: str) -> None:
    """RFC 9068 section 2.2: else a token whose `exp` is null would be good for ever."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": API, "sub": "ann", "exp": now + 60, claim: None}
    token = seal(lab.signer, {"typ": "at+jwt", "alg": lab.signer.alg, "kid": KID}, claims)
    with pytest.raises(InvalidAccessToken) as caught:
        JWTAccessTokens(ISSUER, API, jwks=jwks(lab.signer)).check(token, now=now)
    assert caught.value.reason == claim


def test_a_token_is_no_longer_than_a_header_field_can_be(lab: Lab) -> None:
    """Else reading it, and hashing it for the cache, costs what its sender likes."""
    tokens, now = JWTAccessTokens(ISSUER, API, jwks=jwks(lab.signer), cached=0), time.time()
    tokens.check(lab.token(more="x" * 10_000), now=now)
    with pytest.raises(InvalidAccessToken) as caught:
        tokens.check(lab.token(more="x" * 13_000), now=now)
    assert caught.value.reason == "format"


@pytest.mark.parametrize("audience", ["*", "", f"{API}/", API.upper(), f"{API} x", API[:-1]])
def test_an_audience_is_compared_whole(lab: Lab, audience: str) -> None:
    with pytest.raises(InvalidAccessToken) as caught:
        JWTAccessTokens(ISSUER, API, jwks=jwks(lab.signer)).check(lab.token(aud=[audience]), now=time.time())
    assert caught.value.reason == "aud"


@pytest.mark.parametrize(("age", "enough"), [(70, True), (71, False)])
def test_a_max_age_is_stretched_for_clocks_by_ten_seconds_and_no_more(lab: Lab, age: int, enough: bool) -> None:
    now = 2_000_000_000
    resource = lab.resource(clock=lambda: now)
    token = lab.token(exp=now + 60, auth_time=now - age)
    request = lab.request(token, iat=now)
    if enough:
        assert resource.check(request, Needs(max_age=60)).subject == "ann"
    else:
        assert refused(resource, request, Needs(max_age=60)).error == "insufficient_user_authentication"


def test_what_one_resource_let_in_is_not_let_in_by_another(lab: Lab) -> None:
    """A token for one API is none for the next (RFC 9068 section 4), though both are served by one application."""
    admin = ProtectedResource(API, JWTAccessTokens(ISSUER, "https://admin.example.com", jwks=jwks(lab.signer)))
    security = DPoPSecurity(admin)
    app = FastAPI()
    app.add_middleware(DPoPMiddleware, resource=lab.resource())

    @app.get("/me")
    async def me(request: Annotated[VerifiedRequest, Security(security)]) -> str:
        return str(request.subject)

    with pytest.raises(RuntimeError, match="this resource"):
        TestClient(app, base_url=API).get("/me", headers=dict(over_asgi.credentials(lab)))


def wrap(app: Any, resource: ProtectedResource) -> Any:
    return DPoPMiddleware(app, resource, default=None)


def mount(app: Any, resource: ProtectedResource) -> Any:
    outer = FastAPI()
    outer.add_middleware(DPoPMiddleware, resource=resource, default=None)
    outer.mount("", app)
    return outer


@pytest.mark.parametrize("around", [wrap, mount])
def test_a_middleware_that_sees_no_refusal_is_a_mistake(lab: Lab, around: Any) -> None:
    """An application makes 500 of an exception before anything around it sees it; so that is said at once."""
    resource = lab.resource()

    async def me() -> None: ...

    bare, protected = FastAPI(), FastAPI()
    protected.add_middleware(DPoPMiddleware, resource=resource, default=None)
    for app in (bare, protected):
        app.get("/me", dependencies=[Security(DPoPSecurity(resource))])(me)
    with pytest.raises(RuntimeError, match="this application"):
        TestClient(around(bare, resource), base_url=API).get("/me", headers=dict(over_asgi.credentials(lab)))
    assert TestClient(around(protected, resource), base_url=API).get("/me").status_code == 401


def test_tasks_that_check_one_proof_at_once_let_one_in(lab: Lab) -> None:
    resource, request = lab.resource(), lab.good()

    async def attempt() -> list[Any]:
        attempts = (resource.check_async(request) for _ in range(8))
        return list(await asyncio.gather(*attempts, return_exceptions=True))

    assert sum(isinstance(one, VerifiedRequest) for one in asyncio.run(attempt())) == 1
