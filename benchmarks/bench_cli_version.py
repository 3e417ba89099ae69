"""The least that the command costs: `oidcclient --version`, the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.benchmark import Benchmark, Sides
from benchmarks.command import installed


@contextmanager
def sides() -> Iterator[Sides]:
    """Install the command."""
    with installed() as command:
        yield Sides(ours=command.call(command.script, "--version"), peer=command.call("-c", "pass"))


BENCHMARK = Benchmark(ours="`oidcclient --version`", peer="`python -c pass`", bar=2.5, prepare=sides, rounds=41)
