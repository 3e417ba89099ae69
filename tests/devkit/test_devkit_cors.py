"""Pages of other origins call the endpoints for programs (RFC 9449 section 8, the Fetch standard) and no other."""

import httpx
import pytest

from oidcclient_devkit import Provider, app, cors
from tests.devkit.conftest import App
from tests.devkit.dpop_app import DPoPApp

ORIGIN = "https://app.example"
FOR_PEOPLE = {"home", "style", "authorize", "sign_in", "consent", "end_session", "device", "log", "metrics"}
ASK = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,dpop",
}


def cors_headers(answer: httpx.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


def words(answer: httpx.Response, name: str) -> set[str]:
    return {word.strip().lower() for word in answer.headers[name].split(",")}


PROGRAMS = [(path, methods) for path, methods, name, _ in app.ROUTES if name in cors.ENDPOINTS]
PEOPLE = [(path.replace("{id}", "x"), methods) for path, methods, name, _ in app.ROUTES if name not in cors.ENDPOINTS]


def test_each_endpoint_is_for_programs_or_for_people() -> None:
    assert {name for _, _, name, _ in app.ROUTES} <= cors.ENDPOINTS | FOR_PEOPLE
    assert not cors.ENDPOINTS & FOR_PEOPLE


@pytest.mark.parametrize(("path", "methods"), PROGRAMS)
def test_a_preflight_is_answered_where_programs_ask(app: App, path: str, methods: str) -> None:
    answer = app.http.options(f"{app.provider.issuer}{path}", headers=ASK)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert words(answer, "access-control-allow-headers") == {"authorization", "content-type", "dpop"}
    assert words(answer, "access-control-allow-methods") == {*methods.lower().split(), "options"}
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(("path", "methods"), PEOPLE)
def test_no_script_of_another_origin_gets_at_what_is_for_people(app: App, path: str, methods: str) -> None:
    """RFC 9700 section 2.6."""
    url = f"{app.provider.issuer}{path}"
    for method in ("OPTIONS", *methods.split()):
        answer = app.http.request(method, url, headers=ASK)
        assert not cors_headers(answer)
    assert app.http.options(url, headers=ASK).status_code in {404, 405}


@pytest.mark.parametrize("path", ["/hello", "/me", "/echo", "/files/x", "/.well-known/oauth-protected-resource"])
def test_a_preflight_is_answered_by_the_api(app: App, path: str) -> None:
    answer = app.http.options(f"{app.provider.api}{path}", headers=ASK)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "dpop" in words(answer, "access-control-allow-headers")


def test_a_page_sees_the_nonce_and_the_challenge(dpop: DPoPApp) -> None:
    """RFC 9449 sections 7.1 and 8, at refusals and at success."""
    tokens = dpop.tokens()
    dpop.provider.dpop_nonces(as_="required", rs="required")
    refused = dpop.api("/hello", tokens["access_token"])
    accepted = dpop.api("/hello", tokens["access_token"], nonce=refused.headers["dpop-nonce"])
    challenged = dpop.refresh(tokens["refresh_token"])
    assert (refused.status_code, accepted.status_code, challenged.status_code) == (401, 200, 400)
    for answer in (refused, accepted, challenged):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert words(answer, "access-control-expose-headers") == {"dpop-nonce", "www-authenticate"}


def test_options_alone_is_no_preflight(app: App) -> None:
    answer = app.http.options(f"{app.provider.issuer}/token", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["allow"]) == (204, "POST, OPTIONS")
    assert not cors_headers(answer)


def test_preflights_are_not_counted_as_requests_to_the_endpoint(app: App) -> None:
    app.http.options(f"{app.provider.issuer}/token", headers=ASK)
    assert app.provider.count("token") == 0
    assert app.provider.count("preflight") == 1


def test_the_origins_can_be_named(app: App) -> None:
    app.provider.allow_origins(ORIGIN)
    answers = [
        app.http.request(method, f"{app.provider.issuer}{path}", headers=ASK)
        for method, path in (("OPTIONS", "/token"), ("GET", "/jwks"))
    ]
    assert [answer.headers["access-control-allow-origin"] for answer in answers] == [ORIGIN, ORIGIN]
    for other in ({**ASK, "Origin": "https://other.example"}, {**ASK, "Origin": "null"}):
        for method, path in (("OPTIONS", "/token"), ("GET", "/jwks")):
            answer = app.http.request(method, f"{app.provider.issuer}{path}", headers=other)
            assert not cors_headers(answer)
            assert answer.headers["vary"] == "Origin"
    assert not cors_headers(app.get("/jwks"))


def test_cors_can_be_switched_off(app: App) -> None:
    app.provider.allow_origins()
    assert not cors_headers(app.http.options(f"{app.provider.issuer}/token", headers=ASK))
    assert not cors_headers(app.http.get(f"{app.provider.issuer}/jwks", headers=ASK))


def test_a_page_reads_a_prepared_answer_too(oidc_provider: Provider, app: App) -> None:
    own = {"Access-Control-Allow-Origin": ORIGIN}
    oidc_provider.answer("token", 503, {}, times=2)
    oidc_provider.answer("token", 503, own)
    assert [app.post("/token").headers.get_list("access-control-allow-origin") for _ in range(3)] == [
        ["*"],
        ["*"],
        [ORIGIN],
    ]
