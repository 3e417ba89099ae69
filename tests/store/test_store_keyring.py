"""The key in a real GNOME Keyring: unlocked, locked, empty, absent, hanging, and beside backends that lie."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from oidcclient._shell.store import keyring_store
from oidcclient._shell.store.contract_parts import GROUP, example_record
from oidcclient._shell.store.keyring_backend import LARGEST_SECRET, read_secret, write_secret
from oidcclient._shell.store.keyring_store import KeyringStore
from oidcclient._words.errors import LoginRequired, StoreError
from tests.store.daemons import gnome_keyring_daemon, message_bus, need_programs
from tests.store.folders import KEY, RECORD

# SecretStorage leaves its connection to the garbage collector where the keyring is locked.
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="GNOME Keyring runs on Linux; nothing can install it here"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def bus(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    need_programs()
    with message_bus(short_folder) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address


def _refusal(store: KeyringStore) -> StoreError:
    with pytest.raises(StoreError) as caught:
        store.probe()
    assert "FileStore" in caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.usefixtures("gnome_keyring")
def test_the_key_is_in_the_keyring_and_not_in_the_folder(tmp_path: Path) -> None:
    store = KeyringStore(tmp_path)
    store.save(RECORD)
    key_id = (tmp_path / "keyring.key-id").read_text().strip()
    secret = read_secret(key_id)
    assert secret is not None
    assert len(secret) == 43
    assert not list(tmp_path.rglob("*.key"))
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "made-up" not in repr(store)


@pytest.mark.usefixtures("gnome_keyring")
def test_a_key_that_is_no_key_is_as_good_as_none(tmp_path: Path) -> None:
    KeyringStore(tmp_path).save(RECORD)
    key_id = (tmp_path / "keyring.key-id").read_text().strip()
    for wrong in ("short", "ä" * 43, "A" * 44):
        write_secret(key_id, wrong)
        store = KeyringStore(tmp_path)
        with pytest.raises(LoginRequired):
            store.load(KEY)
    store.save(RECORD)
    assert KeyringStore(tmp_path).load(KEY) == RECORD


@pytest.mark.usefixtures("gnome_keyring")
def test_a_secret_that_windows_would_refuse_is_refused_everywhere() -> None:
    with pytest.raises(StoreError) as caught:
        write_secret("ff" * 8, "x" * (LARGEST_SECRET + 1))
    assert caught.value.rule == "size"


def test_without_a_bus_the_error_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    refused = _refusal(KeyringStore(tmp_path / "store"))
    assert refused.rule == "keyring"
    assert not list((tmp_path / "store").glob("*.key-id"))


@pytest.mark.usefixtures("bus")
def test_a_bus_without_a_keyring(tmp_path: Path) -> None:
    assert _refusal(KeyringStore(tmp_path)).rule == "keyring"


def test_a_keyring_without_a_collection_and_nobody_to_ask(tmp_path: Path, bus: str, short_folder: Path) -> None:
    with gnome_keyring_daemon(bus, short_folder, password=None):
        assert _refusal(KeyringStore(tmp_path)).rule == "keyring"


def test_a_locked_keyring_and_nobody_to_ask(tmp_path: Path, bus: str, short_folder: Path) -> None:
    with gnome_keyring_daemon(bus, short_folder, password="made-up"):
        KeyringStore(tmp_path).save(RECORD)
    record_before = [path.read_bytes() for path in tmp_path.glob("*/*.session")]
    with gnome_keyring_daemon(bus, short_folder, password=None):
        store = KeyringStore(tmp_path)
        refused = _refusal(store)
        assert refused.rule == "locked"
        assert "Unlock" in refused.hint
        with pytest.raises(StoreError):
            store.load(KEY)
        with pytest.raises(StoreError):
            store.save(RECORD)
    with gnome_keyring_daemon(bus, short_folder, password="made-up"):
        assert store.load(KEY) == RECORD
    assert [path.read_bytes() for path in tmp_path.glob("*/*.session")] == record_before


def test_another_keyring_asks_for_a_login_and_the_record_stays(tmp_path: Path, bus: str, short_folder: Path) -> None:
    with gnome_keyring_daemon(bus, short_folder / "a", password="made-up"):
        KeyringStore(tmp_path).save(RECORD)
    with gnome_keyring_daemon(bus, short_folder / "b", password="made-up"):
        store = KeyringStore(tmp_path)
        with pytest.raises(LoginRequired) as caught:
            store.current(*GROUP)
        assert caught.value.rule == "key"
        store.probe()
        store.save(example_record("bob"))
        assert [record.account for record in store.records(*GROUP)] == ["bob"]
    with gnome_keyring_daemon(bus, short_folder / "a", password="made-up"):
        assert KeyringStore(tmp_path).load(KEY) == RECORD


def test_a_keyring_that_hangs(tmp_path: Path, bus: str, short_folder: Path) -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(gnome_keyring_daemon(bus, short_folder, password="made-up"))
        KeyringStore(tmp_path).save(RECORD)
        daemon.send_signal(signal.SIGSTOP)
        store = KeyringStore(tmp_path, timeout=0.3)
        before = time.monotonic()
        refused = _refusal(store)
        assert (refused.rule, refused.expected) == ("timeout", "within 0.3 s")
        with pytest.raises(StoreError):
            store.load(KEY)
        assert time.monotonic() - before < 3
        daemon.send_signal(signal.SIGCONT)
        assert KeyringStore(tmp_path).load(KEY) == RECORD


def _in_a_process(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, folder],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


PROBE = """
import sys
from oidcclient._shell.store.contract_parts import example_record
from oidcclient._shell.store.keyring_store import KeyringStore
from oidcclient._words.errors import StoreError
try:
    store = KeyringStore(sys.argv[1])
    store.save(example_record())
    assert KeyringStore(sys.argv[1]).load(example_record().key) == example_record()
