"""The shorter ways to the key: the Secret Service itself, and for who asks for it the kernel's memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from oidcclient import KeyringStore, UsageError
from oidcclient._shell.store import kernel_keys
from oidcclient._shell.store.kernel_keys import forget_key, keep_key, kept_key
from oidcclient._shell.store.keyring_backend import read_secret, write_secret
from oidcclient._shell.store.secret_service import secret_at_once
from tests.store.daemons import gnome_keyring_daemon, message_bus, need_programs
from tests.store.folders import KEY, RECORD

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service and the kernel's keyring are Linux's"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NAME, KEY_32 = "test-" + "f" * 16, bytes(range(32))


@pytest.fixture
def kernel() -> Iterator[None]:
    """A kernel that keeps keys; nothing of ours is left in it."""
    if not keep_key(NAME, KEY_32):
        pytest.skip("this kernel keeps no keys: keyctl(2) is filtered; run outside of the container")
    forget_key(NAME)
    yield
    forget_key(NAME)


# -- the Secret Service itself


@pytest.mark.usefixtures("gnome_keyring")
def test_what_keyring_stored_is_read_without_keyring() -> None:
    write_secret("name-1", "secret \N{SNOWMAN}")
    assert secret_at_once("oidcclient", "name-1") == "secret \N{SNOWMAN}"
    assert secret_at_once("oidcclient", "name-2") is None
    assert secret_at_once("another", "name-1") is None
    code = (
        "import sys; from oidcclient._shell.store.keyring_backend import read_secret; "
        "assert read_secret('name-1'); assert 'keyring' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_a_bus_or_a_keyring_there_is_nothing_at_once(
    tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert secret_at_once("oidcclient", "name") is None
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert secret_at_once("oidcclient", "name") is None
    need_programs()
    with message_bus(short_folder) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        assert secret_at_once("oidcclient", "name") is None


def test_a_locked_keyring_is_left_to_keyring(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_programs()
    with message_bus(short_folder) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with gnome_keyring_daemon(address, short_folder, password="made-up"):
            write_secret("name", "secret")
            assert read_secret("name") == "secret"
        with gnome_keyring_daemon(address, short_folder, password=None):
            assert secret_at_once("oidcclient", "name") is None


# -- the kernel's memory


@pytest.mark.usefixtures("kernel")
def test_the_kernel_keeps_a_key_for_a_while() -> None:
    assert kept_key(NAME, 32) is None
    assert keep_key(NAME, KEY_32)
    assert kept_key(NAME, 32) == KEY_32
    assert kept_key(NAME, 31) is None
    assert kept_key(NAME, 33) is None
    listed = [line for line in Path("/proc/keys").read_text("ascii").splitlines() if NAME in line]
    # proc_keys(5): the fourth column is the time left. The kernel lists what was unlinked until it has cleaned up.
    assert {line.split()[3] for line in listed} == {"15m"}
    forget_key(NAME)
    forget_key(NAME)
    assert kept_key(NAME, 32) is None


@pytest.mark.usefixtures("kernel", "gnome_keyring")
def test_after_one_read_no_keyring_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KeyringStore(tmp_path).save(RECORD)
    key_id = (tmp_path / "keyring.key-id").read_text("ascii").strip()
    try:
        assert kept_key(key_id, 32) is None  # off by default
        assert KeyringStore(tmp_path, key_cache="kernel").load(KEY) == RECORD
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
        assert KeyringStore(tmp_path, key_cache="kernel").load(KEY) == RECORD
        with pytest.raises(Exception, match="keyring"):
            KeyringStore(tmp_path).load(KEY)
    finally:
        forget_key(key_id)


@pytest.mark.usefixtures("kernel", "gnome_keyring")
def test_signing_out_takes_the_key_from_the_kernel_and_another_session_reads_it_anew(tmp_path: Path) -> None:
    store = KeyringStore(tmp_path, key_cache="kernel")
    store.save(RECORD)
    other = replace(RECORD, account="another")
    store.save(other)
    key_id = (tmp_path / "keyring.key-id").read_text("ascii").strip()
    assert KeyringStore(tmp_path, key_cache="kernel").load(KEY) == RECORD
    assert kept_key(key_id, 32) is not None
    KeyringStore(tmp_path, key_cache="kernel").delete(KEY)
    assert kept_key(key_id, 32) is None
    assert KeyringStore(tmp_path, key_cache="kernel").load(other.key) == other
    forget_key(key_id)


@pytest.mark.usefixtures("kernel", "gnome_keyring")
def test_a_new_key_is_read_back_from_the_keyring_itself(tmp_path: Path) -> None:
    store = KeyringStore(tmp_path, key_cache="kernel")
    store.save(RECORD)
    key_id = (tmp_path / "keyring.key-id").read_text("ascii").strip()
    forget_key(key_id)
    assert KeyringStore(tmp_path).load(KEY) == RECORD


@pytest.mark.usefixtures("gnome_keyring")
@pytest.mark.parametrize("machine", ["another machine", "another system"])
def test_where_the_kernel_keeps_none_the_keyring_is_asked_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    KeyringStore(tmp_path).save(RECORD)
    monkeypatch.setattr(kernel_keys, "CALLS", {} if machine == "another machine" else {"x86_64": (10_000, 10_000)})
    assert not keep_key(NAME, KEY_32)
    assert kept_key(NAME, 32) is None
    assert KeyringStore(tmp_path, key_cache="kernel").load(KEY) == RECORD


@pytest.mark.usefixtures("kernel")
def test_a_key_whose_time_cannot_be_limited_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_keys, "SET_TIMEOUT", 10_000)
    assert not keep_key(NAME, KEY_32)
    assert kept_key(NAME, 32) is None


def test_another_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        KeyringStore(tmp_path, key_cache="disk")  # type: ignore[arg-type] # what the type would refuse
