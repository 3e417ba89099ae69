"""What the add-on loads: nothing when it is imported, and no key store and no HTTP until they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What takes long to load. ctypes is how the key stores of Windows and macOS are reached.
HEAVY = {
    "anyio",
    "asyncio",
    "authlib",
    "cryptography",
    "ctypes",
    "httpx",
    "httpx2",
    "joserfc",
    "keyring",
    "pkcs11",
    "ssl",
}
STORES = {
    *("cng", "file_store", "keyring_store", "pkcs11", "pkcs11_token", "secure_enclave", "secure_store"),
    *("ssh_agent", "tpm2"),
}
REPORT = "\nprint(*sorted(sys.modules))"


def loaded(program: str) -> set[str]:
    """Return the modules that a fresh Python holds after a program."""
    # -S: the path files of the environment's own tools load modules at each start. The path is handed over instead.
    program = f"import sys; sys.path[:] = {sys.path!r}\n{program}{REPORT}"
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def heavy(modules: set[str]) -> set[str]:
    """Return the heavy ones, and the key stores."""
    return {name for name in modules if name.partition(".")[0] in HEAVY or name.startswith("oidcclient_dpop.stores")}


def test_the_import_loads_nothing_else() -> None:
    modules = loaded("import oidcclient_dpop")
    assert {name for name in modules if name.startswith("oidcclient")} == {"oidcclient_dpop"}
    assert not heavy(modules)


@pytest.mark.parametrize(
    "program",
    [
        "from oidcclient_dpop import DPoP; DPoP()",
        "import oidcclient as o, oidcclient_dpop as d; o.Client('https://a.example', 'b', hooks=[d.DPoP()])",
        "from oidcclient_dpop import KeyStore, Protection, SigningKey, proof",
        "from oidcclient_dpop.constants import PROOF_HEADER",
    ],
)
def test_no_key_store_and_no_http_are_loaded_before_they_are_used(program: str) -> None:
    assert not heavy(loaded(program))


@pytest.mark.parametrize(
    ("program", "used"),
    [
        ("from oidcclient_dpop.stores.software import generate; dpop.DPoP(key=generate())", set()),
        ("dpop.stores.open_store('file:/nowhere')", {"file_store"}),
        ("dpop.stores.open_store('keyring:')", {"keyring_store"}),
        ("dpop.stores.open_store('tpm2:socket=/nowhere')", {"tpm2"}),
    ],
)
def test_a_key_store_that_is_not_used_is_not_loaded(program: str, used: set[str]) -> None:
    modules = loaded(f"import oidcclient_dpop as dpop; {program}")
    found = {name.split(".")[2] for name in modules if name.startswith("oidcclient_dpop.stores.")}
    assert found & STORES == used
    assert "pkcs11" not in modules
    assert "httpx" not in modules
