"""`oidcclient token` with a cached token that is good, and `key_cache = "kernel"`: the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.benchmark import Benchmark, Sides
from benchmarks.command import CONFIG, signed_in_command


@contextmanager
def sides() -> Iterator[Sides]:
    """Sign in; the first round has the kernel keep the key."""
    with signed_in_command(f'{CONFIG}key_cache = "kernel"\n') as (command, env):
        yield Sides(ours=command.call(command.script, "token", env=env), peer=command.call("-c", "pass"))


BENCHMARK = Benchmark(
    ours='`oidcclient token`, `key_cache = "kernel"`', peer="`python -c pass`", bar=6.0, prepare=sides, rounds=41
)
