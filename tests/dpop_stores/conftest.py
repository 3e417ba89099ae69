"""Key stores to test with: real ones, each test with its own."""

import gc
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.dpop_stores.daemons import SoftHsm, SshAgent, Swtpm
from tests.store.conftest import gnome_keyring, keyring_address, short_folder

__all__ = ["gnome_keyring", "keyring_address", "short_folder"]  # fixtures are found by their names


def need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} not found; apt-get install --no-install-recommends {package}")


@pytest.fixture
def new_tpm() -> Generator[Callable[[], Swtpm]]:
    """Makes TPMs, each in a process of its own and with a state of its own."""
    need("swtpm", "swtpm")
    made: list[Swtpm] = []
    with TemporaryDirectory(prefix="oidc-", ignore_cleanup_errors=True) as folder:

        def make() -> Swtpm:
            tpm = Swtpm(Path(folder) / str(len(made)))
            made.append(tpm)
            tpm.start()
            return tpm

        try:
            yield make
        finally:
            for tpm in made:
                tpm.stop()


@pytest.fixture
def tpm(new_tpm: Callable[[], Swtpm]) -> Swtpm:
    return new_tpm()


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Generator[SshAgent]:
    need("ssh-agent", "openssh-client")
    with TemporaryDirectory(prefix="oidc-", ignore_cleanup_errors=True) as folder:
        running = SshAgent(Path(folder))
        monkeypatch.setenv("SSH_AUTH_SOCK", str(running.socket))
        running.start()
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def soft_hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[SoftHsm]:
    need("softhsm2-util", "softhsm2")
    pkcs11 = pytest.importorskip("pkcs11", reason="pip install 'oidcclient-dpop[pkcs11]'")
    hsm = SoftHsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(hsm.configuration))
    yield hsm
    gc.collect()  # sessions end before their module does
    with suppress(pkcs11.PKCS11Error, RuntimeError):
        pkcs11.lib(str(hsm.module)).finalize()  # it reads its configuration when it is initialised


@pytest.fixture
def in_a_process() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs Python with a script and arguments, in a process of its own."""

    def run(script: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        import os  # noqa: PLC0415 - for this alone

        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
