# ruff: noqa: PTH103, PTH105, PTH108, PTH116, PTH118, PTH120, PTH208 - pathlib would cost a read too much
"""
Private files: ours alone, replaced whole or not at all, never through a symbolic link.

Paths are text, and `tempfile` and `shutil` are left alone too: this module is on the way of every program that reads
a cached token.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from oidcclient._words.errors import StoreError

__all__ = [
    "FILE_MODE",
    "Content",
    "Draft",
    "check_folder",
    "ensure_folder",
    "file_exists",
    "identity",
    "names_in",
    "patiently",
    "read_file",
    "remove_file",
    "sync_folder",
    "write_file",
]

T = TypeVar("T")

WINDOWS = os.name == "nt"
FOLDER_MODE = 0o700
FILE_MODE = 0o600
OTHERS_MAY_WRITE = 0o022
OTHERS_MAY_DO_ANYTHING = 0o077
PATIENCE_S = 2.0 if WINDOWS else 0.0  # Windows refuses to open or replace a file that another process holds just then
PAUSE_S = 0.005
LARGEST_FILE = 16 * 1024 * 1024  # bytes; a session with a hundred tokens of 10 kB has one
NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
# O_NONBLOCK: a pipe in the place of a file must not stop us. O_BINARY: Windows would translate line ends.
COMMON_FLAGS: int = NO_FOLLOW | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
READ_FLAGS: int = os.O_RDONLY | COMMON_FLAGS | getattr(os, "O_NONBLOCK", 0)
CREATE_FLAGS: int = os.O_WRONLY | os.O_CREAT | os.O_EXCL | COMMON_FLAGS


class Content:
    """What a file held, and which file it was."""

    __slots__ = ("data", "identity")

    def __init__(self, data: bytes, info: os.stat_result) -> None:
        self.data = data
        self.identity = identity(info)


def identity(info: os.stat_result) -> tuple[int, ...]:
    """Return what tells a file from the one that replaces it."""
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)


def patiently(call: Callable[[], T], *, patience: float = PATIENCE_S) -> T:
    """
    Call again for a bounded time while another process holds the file; only Windows refuses for that.

    Args:
        call: What to do.
        patience: For how long, in seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return call()
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE_S)


def check_folder(path: str, *, may_be_link: bool = False) -> bool:
    """
    Tell whether a folder is there.

    Args:
        path: The folder.
        may_be_link: Whether a symbolic link to a folder will do; for the one that the caller chose.

    Raises:
        StoreError: It is no folder, or others may write in it.
    """
    try:
        info = os.stat(path, follow_symlinks=may_be_link)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(info.st_mode):
        raise StoreError(
            f"{path} is in the way: it is no folder",
            hint="Move it away, or choose another folder for the store.",
            rule="folder",
        )
    _check_owner(path, info, forbidden=OTHERS_MAY_WRITE)
    return True


def ensure_folder(path: str, *, may_be_link: bool = False) -> None:
    """
    Make a folder for this user alone, if it is not there.

    Args:
        path: The folder.
        may_be_link: As for `check_folder`.
    """
    if check_folder(path, may_be_link=may_be_link):
        return
    with suppress(FileExistsError):  # another process was faster
        os.makedirs(path, FOLDER_MODE)
        sync_folder(os.path.dirname(path))
    check_folder(path, may_be_link=may_be_link)


def _check_owner(path: str, info: os.stat_result, *, forbidden: int) -> None:
    if WINDOWS:  # access lists decide there, and the user's profile has good ones
        return
    if info.st_uid != os.geteuid():
        raise StoreError(
            f"{path} belongs to another user",
            hint="Use a folder of your own for the store, and do not mix runs with and without sudo.",
            rule="owner",
            expected=os.geteuid(),
            received=info.st_uid,
        )
    if info.st_mode & forbidden:
        raise StoreError(
            f"other users have access to {path}",
            hint=f"Take it from them: chmod go-rwx '{path}'.",
            rule="mode",
            expected=f"none of {forbidden:03o}",
            received=f"{stat.S_IMODE(info.st_mode):03o}",
        )


def read_file(path: str, *, secret: bool = False) -> Content | None:
    """
    Return what a file holds, or None if there is none.

    Args:
        path: The file.
        secret: Whether it is refused if others may so much as read it.

    Raises:
        StoreError: It is not a plain file of this user alone, or larger than any of ours.
        OSError: It cannot be read.
    """
    try:
        _refuse_link(path)
        descriptor = patiently(lambda: os.open(path, READ_FLAGS))
    except FileNotFoundError:
        return None
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise StoreError(f"{path} is in the way: it is no file", hint="Move it away.", rule="file")
        _check_owner(path, info, forbidden=OTHERS_MAY_DO_ANYTHING if secret else OTHERS_MAY_WRITE)
        return Content(_read_all(descriptor, path), info)
    finally:
        os.close(descriptor)


def _refuse_link(path: str) -> None:
    if not NO_FOLLOW and stat.S_ISLNK(os.lstat(path).st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _read_all(descriptor: int, path: str) -> bytes:
    parts = []
    size = 0
    while part := os.read(descriptor, 1024 * 1024):
        parts.append(part)
        size += len(part)
        if size > LARGEST_FILE:
            raise StoreError(
                f"{path} is larger than any file of ours",
                hint="Move it away, and sign in again.",
                rule="size",
                expected=f"at most {LARGEST_FILE} bytes",
            )
    return b"".join(parts)


class Draft:
    """A file that is written but not yet in its place; a process that ends before leaves what was there."""

    def __init__(self, path: str, data: bytes) -> None:
        self._path = path
        folder, name = os.path.split(path)
        self._folder = folder
        self._temporary = os.path.join(folder, f"{name[:16]}-{os.getpid()}-{os.urandom(6).hex()}.tmp")
        descriptor = os.open(self._temporary, CREATE_FLAGS, FILE_MODE)
        try:
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            self.discard()
            raise

    def commit(self) -> None:
        """Put it in its place."""
        patiently(lambda: os.replace(self._temporary, self._path))
        sync_folder(self._folder)

    def discard(self) -> None:
        """Forget it, unless it is in its place."""
        with suppress(OSError):
            os.unlink(self._temporary)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_file(path: str, data: bytes) -> None:
    """Write a file for this user alone, whole or not at all."""
    draft = Draft(path, data)
    try:
        draft.commit()
    finally:
        draft.discard()


def sync_folder(path: str) -> None:
    """Have the names in a folder written down, where the system can."""
    if WINDOWS:  # a folder cannot be opened there; NTFS keeps a journal of names
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except PermissionError:  # one may write names in a folder that one may not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network and user-space file systems have no such thing
            raise
    finally:
        os.close(descriptor)


def file_exists(path: str) -> bool:
    """Tell whether something has this name."""
    return os.path.lexists(path)


def names_in(path: str) -> list[str]:
    """Return the names in a folder."""
    return os.listdir(path)


def remove_file(path: str) -> None:
    """Remove a file; no error if it is gone."""
    try:
        patiently(lambda: os.unlink(path))
    except FileNotFoundError:
        return
    sync_folder(os.path.dirname(path))
