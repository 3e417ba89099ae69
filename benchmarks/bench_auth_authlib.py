"""What `session.auth` costs on each request, against Authlib's own client: both on httpx2, which Authlib prefers."""

from functools import partial

import httpx2
from authlib.integrations.httpx_client import OAuth2Client

from benchmarks import calls
from benchmarks.benchmark import Benchmark

BENCHMARK = Benchmark(
    ours="`session.auth` in an httpx2 client, 200 requests",
    peer="Authlib's `OAuth2Client`",
    bar=1.0,
    prepare=lambda: calls.in_turn(
        lambda: httpx2.Client(auth=calls.auth(), transport=calls.transport(httpx2)),
        partial(OAuth2Client, token=calls.token_of_authlib(), transport=calls.transport(httpx2)),
    ),
    rounds=41,
)
