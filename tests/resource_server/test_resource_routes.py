"""What a route needs, what browsers need, and what an API says of itself."""

import json
from typing import Any

import pytest

from oidcclient_dpop.server import Answer, ApiRequest, Cors, IntrospectedTokens, Needs, Route
from oidcclient_dpop.server.resource.needs import needs_of
from tests.resource_server.lab import API, ISSUER, Lab

READ, WRITE = Needs(("read",)), Needs(("write",))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/", "/"),
        ("/me", "/me"),
        ("/me", "/me/"),
        ("/me/", "/me"),
        ("/files/{name}", "/files/a"),
        ("/files/{name}/", "/files/a.b"),
        ("/files/{name}/parts/{part}", "/files/a/parts/1"),
        ("/admin/*", "/admin"),
        ("/admin/*", "/admin/"),
        ("/admin/*", "/admin/a/b"),
        ("/admin/*", "/admin//b"),
        ("/admin/*", "/admin/a\nb"),
        ("/*", "/"),
        ("/*", "/anything/at/all"),
        ("/a.b", "/a.b"),
    ],
)
def test_a_route_covers(pattern: str, path: str) -> None:
    assert Route(pattern).covers("GET", path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/", "/me"),
        ("/me", "/me/x"),
        ("/me", "/Me"),
        ("/me", "/mexico"),
        ("/files/{name}", "/files/"),
        ("/files/{name}", "/files/a/b"),
        ("/admin/*", "/administrator"),
        ("/a.b", "/aXb"),
    ],
)
def test_a_route_does_not_cover(pattern: str, path: str) -> None:
    assert not Route(pattern).covers("GET", path)


def test_a_route_may_be_for_some_methods() -> None:
    route = Route("/me", methods=["GET", "DELETE"])
    assert [method for method in ("GET", "HEAD", "DELETE", "POST", "post") if route.covers(method, "/me")] == [
        "GET",
        "HEAD",
        "DELETE",
    ]
    assert not Route("/me", methods=["POST"]).covers("HEAD", "/me")


def test_the_first_route_counts_and_all_else_is_the_default() -> None:
    routes = [Route("/open", None), Route("/files/*", WRITE, methods=["POST"]), Route("/files/*", READ)]
    assert needs_of(routes, WRITE, "GET", "/open") is None
    assert needs_of(routes, None, "POST", "/files/a") == WRITE
    assert needs_of(routes, None, "GET", "/files/a") == READ
    assert needs_of(routes, WRITE, "GET", "/other") == WRITE


def test_a_path_starts_with_a_slash() -> None:
    with pytest.raises(ValueError, match="slash"):
        Route("me")


# Browsers


def preflight(lab: Lab, cors: Cors | None, origin: str | None = "https://app.example.com", *, asks: bool = True) -> Any:
    """Return the answer with what the middleware adds to every one."""
    resource = lab.resource(cors=cors)
    answer = resource.own_answer(ApiRequest("OPTIONS", "/me"), origin=origin, preflight=asks)
    return answer and Answer(answer.status, (*answer.headers, *resource.page_headers(origin)), answer.body)


def test_pages_of_named_origins_may_call_and_read_the_nonce(lab: Lab) -> None:
    """RFC 9449 sections 7.1 and 8."""
    answer = preflight(lab, Cors(["https://app.example.com"], headers=["Content-Type", "X-Request-Id"]))
    assert (answer.status, answer.body) == (204, b"")
    assert dict(answer.headers) == {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": "https://app.example.com",
        "Access-Control-Expose-Headers": "DPoP-Nonce, WWW-Authenticate",
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Authorization, DPoP, Content-Type, X-Request-Id",
        "Access-Control-Max-Age": "600",
    }


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "https://app.example.com.evil.example", "*"])
def test_pages_of_other_origins_may_not(lab: Lab, origin: str) -> None:
    answer = preflight(lab, Cors(["https://app.example.com"]), origin)
    assert answer.headers == (("Vary", "Origin"),)


def test_all_pages_may_call_where_that_is_said(lab: Lab) -> None:
    answer = preflight(lab, Cors(["*"]))
    assert dict(answer.headers)["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in dict(answer.headers)


def test_no_page_may_call_by_default(lab: Lab) -> None:
    assert preflight(lab, None) is None
    assert lab.resource().page_headers("https://app.example.com") == ()


@pytest.mark.parametrize(("origin", "asks"), [(None, True), ("https://app.example.com", False)])
def test_an_options_request_that_is_no_preflight_needs_a_token(lab: Lab, origin: str | None, asks: bool) -> None:
    assert preflight(lab, Cors(["*"]), origin, asks=asks) is None


def test_good_answers_are_readable_too(lab: Lab) -> None:
    resource = lab.resource(cors=Cors(["https://app.example.com"]))
    assert ("Access-Control-Allow-Origin", "https://app.example.com") in resource.page_headers(
        "https://app.example.com"
    )
    assert resource.page_headers(None) == (("Vary", "Origin"),)


# Metadata


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_api_says_what_it_takes(lab: Lab, method: str) -> None:
    """RFC 9728 sections 2 and 3."""
    resource = lab.resource(metadata={"scopes_supported": ["profile"], "resource_name": "Things"})
    request = ApiRequest(method, "/.well-known/oauth-protected-resource")
    answer = resource.own_answer(request, origin=None, preflight=False)
    assert answer is not None
    assert json.loads(answer.body) == {
        "resource": API,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": [],
        "dpop_signing_alg_values_supported": ["ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256", "PS384", "PS512"],
        "dpop_bound_access_tokens_required": True,
        "scopes_supported": ["profile"],
        "resource_name": "Things",
    }
    assert ("Content-Type", "application/json") in answer.headers


def test_an_api_that_takes_bearer_tokens_says_so(lab: Lab) -> None:
    resource = lab.resource(mode="dpop_and_bearer")
    request = ApiRequest("GET", "/.well-known/oauth-protected-resource")
    answer = resource.own_answer(request, origin=None, preflight=False)
    assert answer is not None
    members = json.loads(answer.body)
    assert members["bearer_methods_supported"] == ["header"]
    assert members["dpop_bound_access_tokens_required"] is False


@pytest.mark.parametrize(
    ("identifier", "url", "path"),
    [
        (f"{API}/v1", f"{API}/.well-known/oauth-protected-resource/v1", "/.well-known/oauth-protected-resource/v1"),
        (f"{API}/", f"{API}/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource"),
    ],
)
def test_the_metadata_is_where_the_challenges_say(lab: Lab, identifier: str, url: str, path: str) -> None:
    """RFC 9728 section 3.1: the well-known path goes between host and path."""
    resource = lab.resource(resource=identifier)
    assert resource.metadata_url == url
    assert f'resource_metadata="{url}"' in resource.challenge
    answer = resource.own_answer(ApiRequest("GET", path), origin=None, preflight=False)
    assert answer is not None
    assert json.loads(answer.body)["resource"] == identifier
    assert resource.own_answer(ApiRequest("POST", path), origin=None, preflight=False) is None


def test_the_public_names_are_there() -> None:
    from oidcclient_dpop import server  # noqa: PLC0415 - as a program would

    assert set(server.__all__) <= set(dir(server))
    assert server.IntrospectedTokens is IntrospectedTokens
    with pytest.raises(AttributeError, match="nonsense"):
        _ = server.nonsense
