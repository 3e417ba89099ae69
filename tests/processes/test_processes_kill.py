"""A process that is killed in the middle of a refresh: no stale lock, no unreadable record, hardly ever a sign-out."""

from __future__ import annotations

import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.processes.conftest import Shared, StartProgram
from tests.processes.crew import Program
from tests.processes.nursery import EXPIRED, RENEWED

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")

KILLS = int(os.environ.get("OIDCCLIENT_KILLS", "100"))
LATEST = 7  # how many refreshes the usual time is taken from
AT_ONCE_S = 5.0  # a lock left behind would cost the thirty seconds of Policy(lock_timeout)
# Seconds by which the provider holds its answer back: with 0 most kills hit our own steps, with more the wait for it.
DELAYS = (0.0, 0.0, 0.0, 0.01)


def refresh(nursery: Program) -> tuple[int, float]:
    """Let one child refresh in peace; return how it ended and after how many seconds."""
    nursery.tell("refresh")
    nursery.answer()
    ended = nursery.answer()
    return ended["status"], ended["seconds"]


def kill_one(nursery: Program, after: float) -> int:
    """Kill a child some seconds after its start; return how it ended."""
    nursery.tell("refresh")
    child = nursery.answer()["pid"]
    time.sleep(after)
    with suppress(ProcessLookupError):  # it was faster
        os.kill(child, signal.SIGKILL)
    status: int = nursery.answer()["status"]
    return status


def phase_of(status: int, then: int, *, saved: bool) -> str:
    """
    Say how far a child had come when it was killed.

    Args:
        status: How it ended.
        then: How the refresh after it ended.
        saved: Whether it had saved anything.
    """
    if status == RENEWED:
        assert saved
        phase = "after its end"
    else:
        assert status == -signal.SIGKILL
        phase = "after the save" if saved else "before the answer" if then == RENEWED else "in the window"
    assert then == (EXPIRED if phase == "in the window" else RENEWED)
    return phase


def test_a_killed_refresh_leaves_no_lock_and_a_readable_record(
    shared: Shared, start: StartProgram, record_property: Callable[[str, object], None]
) -> None:
    """Design section 6: signed out only if killed between the provider's answer and the save."""
    nursery = start("nursery")
    nursery.answer()
    took = [refresh(nursery)[1] for _ in range(LATEST)]
    draw = random.Random(8252)  # noqa: S311 - moments in time, the same in each run
    phases: Counter[str] = Counter()
    for number in range(KILLS):
        delay = DELAYS[number % len(DELAYS)]
        shared.provider.delay("token", delay)
        shared.provider.requests.clear()
        before = shared.record().refresh_token
        usual = statistics.median(took[-LATEST:])  # the machine is not always as quick
        status = kill_one(nursery, draw.uniform(0, 1.2 * usual + delay))
        shared.provider.delay("token", 0)
        shared.settle()
        left = shared.record()  # readable, whatever happened
        then, seconds = refresh(nursery)
        assert seconds < AT_ONCE_S
        took.append(seconds)
        phase = phase_of(status, then, saved=left.refresh_token != before)
        if phase == "in the window":
            assert shared.sent(before) == [200, 400]  # it had been answered, and what the answer brought was lost
            shared.sign_in()
        phases[phase] += 1
    record_property("phases", dict(phases))
    usual = statistics.median(took)
    print(f"killed {KILLS} times, over the {usual * 1e3:.0f} ms that a refresh takes: {dict(phases)}")  # noqa: T201 - shown with -rP


def test_the_window_in_which_a_kill_signs_out_is_measured(
    shared: Shared, start: StartProgram, record_property: Callable[[str, object], None]
) -> None:
    """From the provider's answer to the end of the save; a bound far above what any disk needs."""
    worker = start("worker", kind="threads")
    worker.answer()
    worker.tell({"windows": 30})
    windows = [seconds * 1e3 for seconds in worker.answer()]
    assert len(windows) == 30
    summary = f"median {statistics.median(windows):.2f} ms, longest {max(windows):.2f} ms"
    record_property("window", summary)
    print(f"from the answer to the end of the save: {summary}")  # noqa: T201 - shown with -rP
    assert statistics.median(windows) < 1000
