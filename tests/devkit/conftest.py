"""An app without a library: it builds each request by hand, so that a test can build a wrong one."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from oidcclient_devkit import Browser, BrowserStopped, Provider
from tests.devkit.dpop_app import DPoPApp

REDIRECT_URI = "com.example.devkit:/callback"  # the scripted browser stops there, so no listener is needed
VERIFIER = "devkit-test-verifier-of-at-least-43-characters"
SCOPE = "openid profile email"


class App:
    """Plays the app that signs somebody in."""

    def __init__(self, provider: Provider, http: httpx.Client) -> None:
        self.provider = provider
        self.http = http

    def request(self, **changes: Any) -> list[tuple[str, str]]:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        params: dict[str, Any] = {
            "client_id": self.provider.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        pairs: list[tuple[str, str]] = []
        for name, value in params.items():
            values = value if isinstance(value, list) else [value]
            pairs += [(name, one) for one in values if one is not None]
        return pairs

    def url(self, **changes: Any) -> str:
        return f"{self.provider.issuer}/authorize?{urlencode(self.request(**changes))}"

    def sign_in(self, browser: Browser | None = None, **changes: Any) -> dict[str, str]:
        """Return what arrives at the redirect address."""
        browser = browser or self.provider.browser()
        page = browser.visit(self.url(**changes))
        location = page.header("location")
        assert location is not None
        assert location.startswith(REDIRECT_URI)
        return dict(parse_qsl(urlsplit(location).query, keep_blank_values=True))

    def refused_page(self, **changes: Any) -> Browser:
        """Return a browser that was shown an error page."""
        browser = self.provider.browser()
        with pytest.raises(BrowserStopped):
            browser.visit(self.url(**changes))
        return browser

    def form(self, code: str, **changes: Any) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "client_id": self.provider.client_id,
            "code_verifier": VERIFIER,
            **changes,
        }
        return {name: value for name, value in form.items() if value is not None}

    def redeem(self, code: str, **changes: Any) -> httpx.Response:
        return self.http.post(f"{self.provider.issuer}/token", data=self.form(code, **changes))

    def tokens(self, **changes: Any) -> dict[str, Any]:
        answer = self.redeem(self.sign_in(**changes)["code"])
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def refresh(self, refresh_token: str, **changes: Any) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": self.provider.client_id}
        return self.http.post(f"{self.provider.issuer}/token", data=form | changes)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(f"{self.provider.issuer}{path}", headers=headers)

    def post(self, path: str, data: Any = None, **headers: str) -> httpx.Response:
        return self.http.post(f"{self.provider.issuer}{path}", data=data, headers=headers)

    def api(self, path: str, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return self.http.get(f"{self.provider.api}{path}", headers=headers)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    """A client that uses no proxy and keeps no connection to a provider that has ended."""
    with httpx.Client(trust_env=False, headers={"Connection": "close"}) as client:
        yield client


@pytest.fixture
def app(oidc_provider: Provider, http: httpx.Client) -> App:
    return App(oidc_provider, http)


@pytest.fixture
def dpop(app: App) -> DPoPApp:
    return DPoPApp(app)


def _decode(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value


@pytest.fixture
def header_of() -> Callable[[str], dict[str, Any]]:
    return lambda token: _decode(token.split(".")[0])


@pytest.fixture
def claims_of() -> Callable[[str], dict[str, Any]]:
    return lambda token: _decode(token.split(".")[1])
