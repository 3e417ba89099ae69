"""The way to a TPM: commands go out whole, answers come in time."""

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from oidcclient_dpop.stores.tpm2 import constants as c
from oidcclient_dpop.stores.tpm2.marshal import MalformedAnswer, parse_response
from oidcclient_dpop.stores.tpm2.transport import Channel, DeadlinePassed

LARGE = bytes(1 << 22)  # more than a socket takes at once
ANSWER = struct.pack(">HII", c.ST_NO_SESSIONS, c.HEADER, 0)


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel and its other end."""
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        channel = Channel(ours.detach(), works_on=False)
        yield channel, theirs
        channel.close()


def test_a_command_that_does_not_fit_at_once_goes_out_whole(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    sizes: list[int] = []

    def serve() -> None:
        while sum(sizes) < len(LARGE):
            sizes.append(len(theirs.recv(1 << 16)))
        theirs.sendall(ANSWER)

    thread = threading.Thread(target=serve)
    thread.start()
    assert channel.exchange(LARGE, time.monotonic() + 20) == ANSWER
    thread.join(10)
    assert sum(sizes) == len(LARGE)


def test_a_command_that_nobody_takes_ends_in_time(pair: tuple[Channel, socket.socket]) -> None:
    with pytest.raises(DeadlinePassed):
        pair[0].exchange(LARGE, time.monotonic() + 0.05)


def test_nothing_is_sent_after_the_deadline(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    with pytest.raises(DeadlinePassed):
        channel.exchange(b"command", time.monotonic() - 1)
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)


def test_an_answer_that_was_announced_too_early_is_waited_for(
    pair: tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, theirs = pair
    read, early = os.read, [BlockingIOError()]

    def read_later(descriptor: int, size: int) -> bytes:
        if early:
            raise early.pop()
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", read_later)
    theirs.sendall(ANSWER)
    assert channel.exchange(b"command", time.monotonic() + 10) == ANSWER


@pytest.mark.parametrize("session", [b"\0\1x\0\0\0", b"\0\0\0\0\1x", b"\0\0\0\0", b"\0\0\0\0\0\0"])
def test_the_answer_of_another_kind_of_session_is_refused(session: bytes) -> None:
    """TPM 2.0 part 1: with a password the nonce and the acknowledgment are empty."""
    body = struct.pack(">I", 0) + session
    answer = struct.pack(">HII", c.ST_SESSIONS, c.HEADER + len(body), 0) + body
    with pytest.raises(MalformedAnswer):
        parse_response(answer, authorised=True, gives_handle=False)
