"""A client that talks to the devkit's provider."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import oidcclient
from oidcclient_devkit import Provider

MakeClient = Callable[..., oidcclient.Client]
TEST_POLICY = oidcclient.Policy(allow_http_loopback=True, http_timeout=5)


@pytest.fixture
def seen() -> list[object]:
    """The events of the client under test."""
    return []


@pytest.fixture
def make_client(oidc_provider: Provider, seen: list[object]) -> Iterator[MakeClient]:
    """Make a client of the devkit's provider; keyword arguments replace the usual ones."""
    made: list[oidcclient.Client] = []

    def make(**changes: Any) -> oidcclient.Client:
        settings: dict[str, Any] = {
            "issuer": oidc_provider.issuer,
            "client_id": oidc_provider.client_id,
            "scopes": ["openid", "profile", "email"],
            "policy": TEST_POLICY,
            "store": oidcclient.MemoryStore(),
            "on_event": seen.append,
        }
        made.append(oidcclient.Client(**{**settings, **changes}))
        return made[-1]

    yield make
    for client in made:
        client.close()


class MovedClock:
    """The client's clock, set ahead."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return time.time() + self.seconds

    def ticks(self) -> float:
        return time.monotonic()


def advance(client: oidcclient.Client | oidcclient.AsyncClient, seconds: float) -> None:
    """Let time pass for a client; the provider's clock stands still."""
    client._core.clock = MovedClock(seconds)  # type: ignore[assignment] # the port that the clock is
