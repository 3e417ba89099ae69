"""The installed command, in an environment of its own, as users have it: the wheel with its extra, and the script."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import signed_in
from benchmarks.keyrings import keyring_of_our_own
from tools import wheels

CONFIG = f"""default_profile = "work"

[profiles.work]
issuer = "{signed_in.ISSUER}"
client_id = "{signed_in.CLIENT_ID}"
origins = ["{signed_in.API}"]
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the command is."""

    folder: Path
    python: Path

    @property
    def script(self) -> Path:
        """What `oidcclient` starts."""
        name = "oidcclient-script.py" if sys.platform == "win32" else "oidcclient"
        return self.python.with_name(name)

    def call(self, *words: object, env: Mapping[str, str] | None = None) -> Callable[[], object]:
        """
        Return what starts this environment's Python, isolated, and waits for it to end well.

        Args:
            words: Its arguments.
            env: All of the environment's variables; ours where none are given.
        """
        command = [self.python, "-I", *words]
        return partial(subprocess.run, command, check=True, cwd=self.folder, env=env, stdout=subprocess.DEVNULL)


@contextmanager
def installed() -> Iterator[Installed]:
    """Install the command for as long as it is measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = wheels.build(wheels.ROOT, "wheel", folder)
        python = wheels.new_environment(folder / "environment")
        wheels.install([wheel], python, extra="cli")
        yield Installed(folder, python)


@contextmanager
def signed_in_command(config: str) -> Iterator[tuple[Installed, Mapping[str, str]]]:
    """
    Install the command, start a keyring, and sign in; yield the command and its variables of the environment.

    Args:
        config: The text of the configuration file.
    """
    with installed() as command, keyring_of_our_own() as keyring:
        path, home = command.folder / "config.toml", command.folder / "home"
        path.write_text(config, "utf-8")
        keyring.store(home / "keyring", profile="work")
        yield command, {**keyring.variables, "OIDCCLIENT_CONFIG": str(path), "OIDCCLIENT_HOME": str(home)}
