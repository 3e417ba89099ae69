"""Several processes share a session and the key it is bound to, be it in a TPM or in the system's keyring."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP
from tests.dpop_stores.conftest import new_tpm, tpm
from tests.dpop_stores.daemons import Swtpm
from tests.processes.crew import Program
from tests.processes.worker import settings
from tests.store.conftest import gnome_keyring, keyring_address

__all__ = ["gnome_keyring", "keyring_address", "new_tpm", "tpm"]  # fixtures are found by their names

LIFETIME = 300.0  # seconds, as the devkit has it
ROUNDS = int(os.environ.get("OIDCCLIENT_ROUNDS", "3"))  # as many more as the soak asks for


@pytest.fixture(params=["tpm", "keyring"])
def keys(request: pytest.FixtureRequest) -> str:
    """Name a key store that several processes can share: a software TPM, which serves one at a time, or a keyring."""
    if request.param == "tpm":
        tpm: Swtpm = request.getfixturevalue("tpm")
        return tpm.uri
    request.getfixturevalue("gnome_keyring")
    return "keyring:"


@pytest.fixture
def options(oidc_provider: Provider, keys: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Sign ann in with a key of that store."""
    provider = oidc_provider
    told = {
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "folder": str(tmp_path),
        "keys": keys,
        "api": provider.api,
    }
    with oidcclient.Client(**settings(told), hooks=[DPoP(store=keys)]) as client:
        browser = provider.browser()
        session = client.login(open_browser=browser, timeout=20)
        browser.join()
        yield told
        session.logout()


def run_round(crew: list[Program], ahead: float) -> list[dict[str, Any]]:
    """Have everybody ask at the same moment."""
    at = time.monotonic() + 0.02
    for program in crew:
        program.tell({"ahead": ahead, "at": at})
    return [program.answer() for program in crew]


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_share_a_key_refresh_once(
    oidc_provider: Provider, options: dict[str, str], processes: int
) -> None:
    """RFC 9449 section 5: all have the key that the refresh token is bound to; RFC 9700 section 4.14.2: one uses it."""
    provider = oidc_provider
    provider.dpop_window(past=2 * ROUNDS * LIFETIME, future=30)  # proofs have this machine's date, which stands still
    with ExitStack() as stack:
        crew = [stack.enter_context(Program("proving", options)) for _ in range(processes)]
        assert [program.answer() for program in crew] == ["ready"] * processes
        seen: set[str] = set()
        for number in range(1, ROUNDS + 1):
            provider.move_clock(LIFETIME)
            provider.requests.clear()
            answers = run_round(crew, number * LIFETIME)
            assert [request.status for request in provider.requests.of("token")] == [200]
            assert [(answer.get("type"), answer.get("status")) for answer in answers] == [("DPoP", 200)] * processes, (
                answers
            )
            (value,) = {answer["value"] for answer in answers}
            assert value not in seen
            seen.add(value)
            assert len({tuple(answer["key"]) for answer in answers}) == 1
        calls = provider.requests.of("api")
        assert len({request.header("dpop") for request in calls}) == processes
