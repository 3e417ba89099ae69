"""The authorization endpoint and its pages."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from oidcclient_devkit import Browser, BrowserStopped, Provider


def test_a_person_signs_in_and_the_app_gets_a_code_with_state_and_iss(app: Any, oidc_provider: Provider) -> None:
    """RFC 6749 section 4.1.2, RFC 9207 section 2."""
    params = app.sign_in()
    assert set(params) == {"code", "state", "iss"}
    assert params["state"] == "a-state"
    assert params["iss"] == oidc_provider.issuer


def test_a_request_can_be_posted(app: Any) -> None:
    """OIDC Core section 3.1.2.1: GET and POST."""
    answer = app.post("/authorize", dict(app.request()))
    assert answer.status_code == 303
    assert "/sign-in/" in answer.headers["location"]


def test_pages_show_the_app_the_scopes_and_where_it_leads(app: Any) -> None:
    browser = app.provider.browser()
    app.sign_in(browser, scope="openid email")
    sign_in, consent = (page.text for page in browser.pages if page.status == 200)
    assert "Devkit desktop app" in sign_in
    assert "ann-password" in sign_in
    assert "See your email address" in consent
    assert "com.example.devkit:/callback" in consent
    assert "development and tests only" in consent


def test_pages_may_load_nothing_and_be_framed_nowhere(app: Any) -> None:
    browser = app.provider.browser()
    app.sign_in(browser, redirect_uri="com.example.devkit:/callback")
    page = next(page for page in browser.pages if page.status == 200)
    policy = page.header("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' com.example.devkit:" in policy
    assert page.header("cache-control") == "no-store"
    assert page.header("referrer-policy") == "no-referrer"
    assert page.header("x-content-type-options") == "nosniff"
    assert "<script" not in page.text


@pytest.mark.parametrize(
    ("redirect_uri", "source"),
    [
        ("http://127.0.0.1:1234/callback", "http://127.0.0.1:1234"),
        ("http://[::1]:1234/callback", "http:"),
        ("http://localhost/callback", "http://localhost"),
    ],
)
def test_a_form_may_end_at_the_apps_address_and_nowhere_else(app: Any, redirect_uri: str, source: str) -> None:
    answer = app.post("/authorize", dict(app.request(redirect_uri=redirect_uri)))
    page = app.http.get(answer.headers["location"])
    assert page.headers["content-security-policy"].endswith(f"form-action 'self' {source}")


def test_the_authorization_endpoint_has_no_cors(app: Any) -> None:
    """RFC 9700 section 2.6."""
    answer = app.get("/authorize", origin="https://attacker.example")
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_login_hint_fills_the_user_name_in(app: Any) -> None:
    browser = app.provider.browser()
    app.sign_in(browser, login_hint='bob"><b>')
    assert 'value="bob&#34;&gt;&lt;b&gt;"' in browser.pages[1].text


def test_a_wrong_password_is_told_and_signs_nobody_in(app: Any) -> None:
    browser = Browser("ann", "wrong")
    with pytest.raises(BrowserStopped):
        browser.visit(app.url())
    assert browser.page.status == 400
    assert "do not go together" in browser.page.text


def test_an_unknown_user_is_told_the_same(app: Any) -> None:
    browser = Browser("nobody", "wrong")
    with pytest.raises(BrowserStopped):
        browser.visit(app.url())
    assert "do not go together" in browser.page.text


def test_denying_sends_access_denied(app: Any) -> None:
    """RFC 6749 section 4.1.2.1."""
    params = app.sign_in(app.provider.browser(deny=True))
    assert params["error"] == "access_denied"
    assert params["state"] == "a-state"
    assert params["iss"] == app.provider.issuer


def test_cancelling_the_sign_in_sends_access_denied(app: Any) -> None:
    jar = _Jar(app)
    page = jar.open(app.url())
    answer = jar.submit(page, decision="deny", username="", password="")
    assert "error=access_denied" in answer.headers["location"]


def test_a_form_without_its_token_is_refused(app: Any) -> None:
    jar = _Jar(app)
    page = jar.open(app.url())
    answer = jar.submit(page, csrf="another", username="ann", password="ann-password")
    assert answer.status_code == 403


def test_a_page_of_another_browser_is_refused(app: Any) -> None:
    page = _Jar(app).open(app.url())
    answer = app.http.get(page)
    assert answer.status_code == 400
    assert "This sign-in is over" in answer.text


def test_the_session_changes_at_sign_in(app: Any) -> None:
    """Nobody can plant a session in a browser and wait for its person to sign in."""
    jar = _Jar(app)
    page = jar.open(app.url())
    before = jar.cookie
    jar.submit(page, username="ann", password="ann-password")
    assert jar.cookie != before


def test_the_consent_page_leads_back_to_signing_in_as_somebody_else(app: Any) -> None:
    jar = _Jar(app)
    page = jar.open(app.url())
    consent = jar.submit(page, username="ann", password="ann-password").headers["location"]
    again = jar.submit(consent, decision="switch").headers["location"]
    assert "/sign-in/" in again
    consent = jar.submit(again, username="bob", password="bob-password").headers["location"]
    assert "code=" in jar.submit(consent, decision="allow").headers["location"]


def test_consent_is_not_asked_before_signing_in(app: Any) -> None:
    jar = _Jar(app)
    page = jar.open(app.url()).replace("/sign-in/", "/consent/")
    answer = jar.get(page)
    assert "/sign-in/" in answer.headers["location"]


class _Jar:
    """A browser whose forms a test fills in itself."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.cookie = ""
        self.csrf = ""

    def get(self, url: str) -> Any:
        answer = self.app.http.get(url, headers={"Cookie": self.cookie})
        self._keep(answer)
        return answer

    def open(self, url: str) -> str:
        location: str = self.get(url).headers["location"]
        self.get(location)
        return location

    def submit(self, url: str, **fields: str) -> Any:
        page = self.get(url)
        _, _, rest = page.text.partition('name="csrf" value="')
        form = {"csrf": rest.partition('"')[0], **fields}
        answer = self.app.http.post(url, data=form, headers={"Cookie": self.cookie})
        self._keep(answer)
        return answer

    def _keep(self, answer: Any) -> None:
        self.app.http.cookies.clear()
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]


