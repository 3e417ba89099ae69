"""Many processes at the moment of expiry: one token request, and nobody is signed out."""

from __future__ import annotations

import os
import time
import urllib.request

import pytest

from oidcclient_devkit import Provider
from tests.processes.conftest import Shared, StartProgram
from tests.processes.crew import Program
from tests.processes.worker import CROWD

PROCESSES = 8
LIFETIME = 300.0  # seconds, as the devkit has it
ROUNDS = int(os.environ.get("OIDCCLIENT_ROUNDS", "50"))


def run_round(crew: list[Program], provider: Provider, ahead: float) -> set[str]:
    """Have everybody ask at the same moment; return the different tokens they got."""
    at = time.monotonic() + 0.02
    for program in crew:
        program.tell({"ahead": ahead, "at": at})
    answers = [program.answer() for program in crew]
    assert [answer["errors"] for answer in answers] == [[]] * PROCESSES
    values = [value for answer in answers for value in answer["values"]]
    assert len(values) == PROCESSES * CROWD
    return set(values)


def is_good(provider: Provider, token: str) -> bool:
    """Whether the API takes the token."""
    request = urllib.request.Request(  # noqa: S310 - the devkit's own address
        f"{provider.api}/me", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the devkit's own address
        return bool(answer.status == 200)


@pytest.mark.parametrize(("kind", "rounds"), [("threads", ROUNDS), ("asyncio", ROUNDS // 2), ("trio", ROUNDS // 2)])
def test_64_at_the_moment_of_expiry_make_one_request(
    shared: Shared, start: StartProgram, kind: str, rounds: int
) -> None:
    """RFC 9700 section 4.14.2: a second use of the refresh token would revoke the whole family."""
    provider = shared.provider
    crew = [start("worker", kind=kind) for _ in range(PROCESSES)]
    assert [program.answer() for program in crew] == ["ready"] * PROCESSES
    seen = {shared.record().tokens[""].value}
    for number in range(1, rounds + 1):
        provider.move_clock(LIFETIME)
        provider.requests.clear()
        values = run_round(crew, provider, number * LIFETIME)
        assert [request.status for request in provider.requests.of("token")] == [200]
        (value,) = values
        assert value not in seen
        assert is_good(provider, value)
        seen.add(value)
    assert not shared.is_revoked()
