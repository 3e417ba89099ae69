"""The ASGI middleware: called by hand, mounted, and behind uvicorn on a real socket."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.routing import Route as Path

from oidcclient_dpop.server import Cors, JWTAccessTokens, Needs, NonceIssuer, ProofVerifier, ProtectedResource, Route
from oidcclient_dpop.server.asgi import KEY, DPoPMiddleware, verified_request
from tests.dpop_server.proofs import prove
from tests.resource_server.lab import API, ISSUER, Lab, jwks
from tests.resource_server.serving import serve_asgi

SECRET = b"s" * 32
Pairs = list[tuple[str, str]]
PAGE = "https://app.example.com"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Tell who asks; set headers that the middleware may have to replace."""
    who = verified_request(scope).subject if scope[KEY] else None
    headers = [(b"cache-control", b"max-age=60"), (b"dpop-nonce", b"mine"), (b"x-own", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"sub": who}).encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def scope_of(path: str, headers: list[tuple[str, str]] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers or []],
        **changes,
    }


def call(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect" if scope["type"] == "websocket" else "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def credentials(
    lab: Lab, path: str = "/me", method: str = "GET", base: str = API, **claims: Any
) -> list[tuple[str, str]]:
    token = lab.token(**claims)
    return [("Authorization", f"DPoP {token}"), ("DPoP", prove(lab.key, method, base + path, token))]


def told(message: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in message["headers"]:
        found.setdefault(name.decode(), []).append(value.decode())
    return found


def test_a_good_request_reaches_the_application_with_its_claims(lab: Lab) -> None:
    start, body, *_ = call(DPoPMiddleware(echo, lab.resource()), scope_of("/me", credentials(lab)))
    assert (start["status"], json.loads(body["body"])) == (200, {"sub": "ann"})
    assert told(start) == {"cache-control": ["max-age=60"], "dpop-nonce": ["mine"], "x-own": ["1"]}


def test_a_bad_request_never_reaches_the_application(lab: Lab) -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    start, body = call(DPoPMiddleware(never, lab.resource()), scope_of("/me"))
    assert start["status"] == 401
    assert told(start)["www-authenticate"][0].startswith("DPoP ")
    assert body["body"] == b"{}"


def test_the_scope_of_the_server_is_not_touched(lab: Lab) -> None:
    scope = scope_of("/me", credentials(lab))
    call(DPoPMiddleware(echo, lab.resource()), scope)
    assert KEY not in scope


def test_every_answer_carries_one_nonce_and_is_not_stored(lab: Lab) -> None:
    """RFC 9449 section 8: exactly one such header; 8.2: on success too."""
    nonces = NonceIssuer(SECRET)
    app = DPoPMiddleware(echo, lab.resource(nonces=nonces))
    (nonce,) = told(call(app, scope_of("/me", credentials(lab)))[0])["dpop-nonce"]
    token = lab.token()
    proof = prove(lab.key, "GET", f"{API}/me", token, nonce=nonce)
    start = call(app, scope_of("/me", [("Authorization", f"DPoP {token}"), ("DPoP", proof)]))[0]
    assert start["status"] == 200
    assert len(told(start)["dpop-nonce"]) == 1
    assert told(start)["dpop-nonce"] != ["mine"]
    assert told(start)["cache-control"] == ["no-store"]


def test_pages_can_read_refusals_and_good_answers(lab: Lab) -> None:
    app = DPoPMiddleware(echo, lab.resource(cors=Cors([PAGE])))
    for headers in ([], credentials(lab)):
        start = call(app, scope_of("/me", [*headers, ("Origin", PAGE)]))[0]
        assert told(start)["access-control-allow-origin"] == [PAGE]
        assert told(start)["access-control-expose-headers"] == ["DPoP-Nonce, WWW-Authenticate"]


def test_a_preflight_needs_no_token(lab: Lab) -> None:
    app = DPoPMiddleware(echo, lab.resource(cors=Cors([PAGE])))
    headers = [("Origin", PAGE), ("Access-Control-Request-Method", "POST")]
    start = call(app, scope_of("/me", headers, method="OPTIONS"))[0]
    assert start["status"] == 204
    assert told(start)["access-control-allow-origin"] == [PAGE]


def test_the_metadata_needs_no_token(lab: Lab) -> None:
    start, body = call(DPoPMiddleware(echo, lab.resource()), scope_of("/.well-known/oauth-protected-resource"))
    assert start["status"] == 200
    assert json.loads(body["body"])["resource"] == API


def test_scopes_are_asked_by_route(lab: Lab) -> None:
    routes = [Route("/open", None), Route("/admin/*", Needs(("admin",)))]
    app = DPoPMiddleware(echo, lab.resource(), routes=routes)
    assert call(app, scope_of("/open"))[1]["body"] == b'{"sub": null}'
    assert call(app, scope_of("/admin/x", credentials(lab, "/admin/x")))[0]["status"] == 403
    assert call(app, scope_of("/admin/x", credentials(lab, "/admin/x", scope="admin")))[0]["status"] == 200
    assert call(app, scope_of("/other"))[0]["status"] == 401


def test_a_path_is_matched_as_the_application_sees_it(lab: Lab) -> None:
    """`/%61dmin` is `/admin` to every framework: what is encoded needlessly is no way around."""
    app = DPoPMiddleware(echo, lab.resource(), routes=[Route("/admin/*", Needs(("admin",)))])
    scope = scope_of("/admin", credentials(lab, "/%61dmin"), raw_path=b"/%61dmin")
    assert call(app, scope)[0]["status"] == 403


def test_where_a_server_gives_no_raw_path_it_is_guessed(lab: Lab) -> None:
    scope = scope_of("/files/å b", credentials(lab, "/files/%C3%A5%20b"))
    del scope["raw_path"]
    assert call(DPoPMiddleware(echo, lab.resource()), scope)[0]["status"] == 200


@pytest.mark.parametrize("root", ["/v1", "/v1/"])
def test_a_mounted_application_has_its_routes_below(lab: Lab, root: str) -> None:
    routes = [Route("/open", None), Route("/", None)]
    app = DPoPMiddleware(echo, lab.resource(), routes=routes)
    for path, status in (("/v1/open", 200), ("/v1", 200), ("/v1/other", 401), ("/v1x/open", 401)):
        assert call(app, scope_of(path, root_path=root))[0]["status"] == status


def test_a_refusal_that_the_application_raises_is_answered(lab: Lab) -> None:
    resource = lab.resource()

    async def asks_more(scope: Any, receive: Any, send: Any) -> None:
        resource.check_needs(verified_request(scope), Needs(("admin",)))

    start = call(DPoPMiddleware(asks_more, resource), scope_of("/me", credentials(lab)))[0]
    assert start["status"] == 403


def test_a_refusal_after_the_answer_began_is_the_applications_fault(lab: Lab) -> None:
    resource = lab.resource()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await echo(scope, receive, send)
        resource.check_needs(verified_request(scope), Needs(("admin",)))

    with pytest.raises(Exception, match="not good for this"):
        call(DPoPMiddleware(late, resource), scope_of("/me", credentials(lab)))


def test_nobody_asks_for_claims_that_were_not_checked() -> None:
    for scope in ({}, {KEY: None}):
        with pytest.raises(LookupError):
            verified_request(scope)


def test_lifespan_goes_through(lab: Lab) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    call(DPoPMiddleware(app, lab.resource()), {"type": "lifespan"})
    assert seen == ["lifespan"]


# WebSockets


def handshake(headers: list[tuple[str, str]], **changes: Any) -> dict[str, Any]:
    scope = scope_of("/feed", headers, type="websocket", **changes)
    del scope["method"]
    return scope


async def feed(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    assert verified_request(scope).subject == "ann"
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 1000})


def test_a_handshake_is_checked_as_the_get_request_it_is(lab: Lab) -> None:
    """RFC 6455 section 4.1."""
    nonces = NonceIssuer(SECRET)
    app = DPoPMiddleware(feed, lab.resource(nonces=nonces, proofs=ProofVerifier(nonces=nonces)))
    accept, close = call(app, handshake(credentials(lab, "/feed")))
    assert accept["type"] == "websocket.accept"
    assert "dpop-nonce" in told(accept)
    assert close == {"type": "websocket.close", "code": 1000}


def test_a_handshake_that_the_application_closes_goes_as_it_is(lab: Lab) -> None:
    async def closes(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 4000})

    app = DPoPMiddleware(closes, lab.resource())
    assert call(app, handshake(credentials(lab, "/feed"))) == [{"type": "websocket.close", "code": 4000}]


