"""Files and locks on Windows, which refuses to open, replace or delete a file that another process holds just then."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from oidcclient._shell.store.files import PATIENCE_S, read_file, remove_file, write_file
from oidcclient._shell.store.locks import try_lock
from tests.windows.winside.programs import PATIENCE_S as PROGRAM_PATIENCE_S
from tests.windows.winside.programs import Program, programs

HOLD = """
    import sys, time
    with open(sys.argv[1], "rb"):
        print("held", flush=True)
        input()
        time.sleep(float(sys.argv[2]))
"""
LOCK = """
    import sys
    from oidcclient._shell.store.locks import try_lock
    lock = try_lock(sys.argv[1])
    print("locked" if lock else "not locked", flush=True)
    input()
"""
COUNT = """
    import sys, time
    from pathlib import Path
    from oidcclient._shell.store.locks import locked
    number = Path(sys.argv[1])
    print("ready", flush=True)
    input()
    for _ in range(20):
        with locked(sys.argv[1] + ".lock", timeout=30):
            before = int(number.read_text())
            time.sleep(0.001)
            number.write_text(str(before + 1))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "record"
    found.write_bytes(b"old")
    return found


def held(holder: Program) -> None:
    assert holder.line() == "held"


def test_windows_refuses_to_replace_a_file_that_another_process_reads(path: Path) -> None:
    with programs(1, HOLD, str(path), "0") as (holder,):
        held(holder)
        new = path.with_name("new")
        new.write_bytes(b"new")
        with pytest.raises(PermissionError):
            os.replace(new, path)  # noqa: PTH105 - the call in question


def test_a_write_waits_until_a_reader_in_another_process_lets_go(path: Path) -> None:
    with programs(1, HOLD, str(path), "0.3") as (holder,):
        held(holder)
        holder.go_on()
        write_file(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - names alone


def test_a_delete_waits_until_a_reader_in_another_process_lets_go(path: Path) -> None:
    with programs(1, HOLD, str(path), "0.3") as (holder,):
        held(holder)
        holder.go_on()
        remove_file(str(path))
    assert read_file(str(path)) is None


def test_a_write_fails_in_bounded_time_where_a_reader_never_lets_go(path: Path) -> None:
    with programs(1, HOLD, str(path), "0") as (holder,):
        held(holder)
        began = time.monotonic()
        with pytest.raises(PermissionError):
            write_file(str(path), b"new")
        assert PATIENCE_S <= time.monotonic() - began < PATIENCE_S + 5
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - names alone


def test_a_lock_excludes_another_process_and_goes_with_its_killed_holder(tmp_path: Path) -> None:
    lock_file = str(tmp_path / "lock")
    with programs(1, LOCK, lock_file) as (holder,):
        assert holder.line() == "locked"
        assert try_lock(lock_file) is None
        holder.terminate()
        deadline = time.monotonic() + PROGRAM_PATIENCE_S
        while (lock := try_lock(lock_file)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    with programs(1, LOCK, lock_file) as (late,):
        assert late.line() == "not locked"
    lock.release()


def test_processes_under_a_lock_never_meet(tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("0")
    with programs(3, COUNT, str(number)) as counters:
        for counter in counters:
            assert counter.line() == "ready"
        for counter in counters:
            counter.go_on()
        assert [counter.wait() for counter in counters] == [0, 0, 0]
    assert number.read_text() == "60"
