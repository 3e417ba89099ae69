"""What a million live proofs take in the memory of a fresh process."""

from benchmarks.bench_replay_pause import in_fresh_process
from benchmarks.benchmark import Benchmark

ALLOWED_GB = 0.2

BENCHMARK = Benchmark(
    ours="a fresh process that remembers a million live proofs",
    peer="200 MB",
    bar=1.0,
    prepare=lambda: in_fresh_process(0, ALLOWED_GB),
    rounds=5,
    unit="MB",
)
