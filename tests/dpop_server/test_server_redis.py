"""Proofs remembered in Redis: one server and a cluster, both real."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import MappingProxyType
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from oidcclient_dpop.server import (
    AsyncRedisReplayCache,
    ProofRefused,
    RedisReplayCache,
    ReplayUnavailable,
    Rule,
    VerifiedProof,
    replay_key,
)
from tests.dpop_server.redis_servers import RedisServer, cluster, folder, until

NOW = 1_700_000_000.0  # Redis is not asked what time it is
PROOF = VerifiedProof("k" * 43, "a-jti", NOW, None, MappingProxyType({}), "https://api.example.com/", NOW + 60)
PATIENT: dict[str, Any] = {"socket_timeout": 15, "socket_connect_timeout": 15}  # the machine may be busy
SHORT: dict[str, Any] = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2}
ACCEPTED, REFUSED, AWAY = "accepted", "refused", "away"


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with folder() as name, RedisServer(name, "--port", "0") as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    """A server that remembers nothing."""
    running.client.flushall()
    return running


def _judged(error: Exception) -> str:
    if isinstance(error, ProofRefused):
        assert (error.rule, error.error) == (Rule.REPLAY, "invalid_dpop_proof")
        return REFUSED
    assert isinstance(error, ReplayUnavailable), error
    return AWAY


def use(cache: RedisReplayCache, proof: VerifiedProof = PROOF, now: float = NOW) -> str:
    try:
        cache.use(proof, now=now)
    except (ProofRefused, ReplayUnavailable) as error:
        return _judged(error)
    return ACCEPTED


async def use_async(cache: AsyncRedisReplayCache, proof: VerifiedProof = PROOF, now: float = NOW) -> str:
    try:
        await cache.use(proof, now=now)
    except (ProofRefused, ReplayUnavailable) as error:
        return _judged(error)
    return ACCEPTED


def client_of(server: RedisServer, **settings: Any) -> redis.Redis:
    retry = Retry(NoBackoff(), 0)
    return redis.Redis(unix_socket_path=server.socket, **{**PATIENT, "retry": retry, **settings})


def in_loop(
    server: RedisServer,
    work: Callable[[AsyncRedisReplayCache], Awaitable[object]],
    **settings: Any,
) -> None:
    """Do something with a cache in an event loop."""

    async def run() -> None:
        async with redis.asyncio.Redis(unix_socket_path=server.socket, **{**PATIENT, **settings}) as client:
            await work(AsyncRedisReplayCache(client, timeout=15))

    asyncio.run(run())


def test_the_second_use_is_refused_wherever_it_comes(server: RedisServer) -> None:
    with client_of(server) as one, client_of(server) as other:
        assert use(RedisReplayCache(one)) == ACCEPTED
        assert [use(RedisReplayCache(client)) for client in (one, other)] == [REFUSED, REFUSED]

        async def work(cache: AsyncRedisReplayCache) -> None:
            assert await use_async(cache) == REFUSED
            assert await use_async(cache, PROOF._replace(jti="b-jti")) == ACCEPTED
            assert await use_async(cache, PROOF._replace(jti="b-jti")) == REFUSED

        in_loop(server, work)
        assert use(RedisReplayCache(other), PROOF._replace(jti="b-jti")) == REFUSED


@pytest.mark.parametrize("change", [{"jkt": "l" * 43}, {"jti": "b-jti"}, {"htu": "https://api.example.com/b"}])
def test_a_jti_counts_for_its_key_and_its_address(server: RedisServer, change: dict[str, Any]) -> None:
    with client_of(server) as client:
        assert use(RedisReplayCache(client)) == ACCEPTED
        assert use(RedisReplayCache(client), PROOF._replace(**change)) == ACCEPTED


@pytest.mark.parametrize("settings", [{}, {"protocol": 2}, {"protocol": 3}, {"decode_responses": True}])
def test_a_client_may_be_set_up_as_its_owner_likes(server: RedisServer, settings: dict[str, Any]) -> None:
    with client_of(server, **settings) as client:
        assert [use(RedisReplayCache(client)) for _ in range(2)] == [ACCEPTED, REFUSED]

    async def work(cache: AsyncRedisReplayCache) -> None:
        proof = PROOF._replace(jti="b-jti")
        assert [await use_async(cache, proof) for _ in range(2)] == [ACCEPTED, REFUSED]

    in_loop(server, work, **settings)


def test_a_key_says_nothing_and_goes_when_the_proof_cannot_be_replayed_any_more(server: RedisServer) -> None:
    with client_of(server) as client:
        cache = RedisReplayCache(client, prefix="some-api:")
        for left in (60, 0.5, 0.0001, 0, -1):
            client.flushall()
            assert use(cache, PROOF._replace(expires_at=NOW + left)) == ACCEPTED
            lifetime = server.client.pttl(name := f"some-api:{replay_key(PROOF).hex()}")
            assert isinstance(lifetime, int)
            assert lifetime <= max(left * 1_000, 1)
            assert lifetime > left * 1_000 - 2_000 or left <= 1
        assert use(cache, PROOF._replace(jti="short", expires_at=NOW + 0.05)) == ACCEPTED
        until(lambda: server.client.dbsize() == 0)
        assert use(cache) == ACCEPTED
        assert server.client.get(name) == b""
        assert use(RedisReplayCache(client, prefix="another-api:")) == ACCEPTED


def test_many_threads_use_a_proof_once(server: RedisServer) -> None:
    with client_of(server) as client, ThreadPoolExecutor(8) as pool:
        cache = RedisReplayCache(client)
        for number in range(50):
            proof = PROOF._replace(jti=str(number))
            assert sorted(pool.map(lambda _: use(cache, proof), range(8))) == [ACCEPTED] + [REFUSED] * 7  # noqa: B023 - at once


def test_many_tasks_use_a_proof_once(server: RedisServer) -> None:
    async def work(cache: AsyncRedisReplayCache) -> None:
        for number in range(50):
            proof = PROOF._replace(jti=str(number))
            assert sorted(await asyncio.gather(*(use_async(cache, proof) for _ in range(8)))) == [
                ACCEPTED,
                *[REFUSED] * 7,
            ]

    in_loop(server, work)


def test_a_redis_that_hangs_is_not_waited_for_and_nothing_is_accepted(server: RedisServer) -> None:
    with client_of(server) as client, client_of(server, **SHORT) as hasty_client:
        cache, hasty = RedisReplayCache(client), RedisReplayCache(hasty_client)
        assert use(cache) == ACCEPTED
        server.pause()
        try:
            start = time.monotonic()
            assert [use(hasty), use(hasty, PROOF._replace(jti="while-it-hung"))] == [AWAY, AWAY]
            assert time.monotonic() - start < 5
        finally:
            server.resume()
        assert use(cache) == REFUSED
        until(lambda: use(hasty) == REFUSED)
        assert use(cache, PROOF._replace(jti="later")) == ACCEPTED


def test_a_redis_that_hangs_holds_no_event_loop_up_and_mixes_no_answers(server: RedisServer) -> None:
    """The client's own time and tries do not count."""

    async def work(cache: AsyncRedisReplayCache) -> None:
        hasty = AsyncRedisReplayCache(cache._client, timeout=0.2)
        assert await use_async(cache) == ACCEPTED
        server.pause()
        try:
            start = time.monotonic()
            hung = [use_async(hasty, PROOF._replace(jti=f"hung-{number}")) for number in range(5)]
            assert await asyncio.gather(*hung) == [AWAY] * 5
            assert time.monotonic() - start < 5
        finally:
            server.resume()
        for number in range(20):
            proof = PROOF._replace(jti=f"later-{number}")
            assert [await use_async(cache, proof) for _ in range(2)] == [ACCEPTED, REFUSED]

    in_loop(server, work)


