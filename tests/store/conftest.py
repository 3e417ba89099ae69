"""Keyrings to test with."""

import sys
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.store.daemons import gnome_keyring_daemon, message_bus, need_programs


@pytest.fixture
def short_folder() -> Generator[Path]:
    """A folder for sockets, whose names must be short."""
    with TemporaryDirectory(prefix="oidc-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def keyring_address() -> Generator[str]:
    if sys.platform != "linux":
        pytest.skip("GNOME Keyring runs on Linux; nothing can install it here")
    need_programs()
    with (
        TemporaryDirectory(prefix="oidc-", ignore_cleanup_errors=True) as name,
        message_bus(Path(name)) as address,
        gnome_keyring_daemon(address, Path(name), password="made-up"),
    ):
        yield address


@pytest.fixture
def gnome_keyring(keyring_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unlocked GNOME Keyring."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", keyring_address)
