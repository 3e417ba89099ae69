"""A desk for each test."""

from __future__ import annotations

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
