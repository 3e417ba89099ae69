"""Keys in a real GNOME Keyring: unlocked, locked, absent, hanging, and beside backends that lie."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient._shell.store import keyring_backend
from oidcclient_dpop.keys import Protection
from oidcclient_dpop.stores import secure_store
from oidcclient_dpop.stores.keyring_store import KeyringKeyStore
from oidcclient_dpop.stores.secure_store import read_secret, write_secret
from oidcclient_dpop.stores.verifying import is_signature
from tests.store.daemons import gnome_keyring_daemon, message_bus, need_programs

Run = Callable[..., "subprocess.CompletedProcess[str]"]

# SecretStorage leaves its connection to the garbage collector where the keyring is locked.
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="GNOME Keyring runs on Linux; nothing can install it here"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collected() -> Generator[None]:
    yield
    gc.collect()  # here, where its warnings are expected, and not in somebody else's test


@pytest.fixture
def bus(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    need_programs()
    with message_bus(short_folder) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address


def test_the_backends_are_those_of_the_core() -> None:
    assert secure_store.BACKENDS == keyring_backend.BACKENDS
    assert secure_store.ELSEWHERE == (keyring_backend.SECRET_SERVICE, keyring_backend.KWALLET)
    assert secure_store.LOCKED == keyring_backend.LOCKED


@pytest.mark.usefixtures("gnome_keyring")
def test_a_key_is_found_by_another_process(in_a_process: Run) -> None:
    store = KeyringKeyStore()
    assert store.probe() is None
    key, handle = store.create("ES256")
    assert (key.protection, key.blocks) == (Protection.KEYRING, False)
    secret = read_secret(handle)
    assert secret is not None
    assert len(secret) == len("ES256.") + 43
    script = (
        "import sys; from oidcclient_dpop.stores import open_store;"
        "print(open_store('keyring:').load(sys.argv[1]).sign(b'm').hex())"
    )
    done = in_a_process(script, handle)
    assert done.returncode == 0, done.stderr
    assert is_signature(bytes.fromhex(done.stdout), b"m", alg="ES256", jwk=key.public_jwk())
    store.delete(handle)
    assert read_secret(handle) is None


@pytest.mark.usefixtures("gnome_keyring")
@pytest.mark.parametrize("wrong", ["x", "ES256.x", "ES256." + "A" * 43, "HS256.AAAA"])
def test_what_is_no_key_is_a_lost_key_and_is_not_quoted(wrong: str) -> None:
    store = KeyringKeyStore()
    _, handle = store.create("ES256")
    write_secret(handle, wrong)
    with pytest.raises(KeyLost) as caught:
        store.load(handle)
    assert caught.value.__context__ is None
    store.delete(handle)


def _is_refused(store: KeyringKeyStore, text: str) -> None:
    for use in (lambda: store.create("ES256"), lambda: store.load("0" * 32), lambda: store.delete("0" * 32)):
        with pytest.raises(KeyUnavailable, match=text) as caught:
            use()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_without_a_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert "no keyring" in (KeyringKeyStore().probe() or "")
    _is_refused(KeyringKeyStore(), "no keyring")


@pytest.mark.usefixtures("bus")
def test_a_bus_without_a_keyring() -> None:
    assert "no keyring" in (KeyringKeyStore().probe() or "")
    _is_refused(KeyringKeyStore(), "no keyring")


def test_a_locked_keyring_and_nobody_to_ask(bus: str, short_folder: Path) -> None:
    store = KeyringKeyStore()
    with gnome_keyring_daemon(bus, short_folder, password="made-up"):
        key, handle = store.create("ES256")
    with gnome_keyring_daemon(bus, short_folder, password=None):
        assert store.probe() is None
        _is_refused(store, "locked")
        with pytest.raises(KeyUnavailable, match="locked"):
            store.load(handle)
    with gnome_keyring_daemon(bus, short_folder, password="made-up"):
        assert store.load(handle).public_jwk() == key.public_jwk()


def test_a_keyring_without_a_collection_and_nobody_to_ask(bus: str, short_folder: Path) -> None:
    with gnome_keyring_daemon(bus, short_folder, password=None):
        _is_refused(KeyringKeyStore(), "keyring failed")


def test_a_keyring_that_hangs(bus: str, short_folder: Path) -> None:
    with gnome_keyring_daemon(bus, short_folder, password="made-up") as daemon:
        KeyringKeyStore().create("ES256")
        daemon.send_signal(signal.SIGSTOP)
        before = time.monotonic()
        _is_refused(KeyringKeyStore(timeout=0.3), r"within 0\.3 s")
        assert time.monotonic() - before < 4
        daemon.send_signal(signal.SIGCONT)


LIARS = """
import sys
import keyring
assert type(keyring.get_keyring()).__module__ == sys.argv[1], keyring.get_keyring()
from oidcclient import KeyUnavailable
from oidcclient_dpop.stores import open_store
try:
    open_store("keyring:").create("ES256")
except KeyUnavailable as error:
    print(error)
"""


@pytest.mark.usefixtures("bus")
@pytest.mark.parametrize("backend", ["keyring.backends.null", "keyrings.alt.file"])
def test_neither_a_null_nor_a_plaintext_backend_is_taken(backend: str, tmp_path: Path, in_a_process: Run) -> None:
    pytest.importorskip("keyrings.alt", reason="pip install keyrings.alt")
    names = {"keyring.backends.null": f"{backend}.Keyring", "keyrings.alt.file": f"{backend}.PlaintextKeyring"}
    done = in_a_process(
        LIARS, backend, PYTHON_KEYRING_BACKEND=names[backend], HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert "no keyring of this system can be used" in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_backend_that_forgets_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secure_store, "ELSEWHERE", (("keyring.backends.null", "Keyring"),))
    with pytest.raises(KeyUnavailable, match="does not give it back"):
        KeyringKeyStore().create("ES256")


def test_it_has_no_options() -> None:
    with pytest.raises(UsageError):
        KeyringKeyStore("keyring:work")


def test_a_problem_of_a_backend_is_named_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secure_store, "ELSEWHERE", (("keyring.backends.fail", "Keyring"),))
    assert KeyringKeyStore().probe() is None
    _is_refused(KeyringKeyStore(), "NoKeyringError")
    monkeypatch.setattr(secure_store, "ELSEWHERE", (("no.such.module", "Keyring"),))
    assert "ModuleNotFoundError" in (KeyringKeyStore().probe() or "")
    monkeypatch.setattr(secure_store, "_kind", lambda: os.no_such_thing)  # type: ignore[attr-defined]  # that is tested
    assert "AttributeError" in (KeyringKeyStore().probe() or "")
