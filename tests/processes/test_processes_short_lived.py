"""Tokens that live for seconds, by the machine's own clock."""

from __future__ import annotations

import time

from oidcclient._flows.tokens import EARLY_SHARE
from tests.processes.conftest import Shared, StartProgram
from tests.processes.worker import CROWD

PROCESSES = 3
LIFETIME = 3  # seconds


def test_the_time_a_token_was_issued_is_stored(shared: Shared) -> None:
    """How early it is renewed depends on it, in the next process too."""
    asked = shared.client.session().refresh()
    assert asked.issued_at is not None
    assert shared.record().tokens[""].issued_at == asked.issued_at


def test_tokens_of_three_seconds_are_renewed_once_for_all_processes(shared: Shared, start: StartProgram) -> None:
    """One request for each token, and none before four fifths of its time are over."""
    shared.provider.set_token_lifetime(LIFETIME)
    shared.client.session().refresh()
    crew = [start("worker", kind="threads") for _ in range(PROCESSES)]
    assert [program.answer() for program in crew] == ["ready"] * PROCESSES
    shared.provider.requests.clear()
    began = time.monotonic()
    while time.monotonic() - began < 3 * LIFETIME:
        for program in crew:
            program.tell({"at": time.monotonic()})
        for found in [program.answer() for program in crew]:
            assert found["errors"] == []
            assert len(found["values"]) == CROWD
    took = time.monotonic() - began
    statuses = [request.status for request in shared.provider.requests.of("token")]
    assert set(statuses) == {200}
    assert 2 <= len(statuses) <= 2 + took / (LIFETIME * (1 - EARLY_SHARE))
    assert not shared.is_revoked()
