# ruff: noqa: PTH104, PTH108 - pathlib would cost a read too much
"""Keeping a folder tidy without losing anything: half-written files go, damaged ones step aside."""

from __future__ import annotations

import os
from contextlib import suppress

from .files import Content, file_exists, identity, patiently

__all__ = ["move_aside", "sweep"]

LEFT_BEHIND_S = 3600.0  # no write takes an hour: what is older was left by a process that was killed


def sweep(folder: str, *, now: float) -> None:
    """
    Remove what killed processes left half written.

    Args:
        folder: Where.
        now: The time, in Unix seconds.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".tmp") and entry.stat(follow_symlinks=False).st_mtime < now - LEFT_BEHIND_S:
                os.unlink(entry.path)


def move_aside(path: str, content: Content) -> str | None:
    """
    Give a damaged file another name, so that it can be looked at and is no longer in the way.

    Args:
        path: The file.
        content: What was read from it. A file that was put in its place since then stays.

    Returns:
        The new name, or None if it could not be moved.
    """
    aside = next(name for n in range(1, 1_000_000) if not file_exists(name := f"{path}.damaged-{n}"))
    try:
        if identity(os.lstat(path)) != content.identity:
            return None
        patiently(lambda: os.rename(path, aside))
        if identity(os.lstat(aside)) != content.identity:  # replaced in between: this is a good one
            _put_back(aside, path)
            return None
    except OSError:
        return None
    return aside


def _put_back(aside: str, path: str) -> None:
    with suppress(FileExistsError):  # then a still newer one is there
        os.link(aside, path)
    os.unlink(aside)
