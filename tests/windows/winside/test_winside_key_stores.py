"""Keys on Windows: in its Credential Manager, and in its key storage, or what stands for it here."""

from __future__ import annotations

import ctypes
import importlib
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from oidcclient import KeyLost, KeyUnavailable
from oidcclient_dpop.keys import KeyStore, Protection
from oidcclient_dpop.stores import create_best, default_stores, open_store, secure_store
from oidcclient_dpop.stores.cng import constants
from oidcclient_dpop.stores.cng.store import CngStore
from oidcclient_dpop.stores.contract import KeyStoreContract
from oidcclient_dpop.stores.verifying import is_signature
from tests.dpop_stores.standin_libraries import FOLDER_VARIABLE, NcryptStandin
from tests.windows.winside.programs import programs

LIBRARIES = Path(os.environ[FOLDER_VARIABLE])
GENERIC = 1  # CRED_TYPE_GENERIC of wincred.h
LOCAL_MACHINE = 2  # CRED_PERSIST_LOCAL_MACHINE
LARGEST_BLOB = 2560  # bytes, CRED_MAX_CREDENTIAL_BLOB_SIZE; wine takes more
# In the headers of Windows, and not in those of mingw-w64
NEWER = {
    "NCRYPT_ECC_CURVE_NAME_PROPERTY",
    "BCRYPT_ECC_CURVE_NISTP256",
    "TBS_E_ACCESS_DENIED",
    "TBS_E_PROVISIONING_INCOMPLETE",
    "TPM_20_E_INTEGRITY",
    "TPM_20_E_LOCKOUT",
    "TPM_E_PCP_DEVICE_NOT_READY",
    "TPM_E_PCP_INTERNAL_ERROR",
    "TPM_E_PCP_NOT_SUPPORTED",
    "TPM_E_PCP_WRONG_PARENT",
}


class TestFileOnWindows(KeyStoreContract):
    def make_store(self, tmp_path: Path) -> KeyStore:
        return open_store(f"file:{tmp_path}")


# -- Credential Manager


def credentials() -> Any:
    return importlib.import_module("win32ctypes.pywin32.win32cred")


class TestKeyringOnWindows(KeyStoreContract):
    def make_store(self, tmp_path: Path) -> KeyStore:
        return open_store("keyring:")


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_a_key_in_credential_manager_stays_on_this_machine_and_fits(alg: str) -> None:
    store = open_store("keyring:")
    _, handle = store.create(alg)
    target = f"{secure_store.SERVICE}/{handle}"
    credential = credentials().CredRead(target, GENERIC)
    assert credential["Persist"] == LOCAL_MACHINE
    assert len(credential["CredentialBlob"]) <= LARGEST_BLOB
    store.delete(handle)
    with pytest.raises(Exception, match="CredRead"):
        credentials().CredRead(target, GENERIC)


def test_another_process_finds_the_key_in_credential_manager() -> None:
    store = open_store("keyring:")
    key, handle = store.create("ES256")
    assert is_signature(sign_elsewhere(handle, "keyring:"), b"m", alg="ES256", jwk=key.public_jwk())
    store.delete(handle)


# -- wine's own ncrypt.dll, which knows RSA alone and keeps no keys


@pytest.mark.parametrize("uri", ["cng:", "cng:provider=tpm", "cng:provider=software"])
def test_a_key_storage_that_keeps_no_keys_is_unavailable_and_says_why(uri: str) -> None:
    store = open_store(uri)
    reason = store.probe() or ""
    assert "it keeps no such keys (NCryptOpenKey: 0x80090029 NTE_NOT_SUPPORTED)" in reason
    with pytest.raises(KeyUnavailable, match="it keeps no such keys"):
        store.create("ES256")


def test_the_next_store_is_taken_where_windows_keeps_no_keys() -> None:
    made = create_best(default_stores())
    assert made.store.uri == "keyring:"
    made.store.delete(made.handle)
    with pytest.raises(KeyUnavailable, match=r"cng: TPM, .*; cng: ISOLATED is below .*; keyring: KEYRING is below"):
        create_best(default_stores(), Protection.HARDWARE)


def test_nothing_of_it_is_loaded_before_it_is_used() -> None:
    script = (
        "import sys; from oidcclient_dpop.stores import default_stores, open_store; "
        "stores = [*default_stores(), open_store('cng:')]; "
        "print([store.uri for store in stores], sorted({'ctypes', 'keyring'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.stdout.strip() == "['cng:provider=tpm', 'cng:provider=software', 'keyring:', 'cng:'] []", done.stderr


# -- the stand-in


@pytest.fixture
def standin(tmp_path: Path) -> Generator[NcryptStandin]:
    library = NcryptStandin(LIBRARIES / "ncrypt.dll")
    library.keep_keys_in(tmp_path)
    yield library
    library.reset()


SIGN = """
    import ctypes, sys
    handle, uri, library, folder = sys.argv[1:5]
    from oidcclient_dpop.stores import open_store
    from oidcclient_dpop.stores.cng.store import CngStore
    if library:
        ctypes.CDLL(library).standin_folder(folder.encode())
    store = CngStore(uri, _library=library) if library else open_store(uri)
    print(store.load(handle).sign(b"m").hex(), flush=True)
"""


def sign_elsewhere(handle: str, uri: str, library: str = "", folder: str = "") -> bytes:
    """Return the signature of b"m" by a key, made in another process."""
    with programs(1, SIGN, handle, uri, library, folder) as (signer,):
        return bytes.fromhex(signer.line())


@pytest.mark.parametrize("uri", ["cng:provider=tpm"])
def test_contract_another_process_finds_the_key_and_it_is_gone_when_it_was_deleted(
    uri: str, standin: NcryptStandin, tmp_path: Path
) -> None:
    store = CngStore(uri, _library=standin.path)
    key, handle = store.create("ES256")
    signature = sign_elsewhere(handle, uri, standin.path, str(tmp_path))
    assert is_signature(signature, b"m", alg="ES256", jwk=key.public_jwk())
    store.delete(handle)
    with pytest.raises(KeyLost):
        store.load(handle)


# -- the headers


def in_the_headers() -> dict[str, str]:
    read = ctypes.CDLL(str(LIBRARIES / "cng_constants.dll")).constant
    found: dict[str, str] = {}
    room = ctypes.create_string_buffer(256)
    while read(len(found), room, len(room)):
        name, _, value = room.value.decode().partition("=")
        found[name] = value
    return found


def test_names_and_numbers_are_those_of_the_headers() -> None:
    ours = {name: str(value) for name, value in vars(constants).items() if name.isupper()}
    theirs = in_the_headers()
    assert {name: value for name, value in ours.items() if name not in NEWER} == theirs
    assert set(ours) >= NEWER
