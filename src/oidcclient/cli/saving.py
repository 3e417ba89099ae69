"""Writing the configuration file: whole or not at all, comments and unknown keys kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from filelock import FileLock, Timeout
from tomlkit.exceptions import TOMLKitError

from oidcclient import StoreError

from .config import DEFAULT_PROFILE, PROFILES, wrong

__all__ = ["save_default", "save_profile"]

LOCK_TIMEOUT = 10.0  # seconds; another login needs a moment


def save_profile(path: str, name: str, values: Mapping[str, Any]) -> None:
    """
    Write a profile's values into the file; keys of it that have no value here stay.

    Args:
        path: The file.
        name: The profile.
        values: What to write.

    Raises:
        StoreError: It could not be written; the file is as it was.
    """

    def change(document: tomlkit.TOMLDocument) -> None:
        if PROFILES not in document:
            document[PROFILES] = tomlkit.table(is_super_table=True)
        profiles: Any = document[PROFILES]
        if name not in profiles:
            profiles[name] = tomlkit.table()
        for key, value in values.items():
            profiles[name][key] = value

    _change(path, change)


def save_default(path: str, name: str) -> None:
    """
    Make a profile the default one.

    Args:
        path: The file.
        name: The profile.

    Raises:
        StoreError: It could not be written; the file is as it was.
    """

    def change(document: tomlkit.TOMLDocument) -> None:
        if DEFAULT_PROFILE in document:
            document[DEFAULT_PROFILE] = name
            return
        body = document.as_string()  # a key of the file itself must stand before the first table
        document.clear()
        document.update(tomlkit.parse(f'{DEFAULT_PROFILE} = "{name}"\n\n{body}'))

    _change(path, change)


def _change(path: str, change: Callable[[tomlkit.TOMLDocument], None]) -> None:
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT):
            text = file.read_text("utf-8-sig") if file.exists() else ""
            document = tomlkit.parse(text)
            change(document)
            _replace(file, document.as_string())
    except TOMLKitError as error:
        raise wrong(path, f"this is no TOML: {error}") from None
    except (OSError, Timeout) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise StoreError(
            f"{path} cannot be written: {reason}", rule="configuration", hint="See who may write there."
        ) from None


def _replace(file: Path, text: str) -> None:
    """Put a new text in a file's place, through a symbolic link if it is one."""
    target = file.resolve()
    descriptor, draft = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)  # for this user alone: 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
