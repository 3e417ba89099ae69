"""The way to a TPM: a character device, or the socket of a simulator. One command, one response, each in time."""

from __future__ import annotations

import errno
import os
import select
import threading
import time

from .constants import HEADER, LARGEST_RESPONSE
from .marshal import MalformedAnswer, parse_header

__all__ = ["Channel", "DeadlinePassed", "open_device", "open_socket"]


class DeadlinePassed(Exception):
    """The TPM did not answer in time."""


def _left_ms(deadline: float) -> int:
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlinePassed
    return int(left * 1000) + 1


class Channel:
    """
    A file descriptor that takes commands and gives responses.

    Args:
        descriptor: Of a device or a connected socket, in non-blocking mode; closed with the channel.
        works_on: Whether the other side goes on working when the descriptor is closed: a device, whose close waits.
    """

    def __init__(self, descriptor: int, *, works_on: bool) -> None:
        self._descriptor = descriptor
        self._works_on = works_on
        self._is_waiting = False
        self.process = os.getpid()

    def exchange(self, command: bytes, deadline: float) -> bytes:
        """
        Send a command and return its response, whole.

        Args:
            command: All of it; a device takes it in one write.
            deadline: When to give up, on the monotonic clock.

        Raises:
            DeadlinePassed: There is no response yet. The channel can then only be closed.
            MalformedAnswer: It is none.
            OSError: The other side is gone.
        """
        self._is_waiting = True
        self._send(command, deadline)
        answers = select.poll()
        answers.register(self._descriptor, select.POLLIN)
        response = b""
        size = HEADER
        while len(response) < size:
            if not answers.poll(_left_ms(deadline)):
                raise DeadlinePassed
            try:
                # A device gives its response in one read, and throws away what does not fit.
                part = os.read(self._descriptor, LARGEST_RESPONSE)
            except BlockingIOError:
                continue
            if not part:
                raise OSError(errno.ECONNRESET, "the TPM closed the connection")
            response += part
            if len(response) >= HEADER:
                size = parse_header(response)
        if len(response) > size:
            raise MalformedAnswer("it is longer than it says")
        self._is_waiting = False
        return response

    def _send(self, command: bytes, deadline: float) -> None:
        left = _left_ms(deadline)
        while command:
            try:
                command = command[os.write(self._descriptor, command) :]
            except BlockingIOError:
                takes = select.poll()
                takes.register(self._descriptor, select.POLLOUT)
                if not takes.poll(left):
                    raise DeadlinePassed from None
                left = _left_ms(deadline)

    def close(self) -> None:
        """Close it. The kernel's resource manager flushes what was loaded over a device."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if self._is_waiting and self._works_on:  # Linux lets close wait until the command has ended
            threading.Thread(target=os.close, args=(descriptor,), name="oidcclient-tpm", daemon=True).start()
            return
        os.close(descriptor)


def open_device(path: str) -> Channel:
    """Open a device. Without O_NONBLOCK a write would wait for the response, with no end."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    return Channel(os.open(path, flags), works_on=True)


def open_socket(path: str, deadline: float) -> Channel:
    """Connect to the Unix socket of a simulator, such as swtpm."""
    import socket  # noqa: PLC0415 - who has a device needs none

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_left_ms(deadline) / 1000)  # with which the descriptor does not block
        while True:
            try:
                connection.connect(path)
                return Channel(connection.detach(), works_on=False)
            except TimeoutError:
                raise DeadlinePassed from None
            except BlockingIOError:  # unix(7), EAGAIN: others wait for it, as many as may
                time.sleep(min(0.01, _left_ms(deadline) / 1000))
