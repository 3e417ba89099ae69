"""
Remembering proofs in Redis, for workers on one machine or many (`oidcclient-dpop[redis]`).

A proof is remembered with one command, `SET key "" NX PX milliseconds`: Redis sets the key, or finds it, in one step.
The command has one key, so that it works on a cluster. Redis forgets the key by itself.

What Redis must be like: `maxmemory-policy noeviction`, for a key that is thrown out could be used again. And it must
not forget when it restarts or another takes over: with `appendonly yes`, and `appendfsync always` or a nonce of the
server in each proof, whose time is short. The documentation says more.

How many proofs are remembered (a gauge for metrics): `client.dbsize()`, where the database holds nothing else; of a
cluster `client.dbsize(target_nodes=redis.RedisCluster.PRIMARIES)`. Counting the keys with the prefix would mean going
through all of them.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

try:
    from redis.exceptions import RedisClusterException, RedisError
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "to remember proofs in Redis: pip install 'oidcclient-dpop[redis]'", name=error.name
    ) from error

from .errors import ProofRefused, ReplayUnavailable, Rule
from .replay import replay_key

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from .verifier import VerifiedProof

__all__ = ["AsyncRedisReplayCache", "RedisReplayCache"]

PREFIX = "dpop:jti:"
TIMEOUT_S = 1.0  # seconds; the API's client is waiting
AWAY = "Redis cannot tell whether the proof was used before"
_FAILURES = (RedisError, RedisClusterException, OSError)  # the second is none of the first; TimeoutError is an OSError


class RedisReplayCache:
    """
    Remembers in Redis; thread-safe, as the client is.

    How long it waits is up to the client. A short deadline and no second try are right here: when an answer is lost,
    a second try finds what the first has set, and refuses a proof that is good.

        retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        client = redis.Redis(..., socket_timeout=0.5, socket_connect_timeout=0.5, retry=retry)

    A client of a cluster asks each node in turn before it gives up, so it waits some times longer.

    Args:
        client: A `redis.Redis` or `redis.RedisCluster`.
        prefix: What the names of its keys begin with. Servers that must not accept each other's proofs again share it.
    """

    blocks = True

    def __init__(self, client: redis.Redis | redis.RedisCluster, *, prefix: str = PREFIX) -> None:
        self._client = client
        self._prefix = prefix

    def use(self, proof: VerifiedProof, *, now: float) -> None:
        """
        Use a proof up.

        Raises:
            ProofRefused: It was used before.
            ReplayUnavailable: Redis did not answer in time, or not as it should.
        """
        try:
            answer = self._client.set(_name(self._prefix, proof), b"", nx=True, px=_lifetime(proof, now))
        except _FAILURES as error:
            raise ReplayUnavailable(AWAY) from error
        _judge(answer)


class AsyncRedisReplayCache:
    """
    Remembers in Redis, on an event loop of asyncio.

    Args:
        client: A `redis.asyncio.Redis` or `redis.asyncio.RedisCluster`. As for `RedisReplayCache`, it does not try
            twice: `retry=redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)`.
        prefix: What the names of its keys begin with.
        timeout: How long it waits for Redis in all, in seconds, whatever the client's own settings are.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis | redis.asyncio.RedisCluster,
        *,
        prefix: str = PREFIX,
        timeout: float = TIMEOUT_S,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._timeout = timeout

    async def use(self, proof: VerifiedProof, *, now: float) -> None:
        """
        Use a proof up.

        Raises:
            ProofRefused: It was used before.
            ReplayUnavailable: Redis did not answer in time, or not as it should.
        """
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.set(_name(self._prefix, proof), b"", nx=True, px=_lifetime(proof, now))
        except _FAILURES as error:
            raise ReplayUnavailable(AWAY) from error
        _judge(answer)


def _name(prefix: str, proof: VerifiedProof) -> str:
    return prefix + replay_key(proof).hex()


def _lifetime(proof: VerifiedProof, now: float) -> int:
    """Return milliseconds: a span and no point in time, so that the clock of Redis does not matter."""
    return max(1, math.ceil((proof.expires_at - now) * 1_000))


def _judge(answer: object) -> None:
    """Accept what is surely an `OK`, and nothing else that happens to be true: a pipeline returns itself."""
    if answer is None:
        raise ProofRefused(Rule.REPLAY, "The proof was used before")
    if answer is not True:
        raise ReplayUnavailable(AWAY)
