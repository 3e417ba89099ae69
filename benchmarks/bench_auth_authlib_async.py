"""The same with async clients."""

from functools import partial

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client

from benchmarks import calls
from benchmarks.benchmark import Benchmark

BENCHMARK = Benchmark(
    ours="`session.auth` in an async httpx2 client, 200 requests",
    peer="Authlib's `AsyncOAuth2Client`",
    bar=1.0,
    prepare=lambda: calls.in_turn_async(
        lambda: httpx2.AsyncClient(auth=calls.auth(), transport=calls.transport(httpx2)),
        partial(AsyncOAuth2Client, token=calls.token_of_authlib(), transport=calls.transport(httpx2)),
    ),
    rounds=41,
)
