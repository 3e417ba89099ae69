"""A fork while a client is in use: the child neither hangs nor refreshes a second time."""

from __future__ import annotations

import sys

import pytest

from tests.processes.conftest import Shared, StartProgram
from tests.processes.forking import CHILDREN

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")


def test_a_fork_during_a_refresh_brings_both_the_same_token(shared: Shared, start: StartProgram) -> None:
    shared.provider.delay("token", 1)
    shared.provider.move_clock(300)
    program = start("forking", kind="refresh")
    values = [program.answer(), program.answer()]
    assert program.answer() == [0], program.said
    assert values[0] == values[1]
    assert shared.provider.count("token") == 1
    assert not shared.is_revoked()


@pytest.mark.parametrize("lock", ["flights", "wires", "wire"])
def test_a_lock_that_was_held_at_the_fork_does_not_hang_the_child(
    shared: Shared, start: StartProgram, lock: str
) -> None:
    program = start("forking", kind=lock)
    assert program.answer() == [0], program.said


def test_children_do_not_share_a_connection(shared: Shared, start: StartProgram) -> None:
    program = start("forking", kind="connection")
    assert program.answer() == [0] * CHILDREN, program.said
