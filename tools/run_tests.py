"""Run the tests in parallel and measure branch coverage over every process they start.

Arguments are handed to pytest. The last line printed is pytest's own summary.
"""

import subprocess
import sys
from collections.abc import Sequence

WORKERS = "2"  # what a small CI machine has; the tests wait for sockets and browsers more than they compute
LOADGROUP = ["-n", WORKERS, "--dist", "loadgroup"]  # tests of one xdist_group share one worker and its fixtures


def coverage(*arguments: str) -> int:
    """Run coverage and return its exit status."""
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], check=False).returncode


def run_pytest(arguments: Sequence[str]) -> tuple[int, str]:
    """Return pytest's exit status and the last line it printed."""
    command = [sys.executable, "-m", "coverage", "run", "-m", "pytest", *LOADGROUP, *arguments]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace") as process:
        if process.stdout is not None:
            for line in process.stdout:
                print(line, end="", flush=True)
                last = line.rstrip() or last
    return process.returncode, last


def main(arguments: Sequence[str]) -> int:
    """Return the exit status: that of pytest, or of the report if all tests passed."""
    coverage("erase")
    failed, summary = run_pytest(arguments)
    if not failed:
        failed = coverage("combine", "--quiet") or coverage("report")
    print(summary)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
