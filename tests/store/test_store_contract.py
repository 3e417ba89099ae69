"""Each store of ours keeps the promises of all stores."""

from pathlib import Path

import pytest

from oidcclient._shell.store.contract import StoreContract
from oidcclient._shell.store.contract_parts import in_threads
from oidcclient._shell.store.file import FileStore
from oidcclient._shell.store.keyring_store import KeyringStore
from oidcclient._shell.store.memory import MemoryStore
from oidcclient._words.record import Store


class TestMemoryStore(StoreContract):
    shared = False

    def make_store(self, tmp_path: Path) -> Store:
        return MemoryStore()


class TestFileStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        return FileStore(tmp_path / "store")


@pytest.mark.usefixtures("gnome_keyring")
class TestKeyringStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        return KeyringStore(tmp_path / "store")


def test_a_contract_without_a_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError):
        StoreContract().make_store(tmp_path)


def test_a_failure_in_a_thread_of_the_contract_fails_the_test() -> None:
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda number: 1 // number)
