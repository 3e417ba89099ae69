"""What a benchmark is, and how it is measured."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from time import perf_counter


class Amount(float):
    """What a round measured itself: it counts in place of the time that the round took."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The things compared, in the benchmark's order; each call is one round."""

    ours: Callable[[], object]
    peer: Callable[[], object]
    others: Sequence[Callable[[], object]] = ()


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Ours against a peer, with the bar that ours keeps.

    Args:
        ours: What we measure, in words.
        peer: What we measure it against, in words.
        bar: The highest ratio of our median time to the peer's that we accept.
        prepare: Set both sides up, and clean up after them; not measured.
        rounds: How often each side runs.
        others: Further peers that the same rounds of ours are measured against: words and bar of each.
        unit: What a thousandth of the measure is called: of seconds milliseconds, of gigabytes megabytes.
    """

    ours: str
    peer: str
    bar: float
    prepare: Callable[[], AbstractContextManager[Sides]]
    rounds: int = 21
    others: Mapping[str, float] = field(default_factory=dict)
    unit: str = "ms"


@dataclass(frozen=True, slots=True)
class Result:
    """The median time of one round of ours and of one peer, in seconds."""

    ours: float
    peer: float

    @property
    def ratio(self) -> float:
        """Return how many times the peer's time ours is."""
        return self.ours / self.peer


@contextmanager
def both_here(
    ours: Callable[[], Callable[[], object]], peer: Callable[[], Callable[[], object]], *, calls: int
) -> Iterator[Sides]:
    """
    Run both sides in this process, where neither has to be woken for its turn: such a process is slow at first.

    Args:
        ours: Makes our call.
        peer: Makes the peer's.
        calls: How many there are in a round.
    """
    yield Sides(_repeated(ours(), calls), _repeated(peer(), calls))


def _repeated(call: Callable[[], object], calls: int) -> Callable[[], None]:
    def often() -> None:
        for _ in range(calls):
            call()

    return often


def measured(call: Callable[[], object]) -> float:
    """Return how long one call takes in seconds, or what it measured instead."""
    start = perf_counter()
    found = call()
    return found if isinstance(found, Amount) else perf_counter() - start


def measure(benchmark: Benchmark) -> list[Result]:
    """Run all sides in turn, so that a slow moment of the machine hits all, and take the medians: one for each peer."""
    with benchmark.prepare() as sides:
        calls = (sides.ours, sides.peer, *sides.others)
        for call in calls:
            call()  # the first round of each fills caches and does not count
        rounds = [[measured(call) for call in calls] for _ in range(benchmark.rounds)]
    ours, *peers = map(statistics.median, zip(*rounds, strict=True))
    return [Result(ours, peer) for peer in peers]
