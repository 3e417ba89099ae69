"""What a program costs that needs nothing but the stored token: the whole process.

As for `import_time`, the wheel is installed into an empty environment. The session lies in a `FileStore`: its key and
its record are read and decrypted. Both processes run isolated.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import oidcclient
from benchmarks import signed_in
from benchmarks.benchmark import Benchmark, Sides
from tools import wheels

PROGRAM = f"""
import sys
import oidcclient
client = oidcclient.Client({signed_in.ISSUER!r}, {signed_in.CLIENT_ID!r}, store=oidcclient.FileStore(sys.argv[1]))
client.session().access_token()
"""


@contextmanager
def stored_session() -> Iterator[Sides]:
    """Install the wheel into an environment of its own, and store a session."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = wheels.build(wheels.ROOT, "wheel", folder)
        python = wheels.new_environment(folder / "environment")
        wheels.install([wheel], python)
        sessions = folder / "sessions"
        oidcclient.FileStore(sessions).save(signed_in.record(), current=True)
        start = partial(subprocess.run, check=True, cwd=folder)
        yield Sides(
            ours=partial(start, [python, "-I", "-c", PROGRAM, sessions]),
            peer=partial(start, [python, "-I", "-c", "pass"]),
        )


BENCHMARK = Benchmark(
    ours="a process that takes a cached token from a `FileStore`",
    peer="`python -c pass`",
    bar=5.0,
    prepare=stored_session,
    rounds=41,
)
