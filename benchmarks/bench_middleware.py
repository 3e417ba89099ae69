"""What the ASGI middleware costs: requests through it and uvicorn, against the two signature checks in each of them."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.benchmark import Benchmark, Sides
from benchmarks.peers import OURS, side
from benchmarks.protected import CORES, Caller, pin, requests, served, two_signatures

REQUESTS = 400  # in one round: a tenth of a second
ROUNDS = 151  # 25 seconds: a slow moment of the machine lasts one or two


@contextmanager
def both() -> Iterator[Sides]:
    """Start two servers, with and without the middleware, and the bare checks; all on one core, not the client's."""
    keys, rounds = requests(REQUESTS)
    made = [next(rounds) for _ in range(ROUNDS + 1)]
    with ExitStack() as stack:
        protected, bare = (Caller(stack.enter_context(served(name, keys))) for name in ("protected", "bare"))
        checks = stack.enter_context(side("benchmarks.protected", two_signatures.__name__, OURS, calls=REQUESTS))
        stack.callback(protected.close)
        stack.callback(bare.close)
        pin(-1)
        client = _Client()
        turns = iter(made)
        yield Sides(lambda: client.time(protected, next(turns)), checks, [lambda: bare.ask(made[0])])
        if CORES:
            os.sched_setaffinity(0, CORES)
        client.report()


class _Client:
    """Tells how busy the client is while it waits for the middleware."""

    def __init__(self) -> None:
        self._busy = self._whole = 0.0

    def time(self, caller: Caller, messages: list[bytes]) -> None:
        busy, whole = time.process_time(), time.perf_counter()
        caller.ask(messages)
        self._busy += time.process_time() - busy
        self._whole += time.perf_counter() - whole

    def report(self) -> None:
        print(f"middleware: the client used {self._busy / self._whole:.0%} of its core", file=sys.stderr)


BENCHMARK = Benchmark(
    ours="400 requests through the ASGI middleware and uvicorn, the access token verified each time",
    peer="two bare signature checks of `cryptography` for each",
    bar=2.0,
    prepare=both,
    rounds=ROUNDS,
    others={"the same client and server without the middleware": 20.0},
)
