"""The provider as a test holds it: its life, its switches, the scripted browser, the fixtures, the command."""

import contextlib
import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest

import oidcclient_devkit
from oidcclient_devkit import Browser, BrowserStopped, Client, Keys, Provider, User
from oidcclient_devkit import __main__ as command
from oidcclient_devkit.serving import ServerThread, bind

pytest_plugins = ["pytester"]


def test_public_names_are_there_and_lazy() -> None:
    for name in oidcclient_devkit.__all__:
        assert getattr(oidcclient_devkit, name) is not None
        assert name in dir(oidcclient_devkit)
    with pytest.raises(AttributeError):
        _ = oidcclient_devkit.nonsense
    script = "import sys, oidcclient_devkit; sys.exit('starlette' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_devkit_never_loads_the_client_it_tests() -> None:
    script = "import sys, oidcclient_devkit.__main__; sys.exit('oidcclient' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_provider_and_api_are_two_origins_on_loopback(oidc_provider: Provider) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", oidc_provider.issuer)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", oidc_provider.api)
    assert oidc_provider.issuer != oidc_provider.api
    assert set(oidc_provider.users) == {"ann", "bob"}


def test_a_provider_that_was_not_started_has_no_address(oidc_keys: Keys) -> None:
    provider = Provider(keys=oidc_keys)
    with pytest.raises(RuntimeError, match="not started"):
        _ = provider.issuer
    provider.stop()


def test_a_provider_runs_once(oidc_provider: Provider) -> None:
    with pytest.raises(RuntimeError, match="already"):
        oidc_provider.start()


