"""A program that forks while it has a client."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping

import oidcclient
from tests.processes.worker import answer, set_ahead, settings

LIFETIME = 300.0  # seconds, as the devkit has it
CHILDREN = 4


def in_child(call: Callable[[], object]) -> int:
    """Call in the child of a fork, and return its process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            call()
            status = 0
        except BaseException:  # noqa: BLE001 - it is shown, and the child must not go on as its parent
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return child


def wait_for(children: list[int], seconds: float) -> list[int | str]:
    """Return how the children ended; one that hangs is killed."""
    deadline = time.monotonic() + seconds
    ends: list[int | str] = []
    for child in children:
        while (found := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        if found[0] == 0:
            os.kill(child, 9)
            os.waitpid(child, 0)
            ends.append("hangs")
        else:
            ends.append(os.waitstatus_to_exitcode(found[1]))
    return ends


def during_a_refresh(client: oidcclient.Client) -> None:
    """Fork while a refresh waits for the provider; parent and child both need the new token."""
    session = client.session()
    set_ahead(client, LIFETIME)
    values: list[str] = []
    asking = threading.Thread(target=lambda: values.append(session.access_token().value))
    asking.start()
    time.sleep(0.3)  # the provider was told to hold its answer back for longer
    child = in_child(lambda: answer(session.access_token().value))
    ends = wait_for([child], 10)
    asking.join(10)
    answer(values[0])
    answer(ends)


def with_a_lock_held(client: oidcclient.Client, which: str) -> None:
    """Fork while another thread holds one of the client's locks; that thread is not there in the child."""
    session = client.session()
    session.userinfo()  # a connection exists
    set_ahead(client, LIFETIME - 1)
    locks = {
        "flights": lambda: client._core.refresher._here.lock,
        "wires": lambda: client._wires._lock,
        "wire": lambda: client._wires.wire()._lock,
    }
    with locks[which]():
        child = in_child(session.access_token)
    answer(wait_for([child], 5))


def with_a_connection(client: oidcclient.Client) -> None:
    """Fork with a connection at rest; children that shared it would read each other's answers."""
    session = client.session()
    session.userinfo()

    def ask() -> None:
        for _ in range(20):
            session.userinfo()

    answer(wait_for([in_child(ask) for _ in range(CHILDREN)], 20))


def run(options: Mapping[str, str]) -> None:
    """Do what the options say."""
    client = oidcclient.Client(**settings(options))
    match options["kind"]:
        case "refresh":
            during_a_refresh(client)
        case "connection":
            with_a_connection(client)
        case which:
            with_a_lock_held(client, which)


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
