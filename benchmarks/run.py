"""Measure each benchmark against its peer, side by side, and print a table of ratios.

Without arguments all are run, else those named: `python benchmarks/run.py import_time`.
A benchmark is a file bench_<name>.py beside this one with a `BENCHMARK` in it. No test asserts a bar: a machine that
does other work as well would fail it by luck.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from benchmarks.benchmark import Benchmark, measure  # noqa: E402  # the line above makes it importable
from benchmarks.system import PartMissing  # noqa: E402  # the line above makes it importable

NAMES = sorted(file.stem.removeprefix("bench_") for file in HERE.glob("bench_*.py"))
COLUMNS = ("benchmark", "ours", "peer", "ours, median", "peer, median", "ratio", "bar", "")


def load(name: str) -> Benchmark:
    """Return the benchmark of that name."""
    benchmark = importlib.import_module(f"benchmarks.bench_{name}").BENCHMARK
    if not isinstance(benchmark, Benchmark):
        raise TypeError(f"BENCHMARK in bench_{name}.py is no Benchmark")
    return benchmark


def lines(name: str) -> Iterator[Sequence[str]]:
    """Measure one benchmark and return its lines of the table: one for each peer."""
    benchmark = load(name)
    bars = {benchmark.peer: benchmark.bar, **benchmark.others}
    for (peer, bar), result in zip(bars.items(), measure(benchmark), strict=True):
        yield (
            name,
            benchmark.ours,
            peer,
            f"{result.ours * 1e3:.2f} {benchmark.unit}",
            f"{result.peer * 1e3:.2f} {benchmark.unit}",
            f"{result.ratio:.2f}",
            f"{bar:.2f}",
            "kept" if result.ratio <= bar else "**missed**",
        )


def print_line(texts: Sequence[str]) -> None:
    """Print one line of a Markdown table."""
    print("|", " | ".join(texts), "|", flush=True)


def main(names: Sequence[str]) -> int:
    """Return the exit status: 2 if a name is unknown."""
    if not set(names) <= set(NAMES):
        print("unknown; there are:", *NAMES, file=sys.stderr)
        return 2
    print_line(COLUMNS)
    print_line(["---"] * len(COLUMNS))
    for name in names or NAMES:
        try:
            for line in lines(name):
                print_line(line)
        except PartMissing as missing:
            print(f"{name}: {missing}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
