"""Remembering tokens that were checked, for a short time."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from .token import CheckedToken

__all__ = ["TokenCache"]


class TokenCache:
    """
    Good tokens, by their hash: a copy of this memory opens nothing. Refused ones are not remembered. Thread-safe.

    Args:
        capacity: How many tokens it holds at most; 0 remembers none.
        longest: How long one is taken on trust, in seconds, and never beyond its `exp`.
    """

    def __init__(self, capacity: int, longest: float) -> None:
        if capacity < 0 or longest < 0:
            raise ValueError("cached is a number of tokens, cached_for a number of seconds")
        self._capacity = capacity
        self._longest = longest
        self._known: OrderedDict[bytes, tuple[float, float, CheckedToken]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, token: str, now: float) -> CheckedToken | None:
        """Return a token that was found good lately."""
        if not self._capacity:
            return None
        key = _key(token)
        with self._lock:
            since, until, found = self._known.get(key, (0.0, 0.0, None))
            if found is None or since <= now < until:  # a clock that was set back is no reason to keep it longer
                return found
            del self._known[key]
        return None

    def keep(self, token: str, checked: CheckedToken, now: float) -> None:
        """Remember a good token; the oldest gives way."""
        until = now + self._longest
        if checked.expires_at is not None:
            until = min(until, checked.expires_at)
        if not self._capacity or until <= now:
            return
        with self._lock:
            self._known[_key(token)] = (now, until, checked)
            if len(self._known) > self._capacity:
                self._known.popitem(last=False)


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