def test_a_bad_handshake_is_closed_before_it_is_accepted(lab: Lab) -> None:
    app = DPoPMiddleware(feed, lab.resource())
    assert call(app, handshake([])) == [{"type": "websocket.close", "code": 1008}]


def test_a_bad_handshake_gets_a_whole_answer_where_the_server_can(lab: Lab) -> None:
    app = DPoPMiddleware(feed, lab.resource())
    start, body = call(app, handshake([], extensions={"websocket.http.response": {}}))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert "www-authenticate" in told(start)
    assert body["type"] == "websocket.http.response.body"


def test_a_refusal_in_a_handshake_that_was_checked_is_answered(lab: Lab) -> None:
    resource = lab.resource()

    async def asks_more(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        resource.check_needs(verified_request(scope), Needs(("admin",)))

    app = DPoPMiddleware(asks_more, resource)
    assert call(app, handshake(credentials(lab, "/feed"))) == [{"type": "websocket.close", "code": 1008}]


# Behind a real server


@pytest.fixture(params=["httptools", "h11"])
def served(request: pytest.FixtureRequest, lab: Lab) -> Iterator[str]:
    def app_at(url: str) -> Starlette:
        async def files(request: Request) -> Response:
            return JSONResponse({"name": request.path_params["name"], "sub": verified_request(request.scope).subject})

        tokens = JWTAccessTokens(ISSUER, API, jwks=jwks(lab.signer))
        protected = DPoPMiddleware(
            Starlette(routes=[Path("/files/{name:path}", files, methods=["GET", "POST"])]),
            ProtectedResource(url, tokens),
            routes=[Route("/files/secret", Needs(("secrets",)))],
        )
        return Starlette(routes=[Mount("/v1", protected)])

    with serve_asgi(app_at, http=request.param) as url:
        yield url


def test_a_mounted_api_behind_a_real_server_keeps_every_rule(served: str, lab: Lab) -> None:
    with httpx.Client(trust_env=False) as client:

        def ask(path: str, sent: list[tuple[str, str]], method: str = "GET") -> httpx.Response:
            return client.request(method, f"{served}{path}", headers=sent)

        path = "/v1/files/a%2Fb%20c"
        good = credentials(lab, path, base=served)
        answer = ask(f"{path}?q=1", good)
        assert (answer.status_code, answer.json()) == (200, {"name": "a/b c", "sub": "ann"})
        assert ask(path, good).status_code == 401  # a second time
        assert ask(path, []).json() == {}
        assert ask(path, [*good, good[0]]).status_code == 400
        assert ask(path, [good[0], good[1], good[1]]).status_code == 401
        assert (
            ask(
                path, [("Host", "evil.example.com"), *credentials(lab, path, base="http://evil.example.com")]
            ).status_code
            == 401
        )
        forwarded = [("X-Forwarded-Host", "evil.example.com"), ("X-Forwarded-Proto", "https"), ("Forwarded", "host=e")]
        assert ask(path, [*forwarded, *credentials(lab, path, base="https://evil.example.com")]).status_code == 401
        secret = "/v1/files/secret"
        assert ask(secret, credentials(lab, secret, base=served)).status_code == 403
        assert ask(secret, credentials(lab, secret, "POST", base=served), "POST").status_code == 403


def test_a_root_path_of_the_server_is_part_of_the_path(lab: Lab) -> None:
    def app_at(url: str) -> Any:
        tokens = JWTAccessTokens(ISSUER, API, jwks=jwks(lab.signer))
        return DPoPMiddleware(echo, ProtectedResource(url, tokens), routes=[Route("/open", None)])

    with serve_asgi(app_at, root_path="/v1") as url:  # a proxy takes /v1 off
        answer = httpx.get(f"{url}/me", headers=credentials(lab, "/v1/me", base=url), trust_env=False)
        assert answer.status_code == 200
        assert httpx.get(f"{url}/open", trust_env=False).status_code == 200
