"""A signed-in session at the devkit's provider, which revokes the whole family when a refresh token is used twice."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import oidcclient
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY

SignIn = Callable[..., oidcclient.Session]
SCOPES = ["openid", "profile", "email", "offline_access"]


@pytest.fixture
def seen() -> list[object]:
    """The events of the client under test."""
    return []


@pytest.fixture
def sign_in(oidc_provider: Provider, seen: list[object]) -> Iterator[SignIn]:
    """Sign ann in and return her session; the client is at `session.client`."""
    made: list[oidcclient.Client] = []

    def run(*, login: dict[str, Any] | None = None, user: str = "ann", **changes: Any) -> oidcclient.Session:
        settings: dict[str, Any] = {
            "issuer": oidc_provider.issuer,
            "client_id": oidc_provider.client_id,
            "scopes": SCOPES,
            "policy": TEST_POLICY,
            "store": oidcclient.MemoryStore(),
            "on_event": seen.append,
        }
        client = oidcclient.Client(**{**settings, **changes})
        made.append(client)
        browser = oidc_provider.browser(user=user)
        session = client.login(open_browser=browser, timeout=20, **(login or {}))
        browser.join()
        oidc_provider.requests.clear()
        return session

    yield run
    for client in made:
        client.close()


def token_requests(provider: Provider) -> int:
    """How many requests reached the token endpoint."""
    return provider.count("token")
