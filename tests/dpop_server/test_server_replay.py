"""A proof is used once (RFC 9449 section 11.1)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import pytest

from oidcclient_dpop.server import (
    MemoryReplayCache,
    ProofRefused,
    ReplayUnavailable,
    Rule,
    VerifiedProof,
    replay_key,
)

NOW = 1_700_000_000.0
PROOF = VerifiedProof("k" * 43, "a-jti", NOW, None, MappingProxyType({}), "https://api.example.com/", NOW + 60)


def used(cache: MemoryReplayCache, proof: VerifiedProof, now: float = NOW) -> bool:
    """Return whether the proof was used before."""
    try:
        cache.use(proof, now=now)
    except ProofRefused as error:
        assert (error.rule, error.error) == (Rule.REPLAY, "invalid_dpop_proof")  # noqa: PT017 - both ways are looked at
        return True
    return False


def test_the_second_use_is_refused() -> None:
    cache = MemoryReplayCache()
    assert not used(cache, PROOF)
    assert used(cache, PROOF)
    assert used(cache, PROOF, NOW + 60)
    assert len(cache) == 1


@pytest.mark.parametrize("change", [{"jkt": "l" * 43}, {"jti": "b-jti"}, {"htu": "https://api.example.com/b"}])
def test_a_jti_counts_for_its_key_and_its_address(change: dict[str, Any]) -> None:
    cache = MemoryReplayCache()
    assert not used(cache, PROOF)
    assert not used(cache, PROOF._replace(**change))


def test_the_same_jti_in_a_later_proof_is_refused_too() -> None:
    cache = MemoryReplayCache()
    assert not used(cache, PROOF)
    assert used(cache, PROOF._replace(iat=NOW + 30, expires_at=NOW + 90), NOW + 30)


def test_what_has_expired_is_forgotten_bit_by_bit() -> None:
    cache = MemoryReplayCache()
    for number in range(100):
        assert not used(cache, PROOF._replace(jti=str(number)))
    assert len(cache) == 100
    later = NOW + 62
    for number in range(100, 200):
        before = len(cache)
        assert not used(cache, PROOF._replace(jti=str(number), expires_at=later + 60), later)
        assert len(cache) >= before - 3, "a little with each use"
    assert len(cache) == 100
    assert used(cache, PROOF._replace(jti="150"), later)


def test_what_has_not_expired_is_not_forgotten_along_with_what_has() -> None:
    cache = MemoryReplayCache()
    live = [PROOF._replace(jti=str(number)) for number in range(8)]
    for proof in (PROOF._replace(expires_at=NOW + 1), *live):
        assert not used(cache, proof)
    for number in range(10, 20):
        assert not used(cache, PROOF._replace(jti=str(number)), NOW + 5)
    assert all(used(cache, proof, NOW + 5) for proof in live)
    assert all(used(cache, proof, NOW + 60) for proof in live), "to the last moment"


def test_how_many_proofs_are_live_is_told() -> None:
    cache = MemoryReplayCache()
    for number in range(100):
        assert not used(cache, PROOF._replace(jti=str(number), expires_at=NOW + number // 50))
    assert [cache.live(now=NOW + later) for later in (0, 0.5, 1, 1.5)] == [100, 50, 50, 0]
    assert len(cache) == 100, "looking forgets nothing"


def test_a_memory_is_used_in_place_on_an_event_loop() -> None:
    assert MemoryReplayCache().blocks is False


def test_a_jti_may_come_again_when_the_first_cannot_be_replayed_any_more() -> None:
    cache = MemoryReplayCache()
    others = [PROOF._replace(jti=str(number)) for number in range(20)]
    for proof in others:
        assert not used(cache, proof)
    later = NOW + 62
    again = others[0]._replace(expires_at=later + 60)
    assert not used(cache, again, later)
    for number in range(20, 60):
        assert not used(cache, PROOF._replace(jti=str(number), expires_at=later + 60), later)
    assert used(cache, again, later), "forgetting the first did not forget the second"
    assert len(cache) == 41


def test_a_full_memory_refuses_and_recovers() -> None:
    """Fails closed: what cannot be remembered is not accepted."""
    cache = MemoryReplayCache(capacity=3)
    for number in range(3):
        assert not used(cache, PROOF._replace(jti=str(number)))
    with pytest.raises(ReplayUnavailable):
        cache.use(PROOF, now=NOW)
    assert used(cache, PROOF._replace(jti="1")), "a replay is still known"
    assert len(cache) == 3
    later = NOW + 62
    assert not used(cache, PROOF._replace(expires_at=later + 60), later)


def test_a_capacity_is_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        MemoryReplayCache(0)
    assert not used(MemoryReplayCache(1), PROOF)


def test_many_threads_use_a_proof_once() -> None:
    cache = MemoryReplayCache()
    threads = 8
    start = threading.Barrier(threads)

    def work(_: int) -> list[bool]:
        start.wait()
        return [used(cache, PROOF._replace(jti=str(number))) for number in range(500)]

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(work, range(threads)))
    assert all(sorted(row) == [False] + [True] * (threads - 1) for row in zip(*results, strict=True))
    assert len(cache) == 500


def test_a_key_is_short_whatever_the_jti() -> None:
    assert len(replay_key(PROOF._replace(jti="x" * 128))) == 16
    assert len(replay_key(PROOF._replace(jti="\ud800"))) == 16
    one = PROOF._replace(htu="https://a.example/", jti="b c")
    other = PROOF._replace(htu="https://a.example/b", jti="c")
    assert replay_key(one) != replay_key(other)
