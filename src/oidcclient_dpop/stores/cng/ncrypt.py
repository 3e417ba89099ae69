"""
The functions of ncrypt.dll, and handles that are freed.

Each returns a status, 0 for success; the last error is not looked at, which may be set though nothing failed.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Callable, Mapping
from ctypes import POINTER, byref, c_size_t, c_uint32, c_void_p, c_wchar_p
from typing import Any, Final

from oidcclient_dpop.stores.jose import P256_BYTES

from . import constants as c

__all__ = ["CngError", "CngMissing", "MalformedAnswer", "Ncrypt", "OpenKey", "parse_public"]

LIBRARY: Final = "ncrypt.dll"
SEARCH_SYSTEM32: Final = 0x800  # LOAD_LIBRARY_SEARCH_SYSTEM32: never a DLL that lies beside the program
# Windows has a calling convention of its own where it has 32 bits
LOADER: Final[type[ctypes.CDLL]] = getattr(ctypes, "WinDLL", ctypes.CDLL)
# ncrypt.h. A handle is a ULONG_PTR: in an int it would be cut.
_HANDLE, _DWORD, _TEXT, _BYTES = c_size_t, c_uint32, c_wchar_p, c_void_p
_HANDLE_OUT, _DWORD_OUT = POINTER(_HANDLE), POINTER(_DWORD)
FUNCTIONS: Final[Mapping[str, tuple[Any, ...]]] = {
    "NCryptOpenStorageProvider": (_HANDLE_OUT, _TEXT, _DWORD),
    "NCryptIsAlgSupported": (_HANDLE, _TEXT, _DWORD),
    "NCryptOpenKey": (_HANDLE, _HANDLE_OUT, _TEXT, _DWORD, _DWORD),
    "NCryptCreatePersistedKey": (_HANDLE, _HANDLE_OUT, _TEXT, _TEXT, _DWORD, _DWORD),
    "NCryptSetProperty": (_HANDLE, _TEXT, _BYTES, _DWORD, _DWORD),
    "NCryptGetProperty": (_HANDLE, _TEXT, _BYTES, _DWORD, _DWORD_OUT, _DWORD),
    "NCryptFinalizeKey": (_HANDLE, _DWORD),
    "NCryptExportKey": (_HANDLE, _HANDLE, _TEXT, _BYTES, _BYTES, _DWORD, _DWORD_OUT, _DWORD),
    "NCryptSignHash": (_HANDLE, _BYTES, _BYTES, _DWORD, _BYTES, _DWORD, _DWORD_OUT, _DWORD),
    "NCryptDeleteKey": (_HANDLE, _DWORD),
    "NCryptFreeObject": (_HANDLE,),
}
SILENT: Final = c.NCRYPT_SILENT_FLAG
LARGEST_BLOB: Final = 4096  # bytes: no form of a P-256 key comes near it
LONGEST_NAME: Final = 128  # bytes, of a curve's name
HEADER_BYTES: Final = 8  # BCRYPT_ECCKEY_BLOB: magic and size of a coordinate, both little-endian


class CngError(Exception):
    """A function refused."""

    def __init__(self, function: str, status: int) -> None:
        self.function = function
        self.status = status
        super().__init__(f"{function}: 0x{status:08X}")


class CngMissing(Exception):
    """There is no such library here, or it lacks a function."""


class MalformedAnswer(Exception):
    """What came back is not what was asked for."""


class Ncrypt:
    """
    The library.

    Args:
        path: A library to take in place of the one of Windows; for tests.

    Raises:
        CngMissing: There is none.
    """

    def __init__(self, path: str | None = None) -> None:
        library = _load(path)
        self._functions: dict[str, Callable[..., int]] = {}
        for name, arguments in FUNCTIONS.items():
            function = getattr(library, name, None)
            if function is None:
                raise CngMissing(f"{LIBRARY} has no {name}")
            function.argtypes, function.restype = arguments, _DWORD
            self._functions[name] = function

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function, and raise what it says other than success."""
        status = self.status_of(name, *arguments)
        if status:
            raise CngError(name, status)

    def status_of(self, name: str, *arguments: Any) -> int:
        """Call a function and return its status."""
        return self._functions[name](*arguments)

    def open_provider(self, name: str) -> int:
        """Open a key storage provider."""
        handle = _HANDLE()
        self.call("NCryptOpenStorageProvider", byref(handle), name, 0)
        return handle.value

    def check_algorithm(self, provider: str) -> None:
        """Raise what a provider says that has no ECDSA on P-256, as a TPM 1.2."""
        owner = self.open_provider(provider)
        try:
            self.call("NCryptIsAlgSupported", owner, c.BCRYPT_ECDSA_P256_ALGORITHM, SILENT)
        finally:
            self.free(owner)

    def free(self, *handles: int) -> None:
        """Free handles; there is nothing to do about one that cannot be freed."""
        for handle in handles:
            self.status_of("NCryptFreeObject", handle)

    def open_key(self, provider: str, name: str) -> OpenKey:
        """Open a key of this user that is there."""
        return self._with_key(
            provider, lambda owner, key: self.call("NCryptOpenKey", owner, byref(key), name, 0, SILENT)
        )

    def create_key(self, provider: str, name: str) -> OpenKey:
        """Start a new key; nothing is stored before it is finalized. A key of the same name is not overwritten."""
        algorithm = c.BCRYPT_ECDSA_P256_ALGORITHM
        return self._with_key(
            provider,
            lambda owner, key: self.call("NCryptCreatePersistedKey", owner, byref(key), algorithm, name, 0, 0),
        )

    def _with_key(self, provider: str, fill: Callable[[int, c_size_t], None]) -> OpenKey:
        owner, key = self.open_provider(provider), _HANDLE()
        try:
            fill(owner, key)
        except BaseException:
            self.free(owner)
            raise
        return OpenKey(self, owner, key.value)


