"""What a request with a proof costs through `session.auth`."""

from benchmarks import peers
from benchmarks.benchmark import Benchmark
from benchmarks.dpop_requests import REQUESTS

BENCHMARK = Benchmark(
    ours="`session.auth` with DPoP in an httpx client, 50 requests",
    peer="the same client with a static Bearer header",
    bar=2.0,
    prepare=lambda: peers.sides(
        "benchmarks.dpop_requests",
        ("ours", peers.OURS),
        ("bearer", peers.OURS),
        ("raw", peers.OURS),
        ("pydpop", peers.PEERS),
        calls=REQUESTS,
    ),
    rounds=241,
    others={"an `Auth` written by hand": 1.15, "pydpop's `DPoPAuth`": 1.0},
)
