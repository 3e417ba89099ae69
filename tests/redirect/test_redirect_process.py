"""The listener within a program: Ctrl-C, exits, proxies, imports and logs."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from queue import Empty, SimpleQueue

import pytest

from oidcclient._words.receiver import StartRequested
from tests.redirect.visitor import (
    PATIENCE_S,
    STATE,
    Opened,
    aside,
    connect,
    follow,
    send,
    visit,
)

PROVIDER = "https://login.example.com/authorize?client_id=a&request_uri=urn%3Ab"


def started(opened: Opened) -> StartRequested:
    event = opened.receiver.wait(PATIENCE_S)
    assert isinstance(event, StartRequested)
    return event


def test_nothing_secret_is_logged(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    visit(f"{opened.redirect_uri}?code=forged-code&state=forged-state")
    visit(opened.at("/a\x1b[31m?code=forged-code".replace("\x1b", "%1b")))
    send(opened.redirect_uri, b"broken forged-code\r\n")
    starting = aside(lambda: visit(opened.start))
    opened.receiver.send_on(started(opened), PROVIDER)
    starting.result(PATIENCE_S)
    opened.still_works()
    assert "path=/callback" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    for secret in ("the-code", "forged", STATE, "login.example.com", opened.start.rpartition("/")[2]):
        assert secret not in caplog.text


WAITING_PROGRAM = """
    from oidcclient._shell.redirect import LoopbackReceiver
    from oidcclient._words.ways import Loopback

    receiver = LoopbackReceiver(Loopback())
    try:
        print(receiver.open("a-state"), flush=True)
        receiver.wait(60)
    finally:
        receiver.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C goes to the whole console, the test's own included")
def test_ctrl_c_ends_a_waiting_program_within_a_second_idle_connections_or_not() -> None:
    program = [sys.executable, "-W", "error", "-c", textwrap.dedent(WAITING_PROGRAM)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        redirect_uri = waiting.stdout.readline().strip()
        with connect(redirect_uri), connect(redirect_uri):
            began = time.monotonic()
            waiting.send_signal(signal.SIGINT)
            _, said = waiting.communicate(timeout=PATIENCE_S)
        assert time.monotonic() - began < 1
    assert waiting.returncode in {-signal.SIGINT, 130, 1}
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert "ResourceWarning" not in said


NO_CONNECTION_PROGRAM = """
    import sys
    from oidcclient._shell.redirect import LoopbackReceiver
    from oidcclient._words.receiver import LoginOutcome
    from oidcclient._words.ways import Loopback

    outgoing = []
    sys.addaudithook(lambda event, _: event in {"socket.connect", "socket.getaddrinfo"} and outgoing.append(event))
    receiver = LoopbackReceiver(Loopback())
    print(receiver.open("the-state-of-this-sign-in"), flush=True)
    receiver.wait(60)
    receiver.finish(LoginOutcome(ok=True))
    receiver.close()
    print(outgoing, flush=True)
"""


def test_nothing_on_loopback_goes_through_a_proxy_for_nothing_connects() -> None:
    program = [sys.executable, "-W", "error", "-c", textwrap.dedent(NO_CONNECTION_PROGRAM)]
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env={**os.environ, **proxies}) as waiting:
        assert waiting.stdout is not None
        redirect_uri = waiting.stdout.readline().strip()
        assert "You are signed in" in follow(f"{redirect_uri}?state={STATE}").text
        assert waiting.stdout.read().strip() == "[]"
    assert waiting.returncode == 0


def test_daemon_threads_hold_no_exit_where_a_program_forgets_to_close() -> None:
    forgetful = textwrap.dedent(WAITING_PROGRAM).replace("receiver.wait(60)", "input()").replace("close()", "start_uri")
    with subprocess.Popen(
        [sys.executable, "-c", forgetful], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdin is not None
        assert waiting.stdout is not None
        with connect(waiting.stdout.readline().strip()):
            began = time.monotonic()
            waiting.communicate("\n", timeout=PATIENCE_S)
        assert time.monotonic() - began < 2
    assert waiting.returncode == 0


def test_the_main_thread_sleeps_in_short_slices_for_windows_notices_ctrl_c_between_them(opened: Opened) -> None:
    room = opened.receiver._opened()
    slept: list[float] = []

    class Watched:
        def get(self, timeout: float) -> None:
            slept.append(timeout)
            time.sleep(timeout)
            raise Empty

    room._events = Watched()  # type: ignore[assignment]  # stands in for the queue
    assert opened.receiver.wait(0.35) is None
    assert len(slept) >= 4
    assert max(slept) <= 0.1
    room._events = SimpleQueue()


@pytest.mark.parametrize("unwanted", ["ssl", "http.server", "http.client", "asyncio", "email", "httpx"])
def test_importing_the_listener_is_light(unwanted: str) -> None:
    code = f"import sys, oidcclient._shell.redirect; sys.exit({unwanted!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
