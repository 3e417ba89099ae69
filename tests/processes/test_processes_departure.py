"""A program that ends during a refresh: the rotated token is saved first, within five seconds."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from tests.processes.conftest import Shared, StartProgram
from tests.processes.crew import Program

KINDS = ["thread", "asyncio", "trio"]
signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals between processes")


def begin(shared: Shared, start: StartProgram, kind: str, *, delay: float, polite: bool = False) -> Program:
    """Start a program and return once its refresh has reached the provider."""
    shared.provider.delay("token", delay)
    program = start("departing", kind=kind, polite=polite)
    assert program.answer() == "begun"
    deadline = time.monotonic() + 20
    while not shared.provider.count("token"):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return program


def check_still_signed_in(shared: Shared) -> None:
    """Refresh at once with what was saved."""
    shared.provider.behave()
    began = time.monotonic()
    shared.client.session().refresh()
    assert time.monotonic() - began < 5
    assert not shared.is_revoked()


@pytest.mark.parametrize("kind", KINDS)
@signals
def test_ctrl_c_during_a_refresh_loses_nothing(shared: Shared, start: StartProgram, kind: str) -> None:
    before = shared.record().refresh_token
    program = begin(shared, start, kind, delay=1)
    program.process.send_signal(signal.SIGINT)
    assert program.wait() in {-signal.SIGINT, 1}
    program.end()
    assert "KeyboardInterrupt" in program.said
    assert shared.record().refresh_token != before
    check_still_signed_in(shared)


@pytest.mark.parametrize("kind", KINDS)
@signals
def test_sigterm_that_ends_the_program_politely_loses_nothing(shared: Shared, start: StartProgram, kind: str) -> None:
    before = shared.record().refresh_token
    program = begin(shared, start, kind, delay=1, polite=True)
    program.process.terminate()
    program.wait()
    assert shared.record().refresh_token != before
    check_still_signed_in(shared)


@signals
def test_sigterm_by_default_is_a_kill_and_leaves_no_lock(shared: Shared, start: StartProgram) -> None:
    before = shared.record().refresh_token
    program = begin(shared, start, "thread", delay=10)
    program.process.terminate()
    assert program.wait() == -signal.SIGTERM
    assert shared.record().refresh_token == before
    lock = shared.store.try_lock(shared.key)
    assert lock is not None
    lock.release()


def test_a_program_that_ends_waits_until_its_refresh_is_saved(shared: Shared, start: StartProgram) -> None:
    before = shared.record().refresh_token
    program = begin(shared, start, "meanwhile", delay=1)
    assert program.wait() == 0
    assert not program.said
    assert shared.record().refresh_token != before
    check_still_signed_in(shared)


def test_a_program_that_ends_waits_for_five_seconds_at_the_most(shared: Shared, start: StartProgram) -> None:
    program = begin(shared, start, "meanwhile", delay=15)
    began = time.monotonic()
    assert program.wait() == 0
    assert 3 < time.monotonic() - began < 8
    assert not program.said
