"""The listener on Windows' own sockets, and Ctrl-C there."""

from __future__ import annotations

import socket
import time

import pytest

from oidcclient._shell.redirect import Limits, LoopbackReceiver
from oidcclient._words.errors import LocalError
from oidcclient._words.ways import Loopback
from tests.windows.winside.programs import programs

# Windows' number; only its Python has the name. On Windows SO_REUSEADDR lets one bind over another.
SO_EXCLUSIVEADDRUSE: int = getattr(socket, "SO_EXCLUSIVEADDRUSE", 0)
QUICK = Limits(port_retry_seconds=0.02)


def test_the_port_is_ours_alone() -> None:
    receiver = LoopbackReceiver(Loopback())
    receiver.open("a-state")
    try:
        assert receiver._server is not None
        (listener,) = receiver._server._listeners
        assert SO_EXCLUSIVEADDRUSE
        assert listener.getsockopt(socket.SOL_SOCKET, SO_EXCLUSIVEADDRUSE)
        with socket.socket() as rival:
            rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match=r"10013|10048"):  # WSAEACCES, WSAEADDRINUSE
                rival.bind(listener.getsockname())
    finally:
        receiver.close()


@pytest.mark.parametrize("option", [0, socket.SO_REUSEADDR, SO_EXCLUSIVEADDRUSE])
def test_a_port_that_another_program_has_is_refused_however_it_was_bound(option: int) -> None:
    with socket.socket() as other:
        if option:
            other.setsockopt(socket.SOL_SOCKET, option, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalError) as refusal:
            LoopbackReceiver(Loopback(ports=(port,)), limits=QUICK).open("a-state")
    assert refusal.value.rule == "ports"
    assert str(port) in str(refusal.value)


# Windows calls a handler in a thread of its own; Python's then wakes the main thread only if that waits in slices.
INTERRUPTED = """
    import signal, threading, time
    from oidcclient._shell.redirect import LoopbackReceiver
    from oidcclient._words.ways import Loopback

    def press() -> None:
        global pressed
        pressed = time.monotonic()
        signal.raise_signal(signal.SIGINT)

    receiver = LoopbackReceiver(Loopback())
    receiver.open("a-state")
    threading.Timer(0.5, press).start()
    try:
        receiver.wait(60)
    except KeyboardInterrupt:
        receiver.close()
        print(time.monotonic() - pressed, flush=True)
"""


def test_ctrl_c_ends_the_wait_within_a_second() -> None:
    began = time.monotonic()
    with programs(1, INTERRUPTED) as (waiting,):
        assert float(waiting.line()) < 1
        assert waiting.wait() == 0
    assert time.monotonic() - began < 30
