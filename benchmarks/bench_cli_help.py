"""What our commands add to click: `oidcclient --help` against a bare click program with as many, the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.benchmark import Benchmark, Sides
from benchmarks.command import installed
from oidcclient.cli.app import COMMANDS

BEGIN = """import click

@click.group()
def cli():
    "Sign in at an OpenID provider and use the session in scripts."
"""
COMMAND = """
@cli.command("{name}")
def {function}():
    "{words}"
"""


def write_peer(path: Path) -> None:
    """Write a click program with as many commands, which do nothing."""
    names = ((name, f"do_{number}", words) for number, (name, (_, words)) in enumerate(COMMANDS.items()))
    commands = [COMMAND.format(name=name, function=function, words=words) for name, function, words in names]
    path.write_text(BEGIN + "".join(commands) + "\ncli()\n", "utf-8")


@contextmanager
def sides() -> Iterator[Sides]:
    """Install the command, and write the other one."""
    with installed() as command:
        peer = command.folder / "bare.py"
        write_peer(peer)
        yield Sides(ours=command.call(command.script, "--help"), peer=command.call(peer, "--help"))


BENCHMARK = Benchmark(
    ours="`oidcclient --help`", peer="a bare click program with as many commands", bar=1.35, prepare=sides, rounds=41
)
