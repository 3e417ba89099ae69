"""A session in a folder that many processes share; the provider revokes the whole family on reuse."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient_devkit import Provider
from tests.processes.crew import Program
from tests.processes.worker import settings

StartProgram = Callable[..., Program]


class Shared:
    """The folder, and what lies in it."""

    def __init__(self, provider: Provider, folder: Path) -> None:
        self.provider = provider
        self.options = {"issuer": provider.issuer, "client_id": provider.client_id, "folder": str(folder)}
        self.store = oidcclient.FileStore(folder)
        self.client = oidcclient.Client(**settings(self.options))
        self.key = self.sign_in()

    def sign_in(self) -> oidcclient.RecordKey:
        """Sign ann in, in place of whatever session there was."""
        browser = self.provider.browser()
        session = self.client.login(open_browser=browser, timeout=20)
        browser.join()
        self.provider.requests.clear()
        return session._key

    def record(self) -> oidcclient.SessionRecord:
        """Return what is stored now; raises if that cannot be read."""
        record = self.store.load(self.key)
        assert record is not None
        return record

    def settle(self) -> None:
        """Return once the provider has done what it was sent so far: it has one thread, and takes turns."""
        with urllib.request.urlopen(f"{self.provider.issuer}/jwks", timeout=10) as answer:  # noqa: S310 - the devkit
            answer.read()

    def is_revoked(self) -> bool:
        """Whether the provider has revoked anything."""
        return any(token.grant.revoked for token in self.provider.core.store.refresh_tokens.values())

    def sent(self, refresh_token: str | None) -> list[int]:
        """Return the statuses of the token requests with this refresh token, in order."""
        requests = list(self.provider.requests.of("token"))
        return [request.status for request in requests if request.value("refresh_token") == refresh_token]


@pytest.fixture
def shared(oidc_provider: Provider, tmp_path: Path) -> Iterator[Shared]:
    """Sign ann in, in a fresh folder."""
    made = Shared(oidc_provider, tmp_path / "sessions")
    yield made
    made.client.close()


@pytest.fixture
def start(shared: Shared) -> Iterator[StartProgram]:
    """Start programs of this folder; all have ended afterwards."""
    running: list[Program] = []

    def run(module: str, **options: Any) -> Program:
        running.append(Program(module, {**shared.options, **options}))
        return running[-1]

    yield run
    for program in running:
        program.end()
