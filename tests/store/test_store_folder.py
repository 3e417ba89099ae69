"""Folders and files that are not as they should be: the error says what to do, and what was stored stays."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from oidcclient._shell.store import files
from oidcclient._shell.store.file import FileStore
from oidcclient._shell.store.home import store_folder
from oidcclient._shell.store.keyring_store import KeyringStore
from oidcclient._words.errors import StoreError
from oidcclient._words.record import Store
from tests.store.folders import GROUP, KEY, NOBODY, RECORD, as_nobody, record_file, rule_of, stored

needs_root = pytest.mark.skipif(
    getattr(os, "geteuid", lambda: 1)() != 0, reason="only root can give files away; sudo pytest tests/store"
)


def _calls(store: Store) -> list[Callable[[], object]]:
    return [
        store.probe,
        lambda: store.load(KEY),
        lambda: store.current(*GROUP),
        lambda: store.records(*GROUP),
        lambda: store.save(RECORD),
        lambda: store.delete(KEY),
        lambda: store.try_lock(KEY),
    ]


def test_all_is_for_this_user_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store, _path = stored(tmp_path / "new" / "store")
        held = store.try_lock(KEY)
    finally:
        os.umask(old)
    assert held is not None
    held.release()
    for path in [tmp_path / "new" / "store", *(tmp_path / "new" / "store").rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_reading_makes_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    assert store.load(KEY) is None
    assert store.current(*GROUP) is None
    store.delete(KEY)
    assert not (tmp_path / "store").exists()


def test_making_a_store_touches_nothing(tmp_path: Path) -> None:
    FileStore(tmp_path / "a")
    KeyringStore(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"mine")
    for folder in (tmp_path / "store", tmp_path / "store" / "below"):
        assert {rule_of(call) for call in _calls(FileStore(folder))} == {"folder"}
    assert (tmp_path / "store").read_bytes() == b"mine"


def test_a_file_in_the_place_of_a_group(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    path.parent.rename(tmp_path / "elsewhere")
    path.parent.write_bytes(b"")
    assert rule_of(lambda: store.load(KEY)) == "folder"


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_in_the_place_of_a_record(tmp_path: Path, kind: str) -> None:
    store, path = stored(tmp_path)
    path.unlink()
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert rule_of(lambda: store.load(KEY)) == "file"
    assert rule_of(lambda: store.save(RECORD)) == "file"


def test_a_record_through_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    store, path = stored(tmp_path / "store")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").read_bytes()
    assert rule_of(lambda: store.load(KEY)) == "symlink"
    assert rule_of(lambda: store.save(RECORD)) == "symlink"
    assert (tmp_path / "elsewhere").read_bytes() == before


def test_links_are_refused_where_the_system_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "NO_FOLLOW", 0)
    monkeypatch.setattr(files, "READ_FLAGS", files.READ_FLAGS & ~os.O_NOFOLLOW)
    store, path = stored(tmp_path / "store")
    assert store.load(KEY) == RECORD
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert rule_of(lambda: store.load(KEY)) == "symlink"


def test_a_key_and_a_lock_through_a_symbolic_link_are_refused(tmp_path: Path) -> None:
    stored(tmp_path / "store")
    (key_file,) = (tmp_path / "store").glob("*.key")
    key_file.rename(tmp_path / "elsewhere")
    key_file.symlink_to(tmp_path / "elsewhere")
    assert rule_of(lambda: FileStore(tmp_path / "store").load(KEY)) == "symlink"
    lock = record_file(tmp_path / "store").with_suffix(".lock")
    lock.symlink_to(tmp_path / "made by the lock")
    assert rule_of(lambda: FileStore(tmp_path / "store").try_lock(KEY)) == "symlink"
    assert not (tmp_path / "made by the lock").exists()


def test_a_group_through_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    store, path = stored(tmp_path / "store")
    path.parent.rename(tmp_path / "elsewhere")
    path.parent.symlink_to(tmp_path / "elsewhere")
    assert rule_of(lambda: store.load(KEY)) == "folder"


def test_the_folder_itself_may_be_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(0o700)
    (tmp_path / "store").symlink_to(tmp_path / "elsewhere")
    store, _path = stored(tmp_path / "store")
    assert store.load(KEY) == RECORD


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_in_is_refused(tmp_path: Path, mode: int) -> None:
    store, path = stored(tmp_path / "store")
    for folder in (path.parent, tmp_path / "store"):
        folder.chmod(mode)
        assert rule_of(lambda: store.load(KEY)) == "mode"
        folder.chmod(0o700)
    assert store.load(KEY) == RECORD


def test_a_record_that_others_may_write_and_a_key_that_they_may_read_are_refused(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    path.chmod(0o620)
    assert rule_of(lambda: store.load(KEY)) == "mode"
    path.chmod(0o600)
    (key_file,) = tmp_path.glob("*.key")
    key_file.chmod(0o640)
    assert rule_of(lambda: FileStore(tmp_path).load(KEY)) == "mode"


@needs_root
def test_what_belongs_to_another_user_is_refused(tmp_path: Path) -> None:
    store, path = stored(tmp_path / "store")
    for place in (path, path.parent, tmp_path / "store"):
        os.chown(place, NOBODY, NOBODY)
        assert rule_of(lambda: store.load(KEY)) == "owner"
        os.chown(place, 0, 0)
    assert store.load(KEY) == RECORD


def test_a_folder_without_permission() -> None:
    with as_nobody() as folder:
        store, path = stored(folder)
        path.parent.chmod(0o500)
        before = path.read_bytes()
        assert rule_of(lambda: store.save(RECORD)) == "permission"
        assert rule_of(lambda: store.delete(KEY)) == "permission"
        assert rule_of(lambda: store.try_lock(KEY)) == "permission"
        assert store.load(KEY) == RECORD
        assert path.read_bytes() == before
        path.chmod(0)
        assert rule_of(lambda: store.load(KEY)) == "permission"
        path.parent.chmod(0o700)
        folder.chmod(0o500)
        assert rule_of(store.probe) == "permission"


def test_a_damaged_file_that_cannot_be_moved_stays_and_the_error_says_so() -> None:
    with as_nobody() as folder:
        store, path = stored(folder)
        path.write_bytes(b"damaged")
        path.parent.chmod(0o500)
        with pytest.raises(StoreError, match="could not be moved") as caught:
            store.load(KEY)
        assert caught.value.rule == "damaged"
        assert "Move the file away" in caught.value.hint
        assert path.read_bytes() == b"damaged"
        path.parent.chmod(0o700)


def test_a_folder_that_cannot_be_listed_is_written_in() -> None:
    with as_nobody() as folder:
        (folder / "outer").mkdir(0o700)
        (folder / "outer").chmod(0o300)
        store = FileStore(folder / "outer" / "store")
        store.save(RECORD)
        assert store.load(KEY) == RECORD
        (folder / "outer").chmod(0o700)


def test_the_usual_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("OIDCCLIENT_HOME", raising=False)
    assert store_folder(None, "file").endswith("oidcclient/file")
    monkeypatch.setenv("OIDCCLIENT_HOME", str(tmp_path / "home"))
    assert store_folder(None, "file") == str(tmp_path / "home" / "file")
    assert repr(FileStore()) == f"FileStore('{tmp_path}/home/file')"
    assert repr(KeyringStore()) == f"KeyringStore('{tmp_path}/home/keyring')"
    monkeypatch.chdir(tmp_path)
    assert store_folder("relative", "file") == str(tmp_path / "relative")
