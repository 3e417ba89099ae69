"""A program that comes to its end, or is brought to it, while a refresh is under way."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Mapping

import anyio

import oidcclient
from tests.processes.worker import answer, set_ahead, settings


def leave_politely() -> None:
    """Turn SIGTERM into the end of the program, as services do; by default it ends a Python like a kill."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def wait_in_thread(options: Mapping[str, str]) -> None:
    """Wait for the new token."""
    session = oidcclient.Client(**settings(options)).session()
    answer("begun")
    session.refresh()


async def wait_in_task(options: Mapping[str, str]) -> None:
    """Wait for the new token in an event loop."""
    async with oidcclient.AsyncClient(**settings(options)) as client:
        session = await client.session()
        answer("begun")
        await session.refresh()


def renew_meanwhile(options: Mapping[str, str]) -> None:
    """Take a token that ends soon, and be done; its renewal has begun."""
    client = oidcclient.Client(**settings(options))
    session = client.session()
    token = session.access_token()
    assert token.expires_at is not None
    set_ahead(client, token.expires_at - time.time() - 30)
    assert session.access_token() == token
    answer("begun")


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given["polite"]:
        leave_politely()
    if given["kind"] == "meanwhile":
        renew_meanwhile(given)
    elif given["kind"] == "thread":
        wait_in_thread(given)
    else:
        anyio.run(wait_in_task, given, backend=given["kind"])
