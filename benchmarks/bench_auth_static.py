"""What `session.auth` costs on each request while the token is good, against a header that is set once."""

from functools import partial

import httpx

from benchmarks import calls, signed_in
from benchmarks.benchmark import Benchmark

HEADERS = {"Authorization": f"Bearer {signed_in.TOKEN}"}

BENCHMARK = Benchmark(
    ours="`session.auth` in an httpx client, 200 requests",
    peer="the same client with a static Bearer header",
    bar=1.25,
    prepare=lambda: calls.in_turn(
        lambda: httpx.Client(auth=calls.auth(), transport=calls.transport(httpx)),
        partial(httpx.Client, headers=HEADERS, transport=calls.transport(httpx)),
    ),
    rounds=41,
)
