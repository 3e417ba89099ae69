"""The longest that any of a million proofs waits to be remembered: no table is swept or copied whole."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.benchmark import Amount, Benchmark, Sides
from tools import wheels

ALLOWED_S = 0.1


@contextmanager
def in_fresh_process(place: int, allowed: float) -> Iterator[Sides]:
    """
    Start million.py for each round.

    Args:
        place: Which of the numbers it prints is measured.
        allowed: What it is measured against.
    """

    def ours() -> Amount:
        command = [sys.executable, "-m", "benchmarks.million"]
        done = subprocess.run(command, check=True, cwd=wheels.ROOT, capture_output=True, text=True)
        return Amount(done.stdout.split()[place])

    yield Sides(ours=ours, peer=lambda: Amount(allowed))


BENCHMARK = Benchmark(
    ours="the longest wait of a million proofs that are remembered",
    peer="100 ms",
    bar=1.0,
    prepare=lambda: in_fresh_process(1, ALLOWED_S),
    rounds=5,
)
