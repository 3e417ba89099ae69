"""Nonces of servers, and how far their clocks are off: a slot per origin, never shared (RFC 9449 sections 8 and 9)."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar
from urllib.parse import urlsplit

from .proofs import is_nonce

__all__ = ["Servers"]

T = TypeVar("T")

_MOST_SERVERS = 100  # the least recently used one is forgotten; a session talks to a few
_GOOD_FOR = 30.0  # seconds; servers take a nonce for some minutes, and say nothing of how many


@lru_cache(maxsize=256)
def _origin(url: str) -> str:
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or default}"


class Servers:
    """What a session has learnt of the servers it talks to. Thread-safe, bounded."""

    def __init__(self) -> None:
        self._locks: dict[int, threading.Lock] = {}  # by process: a child of fork() lacks the thread that may hold ours
        self._nonces: OrderedDict[str, str] = OrderedDict()
        self._offsets: OrderedDict[str, float] = OrderedDict()
        self._heard: OrderedDict[str, float] = OrderedDict()  # when it gave its nonce last, or that it gave none

    @property
    def _lock(self) -> threading.Lock:
        process = os.getpid()
        return self._locks.get(process) or self._locks.setdefault(process, threading.Lock())

    @staticmethod
    def origin(url: str) -> str:
        """Return the origin of an address, as a server is known by."""
        return _origin(url)

    def nonce(self, origin: str) -> str | None:
        """Return the nonce this server gave last."""
        return self._nonces.get(origin)

    def learn(self, origin: str, given: Sequence[str]) -> str | None:
        """
        Take the `DPoP-Nonce` headers of any answer; one without them changes nothing (section 8.2).

        Args:
            origin: The server.
            given: The values of the header, of which there may be one (section 8).

        Returns:
            The nonce, if the answer carried a good one.
        """
        nonce = given[0] if len(given) == 1 else ""
        if nonce == self._nonces.get(origin) and origin in self._heard:  # it was looked at when it came first
            self._heard[origin] = time.monotonic()
            return nonce
        if not is_nonce(nonce):
            if origin not in self._heard:
                _put(self._lock, self._heard, origin, math.inf)
            return None
        _put(self._lock, self._heard, origin, time.monotonic())
        _put(self._lock, self._nonces, origin, nonce)
        return nonce

    def should_ask(self, origin: str) -> bool:
        """Tell whether a request that can be sent once had better be preceded by one that fetches a nonce."""
        return time.monotonic() - self._heard.get(origin, -math.inf) > _GOOD_FOR

    def offset(self, origin: str) -> float:
        """Return how far this server's clock is ahead of ours, in seconds."""
        return self._offsets.get(origin, 0.0)

    def set_offset(self, origin: str, seconds: float) -> None:
        """Remember how far a server's clock is ahead."""
        _put(self._lock, self._offsets, origin, seconds)


def _put(lock: threading.Lock, slots: OrderedDict[str, T], origin: str, value: T) -> None:
    if slots.get(origin) == value:
        return
    with lock:
        slots[origin] = value
        slots.move_to_end(origin)
        while len(slots) > _MOST_SERVERS:
            slots.popitem(last=False)
