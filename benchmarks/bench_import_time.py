"""What `import oidcclient` adds to the start of a program.

The wheel is installed with its dependencies into an empty environment: the tree's own environment has the path files
of editable installs and of coverage, which every start there pays for. Whole processes are measured, started in the
same way. Both run isolated (-I), so that neither the folder they start in nor the caller's variables change what they
import; `site`, which makes installed packages importable, is loaded in both, as it is in a user's program.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.benchmark import Benchmark, Sides
from tools import wheels


@contextmanager
def importing(module: str, *projects: Path) -> Iterator[Sides]:
    """Build the wheels of some projects, install them into an environment of their own, and import a module of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = [wheels.build(project, "wheel", folder) for project in projects]
        python = wheels.new_environment(folder / "environment")
        wheels.install(built, python)
        start = partial(subprocess.run, check=True, cwd=folder)
        yield Sides(
            ours=partial(start, [python, "-I", "-c", f"import {module}"]),
            peer=partial(start, [python, "-I", "-c", "pass"]),
        )


BENCHMARK = Benchmark(
    ours="`python -c 'import oidcclient'`, from the wheel",
    peer="`python -c pass`",
    bar=1.5,
    prepare=lambda: importing("oidcclient", wheels.ROOT),
    rounds=41,
)
