"""Remembering proofs, so that each is used once (RFC 9449 section 11.1)."""

from __future__ import annotations

import hashlib
import heapq
import math
import threading
from typing import TYPE_CHECKING, Protocol

from .errors import ProofRefused, ReplayUnavailable, Rule

if TYPE_CHECKING:
    from .verifier import VerifiedProof

__all__ = ["AsyncReplayCache", "MemoryReplayCache", "ReplayCache", "replay_key"]

CAPACITY = 1_000_000  # proofs, about 120 MB
SHARDS = 64  # a dictionary that grows copies itself: 64 small pauses instead of a long one
FORGOTTEN_PER_USE = 4  # more than one, so that what has expired cannot pile up


class ReplayCache(Protocol):
    """A memory for proofs, shared by everything that would accept the same proof; called from any thread."""

    @property
    def blocks(self) -> bool:
        """
        Tell whether `use` waits for something: a network, a disk.

        On an event loop such a one is called in a thread, any other in place: a change of threads costs more than it.
        """
        ...

    def use(self, proof: VerifiedProof, *, now: float) -> None:
        """
        Use a proof up, in one atomic step, until `proof.expires_at`.

        Raises:
            ProofRefused: It was used before.
            ReplayUnavailable: That cannot be told: the memory is full or away. The request must not go on.
        """
        ...


class AsyncReplayCache(Protocol):
    """The same for an event loop, without threads: its `use` is a coroutine function."""

    async def use(self, proof: VerifiedProof, *, now: float) -> None:
        """
        Use a proof up, as `ReplayCache.use` does.

        Raises:
            ProofRefused: It was used before.
            ReplayUnavailable: That cannot be told. The request must not go on.
        """
        ...


def replay_key(proof: VerifiedProof) -> bytes:
    """
    Return what a proof is remembered by: a hash of its key, its address and its jti, 16 bytes.

    The jti of one client does no harm to another's, nor that of one address to the next.
    """
    # Neither a thumbprint nor a URI has a space in it, so that no two proofs run together.
    text = f"{proof.jkt} {proof.htu} {proof.jti}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


class MemoryReplayCache:
    """
    Remembers the proofs that one process has seen; thread-safe.

    What has expired is forgotten bit by bit, a little with each use, never all at once.

    Args:
        capacity: How many proofs it holds at most. When they are all fresh, every other proof is refused.
    """

    blocks = False

    def __init__(self, capacity: int = CAPACITY) -> None:
        if capacity < 1:
            raise ValueError("capacity is positive")
        self._capacity = capacity
        self._lock = threading.Lock()
        self._seen: tuple[dict[bytes, int], ...] = tuple({} for _ in range(SHARDS))  # until which second
        # By the second they expire in; that is in the value once more, for all of a second to share one integer.
        self._by_second: dict[int, tuple[int, list[bytes]]] = {}
        self._seconds: list[int] = []  # a heap of the keys of _by_second
        self._count = 0

    def __len__(self) -> int:
        """Return how many proofs are remembered, some of them expired and not yet forgotten."""
        return self._count

    def live(self, *, now: float) -> int:
        """Return how many proofs could be replayed if they were not remembered: a gauge for metrics."""
        with self._lock:
            return sum(len(keys) for second, keys in self._by_second.values() if second >= now)

    def use(self, proof: VerifiedProof, *, now: float) -> None:
        """
        Use a proof up.

        Raises:
            ProofRefused: It was used before.
            ReplayUnavailable: There is no room.
        """
        key = replay_key(proof)
        until = math.ceil(proof.expires_at)
        with self._lock:
            if self._seconds and self._seconds[0] < now:
                self._forget(now)
            seen = self._seen[key[0] % SHARDS]
            known = seen.get(key)
            if known is not None and known >= now:
                raise ProofRefused(Rule.REPLAY, "The proof was used before")
            if known is None:
                if self._count >= self._capacity:
                    raise ReplayUnavailable("too many proofs are fresh at once")
                self._count += 1
            second = self._by_second.get(until)
            if second is None:
                self._by_second[until] = second = until, []
                heapq.heappush(self._seconds, until)
            seen[key], keys = second
            keys.append(key)

    def _forget(self, now: float) -> None:
        for _ in range(FORGOTTEN_PER_USE):
            if not self._seconds or self._seconds[0] >= now:
                return
            second, keys = self._by_second[self._seconds[0]]
            key = keys.pop()
            seen = self._seen[key[0] % SHARDS]
            if seen.get(key) == second:  # else it was used again later
                del seen[key]
                self._count -= 1
            if not keys:
                del self._by_second[heapq.heappop(self._seconds)]
