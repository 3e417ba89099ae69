"""
A program that stays alive and asks for tokens when it is told to, for the tests of many processes.

Each line of stdin is a command in JSON, each line of stdout its answer. It ends when its stdin does.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio

import oidcclient
from oidcclient._shell.http import Wire

SCOPES = ("openid", "profile", "email", "offline_access")
POLICY = oidcclient.Policy(allow_http_loopback=True, http_timeout=20)
CROWD = 8  # threads or tasks of one process


class MovedClock:
    """The client's clock, set ahead."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time() + self.seconds

    def ticks(self) -> float:
        """Return seconds that only ever run forward."""
        return time.monotonic()


def settings(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of a client that shares the folder with all others."""
    return {
        "issuer": options["issuer"],
        "client_id": options["client_id"],
        "scopes": SCOPES,
        "policy": POLICY,
        "store": oidcclient.FileStore(options["folder"]),
    }


def set_ahead(client: oidcclient.Client | oidcclient.AsyncClient, seconds: float) -> None:
    """Let time pass for a client."""
    client._core.clock = MovedClock(seconds)  # type: ignore[assignment] # the port that the clock is


class Found:
    """What a crowd got, all together."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self.errors: list[str] = []

    def send(self) -> None:
        """Answer."""
        answer({"values": self.values, "errors": self.errors})


def answer(what: object) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def time_windows(session: oidcclient.Session, times: int) -> list[float]:
    """Refresh again and again; return the seconds from each answer of the provider to the end of the save."""
    store = session._core.store
    perform, save = Wire.perform, store.save
    answered: list[float] = []
    windows: list[float] = []

    def timed_perform(self: Wire, request: Any) -> Any:
        response = perform(self, request)
        answered.append(time.perf_counter())
        return response

    def timed_save(record: oidcclient.SessionRecord, *, current: bool = False) -> None:
        save(record, current=current)
        if answered:  # the first save after the answer: it holds the rotated token
            windows.append(time.perf_counter() - answered.pop())

    Wire.perform = timed_perform  # type: ignore[method-assign] # measured in this process alone
    store.save = timed_save  # type: ignore[method-assign] # measured in this process alone
    for _ in range(times):
        session.refresh()
        answered.clear()
    return windows


def serve_threads(options: Mapping[str, str]) -> None:
    """Ask from threads that share one session."""
    client = oidcclient.Client(**settings(options))
    session = client.session()
    start = threading.Barrier(CROWD)

    def ask(found: Found, at: float) -> None:
        start.wait(10)
        time.sleep(max(0.0, at - time.monotonic()))
        try:
            found.values.append(session.access_token().value)
        except oidcclient.OidcError as error:
            found.errors.append(repr(error))

    answer("ready")
    with ThreadPoolExecutor(CROWD) as pool:
        for line in sys.stdin:
            command = json.loads(line)
            set_ahead(client, command.get("ahead", 0.0))
            if "windows" in command:
                answer(time_windows(session, command["windows"]))
                continue
            found = Found()
            for asked in [pool.submit(ask, found, command["at"]) for _ in range(CROWD)]:
                asked.result()
            found.send()
    client.close()


async def serve_tasks(options: Mapping[str, str]) -> None:
    """Ask from tasks that share one session."""
    async with oidcclient.AsyncClient(**settings(options)) as client:
        session = await client.session()

        async def ask(found: Found) -> None:
            try:
                found.values.append((await session.access_token()).value)
            except oidcclient.OidcError as error:
                found.errors.append(repr(error))

        answer("ready")
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            command = json.loads(line)
            set_ahead(client, command.get("ahead", 0.0))
            await anyio.sleep(max(0.0, command["at"] - time.monotonic()))
            found = Found()
            async with anyio.create_task_group() as group:
                for _ in range(CROWD):
                    group.start_soon(ask, found)
            found.send()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given["kind"] == "threads":
        serve_threads(given)
    else:
        anyio.run(serve_tasks, given, backend=given["kind"])
