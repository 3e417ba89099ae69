"""A desk for each test."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from oidcclient_devkit import Provider
from tests.cli.calling import Desk


@pytest.fixture
def desk(oidc_provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with nothing on it; nobody is signed in."""
    return Desk(oidc_provider, tmp_path, monkeypatch)


@pytest.fixture
def work(desk: Desk) -> Desk:
    """A desk with the profile `work`, in which ann is signed in."""
    desk.profile()
    desk.sign_in()
    return desk


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
