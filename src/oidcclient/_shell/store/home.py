# ruff: noqa: PTH100, PTH118 - pathlib would cost a read too much
"""Where stores are when nobody says where."""

from __future__ import annotations

import os

__all__ = ["store_folder"]

HOME_VARIABLE = "OIDCCLIENT_HOME"


def store_folder(folder: str | os.PathLike[str] | None, kind: str) -> str:
    """
    Return the folder of a store.

    Args:
        folder: The one that was asked for; None for the usual one.
        kind: The kind of store, so that two kinds do not take each other's records for unreadable.
    """
    if folder is not None:
        return os.path.abspath(os.fspath(folder))
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return os.path.join(os.path.abspath(home), kind)
    from platformdirs import user_data_dir  # noqa: PLC0415 - only where it is needed: it costs a tenth of a start

    return os.path.join(user_data_dir("oidcclient", appauthor=False), kind)
