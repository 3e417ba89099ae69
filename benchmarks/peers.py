"""
Other libraries, each measured in a process of its own.

Some of them cannot be installed together, and none belongs in the development environment: `make bench` installs them
into `.venv-peers`, as requirements/peers*.txt pin them. A benchmark that compares libraries has a module with one
function for each, named after it, that imports the library and returns the call to measure:

    prepare=lambda: peers.sides("benchmarks.proofs", ("ours", peers.OURS), ("pydpop", peers.PEERS))

Each call of a side is one round in its process; ours runs in one too, so that both are measured alike.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.benchmark import Sides

ROOT = Path(__file__).resolve().parent.parent
CALLS = 200  # in one round: some milliseconds, beside which the two messages of a round are nothing
OURS, PEERS, ATPROTO = "", "peers", "peers-atproto"  # the environments: this one, and those of requirements/peers*.txt


def python_of(environment: str) -> str:
    """
    Return the interpreter of an environment.

    Raises:
        FileNotFoundError: It is not installed.
    """
    if environment == OURS:
        return sys.executable
    folder = ROOT / ".venv-peers" / environment
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / ".installed").exists():
        raise FileNotFoundError(f"{python} is not there: `make bench` installs it")
    return str(python)


@contextmanager
def side(module: str, name: str, environment: str, *, calls: int = CALLS) -> Iterator[Callable[[], object]]:
    """
    Start a process that makes calls, and return what lets it make those of one round and waits for it.

    Args:
        module: The module in which the function is, for example `"benchmarks.proofs"`.
        name: The function; it returns the call to measure.
        environment: `OURS`, `PEERS` or `ATPROTO`.
        calls: How many there are in a round.
    """
    command = [python_of(environment), "-W", "ignore", "-m", "benchmarks.child", module, name, str(calls)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("Popen made no pipes")
    to_child, from_child = process.stdin, process.stdout

    def round_() -> None:
        to_child.write(b"\n")
        to_child.flush()
        if not from_child.readline():
            raise RuntimeError(f"{name} of {module} ended; what it said stands above")

    try:
        yield round_
    finally:
        from_child.close()
        to_child.close()  # it ends when there is nothing more to read
        process.wait(10)


@contextmanager
def sides(module: str, *names: tuple[str, str], calls: int = CALLS) -> Iterator[Sides]:
    """
    Start a process for each side of a benchmark: ours, the peer, the others.

    Args:
        module: The module in which the functions are.
        names: A function and its environment for each.
        calls: How many there are in a round.
    """
    with ExitStack() as stack:
        ours, peer, *others = [
            stack.enter_context(side(module, name, environment, calls=calls)) for name, environment in names
        ]
        yield Sides(ours, peer, others)