def test_a_redis_that_is_stopped_and_started_remembers() -> None:
    with folder() as name, RedisServer(name, "--port", "0", keeps=True) as server, client_of(server) as client:
        cache = RedisReplayCache(client)
        assert use(cache) == ACCEPTED

        async def work(cache_async: AsyncRedisReplayCache) -> None:
            assert await use_async(cache_async) == REFUSED
            server.stop()
            for proof in (PROOF, PROOF._replace(jti="while-away")):
                assert (use(cache, proof), await use_async(cache_async, proof)) == (AWAY, AWAY)
            server.start()
            assert (use(cache), await use_async(cache_async)) == (REFUSED, REFUSED)
            assert use(cache, PROOF._replace(jti="while-away")) == ACCEPTED

        in_loop(server, work, retry=redis.asyncio.retry.Retry(NoBackoff(), 0))


REFUSALS: dict[str, tuple[str, ...]] = {
    "it is full": ("CONFIG", "SET", "maxmemory", "1"),
    "it only copies another": ("REPLICAOF", "127.0.0.1", "1"),
    "it asks who we are": ("ACL", "SETUSER", "default", "on", "resetpass", "-set"),
}
AGAIN = ("CONFIG SET maxmemory 0", "REPLICAOF NO ONE", "ACL SETUSER default on nopass +@all")


