"""A keyring for a benchmark: GNOME Keyring on a message bus of its own, so that nobody's secrets are touched."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import ROOT
from tests.store.daemons import gnome_keyring_daemon, message_bus

STORE = """
import sys, oidcclient
from benchmarks import signed_in
oidcclient.KeyringStore(sys.argv[1]).save(signed_in.record(profile=sys.argv[2]), current=True)
"""


@dataclass(frozen=True, slots=True)
class Keyring:
    """How a program finds it."""

    variables: Mapping[str, str]

    def store(self, folder: Path, profile: str) -> None:
        """Sign somebody in: a session in a folder, its key in the keyring."""
        command = [sys.executable, "-c", STORE, str(folder), profile]
        subprocess.run(command, check=True, cwd=ROOT, env=self.variables)


@contextmanager
def keyring_of_our_own() -> Iterator[Keyring]:
    """Run a keyring that is unlocked."""
    with (
        tempfile.TemporaryDirectory(prefix="oidc-", ignore_cleanup_errors=True) as name,
        message_bus(Path(name)) as address,
        gnome_keyring_daemon(address, Path(name), password="made-up"),  # noqa: S106 - it guards nothing
    ):
        yield Keyring({**os.environ, "DBUS_SESSION_BUS_ADDRESS": address})
