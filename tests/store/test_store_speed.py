"""Reading a session loads no more than it needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oidcclient._shell.store.file import FileStore
from oidcclient._shell.store.keyring_store import KeyringStore
from tests.store.folders import RECORD

READ = """
import sys
from oidcclient._shell.store.{module} import {name}
{name}  # making one needs nothing
before = set(sys.modules)
record = {name}(sys.argv[1]).current("default", "https://login.example.com", "my-desktop-app")
assert record.account == "ann"
print(*sorted({{module.split(".")[0] for module in sys.modules}}))
"""
HEAVY = {"httpx", "joserfc", "authlib", "anyio", "asyncio", "filelock", "platformdirs", "tempfile", "shutil", "pathlib"}
HEAVY |= {"logging", "hashlib", "subprocess", "ssl"}


def _loaded(folder: Path, module: str, name: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", READ.format(module=module, name=name), folder],
        env={key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_a_read_from_a_file_store_loads_nothing_heavy(tmp_path: Path) -> None:
    FileStore(tmp_path).save(RECORD)
    loaded = _loaded(tmp_path, "file", "FileStore")
    assert "cryptography" in loaded
    assert not loaded & (HEAVY | {"keyring", "secretstorage", "threading"})


@pytest.mark.usefixtures("gnome_keyring")
def test_a_read_from_a_keyring_store_loads_neither_keyring_nor_http(tmp_path: Path) -> None:
    KeyringStore(tmp_path).save(RECORD)
    loaded = _loaded(tmp_path, "keyring_store", "KeyringStore")
    assert "secretstorage" in loaded
    assert not loaded & {"keyring", "httpx", "joserfc", "authlib", "anyio", "filelock", "platformdirs"}


def test_making_a_store_loads_no_cryptography() -> None:
    script = (
        "import sys\n"
        "from oidcclient._shell.store.file import FileStore\n"
        "from oidcclient._shell.store.keyring_store import KeyringStore\n"
        "FileStore('x'), KeyringStore('x')\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"cryptography", "keyring", "filelock"} & set(done.stdout.split())
