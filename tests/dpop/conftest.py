"""A session that is bound to a key in a file, at the devkit's provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP
from tests.client.conftest import TEST_POLICY
from tests.session.conftest import SCOPES

SignIn = Callable[..., oidcclient.Session]


@pytest.fixture
def seen() -> list[object]:
    """The events of the client under test."""
    return []


@pytest.fixture
def sign_in(oidc_provider: Provider, tmp_path: Path, seen: list[object]) -> Iterator[SignIn]:
    """Sign ann in with a key of her own and return her session."""
    made: list[oidcclient.Client] = []

    def run(hook: DPoP | None = None, *, login: dict[str, Any] | None = None, **changes: Any) -> oidcclient.Session:
        settings: dict[str, Any] = {
            "scopes": SCOPES,
            "policy": TEST_POLICY,
            "store": oidcclient.MemoryStore(),
            "hooks": [hook or DPoP(store=f"file:{tmp_path}/keys")],
            "on_event": seen.append,
        }
        client = oidcclient.Client(oidc_provider.issuer, oidc_provider.client_id, **{**settings, **changes})
        made.append(client)
        oidc_provider.sign_in_as("ann")
        options: dict[str, Any] = {"resource": oidc_provider.api, **(login or {})}
        return client.login(open_browser=oidc_provider.browser(), timeout=20, **options)

    yield run
    for client in made:
        client.close()
