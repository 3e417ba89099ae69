"""The stores on Windows: files there, and the key in its Credential Manager."""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oidcclient._shell.store import keyring_backend
from oidcclient._shell.store.contract import StoreContract
from oidcclient._shell.store.contract_parts import GROUP, example_record
from oidcclient._shell.store.file import FileStore
from oidcclient._shell.store.keyring_store import KeyringStore
from oidcclient._words.errors import StoreError
from oidcclient._words.record import Store
from tests.windows.winside.programs import programs

GENERIC = 1  # CRED_TYPE_GENERIC of wincred.h
LOCAL_MACHINE = 2  # CRED_PERSIST_LOCAL_MACHINE
LARGEST_BLOB = 2560  # bytes, CRED_MAX_CREDENTIAL_BLOB_SIZE; wine takes more
KILLS = 6


def credentials() -> Any:
    return importlib.import_module("win32ctypes.pywin32.win32cred")


def targets_of(folder: Path) -> list[str]:
    return [f"oidcclient/{path.read_text('ascii').strip()}" for path in folder.rglob("*.key-id")]


@pytest.fixture
def clean_credentials(tmp_path: Path) -> Generator[None]:
    yield
    for target in targets_of(tmp_path):
        credentials().CredDelete(target, GENERIC, 0)


class TestFileStoreOnWindows(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        return FileStore(tmp_path / "store")


@pytest.mark.usefixtures("clean_credentials")
class TestKeyringStoreOnWindows(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        return KeyringStore(tmp_path / "store")


@pytest.mark.usefixtures("clean_credentials")
def test_the_key_stays_on_this_machine_and_fits(tmp_path: Path) -> None:
    KeyringStore(tmp_path).save(example_record())
    (target,) = targets_of(tmp_path)
    credential = credentials().CredRead(target, GENERIC)
    assert credential["Persist"] == LOCAL_MACHINE
    assert len(credential["CredentialBlob"]) == 2 * 43  # 32 bytes in base64url, as UTF-16
    assert len(credential["CredentialBlob"]) < LARGEST_BLOB
    assert not list(tmp_path.glob("*.key"))


def test_a_secret_that_windows_could_not_hold_is_refused_by_us() -> None:
    assert 2 * keyring_backend.LARGEST_SECRET <= LARGEST_BLOB
    with pytest.raises(StoreError):
        keyring_backend.write_secret("a-test", "x" * (keyring_backend.LARGEST_SECRET + 1))


@pytest.mark.usefixtures("clean_credentials")
def test_two_stores_with_keys_of_their_own_do_not_take_them_from_each_other(tmp_path: Path) -> None:
    stores = [KeyringStore(tmp_path / name) for name in ("one", "two")]
    for store in stores:
        store.save(example_record())
    assert len(set(targets_of(tmp_path))) == 2
    for name in ("one", "two"):
        assert KeyringStore(tmp_path / name).load(example_record().key) == example_record()


def test_the_usual_folder_is_in_the_users_local_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OIDCCLIENT_HOME", raising=False)
    assert r"AppData\\Local\\oidcclient\\file" in repr(FileStore())


SAVE_FOR_EVER = """
    import itertools, sys
    from dataclasses import replace
    from oidcclient._shell.store.contract_parts import example_record
    from oidcclient._shell.store.file import FileStore
    store, record = FileStore(sys.argv[1] + "/" + sys.argv[2]), example_record()
    store.save(replace(record, refresh_token="0"))
    print("ready", flush=True)
    input()
    for number in itertools.count(1):
        store.save(replace(record, refresh_token=str(number)))
"""


def test_a_process_killed_while_it_saves_leaves_a_record_that_can_be_read(tmp_path: Path) -> None:
    moment = random.Random(1)  # noqa: S311 - any moment will do
    last = []
    with programs(KILLS, SAVE_FOR_EVER, str(tmp_path)) as savers:
        for saver in savers:
            assert saver.line() == "ready"
        for number, saver in enumerate(savers):
            saver.go_on()
            time.sleep(0.05 + moment.random() / 10)
            saver.terminate()
            store = FileStore(tmp_path / str(number))
            record = store.load(example_record().key)
            assert record is not None
            assert record.refresh_token is not None
            last.append(int(record.refresh_token))
            assert store.current(*GROUP) == record
            store.save(replace(record, refresh_token="after"))
    assert max(last) > 1  # they were in the midst of it
