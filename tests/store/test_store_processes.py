"""Many processes at once, and processes that are killed: nothing is lost, nothing stays locked."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oidcclient._shell.store.contract_parts import GROUP, example_record
from oidcclient._shell.store.file import FileStore
from oidcclient._shell.store.keyring_store import KeyringStore
from oidcclient._shell.store.place import Place
from oidcclient._words.errors import StoreError
from tests.store.folders import KEY, RECORD, stored

PROCESSES = 8
KILLED = 50
PRELUDE = """
import sys, threading
from oidcclient._shell.store.contract_parts import GROUP, example_record, in_threads
from oidcclient._shell.store.file import FileStore
from oidcclient._shell.store.keyring_store import KeyringStore
from oidcclient._shell.store.place import Place
kind, folder, number = sys.argv[1:]
store = {"file": FileStore, "keyring": KeyringStore}[kind](folder)
"""
# Each tells that it is ready and waits for the word to go, so that all meet at the same moment.
START = PRELUDE + "print('ready', flush=True); sys.stdin.readline()\n"
FIRST_LOGIN = START + "store.probe(); store.save(example_record(f'user {number}'))\n"
SAVE_MUCH = (
    START
    + """
def save(thread):
    for turn in range(3):
        store.save(example_record(f"user {number} {thread}", refresh_token=str(turn)), current=turn == 1)
        assert store.load(example_record(f"user {number} {thread}").key).refresh_token == str(turn)
in_threads(save)
"""
)
SAVE_FOR_EVER = (
    START
    + """
turn = 0
while True:
    lock = store.try_lock(example_record().key)
    store.save(example_record(refresh_token=f"{turn} " * 500), current=turn % 2 == 0)
    store.save(example_record("bob"), current=turn % 2 == 1)
    lock.release()
    turn += 1
"""
)
HOLD_LOCK = PRELUDE + "lock = store.try_lock(example_record().key); print('held', flush=True); sys.stdin.readline()\n"


def _start(script: str, folder: Path, number: int = 0, *, kind: str = "file") -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", script, kind, str(folder), str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() in {"ready", "held"}
    return process


def _tell(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _run_at_once(script: str, folder: Path, *, kind: str = "file") -> None:
    processes = [_start(script, folder, number, kind=kind) for number in range(PROCESSES)]
    for process in processes:
        _tell(process)
    assert [process.wait(60) for process in processes] == [0] * PROCESSES
    for process in processes:
        process.communicate()


def test_first_logins_at_once_agree_on_one_key(tmp_path: Path) -> None:
    _run_at_once(FIRST_LOGIN, tmp_path)
    assert len(list(tmp_path.glob("*.key"))) == 1
    assert len(FileStore(tmp_path).records(*GROUP)) == PROCESSES


@pytest.mark.usefixtures("gnome_keyring")
def test_first_logins_at_once_agree_on_one_key_in_the_keyring(tmp_path: Path) -> None:
    _run_at_once(FIRST_LOGIN, tmp_path, kind="keyring")
    assert len(KeyringStore(tmp_path).records(*GROUP)) == PROCESSES
    assert len({path.read_bytes()[9:17] for path in tmp_path.glob("*/*.session")}) == 1


def test_eight_threads_in_eight_processes_save_and_lose_nothing(tmp_path: Path) -> None:
    _run_at_once(SAVE_MUCH, tmp_path)
    found = FileStore(tmp_path).records(*GROUP)
    assert len({record.account for record in found}) == PROCESSES * 8
    assert {record.refresh_token for record in found} == {"2"}
    assert FileStore(tmp_path).current(*GROUP) == found[0]


def test_a_killed_process_leaves_readable_records_and_no_lock(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311 - when to kill is no secret
    for _ in range(KILLED):
        process = _start(SAVE_FOR_EVER, tmp_path)
        _tell(process)
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.communicate()
        store = FileStore(tmp_path)
        store.records(*GROUP)
        record = store.load(KEY)
        assert record is None or len(set((record.refresh_token or "").split())) == 1
        held = store.try_lock(KEY)
        assert held is not None
        held.release()
        store.save(example_record("carol"), current=True)
    assert not list(tmp_path.rglob("*.damaged-*"))


def test_a_lock_held_by_another_process_is_free_when_that_ends(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    holder = _start(HOLD_LOCK, tmp_path)
    assert store.try_lock(KEY) is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    held = store.try_lock(KEY)
    assert held is not None
    held.release()


def test_a_process_started_meanwhile_does_not_keep_the_lock(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    held = store.try_lock(KEY)
    assert held is not None
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    held.release()
    again = store.try_lock(KEY)
    assert again is not None
    again.release()
    child.communicate(b"\n")


def _in_a_fork(call: str, store: FileStore, held: object) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if call == "release":
                held.release()  # type: ignore[attr-defined]  # it is a lock
            status = 0 if store.try_lock(KEY) is None else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("call", ["nothing", "release"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # this test has no other threads; its runner may
def test_the_child_of_a_fork_does_not_release_its_parents_lock(tmp_path: Path, call: str) -> None:
    store = FileStore(tmp_path)
    held = store.try_lock(KEY)
    assert held is not None
    assert _in_a_fork(call, store, held) == 0
    assert FileStore(tmp_path).try_lock(KEY) is None
    held.release()
    again = store.try_lock(KEY)
    assert again is not None
    again.release()


def test_a_process_that_hangs_does_not_stop_a_refresh_from_being_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oidcclient._shell.store.folder.POINTER_S", 0.1)
    store, path = stored(tmp_path)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-uc",
            "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(1); sys.stdin.read()",
            path.parent / "current.lock",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline()
    store.save(example_record(refresh_token="rotated"))
    found = store.load(KEY)
    assert found is not None
    assert found.refresh_token == "rotated"
    with pytest.raises(StoreError) as caught:
        store.save(example_record("bob"), current=True)
    assert caught.value.rule == "lock"
    assert store.load(example_record("bob").key) is None
    holder.communicate()
    store.save(RECORD, current=True)


def test_an_account_made_current_meanwhile_stays_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, path = stored(tmp_path)
    (path.parent / "current").unlink()
    decide = FileStore._is_to_be_current
    decisions = []

    def slow(self: FileStore, place: Place, *, wanted: bool) -> bool:
        decisions.append(decide(self, place, wanted=wanted))
        if len(decisions) == 1:
            FileStore(tmp_path).save(example_record("bob"), current=True)
        return decisions[-1]

    monkeypatch.setattr(FileStore, "_is_to_be_current", slow)
    store.save(RECORD)
    found = store.current(*GROUP)
    assert found is not None
    assert found.account == "bob"


def test_an_account_made_current_while_another_is_deleted_stays_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _path = stored(tmp_path)
    pointed = FileStore._pointed
    answers = []

    def slow(self: FileStore, place: Place) -> str | None:
        answers.append(pointed(self, place))
        if len(answers) == 1:
            FileStore(tmp_path).save(example_record("bob"), current=True)
        return answers[-1]

    monkeypatch.setattr(FileStore, "_pointed", slow)
    store.delete(KEY)
    monkeypatch.undo()
    found = store.current(*GROUP)
    assert found is not None
    assert found.account == "bob"
