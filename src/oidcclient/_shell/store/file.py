"""Sessions in encrypted files, with the key in a file beside them."""

from __future__ import annotations

import os

from .folder import FolderStore
from .home import store_folder
from .keys import FileKeys

__all__ = ["FileStore"]


class FileStore(FolderStore):
    """
    Keep sessions in encrypted files, with the key in a file beside them that only this user can read.

    This protects against other users and against backups that leave the key out. It does not protect against programs
    that run as this user, nor against who gets the whole folder. `KeyringStore` keeps the key apart.

    Args:
        folder: The folder. By default `file` in the user's data folder for oidcclient, or in `$OIDCCLIENT_HOME`.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        path = store_folder(folder, FileKeys.name)
        super().__init__(path, FileKeys(path))

    def __repr__(self) -> str:
        return f"FileStore({self._root!r})"
