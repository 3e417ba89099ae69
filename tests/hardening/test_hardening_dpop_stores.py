"""Found in review of the key stores: what comes too late, is tried too often, or is copied by a fork."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from oidcclient import KeyUnavailable
from oidcclient_dpop import DPoP
from oidcclient_dpop.stores.cng.store import CngStore
from oidcclient_dpop.stores.deadline import within
from oidcclient_dpop.stores.keyring_store import KeyringKeyStore
from oidcclient_dpop.stores.pkcs11 import Pkcs11Store
from tests.dpop.test_dpop_hook import Kind, answer, make, perform, reopened
from tests.dpop_stores.conftest import gnome_keyring, keyring_address, short_folder, soft_hsm
from tests.dpop_stores.daemons import PIN, SoftHsm
from tests.dpop_stores.standin_libraries import NcryptStandin, standin
from tests.store.daemons import gnome_keyring_daemon, message_bus, need_programs

__all__ = ["gnome_keyring", "keyring_address", "short_folder", "soft_hsm"]  # fixtures are found by their names

THREAD = "oidcclient-key-store"


def wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(10)
            assert not thread.is_alive()


# -- too late


@pytest.mark.skipif(sys.platform != "linux", reason="GNOME Keyring runs on Linux; nothing can install it here")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_key_that_the_keyring_takes_too_late_is_removed_again(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a person types the password of the keyring after we have given up: nobody knows the key's name then."""
    import secretstorage  # noqa: PLC0415 - Linux alone has it

    need_programs()
    with message_bus(short_folder) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with gnome_keyring_daemon(address, short_folder, password="made-up") as daemon:
            KeyringKeyStore().delete(KeyringKeyStore().create("ES256")[1])
            daemon.send_signal(signal.SIGSTOP)
            with pytest.raises(KeyUnavailable, match="within"):
                KeyringKeyStore(timeout=0.3).create("ES256")
            daemon.send_signal(signal.SIGCONT)
            wait_for_threads()
            connection = secretstorage.dbus_init()
            try:
                left = list(secretstorage.search_items(connection, {"service": "oidcclient-dpop"}))
            finally:
                connection.close()
                gc.collect()  # here, where the warnings of SecretStorage are expected
            assert left == []


def test_contract_a_key_that_windows_makes_too_late_is_removed_again(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    windows = NcryptStandin(standin("ncrypt", tmp_path_factory.mktemp("ncrypt")))
    windows.keep_keys_in(tmp_path)
    try:
        windows.fail("NCryptFinalizeKey", 0, pause_ms=400)  # it goes well, and takes its time
        with pytest.raises(KeyUnavailable, match="within"):
            CngStore("cng:provider=tpm", timeout=0.1, _library=windows.path).create("ES256")
        wait_for_threads()
        assert not list(tmp_path.iterdir())
    finally:
        windows.reset()


def test_a_key_that_a_token_makes_too_late_is_removed_again(soft_hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    from oidcclient_dpop.stores.pkcs11_token import Token  # noqa: PLC0415 - an extra

    soft_hsm.new_token("oidc")
    uri = soft_hsm.uri("token=oidc")
    generate, goes_on = Token.generate, threading.Event()

    def slowly(self: Token) -> Any:
        key = generate(self)
        goes_on.wait(10)
        return key

    monkeypatch.setattr(Token, "generate", slowly)
    with pytest.raises(KeyUnavailable, match="within"):
        Pkcs11Store(uri, timeout=1).create("ES256")
    goes_on.set()
    wait_for_threads()
    left = Pkcs11Store(uri).use(lambda token: list(token._open().get_objects()))
    assert left == []


def test_what_comes_at_the_moment_of_an_interrupt_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            super().join(timeout)
            raise KeyboardInterrupt

    monkeypatch.setattr("oidcclient_dpop.stores.deadline.threading.Thread", Interrupted)
    undone: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        within(lambda: "a key", seconds=10, subject="it", late=undone.append)
    assert undone == ["a key"]


# -- too often


def test_a_pin_that_was_refused_is_not_tried_again_by_the_next_request(soft_hsm: SoftHsm) -> None:
    """Three wrong tries lock a card, and a program makes more requests than that."""
    soft_hsm.new_token("oidc")
    wrong = soft_hsm.uri("token=oidc", pin="9999")
    with pytest.raises(KeyUnavailable, match="refused the PIN"):
        Pkcs11Store(wrong).create("ES256")
    for _ in range(2):
        with pytest.raises(KeyUnavailable, match="refused before") as refusal:
            Pkcs11Store(wrong).create("ES256")
        assert "9999" not in str(refusal.value)
    store = Pkcs11Store(soft_hsm.uri("token=oidc"))
    _, handle = store.create("ES256")
    store.delete(handle)


def test_a_session_whose_pin_has_changed_costs_one_try(soft_hsm: SoftHsm, tmp_path: Path) -> None:
    from oidcclient_dpop.stores.pkcs11_token import Token  # noqa: PLC0415 - an extra

    soft_hsm.new_token("oidc")
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    uri = f"{soft_hsm.uri('token=oidc').partition('&')[0]}&pin-source=file:{pin}"
    bench = make(DPoP(store=uri), dpop_signing_alg_values_supported=["ES256"])
    perform(bench.hook.prepare(bench.context))
    bench.context.memory["maker"]._sign.__self__._store.use(Token._close)
    pin.write_text("9999")
    again = reopened(bench, bench.hook)
    with pytest.raises(KeyUnavailable, match="refused the PIN"):
        again.run(Kind.RESOURCE)
    with pytest.raises(KeyUnavailable, match="refused before"):
        again.run(Kind.RESOURCE)
    pin.write_text(PIN)
    assert again.run(Kind.RESOURCE, answer()).status == 200


# -- copied

FORKING = """
import os, signal
from oidcclient_dpop.nonces import Servers
servers = Servers()
servers.learn("https://a.example:443", ("one",))
with servers._lock:  # a thread of the parent learns a nonce at the moment of the fork
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        servers.learn("https://a.example:443", ("two",))
        os._exit(0 if servers.nonce("https://a.example:443") == "two" else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="Windows has no fork")
def test_the_child_of_a_fork_waits_for_no_thread_that_it_does_not_have() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