class OpenKey:
    """
    A key that is open; it and its provider are freed together.

    Args:
        ncrypt: The library.
        provider: The handle of the provider.
        key: The handle of the key.
    """

    def __init__(self, ncrypt: Ncrypt, provider: int, key: int) -> None:
        self._ncrypt = ncrypt
        self._provider = provider
        self._key = key
        self._free = weakref.finalize(self, ncrypt.free, key, provider)
        self._free.atexit = False  # a call that hangs may still use them, and Windows frees what a process has

    def close(self) -> None:
        """Free the handles."""
        self._free()

    def set_number(self, name: str, value: int) -> None:
        """Set a property that is a number, and have it stored with the key."""
        number, flags = _DWORD(value), c.NCRYPT_PERSIST_FLAG | SILENT
        self._ncrypt.call("NCryptSetProperty", self._key, name, byref(number), ctypes.sizeof(number), flags)

    def number(self, name: str) -> int:
        """Return a property that is a number."""
        data = self._property(name, ctypes.sizeof(_DWORD))
        if len(data) != ctypes.sizeof(_DWORD):
            raise MalformedAnswer(f"{name} is no number")
        return int.from_bytes(data, "little")

    def text(self, name: str) -> str:
        """Return a property that is a text."""
        return self._property(name, LONGEST_NAME).decode("utf-16-le", "replace").rstrip("\0")

    def _property(self, name: str, size: int) -> bytes:
        room, used = ctypes.create_string_buffer(size), _DWORD()
        self._ncrypt.call("NCryptGetProperty", self._key, name, room, size, byref(used), SILENT)
        return room.raw[: used.value]

    def finalize(self) -> None:
        """Make the key, and store it."""
        self._ncrypt.call("NCryptFinalizeKey", self._key, SILENT)

    def export(self, form: str) -> bytes:
        """Return the key in a form."""
        used = _DWORD()
        self._ncrypt.call("NCryptExportKey", self._key, 0, form, None, None, 0, byref(used), SILENT)
        if used.value > LARGEST_BLOB:
            raise MalformedAnswer(f"{form} is too large")
        room = ctypes.create_string_buffer(max(1, used.value))
        self._ncrypt.call("NCryptExportKey", self._key, 0, form, None, room, len(room), byref(used), SILENT)
        return room.raw[: used.value]

    def sign(self, digest: bytes) -> bytes:
        """Return the signature of a SHA-256 digest: R and S, as JWS wants them. ECDSA has no padding to choose."""
        room, used = ctypes.create_string_buffer(2 * P256_BYTES), _DWORD()
        arguments = (self._key, None, digest, len(digest), room, len(room), byref(used), SILENT)
        self._ncrypt.call("NCryptSignHash", *arguments)
        if used.value != len(room):
            raise MalformedAnswer("the signature has another length")
        return room.raw

    def delete(self) -> None:
        """Delete the key from its storage. That frees its handle, unless it fails."""
        self._free.detach()
        status = self._ncrypt.status_of("NCryptDeleteKey", self._key, SILENT)
        if status:
            self._ncrypt.free(self._key)
        self._ncrypt.free(self._provider)
        if status:
            raise CngError("NCryptDeleteKey", status)


def parse_public(blob: bytes, curve: Callable[[], str]) -> tuple[bytes, bytes]:
    """
    Return the coordinates of a P-256 key.

    Args:
        blob: A BCRYPT_ECCKEY_BLOB.
        curve: Returns the name of the curve; asked where the blob does not say it.

    Raises:
        MalformedAnswer: It is something else.
    """
    numbers = [int.from_bytes(blob[start : start + 4], "little") for start in (0, 4)]
    if len(blob) != HEADER_BYTES + 2 * P256_BYTES or numbers[1] != P256_BYTES:
        raise MalformedAnswer("the public key has another size")
    if numbers[0] == c.BCRYPT_ECDSA_PUBLIC_GENERIC_MAGIC:
        if curve() != c.BCRYPT_ECC_CURVE_NISTP256:
            raise MalformedAnswer("the public key is on another curve")
    elif numbers[0] != c.BCRYPT_ECDSA_PUBLIC_P256_MAGIC:
        raise MalformedAnswer("the public key is of another kind")
    point = blob[HEADER_BYTES:]
    return point[:P256_BYTES], point[P256_BYTES:]


def _load(path: str | None) -> ctypes.CDLL:
    if path is None and sys.platform != "win32":
        raise CngMissing("only Windows has it")
    try:
        return LOADER(path or LIBRARY, winmode=None if path else SEARCH_SYSTEM32)
    except OSError as error:
        raise CngMissing(f"{LIBRARY} cannot be loaded: {error}") from None
