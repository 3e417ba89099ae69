"""Stand-ins for libraries of other systems: C programs in the folder beside, compiled when they are needed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

SOURCES = Path(__file__).with_name("standins")
FOLDER_VARIABLE = "STANDIN_FOLDER"  # under wine, where whoever started it has compiled them
WARNINGS = ("-Wall", "-Wextra", "-Werror")


def compile_library(source: Path, output: Path, compiler: str, libraries: Sequence[str]) -> Path:
    """Compile a shared library."""
    linked = [f"-l{library}" for library in libraries]
    command = [compiler, *WARNINGS, "-O1", "-shared", "-fPIC", f"-o{output}", str(source), *linked]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return output


def standin(name: str, folder: Path) -> Path:
    """Return the library that was made of the C program `name`."""
    if sys.platform == "win32":
        if FOLDER_VARIABLE not in os.environ:
            pytest.skip("it is compiled on Linux, and runs under wine")
        return Path(os.environ[FOLDER_VARIABLE]) / f"{name}.dll"
    if sys.platform != "linux" or shutil.which("gcc") is None:
        pytest.skip("no gcc on Linux; apt-get install --no-install-recommends gcc libc6-dev libssl-dev")
    return compile_library(SOURCES / f"{name}.c", folder / f"{name}.so", "gcc", ["crypto"])


class NcryptStandin:
    """
    What a test says to the stand-in for ncrypt.dll.

    Args:
        path: The library.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._library = ctypes.CDLL(self.path)
        self._library.standin_live.restype = ctypes.c_long

    @property
    def live(self) -> int:
        """How many handles nobody has freed."""
        return int(self._library.standin_live())

    def keep_keys_in(self, folder: Path) -> None:
        """Say where keys lie."""
        self._library.standin_folder(str(folder).encode())

    def fail(self, function: str, status: int, *, only_tpm: bool = False, after: int = 0, pause_ms: int = 0) -> None:
        """Have a function answer something else."""
        arguments = (ctypes.c_uint32(status), int(only_tpm), after, pause_ms)
        self._library.standin_fail(function.encode(), *arguments)

    def say(self, name: str, value: int, *, length: int = 4) -> None:
        """Have a property read otherwise."""
        self._library.standin_property(name.encode(), ctypes.c_uint32(value), length)

    def show(self, public: bytes, curve: str = "nistP256") -> None:
        """Have a public key look otherwise."""
        self._library.standin_public(public, len(public), curve.encode())

    def cut_signatures(self, length: int) -> None:
        """Have signatures be of another length."""
        self._library.standin_signature(length)

    def leak(self) -> None:
        """Have private keys let out, whatever their policy says."""
        self._library.standin_leak(1)

    def reset(self) -> None:
        """Let all go well."""
        self._library.standin_reset()


class EnclaveStandin:
    """
    What a test says to the stand-in for Apple's frameworks.

    Args:
        path: The library.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._library = ctypes.CDLL(self.path)
        for name in ("standin_live", "standin_wrong", "standin_flags"):
            getattr(self._library, name).restype = ctypes.c_long

    @property
    def live(self) -> int:
        """How many objects nobody has released."""
        return int(self._library.standin_live())

    @property
    def mistakes(self) -> int:
        """How many objects were released twice, used afterwards, or taken for others."""
        return int(self._library.standin_wrong())

    @property
    def flags(self) -> int:
        """What the newest key asks for before it signs."""
        return int(self._library.standin_flags())

    def fail(self, function: str, code: int, *, pause_ms: int = 0) -> None:
        """Have a function fail; with the code 0 it does not say why."""
        self._library.standin_fail(function.encode(), ctypes.c_long(code), pause_ms)

    def show(self, function: str, data: bytes) -> None:
        """Have a function return other data."""
        self._library.standin_show(function.encode(), data, ctypes.c_long(len(data)))

    def leak(self) -> None:
        """Have private keys let out."""
        self._library.standin_leak()

    def hide_the_key(self) -> None:
        """Have no key tell its encrypted form."""
        self._library.standin_no_blob()

    def be_another_mac(self) -> None:
        """Know no key that was made so far."""
        self._library.standin_other_mac()

    def reset(self) -> None:
        """Let all go well."""
        self._library.standin_reset()