def test_a_port_that_is_taken_is_an_error_and_leaks_nothing(oidc_provider: Provider, oidc_keys: Keys) -> None:
    taken = int(oidc_provider.issuer.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        Provider(keys=oidc_keys, port=taken).start()
    with pytest.raises(OSError, match="in use"):
        Provider(keys=oidc_keys, api_port=taken).start()


def test_stopping_closes_open_connections_and_ends_delays(oidc_keys: Keys) -> None:
    with Provider(keys=oidc_keys) as provider:
        provider.delay("jwks", 60)
        port = int(provider.issuer.rpartition(":")[2])
        idle = socket.create_connection(("127.0.0.1", port))
        waiting = http.client.HTTPConnection("127.0.0.1", port)
        waiting.request("GET", "/jwks")
        _until_asked(provider, "jwks")
    with pytest.raises((OSError, http.client.HTTPException)):
        assert waiting.getresponse().status is None
    with contextlib.suppress(ConnectionError):  # reset instead of closed: gone all the same
        assert idle.recv(1) == b""
    idle.close()
    waiting.close()
    assert "oidcclient-devkit" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_client_that_hangs_up_early_is_no_problem(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    port = int(app.provider.issuer.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as early:
        early.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert app.get("/jwks").status_code == 200
    app.provider.stop()
    assert [record.getMessage().split()[1:] for record in caplog.records] == [["200", "GET", "/jwks"]]


def _until_asked(provider: Provider, endpoint: str) -> None:
    for _ in range(10_000):
        if provider.count(endpoint):
            return
        httpx.get(f"{provider.issuer}/style.css", trust_env=False)
    raise AssertionError(endpoint)


def test_a_provider_can_start_again(oidc_keys: Keys) -> None:
    provider = Provider(keys=oidc_keys)
    for _ in range(2):
        with provider:
            assert httpx.get(f"{provider.issuer}/jwks", trust_env=False).status_code == 200


# Controls


def test_signing_in_as_somebody_shows_no_page(app: Any) -> None:
    app.provider.sign_in_as("bob")
    assert "code" in app.sign_in()
    assert "code" in app.sign_in(prompt="login")
    assert "code" in app.sign_in(prompt="none")
    assert {request.endpoint for request in app.provider.requests} == {"authorize"}
    app.provider.sign_in_as(None)
    assert app.sign_in(prompt="none")["error"] == "login_required"


def test_signing_in_as_nobody_known_is_refused(oidc_provider: Provider) -> None:
    with pytest.raises(ValueError, match="ann, bob"):
        oidc_provider.sign_in_as("eve")


def test_requests_are_recorded(app: Any) -> None:
    app.redeem("a-code")
    request = app.provider.requests[-1]
    assert (request.endpoint, request.method, request.path, request.status) == ("token", "POST", "/token", 400)
    assert request.value("code") == "a-code"
    assert request.value("nothing") is None
    assert request.header("Content-Type") == "application/x-www-form-urlencoded"
    assert request.header("nothing") is None
    assert b"a-code" in request.body
    assert "a-code" not in repr(request)
    assert app.provider.count("token") == 1
    app.provider.requests.clear()
    assert app.provider.count("token") == 0


def test_an_endpoint_nobody_has_is_refused(oidc_provider: Provider) -> None:
    for control in (oidc_provider.count, lambda name: oidc_provider.delay(name, 1)):
        with pytest.raises(ValueError, match="userinfo"):
            control("nonsense")
    with pytest.raises(ValueError, match="userinfo"):
        oidc_provider.answer("nonsense", 500)


def test_the_next_answers_can_be_replaced(app: Any) -> None:
    app.provider.answer("jwks", 503, {"Retry-After": "3"}, "later", times=2)
    app.provider.answer("jwks", 200, [("Content-Type", "application/jwk-set+json")], {"keys": []})
    app.provider.answer("jwks", 429, body={"error": "slow"})
    app.provider.answer("jwks", 200, {"Date": "yesterday"}, b"bytes")
    answers = [app.get("/jwks") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [503, 503, 200, 429, 200, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert answers[0].text == "later"
    assert answers[2].headers["content-type"] == "application/jwk-set+json"
    assert answers[3].headers["content-type"] == "application/json"
    assert answers[4].content == b"bytes"
    assert answers[4].headers.get_list("date") == ["yesterday"]
    assert answers[5].json()["keys"]
    assert [request.status for request in app.provider.requests.of("jwks")] == [503, 503, 200, 429, 200, 200]


def test_a_delay_holds_the_answer_back(app: Any) -> None:
    app.provider.delay("jwks", 0.001)
    assert app.get("/jwks").status_code == 200
    app.provider.delay("jwks", 60)
    with pytest.raises(httpx.ReadTimeout):
        app.http.get(f"{app.provider.issuer}/jwks", timeout=0.05)
    app.provider.behave()
    assert app.get("/jwks").status_code == 200


def test_tokens_can_be_expired(app: Any) -> None:
    tokens = app.tokens(scope="openid offline_access", prompt="consent")
    app.provider.expire_tokens()
    assert app.api("/hello", tokens["access_token"]).status_code == 401
    fresh = app.refresh(tokens["refresh_token"]).json()
    assert app.api("/hello", fresh["access_token"]).status_code == 200
    app.provider.expire_tokens(access=False, refresh=True)
    assert app.api("/hello", fresh["access_token"]).status_code == 200
    assert app.refresh(fresh["refresh_token"]).json()["error"] == "invalid_grant"


def test_everything_can_be_revoked(app: Any) -> None:
    tokens = app.tokens(scope="openid offline_access", prompt="consent")
    app.provider.revoke_grants()
    assert app.api("/hello", tokens["access_token"]).status_code == 401
    assert app.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_the_lifetime_of_tokens_can_be_set(app: Any, claims_of: Any) -> None:
    app.provider.set_token_lifetime(5)
    tokens = app.tokens()
    assert tokens["expires_in"] == 5
    claims = claims_of(tokens["access_token"])
    assert claims["exp"] - claims["iat"] == 5


def test_keys_rotate_with_or_without_the_old_ones(app: Any) -> None:
    def kids() -> set[str]:
        return {key["kid"] for key in app.get("/jwks").json()["keys"]}

    before, token = kids(), app.tokens()["access_token"]
    app.provider.rotate_keys()
    assert before < kids()
    assert app.api("/hello", token).status_code == 200
    app.provider.rotate_keys(keep_old=False)
    assert not before & kids()
    assert app.api("/hello", token).status_code == 401


def test_rotating_does_not_touch_the_shared_keys(oidc_keys: Keys) -> None:
    before = oidc_keys.jwks()
    with Provider(keys=oidc_keys) as provider:
        provider.rotate_keys(keep_old=False)
    assert oidc_keys.jwks() == before


def test_the_clock_moves_for_everything(app: Any) -> None:
    before = app.get("/jwks").headers["date"]
    app.provider.move_clock(86_400)
    assert app.get("/jwks").headers["date"] != before


def test_a_server_that_cannot_start_says_so() -> None:
    gone = bind(0)
    gone.close()
    server = ServerThread([(gone, None)], on_stop=lambda: None)
    with pytest.raises(RuntimeError, match="did not start"):
        server.start()
    server.stop()


# Clients and users


def test_other_users_can_be_served(oidc_keys: Keys, http: httpx.Client) -> None:
    eve = User("eve", "u-1", "Eve", "eve-password", claims={"locale": "nb"})
    with Provider(keys=oidc_keys, users=[eve], sign_in_as="eve") as provider:
        assert list(provider.users) == ["eve"]
        assert set(eve.all_claims()) == {"sub", "name", "preferred_username", "locale"}
        assert http.get(f"{provider.issuer}/").status_code == 200


@pytest.mark.parametrize(
    "members",
    [
        {"redirect_uris": ("http://app.example/callback",)},
        {"redirect_uris": ("https://app.example/callback#fragment",)},
        {"redirect_uris": ("relative",)},
        {"redirect_uris": ("myapp:/callback",)},
        {"redirect_uris": ("com.example:/callback",), "application_type": "web"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"id_token_signed_response_alg": "none"},
    ],
)
def test_a_bad_registration_is_refused(members: dict[str, Any]) -> None:
    """RFC 8252 section 8.4, RFC 9700 section 2.6."""
    with pytest.raises(ValueError, match=r".+"):
        Client(client_id="x", client_name="X", **members)


def test_all_three_kinds_of_redirect_can_be_registered() -> None:
    """RFC 8252 section 7."""
    uris = ("com.example:/callback", "https://app.example/callback", "http://127.0.0.1/callback")
    client = Client(client_id="x", client_name="X", redirect_uris=uris)
    client.get_default_redirect_uri()  # Authlib asks; there is none
    assert client.get_client_id() == "x"
    assert client.check_response_type("code")
    assert all(client.check_redirect_uri(uri) for uri in uris)


# The scripted browser


def test_the_browser_plays_in_the_background(app: Any, oidc_browser: Browser) -> None:
    assert oidc_browser(app.url()) is True
    oidc_browser.join()
    assert oidc_browser.error is None
    assert [page.status for page in oidc_browser.pages] == [302, 200, 303, 200, 303]


def test_the_browser_tells_what_stopped_it(app: Any) -> None:
    for url in (app.url(client_id="unknown"), "http://127.0.0.1:1/", "gopher://x"):
        browser = app.provider.browser()
        browser(url)
        browser.join()
        assert browser.error is not None


def test_the_browser_does_not_wait_for_ever(app: Any) -> None:
    app.provider.delay("authorize", 60)
    browser = app.provider.browser()
    browser(app.url())
    with pytest.raises(TimeoutError):
        browser.join(0.01)
    app.provider.stop()
    browser.join()
    assert isinstance(browser.error, OSError)


def test_the_browser_sends_what_browsers_send(app: Any) -> None:
    app.sign_in()
    first, *_, last = app.provider.requests
    assert first.header("sec-fetch-mode") == "navigate"
    assert first.header("sec-fetch-dest") == "document"
    assert first.header("sec-fetch-site") == "none"
    assert last.header("sec-fetch-site") == "same-origin"
    assert last.header("origin") == "null"


@pytest.mark.parametrize("status", [301, 303, 307])
def test_the_browser_follows_redirects(app: Any, status: int) -> None:
    app.provider.answer("home", status, {"Location": "/style.css"})
    page = app.provider.browser().visit(f"{app.provider.issuer}/")
    assert page.status == 200
    assert page.method == "GET"


def test_the_browser_posts_again_after_307(app: Any) -> None:
    """RFC 9110 section 15.4.8."""
    form = b'<form method="post" action="/nowhere"><button name="decision" value="other">Go</button></form>'
    app.provider.answer("home", 200, {"Content-Type": "text/html"}, form)
    app.provider.answer("unknown", 307, {"Location": f"{app.provider.api}/nowhere"})
    with pytest.raises(BrowserStopped):
        app.provider.browser().visit(f"{app.provider.issuer}/")
    again = app.provider.requests[-1]
    assert (again.method, again.value("decision")) == ("POST", "other")
    assert again.header("origin") == app.provider.issuer
    assert again.header("sec-fetch-site") == "same-site"


def test_the_browser_goes_in_no_circles(app: Any) -> None:
    app.provider.answer("home", 302, {"Location": "/"}, times=100)
    with pytest.raises(BrowserStopped, match="no end"):
        app.provider.browser().visit(f"{app.provider.issuer}/")


def test_the_browser_stays_on_a_page_without_a_form_it_knows(app: Any) -> None:
    form = b'<input name="lonely"><form action="/search"><input name="q"><button>Search</button></form>'
    app.provider.answer("home", 200, {"Content-Type": "text/html"}, form)
    assert app.provider.browser().visit(f"{app.provider.issuer}/").status == 200
    assert app.provider.browser().visit(f"{app.provider.issuer}/jwks").status == 200


def test_an_answer_that_is_no_http_stops_the_browser() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        browser = Browser("ann", "x")
        browser(f"http://127.0.0.1:{server.getsockname()[1]}/")
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"nonsense\r\n\r\n")
        browser.join()
    assert isinstance(browser.error, OSError)


def test_https_is_spoken_with_verification() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        browser = Browser("ann", "x")
        browser(f"https://127.0.0.1:{server.getsockname()[1]}/")
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1) == b"\x16"  # a TLS handshake
        browser.join()
    assert isinstance(browser.error, OSError)


# The plugin and the command


def test_the_fixtures_are_there_for_everybody(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(oidc_provider, oidc_browser):
            assert oidc_provider.count("token") == 0
            assert oidc_browser.username == "ann"
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_command_says_where_everything_is_and_ends_at_ctrl_c() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "oidcclient_devkit", "--port", "0", "--sign-in-as", "ann"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        text = "".join(lines)
        issuer = re.search(r"issuer +(\S+)", text)
        assert issuer is not None
        assert "devkit-desktop" in text
        assert "ann / ann-password" in text
        assert httpx.get(f"{issuer[1]}/jwks", trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0


def test_the_command_explains_why_it_cannot_start(oidc_provider: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    taken = oidc_provider.issuer.rpartition(":")[2]
    with pytest.raises(SystemExit) as stopped:
        command.main(["--port", taken])
    assert stopped.value.code == 1
    assert "cannot start" in capsys.readouterr().err


def test_the_command_ends_when_told_to(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    done = threading.Event()
    turns = iter([False, True])
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(done, "wait", lambda _seconds: next(turns))
    assert command.main(["--port", "0", "--api-port", "0"], done=done) == 0
    assert "bob / bob-password" in capsys.readouterr().out
    handlers[signal.SIGTERM]()
    assert done.is_set()
