"""
A program that forks a child for each refresh, so that a hundred of them can be killed without a hundred slow starts.

It refreshes once itself, so that all modules are loaded, and is left with one thread and no client: a child begins as
a program that has been running for a while.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping

import oidcclient
from tests.processes.worker import answer, settings

RENEWED, EXPIRED, FAILED = 0, 3, 4


def refresh_once(options: Mapping[str, str]) -> int:
    """Refresh once, and return the exit status."""
    try:
        with oidcclient.Client(**settings(options)) as client:
            client.session().refresh()
    except oidcclient.SessionExpired:
        return EXPIRED
    except oidcclient.OidcError:
        traceback.print_exc()
        return FAILED
    return RENEWED


def raise_one(options: Mapping[str, str]) -> None:
    """Fork a child, tell its number, and tell how it ended and after how many seconds."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        status = FAILED
        try:
            status = refresh_once(options)
        finally:
            os._exit(status)
    answer({"pid": child})
    _, status = os.waitpid(child, 0)
    answer({"status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began})


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    answer(refresh_once(given))
    for _line in sys.stdin:
        raise_one(given)
