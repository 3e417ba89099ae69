"""A process that makes calls when it is told to: `python -m benchmarks.child MODULE FUNCTION CALLS`; see peers.py."""

import importlib
import sys


def main(module: str, name: str, calls: str) -> None:
    """Make the calls of one round for each line that comes, and answer each with a line."""
    call = getattr(importlib.import_module(module), name)()
    times = range(int(calls))
    for _ in sys.stdin.buffer:
        for _time in times:
            call()
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
