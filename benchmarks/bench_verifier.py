"""What verifying a proof by a key seen before costs."""

from benchmarks import verifications
from benchmarks.benchmark import Benchmark, both_here
from benchmarks.peers import CALLS

BENCHMARK = Benchmark(
    ours="200 proofs verified and remembered, by a key seen before",
    peer="the bare signature checks of `cryptography`",
    bar=1.4,
    prepare=lambda: both_here(verifications.known_key, verifications.signature, calls=CALLS),
    rounds=601,  # 20 seconds: a slow moment of the machine lasts one or two
)
