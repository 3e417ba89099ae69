"""Disks that are full, read-only or slow to let go of a file."""

import errno
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from oidcclient._shell.store import files
from oidcclient._shell.store.file import FileStore
from oidcclient._shell.store.problems import translated
from oidcclient._shell.store.upkeep import move_aside
from oidcclient._words.errors import StoreError
from tests.store.folders import GROUP, KEY, RECORD, fill, rule_of, small_disk, stored


def test_a_full_disk_leaves_the_old_record(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size="128k") as disk:
        store, path = stored(disk / "store")
        before = path.read_bytes()
        fill(disk / "filler")
        names = sorted(disk.rglob("*"))
        assert rule_of(lambda: store.save(RECORD)) == "full"
        assert rule_of(lambda: store.save(RECORD, current=True)) == "full"
        assert rule_of(store.probe) == "full"
        assert (store.load(KEY), path.read_bytes()) == (RECORD, before)
        assert sorted(disk.rglob("*")) == names  # nothing half written is left
        (disk / "filler").unlink()
        store.save(RECORD)


def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size="4k") as disk:
        store = FileStore(disk / "store")
        assert rule_of(lambda: store.save(RECORD)) == "full"
        assert rule_of(store.probe) == "full"
        assert store.load(KEY) is None


def test_a_read_only_disk_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size="256k") as disk:
        store, path = stored(disk / "store")
        files.write_file(str(path.parent / "damaged"), b"")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert store.load(KEY) == RECORD
        assert store.current(*GROUP) == RECORD
        for call in (store.probe, lambda: store.save(RECORD), lambda: store.delete(KEY), lambda: store.try_lock(KEY)):
            assert rule_of(call) == "read-only"
        content = files.read_file(str(path.parent / "damaged"))
        assert content is not None
        assert move_aside(str(path.parent / "damaged"), content) is None


def test_a_file_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    with path.open("wb") as file:
        file.truncate(files.LARGEST_FILE + 1)
    assert rule_of(lambda: store.load(KEY)) == "size"


def test_what_killed_processes_left_is_cleaned_up_after_a_while(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    left = [tmp_path / "key-1.tmp", path.parent / "record-1.tmp"]
    fresh = [tmp_path / "key-2.tmp", path.parent / "record-2.tmp"]
    for file in [*left, *fresh]:
        file.write_bytes(b"half")
    for file in left:
        os.utime(file, (0, time.time() - 4000))
    store.probe()
    store.save(RECORD)
    assert [file.exists() for file in [*left, *fresh]] == [False, False, True, True]


def test_a_file_held_by_another_program_is_tried_again() -> None:
    attempts = []

    def held_for_a_moment() -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise PermissionError(errno.EACCES, "held")
        return "got"

    assert files.patiently(held_for_a_moment, patience=5.0) == "got"
    with pytest.raises(PermissionError):
        files.patiently(lambda: (_ for _ in ()).throw(PermissionError()), patience=0.02)


def test_a_folder_that_cannot_be_flushed_is_an_error_unless_the_file_system_knows_no_such_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(number: int) -> Callable[[int], None]:
        def fsync(_descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        return fsync

    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    files.sync_folder(str(tmp_path))
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        files.sync_folder(str(tmp_path))
    with pytest.raises(OSError, match="Input/output"):
        files.write_file(str(tmp_path / "f"), b"x")
    assert list(tmp_path.iterdir()) == []


def test_windows_flushes_no_folder_and_asks_no_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WINDOWS", True)
    store, path = stored(tmp_path)
    path.chmod(0o666)
    assert store.load(KEY) == RECORD
    files.sync_folder("/nowhere")


def test_an_unknown_error_of_the_system_says_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not do it: somewhere") as caught, translated("do it", "somewhere"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    assert caught.value.rule == "io"
