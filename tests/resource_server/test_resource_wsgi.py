"""The WSGI middleware: called by hand, and behind a real server."""

import json
from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest

from oidcclient_dpop.server import Cors, JWTAccessTokens, Needs, NonceIssuer, ProofVerifier, ProtectedResource, Route
from oidcclient_dpop.server.wsgi import KEY, DPoPMiddleware, api_request, verified_request
from tests.dpop_server.proofs import prove
from tests.resource_server.lab import API, ISSUER, Lab, jwks
from tests.resource_server.serving import serve_wsgi

PAGE = "https://app.example.com"


def who(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    subject = verified_request(environ).subject if environ[KEY] else None
    start_response("200 OK", [("Content-Type", "application/json"), ("Cache-Control", "max-age=60")])
    return [json.dumps({"sub": subject}).encode()]


def call(app: Any, **environ: Any) -> tuple[str, dict[str, list[str]], bytes]:
    every: dict[str, Any] = {"PATH_INFO": "/me", "SCRIPT_NAME": "", **environ}
    setup_testing_defaults(every)
    told: dict[str, list[str]] = {}
    status = []

    def start_response(line: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
        status.append(line)
        for name, value in headers:
            told.setdefault(name, []).append(value)

    body = b"".join(app(every, start_response))
    return status[0], told, body


def credentials(lab: Lab, path: str = "/me", base: str = API, **claims: Any) -> dict[str, str]:
    token = lab.token(**claims)
    return {"HTTP_AUTHORIZATION": f"DPoP {token}", "HTTP_DPOP": prove(lab.key, "GET", base + path, token)}


def test_a_good_request_reaches_the_application_with_its_claims(lab: Lab) -> None:
    status, told, body = call(DPoPMiddleware(who, lab.resource()), **credentials(lab))
    assert (status, json.loads(body)) == ("200 OK", {"sub": "ann"})
    assert told["Cache-Control"] == ["max-age=60"]


def test_a_bad_request_never_reaches_the_application(lab: Lab) -> None:
    status, told, body = call(DPoPMiddleware(who, lab.resource(mode="dpop_and_bearer")))
    assert (status, body) == ("401 Unauthorized", b"{}")
    assert len(told["WWW-Authenticate"]) == 2


def test_the_middleware_keeps_the_rules_of_wsgi(lab: Lab) -> None:
    """PEP 3333, as the standard library checks it."""
    app = validator(DPoPMiddleware(validator(who), lab.resource()))
    for environ in ({}, credentials(lab)):
        every: dict[str, Any] = {"PATH_INFO": "/me", "QUERY_STRING": "", "SCRIPT_NAME": "", **environ}
        setup_testing_defaults(every)
        answer: Any = app(every, lambda *_: lambda _: None)
        assert b"".join(answer)
        answer.close()


def test_every_answer_carries_the_nonce_and_pages_can_read_it(lab: Lab) -> None:
    nonces = NonceIssuer(b"s" * 32)
    app = DPoPMiddleware(who, lab.resource(nonces=nonces, proofs=ProofVerifier(nonces=nonces), cors=Cors([PAGE])))
    for environ in ({}, credentials(lab)):
        _, told, _ = call(app, HTTP_ORIGIN=PAGE, **environ)
        assert len(told["DPoP-Nonce"]) == 1
        assert told["Cache-Control"] == ["no-store"]
        assert told["Access-Control-Allow-Origin"] == [PAGE]


def test_preflights_and_metadata_need_no_token(lab: Lab) -> None:
    app = DPoPMiddleware(who, lab.resource(cors=Cors([PAGE])))
    asks = {"HTTP_ORIGIN": PAGE, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST", "REQUEST_METHOD": "OPTIONS"}
    status, told, _ = call(app, **asks)
    assert status == "204 No Content"
    assert told["Access-Control-Allow-Origin"] == [PAGE]
    status, _, body = call(app, PATH_INFO="/.well-known/oauth-protected-resource")
    assert status == "200 OK"
    assert json.loads(body)["resource"] == API


def test_scopes_are_asked_by_route(lab: Lab) -> None:
    routes = [Route("/open", None), Route("/å/*", Needs(("admin",)))]
    app = DPoPMiddleware(who, lab.resource(), routes=routes)
    assert call(app, PATH_INFO="/open")[2] == b'{"sub": null}'
    path = "/å/x".encode().decode("latin-1")  # as WSGI brings it
    assert call(app, PATH_INFO=path, **credentials(lab, "/%C3%A5/x"))[0] == "403 Forbidden"
    assert call(app, PATH_INFO=path, **credentials(lab, "/%C3%A5/x", scope="admin"))[0] == "200 OK"
    assert call(app, PATH_INFO="", **credentials(lab, "/"))[0] == "200 OK"


def test_a_refusal_that_the_application_raises_is_answered(lab: Lab) -> None:
    resource = lab.resource()

    def asks_more(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        resource.check_needs(verified_request(environ), Needs(("admin",)))
        return []

    assert call(DPoPMiddleware(asks_more, resource), **credentials(lab))[0] == "403 Forbidden"


def test_fields_that_a_server_joined_are_two(lab: Lab) -> None:
    good = credentials(lab)
    app = DPoPMiddleware(who, lab.resource())
    twice = ",".join([good["HTTP_AUTHORIZATION"]] * 2)
    assert call(app, **{**good, "HTTP_AUTHORIZATION": twice})[0] == "400 Bad Request"
    assert call(app, **{**good, "HTTP_DPOP": ",".join([good["HTTP_DPOP"]] * 2)})[0] == "401 Unauthorized"


@pytest.mark.parametrize(
    ("environ", "raw_path"),
    [
        ({"REQUEST_URI": "/v1/a%2Fb?q=1"}, "/v1/a%2Fb"),
        ({"RAW_URI": "/v1/a%2Fb?q=1"}, "/v1/a%2Fb"),
        ({"REQUEST_URI": "https://any.example.com/v1/a%2Fb"}, "/v1/a%2Fb"),
        ({"REQUEST_URI": "http://any.example.com"}, "/"),
        ({"SCRIPT_NAME": "/v1", "PATH_INFO": "/a b"}, "/v1/a%20b"),
        ({"PATH_INFO": "/a:b@c,d;e=f"}, "/a:b@c,d;e=f"),
        ({}, "/"),
    ],
)
def test_the_path_is_the_one_that_the_client_sent(environ: dict[str, str], raw_path: str) -> None:
    assert api_request({"REQUEST_METHOD": "GET", **environ}).raw_path == raw_path


def test_a_replay_cache_for_event_loops_is_a_mistake(lab: Lab) -> None:
    class Loops:
        async def use(self, proof: Any, *, now: float) -> None:
            raise AssertionError

    with pytest.raises(ValueError, match="event loop"):
        DPoPMiddleware(who, lab.resource(replay=Loops()))


def test_nobody_asks_for_claims_that_were_not_checked() -> None:
    with pytest.raises(LookupError):
        verified_request({})


def test_an_api_behind_a_real_server_keeps_every_rule(lab: Lab) -> None:
    def app_at(url: str) -> Any:
        return DPoPMiddleware(who, ProtectedResource(url, JWTAccessTokens(ISSUER, API, jwks=jwks(lab.signer))))

    with serve_wsgi(app_at) as url, httpx.Client(trust_env=False) as client:
        token = lab.token()
        headers = {"Authorization": f"DPoP {token}", "DPoP": prove(lab.key, "GET", f"{url}/a%20b", token)}
        assert client.get(f"{url}/a%20b", headers=headers).json() == {"sub": "ann"}
        assert client.get(f"{url}/a%20b", headers=headers).status_code == 401
        assert client.get(url).status_code == 401
