"""What `import oidcclient_dpop` adds to the start of a program, measured as `import_time` is."""

from benchmarks.bench_import_time import importing
from benchmarks.benchmark import Benchmark
from tools.wheels import PROJECTS

BENCHMARK = Benchmark(
    ours="`python -c 'import oidcclient_dpop'`, from the wheels",
    peer="`python -c pass`",
    bar=1.6,
    prepare=lambda: importing("oidcclient_dpop", PROJECTS["oidcclient"], PROJECTS["oidcclient-dpop"]),
    rounds=41,
)
