"""What a benchmark is, and how it is measured."""

import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Sides:
    """The two things compared; each call is one round."""

    ours: Callable[[], object]
    peer: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Ours against a peer, with the bar that ours keeps.

    Args:
        ours: What we measure, in words.
        peer: What we measure it against, in words.
        bar: The highest ratio of our median time to the peer's that we accept.
        prepare: Set both sides up, and clean up after them; not measured.
        rounds: How often each side runs.
    """

    ours: str
    peer: str
    bar: float
    prepare: Callable[[], AbstractContextManager[Sides]]
    rounds: int = 21


@dataclass(frozen=True, slots=True)
class Result:
    """The median time of one round of each side, in seconds."""

    ours: float
    peer: float

    @property
    def ratio(self) -> float:
        """Return how many times the peer's time ours is."""
        return self.ours / self.peer


def seconds(call: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start


def measure(benchmark: Benchmark) -> Result:
    """Run both sides in turn, so that a slow moment of the machine hits both, and take the medians."""
    with benchmark.prepare() as sides:
        sides.ours()  # the first round of each fills caches and does not count
        sides.peer()
        pairs = [(seconds(sides.ours), seconds(sides.peer)) for _ in range(benchmark.rounds)]
    return Result(ours=statistics.median(ours for ours, _ in pairs), peer=statistics.median(peer for _, peer in pairs))
