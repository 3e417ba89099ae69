"""What verifying a proof costs when its key is seen for the first time."""

from benchmarks import verifications
from benchmarks.benchmark import Benchmark, both_here
from benchmarks.peers import CALLS

BENCHMARK = Benchmark(
    ours="200 proofs verified and remembered, each by a new key",
    peer="the bare signature checks of `cryptography`",
    bar=2.0,
    prepare=lambda: both_here(verifications.new_key, verifications.signature, calls=CALLS),
    rounds=601,  # 20 seconds: a slow moment of the machine lasts one or two
)