# The session


def test_a_second_sign_in_asks_for_no_password(app: Any) -> None:
    browser = app.provider.browser()
    app.sign_in(browser)
    app.provider.requests.clear()
    app.sign_in(browser)
    assert app.provider.count("sign_in") == 0


def test_a_native_app_is_asked_about_every_time(app: Any) -> None:
    """RFC 8252 section 8.6."""
    browser = app.provider.browser()
    app.sign_in(browser)
    app.provider.requests.clear()
    app.sign_in(browser)
    assert app.provider.count("consent") == 2


def test_a_confidential_client_is_asked_about_once(app: Any) -> None:
    changes = {"client_id": "devkit-confidential-basic", "redirect_uri": "com.example.devkit:/callback"}
    app.provider.add_client(
        "devkit-confidential-basic",
        token_endpoint_auth_method="client_secret_basic",
        client_secret="a secret",
        redirect_uris=["com.example.devkit:/callback"],
    )
    browser = app.provider.browser()
    app.sign_in(browser, **changes)
    app.provider.requests.clear()
    assert "code" in app.sign_in(browser, **changes)
    assert app.provider.count("consent") == 0


def test_prompt_none_works_silently_after_a_sign_in(app: Any) -> None:
    browser = app.provider.browser()
    app.sign_in(browser)
    app.provider.requests.clear()
    assert "code" in app.sign_in(browser, prompt="none")
    assert [request.endpoint for request in app.provider.requests] == ["authorize"]


def test_prompt_none_without_a_session_is_login_required(app: Any) -> None:
    """OIDC Core section 3.1.2.6."""
    params = app.sign_in(prompt="none")
    assert params["error"] == "login_required"
    assert params["state"] == "a-state"


def test_prompt_none_without_consent_is_consent_required(app: Any) -> None:
    browser = app.provider.browser()
    app.sign_in(browser)
    assert app.sign_in(browser, prompt="none", scope="openid api")["error"] == "consent_required"


def test_prompt_none_goes_with_no_other(app: Any) -> None:
    """OIDC Core section 3.1.2.1."""
    assert app.sign_in(prompt="none login")["error"] == "invalid_request"


