"""The log of requests, on the terminal and on its page: with the reasons, and without a secret."""

import logging
import re
from collections.abc import Callable, Iterator

import pytest

from oidcclient_devkit import Provider
from oidcclient_devkit import __main__ as command
from oidcclient_devkit.records import LOGGER
from tests.devkit.conftest import VERIFIER, App
from tests.devkit.dpop_app import DPoPApp


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.INFO, LOGGER.name)
    return lambda: "\n".join(record.getMessage() for record in caplog.records if record.name == LOGGER.name)


def test_the_log_has_a_line_for_each_request_and_the_reason_below(app: App, lines: Callable[[], str]) -> None:
    app.get("/jwks")
    app.api("/me")
    first, second, reason = lines().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  200  GET /jwks", first)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  401  GET /me at the API", second)
    assert reason == "          No access token was sent"


def test_nothing_secret_is_in_the_log_or_on_its_page(dpop: DPoPApp, lines: Callable[[], str]) -> None:
    """Not even of a sign-in with everything in it."""
    app = dpop.app
    app.provider.sign_in_as(None)
    dpop.provider.dpop_nonces(as_="required", rs="required")
    browser = app.provider.browser()
    code = app.sign_in(browser, scope="openid offline_access", prompt="consent")["code"]
    nonce = dpop.redeem(code).headers["dpop-nonce"]
    tokens = dpop.redeem(code, nonce=nonce).json()
    dpop.redeem(code, nonce=nonce)
    asked = dpop.api("/me", tokens["access_token"])
    dpop.api("/me", tokens["access_token"], nonce=asked.headers["dpop-nonce"], htm="POST")
    app.post(
        "/introspect",
        {"token": tokens["access_token"], "client_id": "devkit-confidential-basic", "client_secret": "a-secret"},
    )
    app.refresh(tokens["refresh_token"])
    session = app.provider.core.store.sessions
    secrets = {
        *(code, VERIFIER, nonce, asked.headers["dpop-nonce"], "a-secret", "ann-password", "a-state", "a-nonce"),
        *(tokens[name] for name in ("access_token", "refresh_token", "id_token")),
        *session,
        *(one.csrf for one in session.values()),
        *(request.header("dpop") for request in app.provider.requests if request.header("dpop")),
        *(page.url.rpartition("/")[2] for page in browser.pages if "/consent/" in page.url),
    }
    shown = lines() + app.get("/log").text + app.get("/metrics").text
    assert "invalid_grant" in shown
    for secret in secrets:
        assert secret not in shown


def test_control_characters_do_not_reach_the_terminal(app: App, lines: Callable[[], str]) -> None:
    app.get("/%1b%5B2J%0Ax")
    app.post("/token", {"grant_type": "refresh_token", "client_id": "\x1b[31mred"})
    assert "\x1b" not in lines()
    assert "\nx" not in lines()


pytest_plugins = ["pytester"]


def test_a_failed_test_shows_why_the_provider_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import urllib.request

        def test_it(oidc_provider):
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{oidc_provider.api}/me")
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Captured log call*", "*401  GET /me at the API", "*No access token was sent"])


# The page


def test_the_log_page_shows_the_requests_with_their_reasons(app: App) -> None:
    assert "There was none yet." in app.get("/log").text
    app.get("/jwks")
    app.api("/me")
    app.get("/%3Cb%3E")
    page = app.get("/log")
    assert page.text.index("&lt;b&gt;") < page.text.index("No access token was sent") < page.text.index("GET /jwks")
    assert "<b>" not in page.text
    assert "<script" not in page.text
    assert "GET /log" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_log_page_ends_somewhere(app: App) -> None:
    for _ in range(101):
        app.get("/nope")
    assert app.get("/log").text.count("<li ") == 100


def test_the_home_page_says_where_the_log_is(app: App) -> None:
    text = app.get("/").text
    assert 'href="/log"' in text
    assert 'href="/metrics"' in text


# The command


class Terminal:
    """Stands for standard error."""

    def __init__(self, *, is_terminal: bool) -> None:
        self.text = ""
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        """Nothing is kept back."""


@pytest.fixture
def terminal(
    oidc_provider: Provider, app: App, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[bool, bool], str]]:
    level = LOGGER.level

    def run(is_terminal: bool, no_color: bool) -> str:
        screen = Terminal(is_terminal=is_terminal)
        monkeypatch.setattr("sys.stderr", screen)
        monkeypatch.delenv("NO_COLOR", raising=False)
        if no_color:
            monkeypatch.setenv("NO_COLOR", "1")
        handler = command.show_requests()
        try:
            app.get("/jwks")
            app.api("/me")
        finally:
            LOGGER.removeHandler(handler)
        return screen.text

    yield run
    LOGGER.setLevel(level)


@pytest.mark.parametrize(
    ("is_terminal", "no_color", "coloured"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_refusals_are_red_on_a_terminal(
    terminal: Callable[[bool, bool], str], *, is_terminal: bool, no_color: bool, coloured: bool
) -> None:
    """https://no-color.org/."""
    text = terminal(is_terminal, no_color)
    assert ("\x1b[31m401\x1b[0m" in text) is coloured
    assert "\x1b[31m200" not in text
    assert "          No access token was sent\n" in text
