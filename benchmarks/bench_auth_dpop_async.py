"""The same with async clients."""

from benchmarks import peers
from benchmarks.benchmark import Benchmark

BENCHMARK = Benchmark(
    ours="`session.auth` with DPoP in an async httpx client, 50 requests",
    peer="the same client with a static Bearer header",
    bar=2.0,
    prepare=lambda: peers.sides(
        "benchmarks.dpop_requests",
        ("ours_async", peers.OURS),
        ("bearer_async", peers.OURS),
        ("raw_async", peers.OURS),
        ("pydpop_async", peers.PEERS),
        calls=1,
    ),
    rounds=241,
    others={"an `Auth` written by hand": 1.15, "pydpop's `DPoPAuth`": 1.0},
)