def test_prompt_login_asks_again(app: Any) -> None:
    browser = app.provider.browser()
    app.sign_in(browser)
    app.provider.requests.clear()
    app.sign_in(browser, prompt="login")
    assert app.provider.count("sign_in") == 2


def test_prompt_select_account_offers_to_go_on(app: Any) -> None:
    jar = _Jar(app)
    page = jar.open(app.url())
    consent = jar.submit(page, username="bob", password="bob-password").headers["location"]
    jar.submit(consent, decision="allow")
    page = jar.open(app.url(prompt="select_account"))
    assert "Continue as Bob Example" in jar.get(page).text
    assert "/consent/" in jar.submit(page, decision="continue").headers["location"]


def test_max_age_asks_again_once_it_is_over(app: Any) -> None:
    """OIDC Core section 3.1.2.1."""
    browser = app.provider.browser()
    app.sign_in(browser)
    assert "code" in app.sign_in(browser, prompt="none", max_age="100")
    app.provider.move_clock(101)
    assert app.sign_in(browser, prompt="none", max_age="100")["error"] == "login_required"


def test_max_age_zero_always_asks(app: Any) -> None:
    browser = app.provider.browser()
    app.sign_in(browser)
    assert app.sign_in(browser, prompt="none", max_age="0")["error"] == "login_required"


def test_a_higher_acr_asks_again(app: Any, claims_of: Any) -> None:
    browser = app.provider.browser()
    app.sign_in(browser)
    assert app.sign_in(browser, prompt="none", acr_values="mfa")["error"] == "login_required"
    code = app.sign_in(browser, acr_values="unknown mfa")["code"]
    claims = claims_of(app.redeem(code).json()["id_token"])
    assert claims["acr"] == "mfa"
    assert "otp" in claims["amr"]


def test_an_acr_out_of_reach_is_an_error(app: Any) -> None:
    """RFC 9470 section 5."""
    assert app.sign_in(acr_values="gold")["error"] == "unmet_authentication_requirements"


def test_an_essential_acr_is_reached(app: Any, claims_of: Any) -> None:
    """OIDC Core section 5.5.1.1."""
    wanted = json.dumps({"id_token": {"acr": {"essential": True, "values": ["phr"]}}})
    assert claims_of(app.tokens(claims=wanted)["id_token"])["acr"] == "phr"
    wanted = json.dumps({"id_token": {"acr": {"essential": True, "value": "phr"}}})
    assert claims_of(app.tokens(claims=wanted)["id_token"])["acr"] == "phr"


def test_a_request_about_somebody_else_is_not_answered_for_this_person(app: Any) -> None:
    """OIDC Core section 5.5.1."""
    browser = app.provider.browser()
    app.sign_in(browser)
    for sub, error in ((app.provider.users["bob"].sub, "login_required"), (app.provider.users["ann"].sub, None)):
        wanted = json.dumps({"id_token": {"sub": {"value": sub}}})
        assert app.sign_in(browser, prompt="none", claims=wanted).get("error") == error


def test_an_id_token_hint_about_somebody_else_is_login_required(app: Any) -> None:
    """OIDC Core section 3.1.2.1."""
    browser = app.provider.browser()
    mine = app.redeem(app.sign_in(browser)["code"]).json()["id_token"]
    other = app.redeem(app.sign_in(app.provider.browser("bob"))["code"]).json()["id_token"]
    assert "code" in app.sign_in(browser, prompt="none", id_token_hint=mine)
    assert app.sign_in(browser, prompt="none", id_token_hint=other)["error"] == "login_required"
    assert app.sign_in(browser, prompt="none", id_token_hint="nonsense")["error"] == "login_required"


