"""
Keys in the memory of the Linux kernel for a while: the user keyring (keyrings(7), keyctl(2)).

A key there is of type `user` and readable by programs of this user alone. The kernel drops it when its time is over; it
is never written to a disk by the kernel and needs no daemon. Wherever the kernel refuses, there is simply no such key.
"""

from __future__ import annotations

import os
import sys

__all__ = ["KEPT_S", "forget_key", "keep_key", "kept_key"]

KEPT_S = 15 * 60  # seconds from when the key was read elsewhere; reading it here does not prolong that
KEY_TYPE = b"user"
PREFIX = "oidcclient:"
USER_KEYRING = -4  # KEY_SPEC_USER_KEYRING, include/uapi/linux/keyctl.h
UNLINK, SEARCH, READ, SET_TIMEOUT = 9, 10, 11, 15  # KEYCTL_UNLINK and so on, ibid.
# add_key(2) and keyctl(2): arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h for the others.
CALLS = {"x86_64": (248, 250), "aarch64": (217, 219), "riscv64": (217, 219)}


def kept_key(name: str, size: int) -> bytes | None:
    """
    Return a key, or None if the kernel has none of this name and size.

    Args:
        name: Its name.
        size: How long it must be, in bytes.
    """
    number = _keyctl(SEARCH, USER_KEYRING, KEY_TYPE, _description(name), 0)
    if number < 0:
        return None
    import ctypes  # noqa: PLC0415 - loaded already

    buffer = ctypes.create_string_buffer(size)
    return buffer.raw if _keyctl(READ, number, buffer, size) == size else None


def keep_key(name: str, key: bytes) -> bool:
    """
    Have the kernel keep a key for a while; return whether it does.

    Args:
        name: Its name.
        key: The key.
    """
    number = _call(0, KEY_TYPE, _description(name), key, len(key), USER_KEYRING)
    if number < 0:
        return False
    if _keyctl(SET_TIMEOUT, number, KEPT_S) == 0:
        return True
    _keyctl(UNLINK, number, USER_KEYRING)  # better none than one that stays
    return False


def forget_key(name: str) -> None:
    """Have the kernel forget a key; no error if it has none."""
    number = _keyctl(SEARCH, USER_KEYRING, KEY_TYPE, _description(name), 0)
    if number >= 0:
        _keyctl(UNLINK, number, USER_KEYRING)


def _description(name: str) -> bytes:
    return f"{PREFIX}{name}".encode()


def _keyctl(*arguments: object) -> int:
    return _call(1, *arguments)


def _call(which: int, *arguments: object) -> int:
    """Make a system call; -1 where there is none of its kind or it is refused."""
    if sys.platform != "linux" or os.uname().machine not in CALLS:
        return -1
    import ctypes  # noqa: PLC0415 - only where it is asked for

    call = ctypes.CDLL(None).syscall
    call.restype = ctypes.c_long
    number = CALLS[os.uname().machine][which]
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    return int(call(ctypes.c_long(number), *words))
