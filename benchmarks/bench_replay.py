"""What remembering a thousand more proofs costs when a million are remembered, against ten thousand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.benchmark import Benchmark, Sides
from benchmarks.million import NOW, PROOFS, proof
from oidcclient_dpop.server import MemoryReplayCache, VerifiedProof

BATCH = 1_000
FEW = 10_000
ROUNDS = 41


def _filled(number: int) -> MemoryReplayCache:
    memory = MemoryReplayCache(2 * PROOFS)
    for one in map(proof, range(number)):
        memory.use(one, now=NOW)
    return memory


def _batches() -> Iterator[list[VerifiedProof]]:
    """Make the proofs of each round beforehand."""
    first = PROOFS
    for _ in range(ROUNDS + 1):
        yield [proof(number) for number in range(first, first + BATCH)]
        first += BATCH


def _side(memories: list[MemoryReplayCache], batches: list[list[VerifiedProof]]) -> Callable[[], None]:
    turns = iter(list(zip(memories, batches, strict=True)))

    def insert() -> None:
        memory, batch = next(turns)
        for one in batch:
            memory.use(one, now=NOW)

    return insert


@contextmanager
def filled() -> Iterator[Sides]:
    """Fill one with a million, and one for each round with ten thousand, which a thousand more would change much."""
    batches = list(_batches())
    large = _filled(PROOFS)
    yield Sides(ours=_side([large] * len(batches), batches), peer=_side([_filled(FEW) for _ in batches], batches))


BENCHMARK = Benchmark(
    ours="1,000 proofs remembered after a million",
    peer="1,000 proofs remembered after ten thousand",
    bar=2.0,
    prepare=filled,
    rounds=ROUNDS,
)