@pytest.mark.parametrize("why", REFUSALS)
def test_a_redis_that_does_not_write_accepts_nothing(server: RedisServer, why: str) -> None:
    with client_of(server) as client:
        cache = RedisReplayCache(client)
        assert use(cache) == ACCEPTED
        server.tell(*REFUSALS[why])
        try:
            assert [use(cache), use(cache, PROOF._replace(jti="new"))] == [AWAY, AWAY]
        finally:
            for command in AGAIN:
                server.tell(*command.split())
        until(lambda: use(cache) == REFUSED)


def test_a_key_that_holds_something_else_refuses(server: RedisServer) -> None:
    with client_of(server) as client:
        server.client.rpush(f"dpop:jti:{replay_key(PROOF).hex()}", "x")
        assert use(RedisReplayCache(client)) == REFUSED


def test_what_answers_with_something_else_than_yes_accepts_nothing(server: RedisServer) -> None:
    """A pipeline returns itself, which is true."""
    with client_of(server) as client, client.pipeline() as pipeline:
        assert use(RedisReplayCache(pipeline)) == AWAY


def test_a_sync_client_is_used_in_a_thread_and_an_async_one_is_not() -> None:
    assert RedisReplayCache.blocks is True
    assert asyncio.iscoroutinefunction(AsyncRedisReplayCache.use)


def test_without_redis_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['redis'] = None\n"
        "import oidcclient_dpop.server as server\n"
        "try: server.RedisReplayCache\n"
        "except ModuleNotFoundError as error: sys.exit(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert "pip install 'oidcclient-dpop[redis]'" in done.stderr


def test_a_cluster_remembers_as_one_server_does_and_refuses_when_it_is_away() -> None:
    with cluster() as nodes:
        port = nodes[0][1]
        proofs = [PROOF._replace(jti=str(number)) for number in range(30)]
        with closing(redis.RedisCluster(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0), **PATIENT)) as client:
            cache = RedisReplayCache(client)
            assert [use(cache, proof) for proof in proofs] == [ACCEPTED] * 30
            assert [use(cache, proof) for proof in proofs] == [REFUSED] * 30
            assert client.dbsize(target_nodes=redis.RedisCluster.PRIMARIES) == 30, "as the docstring counts them"
            assert all(server.client.dbsize() for server, _ in nodes), "each node has some of the keys"

            async def work() -> None:
                async with redis.asyncio.RedisCluster(host="127.0.0.1", port=port) as other:
                    cache_async = AsyncRedisReplayCache(other, timeout=15)
                    assert [await use_async(cache_async, proof) for proof in proofs] == [REFUSED] * 30
                    assert await use_async(cache_async) == ACCEPTED
                    for server, _ in nodes:
                        server.stop()
                    for proof in (PROOF, PROOF._replace(jti="new")):
                        assert (use(cache, proof), await use_async(cache_async, proof)) == (AWAY, AWAY)

            asyncio.run(work())
