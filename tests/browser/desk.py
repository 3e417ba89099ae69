"""Small real programs to launch, which write down how they were called."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from oidcclient._shell.browser.environment import Surroundings

WAIT_S = 10.0  # for a program that was started to write its note, on a busy machine

_PROGRAM = """\
#!{python}
import json, os, sys, time
note = {{
    "argv": sys.argv,
    "environ": dict(os.environ),
    "leader": os.getsid(0) == os.getpid(),
    "streams": [os.readlink(f"/proc/self/fd/{{n}}") for n in range(3)],
}}
with open({note!r} + ".part", "w") as out:
    json.dump(note, out)
os.rename({note!r} + ".part", {note!r})
print("a line that must not reach stdout", flush=True)
time.sleep({sleep})
sys.exit({status})
"""


@dataclass(frozen=True)
class Note:
    argv: list[str]
    environ: dict[str, str]
    leader: bool
    streams: list[str]


class Desk:
    """A folder of programs that is the whole PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()

    def install(self, name: str, *, status: int = 0, sleep: float = 0) -> Path:
        """Put a program on PATH."""
        program = self.bin / name
        note = str(self.folder / f"{name}.json")
        program.write_text(_PROGRAM.format(python=sys.executable, note=note, sleep=sleep, status=status))
        program.chmod(0o755)
        return program

    def surroundings(self, *, platform: str = "linux", kernel: str = "6.1", **environ: str) -> Surroundings:
        """Describe a desk with these programs only."""
        return Surroundings(
            platform=platform,
            environ={"PATH": str(self.bin), "DISPLAY": ":0", **environ},
            stderr_is_tty=True,
            kernel_release=kernel,
        )

    def note(self, name: str) -> Note | None:
        """Read what the program wrote, waiting for it a little."""
        path = self.folder / f"{name}.json"
        deadline = time.monotonic() + WAIT_S
        while not path.exists():
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)
        return Note(**json.loads(path.read_text()))

    def was_called(self, name: str) -> bool:
        """Tell whether the program has written anything by now."""
        return (self.folder / f"{name}.json").exists()
