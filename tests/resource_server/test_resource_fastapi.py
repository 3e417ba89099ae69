"""A FastAPI application whose routes say what they need; the devkit's provider and our client at the other ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import fastapi
import httpx
import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient

from oidcclient_devkit import Provider
from oidcclient_dpop.server import (
    Cors,
    JWTAccessTokens,
    Needs,
    NonceIssuer,
    ProtectedResource,
    Route,
    VerifiedRequest,
    events,
)
from oidcclient_dpop.server.fastapi import DPoPMiddleware, DPoPSecurity
from tests.resource_server.lab import API, Lab
from tests.resource_server.serving import serve_asgi
from tests.resource_server.signed_in import POLICY, signed_in
from tests.resource_server.test_resource_asgi import credentials

SECRET = b"s" * 32


def application(resource: ProtectedResource, **settings: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(DPoPMiddleware, resource=resource, **{"default": None, **settings})
    security = DPoPSecurity(resource)
    strong = DPoPSecurity(resource, acr_values=("strong",), max_age=60)

    @app.get("/me")
    async def me(request: Annotated[VerifiedRequest, Security(security, scopes=["profile"])]) -> dict[str, Any]:
        return {"sub": request.subject, "scopes": sorted(request.scopes)}

    @app.get("/files/{name:path}")
    def file(name: str, request: Annotated[VerifiedRequest, Security(security)]) -> dict[str, Any]:
        return {"name": name, "sub": request.subject}

    @app.post("/admin")
    async def admin(
        request: Annotated[VerifiedRequest, Security(security, scopes=["admin"])],
        again: Annotated[VerifiedRequest, Security(security, scopes=["profile"])],
    ) -> dict[str, bool]:
        return {"same": request is again}

    @app.get("/money", response_class=fastapi.Response)
    async def money(request: Annotated[VerifiedRequest, Security(strong, scopes=["profile"])]) -> fastapi.Response:
        return fastapi.Response("yours")

    @app.get("/open")
    async def anybody() -> dict[str, bool]:
        return {"open": True}

    return app


@pytest.fixture
def client(lab: Lab) -> Iterator[TestClient]:
    with TestClient(application(lab.resource()), base_url=API) as client:
        yield client


def ask(client: TestClient, path: str, headers: list[tuple[str, str]], method: str = "GET") -> Any:
    return client.request(method, path, headers=dict(headers))


def test_a_route_gets_the_verified_request(client: TestClient, lab: Lab) -> None:
    assert ask(client, "/me", credentials(lab)).json() == {"sub": "ann", "scopes": ["profile"]}


def test_a_path_is_proved_as_it_was_sent(client: TestClient, lab: Lab) -> None:
    answer = ask(client, "/files/a%2Fb", credentials(lab, "/files/a%2Fb"))
    assert answer.json() == {"name": "a/b", "sub": "ann"}


def test_a_refusal_has_its_own_status_and_challenge(client: TestClient, lab: Lab) -> None:
    answer: Any = client.get("/me")
    assert (answer.status_code, answer.json()) == (401, {})
    assert answer.headers["www-authenticate"].startswith("DPoP algs=")
    answer = ask(client, "/me", credentials(lab, scope="other"))
    assert answer.status_code == 403
    assert 'scope="profile"' in answer.headers["www-authenticate"]


def test_several_dependencies_of_a_route_use_the_proof_up_once(client: TestClient, lab: Lab) -> None:
    good = credentials(lab, "/admin", "POST", scope="admin profile")
    assert ask(client, "/admin", good, "POST").json() == {"same": True}
    for scope, last in (("admin", events.RefusedLater), ("profile", events.RequestRefused)):
        bad = credentials(lab, "/admin", "POST", scope=scope)
        assert ask(client, "/admin", bad, "POST").status_code == 403
        assert lab.events[-1] == last(403, "insufficient_scope", "DPoP")


def test_a_route_can_ask_for_a_stronger_sign_in(client: TestClient, lab: Lab) -> None:
    """RFC 9470."""
    answer = ask(client, "/money", credentials(lab, "/money"))
    assert answer.status_code == 401
    assert 'acr_values="strong", max_age="60", scope="profile"' in answer.headers["www-authenticate"]
    import time  # noqa: PLC0415 - used here alone

    good = credentials(lab, "/money", acr="strong", auth_time=int(time.time()))
    assert ask(client, "/money", good).text == "yours"


def test_a_route_without_the_dependency_is_open(client: TestClient) -> None:
    assert client.get("/open").json() == {"open": True}


def test_the_middleware_may_check_first(lab: Lab) -> None:
    app = application(lab.resource(), routes=[Route("/open", None)], default=Needs(("profile",)))
    with TestClient(app, base_url=API) as client:
        assert ask(client, "/me", credentials(lab)).json()["sub"] == "ann"
        assert ask(client, "/files/a", credentials(lab, "/files/a", scope="other")).status_code == 403
        assert client.get("/open").status_code == 200


def test_openapi_shows_the_scheme_and_the_scopes(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    scheme = document["components"]["securitySchemes"]["dpop"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "dpop")
    assert document["paths"]["/me"]["get"]["security"] == [{"dpop": ["profile"]}]
    assert document["paths"]["/files/{name}"]["get"]["security"] == [{"dpop": []}]
    assert "security" not in document["paths"]["/open"]["get"]
    parameters = [one["name"] for one in document["paths"]["/files/{name}"]["get"]["parameters"]]
    assert parameters == ["name"]


def test_openapi_shows_both_schemes_where_both_are_taken(lab: Lab) -> None:
    """OpenAPI 3.1 section 4.8.30: one of the requirements in the list is enough."""
    document = application(lab.resource(mode="dpop_and_bearer")).openapi()
    schemes = document["components"]["securitySchemes"]
    assert {name: (one["type"], one["scheme"]) for name, one in schemes.items()} == {
        "dpop": ("http", "dpop"),
        "bearer": ("http", "bearer"),
    }
    assert document["paths"]["/me"]["get"]["security"] == [{"dpop": ["profile"]}, {"bearer": ["profile"]}]
    parameters = [one["name"] for one in document["paths"]["/files/{name}"]["get"]["parameters"]]
    assert parameters == ["name"]


def test_without_the_middleware_nobody_gets_in_and_it_is_said_why(lab: Lab) -> None:
    app = FastAPI()

    @app.get("/me")
    async def me(request: Annotated[VerifiedRequest, Security(DPoPSecurity(lab.resource()))]) -> None:
        raise AssertionError

    with TestClient(app, base_url=API) as client, pytest.raises(RuntimeError, match="DPoPMiddleware"):
        ask(client, "/me", credentials(lab))


# The whole way


@pytest.mark.parametrize("nonces", [None, NonceIssuer(SECRET)], ids=["without-nonces", "with-nonces"])
def test_our_client_calls_it_with_a_token_of_the_devkit(
    oidc_provider: Provider, tmp_path: Path, nonces: NonceIssuer | None
) -> None:
    def app_at(url: str) -> FastAPI:
        tokens = JWTAccessTokens(oidc_provider.issuer, url, policy=POLICY)
        return application(ProtectedResource(url, tokens, nonces=nonces, cors=Cors(["*"])))

    with serve_asgi(app_at, http="httptools") as url, signed_in(oidc_provider, tmp_path, url) as calls:
        for _ in range(3):
            answer = calls.get("/me", headers={"Origin": "https://app.example.com"})
            assert answer.status_code == 200
            assert ("dpop-nonce" in answer.headers) == (nonces is not None)
            assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.json()["sub"] == oidc_provider.users["ann"].sub
        assert calls.get("/files/a%2Fb%20c?q=1").json()["name"] == "a/b c"
        assert calls.post("/admin").status_code == 403
        sent = answer.request.headers
        stolen = httpx.get(f"{url}/me", headers={"Authorization": sent["authorization"]}, trust_env=False)
        assert stolen.status_code == 401
        oidc_provider.rotate_keys(keep_old=False)
        assert calls.get("/me").status_code == 200  # the token is remembered


def test_a_step_up_challenge_is_what_our_client_understands(oidc_provider: Provider, tmp_path: Path) -> None:
    """RFC 9470: the devkit signs its users in with another acr."""

    def app_at(url: str) -> FastAPI:
        return application(ProtectedResource(url, JWTAccessTokens(oidc_provider.issuer, url, policy=POLICY)))

    with serve_asgi(app_at) as url, signed_in(oidc_provider, tmp_path, url) as calls:
        answer = calls.get("/money")
        assert answer.status_code == 401
        assert 'error="insufficient_user_authentication"' in answer.headers["www-authenticate"]
