"""
`oidcclient token` with a cached token that is good: the key comes from the OS keyring each time, the whole process.

MSAL does the same with the plain-text file of its extensions, and no keyring at all.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import signed_in
from benchmarks.benchmark import Benchmark, Sides
from benchmarks.command import CONFIG, signed_in_command
from benchmarks.peers import PEERS, python_of

MSAL = Path(__file__).with_name("msal_token.py")


@contextmanager
def sides() -> Iterator[Sides]:
    """Sign in on both sides."""
    with signed_in_command(CONFIG) as (command, env):
        cache = command.folder / "msal.bin"
        start = partial(subprocess.run, check=True, cwd=command.folder, stdout=subprocess.DEVNULL)
        msal = [python_of(PEERS), "-I", MSAL, cache]
        start([*msal, signed_in.TOKEN])
        yield Sides(ours=command.call(command.script, "token", env=env), peer=partial(start, msal))


BENCHMARK = Benchmark(
    ours="`oidcclient token`, the key from GNOME Keyring",
    peer="MSAL with its plain-text `FilePersistence`",
    bar=0.85,
    prepare=sides,
    rounds=41,
)
