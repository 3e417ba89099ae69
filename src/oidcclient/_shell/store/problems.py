"""What the operating system says, as the errors of a store."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from oidcclient._words.errors import StoreError

__all__ = ["Damaged", "translated"]

PERMISSION = ("permission", "Allow this user to read and write there, or choose another folder for the store.")
FULL = ("full", "Make room on the disk and try again; what was stored before is untouched.")
FOLDER = ("folder", "Move away what is in the place of the folder, or choose another folder for the store.")
LOCKING = ("lock", "Choose a folder for the store on a local disk: this file system cannot lock files.")
OTHER = ("io", "Look after the disk or the file system that holds the store.")
RULES = {
    errno.EACCES: PERMISSION,
    errno.EPERM: PERMISSION,
    errno.EROFS: ("read-only", "Choose a folder for the store that can be written: this file system is read-only."),
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.ENOTDIR: FOLDER,
    errno.EEXIST: FOLDER,
    errno.EISDIR: ("file", "Move away the folder that is in the place of a file."),
    errno.ELOOP: ("symlink", "Replace the symbolic link by the file itself: the store does not follow links."),
    errno.ENOSYS: LOCKING,
    errno.ENOLCK: LOCKING,
    errno.EOPNOTSUPP: LOCKING,
}


class Damaged(Exception):
    """A file is not what was written; its reader decides what becomes of it."""


@contextmanager
def translated(action: str, path: str) -> Iterator[None]:
    """
    Raise the system's errors as ours.

    Args:
        action: What is being done, for example `"save the session"`.
        path: Where; said where the system names no file.
    """
    try:
        yield
    except OSError as error:
        rule, hint = RULES.get(error.errno or 0, OTHER)
        where = error.filename if isinstance(error.filename, str) else path
        raise StoreError(f"could not {action}: {where}: {error.strerror}", hint=hint, rule=rule) from error