# Refusals


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),  # to a private-use scheme
        ({"max_age": "soon"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": "[]"}, "invalid_request"),
        ({"claims": '{"userinfo": 1}'}, "invalid_request"),
        ({"resource": "https://unknown.example"}, "invalid_target"),
        ({"resource": "relative"}, "invalid_target"),
        ({"resource": "https://api.example/#fragment"}, "invalid_target"),
        ({"nonce": ["one", "two"]}, "invalid_request"),
        ({'quo"te': ["one", "two"]}, "invalid_request"),
    ],
)
def test_a_bad_request_is_told_to_the_app(app: Any, changes: dict[str, Any], error: str) -> None:
    params = app.sign_in(**changes)
    assert params["error"] == error
    assert params["state"] == "a-state"
    assert params["iss"] == app.provider.issuer
    assert '"' not in params["error_description"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"client_id": "unknown"}, "not known here"),
        ({"client_id": None}, "client_id is missing"),
        ({"client_id": ["devkit-desktop", "devkit-desktop"]}, "more than once"),
        ({"redirect_uri": "https://attacker.example/callback"}, "not registered"),
        ({"redirect_uri": None}, "not registered"),
        ({"redirect_uri": "http://127.0.0.1:1234/other"}, "not registered"),
        ({"redirect_uri": "http://127.0.0.1:99999/callback"}, "not registered"),
        ({"redirect_uri": "http://127.0.0.1:1234/callback?x=1"}, "not registered"),
        ({"redirect_uri": "http://127.0.0.1:1@attacker.example/callback"}, "not registered"),
        ({"redirect_uri": "http://127.0.0.2/callback"}, "not registered"),
        ({"redirect_uri": ["http://127.0.0.1/callback", "http://127.0.0.1/callback"]}, "more than once"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:unknown"}, "no longer works"),
    ],
)
def test_nobody_is_sent_to_an_address_that_is_not_registered(app: Any, changes: dict[str, Any], text: str) -> None:
    """RFC 6749 section 4.1.2.1."""
    page = app.refused_page(**changes).page
    assert page.status == 400
    assert page.header("location") is None
    assert text in page.text


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_loopback_address_may_have_any_port(app: Any, host: str) -> None:
    """RFC 8252 section 7.3."""
    for port in ("", ":1", ":65535"):
        answer = app.post("/authorize", dict(app.request(redirect_uri=f"http://{host}{port}/callback")))
        assert answer.status_code == 303


def test_a_web_app_must_use_its_exact_port(app: Any) -> None:
    """RFC 9700 section 4.1.3: the exception is for native apps."""
    app.provider.add_client("web", application_type="web", redirect_uris=["http://localhost:3000/cb"])
    page = app.refused_page(client_id="web", redirect_uri="http://localhost:3001/cb").page
    assert "character by character." in page.text


def test_offline_access_needs_prompt_consent(app: Any) -> None:
    """OIDC Core section 11."""
    tokens = app.tokens(scope="openid offline_access")
    assert "refresh_token" not in tokens
    assert tokens["scope"] == "openid"
    assert "refresh_token" in app.tokens(scope="openid offline_access", prompt="consent")


def test_unknown_scopes_are_left_out(app: Any) -> None:
    """OIDC Core section 3.1.2.1."""
    assert app.tokens(scope="openid everything")["scope"] == "openid"


def test_a_request_without_scope_gets_the_default(app: Any) -> None:
    """RFC 6749 section 3.3."""
    tokens = app.tokens(scope=None)
    assert tokens["scope"] == "profile"
    assert "id_token" not in tokens


def test_form_post_hands_the_answer_on_in_a_form(app: Any) -> None:
    """OAuth 2.0 Form Post Response Mode."""
    redirect_uri = f"{app.provider.api}/callback"
    browser = app.refused_page(redirect_uri=redirect_uri, response_mode="form_post")  # the API has no such page
    received = app.provider.requests.of("unknown")[0]
    assert received.method == "POST"
    assert received.value("state") == "a-state"
    assert received.value("iss") == app.provider.issuer
    assert received.header("origin") == "null"
    assert f"form-action 'self' {app.provider.api}" in (browser.pages[-2].header("content-security-policy") or "")


def test_the_answer_is_added_to_a_query_that_is_there(app: Any) -> None:
    """RFC 6749 section 3.1.2: the query of the redirect address is kept."""
    app.provider.add_client("query", redirect_uris=["com.example.query:/cb?a=1"])
    page = app.provider.browser().visit(app.url(client_id="query", redirect_uri="com.example.query:/cb?a=1"))
    pairs = parse_qsl(urlsplit(page.header("location") or "").query)
    assert pairs[0] == ("a", "1")
    assert [name for name, _ in pairs] == ["a", "code", "state", "iss"]