except StoreError as error:
    print(error.rule)
else:
    print("saved")
"""


@pytest.mark.usefixtures("gnome_keyring")
def test_a_backend_that_lies_is_not_obeyed(tmp_path: Path) -> None:
    configuration = tmp_path / "config" / "python_keyring"
    configuration.mkdir(parents=True)
    (configuration / "keyringrc.cfg").write_text("[backend]\ndefault-keyring=keyring.backends.null.Keyring\n")
    done = _in_a_process(
        PROBE,
        tmp_path / "store",
        PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring",
        XDG_CONFIG_HOME=str(tmp_path / "config"),
    )
    assert (done.stdout, done.stderr) == ("saved\n", "")


def test_a_plug_in_that_keeps_plain_text_is_not_taken(tmp_path: Path) -> None:
    """With keyrings.alt installed and no Secret Service, keyring itself takes a plain file."""
    environment = {"XDG_DATA_HOME": str(tmp_path / "data"), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none"}
    chosen = _in_a_process("import keyring; print(keyring.get_keyring())", tmp_path, **environment)
    assert "PlaintextKeyring" in chosen.stdout  # which is what keyring would take
    done = _in_a_process(PROBE, tmp_path / "store", **environment)
    assert (done.stdout, done.stderr) == ("keyring\n", "")
    assert not (tmp_path / "data").exists()


def test_a_keyring_that_gives_back_something_else_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, str] = {}
    monkeypatch.setattr(keyring_store, "write_secret", kept.__setitem__)
    monkeypatch.setattr(keyring_store, "read_secret", lambda _name: None)
    store = KeyringStore(tmp_path)
    refused = _refusal(store)
    assert refused.rule == "read-back"
    assert not any(secret in f"{refused} {refused.hint}" for secret in kept.values())
    assert not (tmp_path / "keyring.key-id").exists()


def test_a_process_with_a_hanging_keyring_can_end(tmp_path: Path, bus: str, short_folder: Path) -> None:
    with gnome_keyring_daemon(bus, short_folder, password="made-up") as daemon:
        KeyringStore(tmp_path).save(RECORD)
        daemon.send_signal(signal.SIGSTOP)
        script = PROBE.replace("KeyringStore(sys.argv[1])", "KeyringStore(sys.argv[1], timeout=0.5)")
        done = _in_a_process(script, tmp_path)
        assert (done.stdout, done.returncode) == ("timeout\n", 0)
