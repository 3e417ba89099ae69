"""What verifying a proof costs when its key is seen for the first time."""

from benchmarks.benchmark import Benchmark
from benchmarks.peers import OURS, sides

BENCHMARK = Benchmark(
    ours="200 proofs verified and remembered, each by a new key",
    peer="the bare signature checks of `cryptography`",
    bar=2.0,
    prepare=lambda: sides("benchmarks.verifications", ("new_key", OURS), ("signature", OURS)),
    rounds=41,
)
