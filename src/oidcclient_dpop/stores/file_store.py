"""Software keys in private files: only by consent, for machines without anything better."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import Protection

if TYPE_CHECKING:
    from .software import SoftwareKey

__all__ = ["FileKeyStore"]

WINDOWS: Final = os.name == "nt"
HOME_VARIABLE: Final = "OIDCCLIENT_HOME"  # as for the stores of sessions
HANDLE_BYTES: Final = 16  # random: nobody else has the same name
HANDLE: Final = re.compile(r"[0-9a-f]{32}")
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
OTHERS: Final = 0o077
OTHERS_MAY_WRITE: Final = 0o022
LARGEST_FILE: Final = 1280  # bytes: the longest text of a key
# O_NONBLOCK: a pipe in the place of a file must not stop us. O_BINARY: Windows would translate line ends.
COMMON_FLAGS: Final[int] = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
READ_FLAGS: Final[int] = os.O_RDONLY | COMMON_FLAGS | getattr(os, "O_NONBLOCK", 0)
CREATE_FLAGS: Final[int] = os.O_WRONLY | os.O_CREAT | os.O_EXCL | COMMON_FLAGS


class FileKeyStore:
    """
    Keep software keys in files that only this user may read.

    Args:
        uri: `file:` for the usual folder, or `file:/path/folder`.
    """

    protection: Final = Protection.FILE
    title: Final = "a file"

    def __init__(self, uri: str = "file:") -> None:
        scheme, _, rest = uri.partition(":")
        path = unquote(rest.removeprefix("//") if rest.startswith("///") else rest)
        if scheme != "file" or "\0" in path or (path and not Path(path).is_absolute()) or path.startswith("//"):
            raise UsageError("a file store is named file: or file:/path", rule="uri", expected="an absolute path")
        self._path = path
        self.uri: Final = f"file:{quote(path, safe='/:')}" if path else "file:"

    def __repr__(self) -> str:
        return f"FileKeyStore({self.uri!r})"

    @property
    def folder(self) -> Path:
        """Where the keys lie."""
        if self._path:
            return Path(self._path)
        home = os.environ.get(HOME_VARIABLE)
        if home:
            return Path(home).absolute() / "dpop-keys"
        from platformdirs import user_data_path  # noqa: PLC0415 - only where it is needed: it costs a tenth of a start

        return user_data_path("oidcclient", appauthor=False) / "dpop-keys"

    def probe(self) -> str | None:
        """Return why the folder cannot be used, or None."""
        folder = self.folder
        existing = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if not os.access(existing, os.W_OK | os.X_OK):
            return f"{existing} cannot be written"
        try:
            _check_folder(folder)
        except KeyUnavailable as error:
            return str(error)
        return None

    def algorithms(self) -> tuple[str, ...]:
        """Return those of software keys."""
        from .software import ALGORITHMS  # noqa: PLC0415 - an unused store imports nothing

        return ALGORITHMS

    def create(self, alg: str) -> tuple[SoftwareKey, str]:
        """Make a key in a new file with a random name."""
        from .software import generate  # noqa: PLC0415 - an unused store imports nothing
        from .software_forms import to_text  # noqa: PLC0415 - an unused store imports nothing

        key = generate(alg, protection=self.protection)
        handle = os.urandom(HANDLE_BYTES).hex()
        folder = self.folder
        try:
            folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            _check_folder(folder)
            _write(folder / f"{handle}.key", to_text(key).encode("ascii"))
        except OSError as error:
            raise KeyUnavailable(f"{folder} cannot be written: {error.strerror}", rule="file") from None
        return key, handle

    def load(self, handle: str) -> SoftwareKey:
        """Return the key of the file with this name."""
        from .software_forms import from_text  # noqa: PLC0415 - an unused store imports nothing

        data = _read(self._file(handle)) if HANDLE.fullmatch(handle) else None
        if data is not None:
            try:
                return from_text(data.decode("ascii"), protection=self.protection)
            except (ValueError, UsageError):
                data = None
        # Raised here and not in the handler: the error below could quote the key, and would go along as the context.
        raise KeyLost(f"the key is not in {self.folder}", rule="key")

    def delete(self, handle: str) -> None:
        """Remove the file with this name."""
        if not HANDLE.fullmatch(handle):
            return
        try:
            self._file(handle).unlink(missing_ok=True)
        except OSError as error:
            raise KeyUnavailable(f"{self._file(handle)} cannot be removed: {error.strerror}", rule="file") from None

    def _file(self, handle: str) -> Path:
        return self.folder / f"{handle}.key"


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which others may put or replace a file."""
    try:
        info = folder.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(info.st_mode):
        raise KeyUnavailable(f"{folder} is in the way: it is no folder", rule="folder")
    _check_owner(folder, info, forbidden=OTHERS_MAY_WRITE)


def _check_owner(path: Path, info: os.stat_result, *, forbidden: int) -> None:
    if WINDOWS:  # access lists decide there, and the user's profile has good ones
        return
    if info.st_uid != os.geteuid():
        raise KeyUnavailable(
            f"{path} belongs to another user", hint="Do not mix runs with and without sudo.", rule="owner"
        )
    if info.st_mode & forbidden:
        raise KeyUnavailable(
            f"other users have access to {path}",
            hint=f"Take it from them: chmod go-rwx '{path}'; the key may have been copied: sign in anew.",
            rule="mode",
        )


def _write(path: Path, data: bytes) -> None:
    """Write a new file, and have it on the disk before its name is recorded anywhere."""
    descriptor = os.open(path, CREATE_FLAGS, FILE_MODE)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:  # a disk that is full, for one: nobody would know its name
        path.unlink(missing_ok=True)
        raise
    if WINDOWS:  # a folder cannot be opened there; NTFS keeps a journal of names
        return
    descriptor = os.open(path.parent, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network and user-space file systems have no such thing
            raise
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes | None:
    """Return what a private file holds, or None if it is not there."""
    try:
        descriptor = os.open(path, READ_FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyUnavailable(f"{path} cannot be read: {error.strerror}", rule="file") from None
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise KeyUnavailable(f"{path} is in the way: it is no file", rule="file")
        _check_owner(path, info, forbidden=OTHERS)
        return os.read(descriptor, LARGEST_FILE + 1)
    finally:
        os.close(descriptor)
