"""Hooks of installed add-ons, for programs to which installing one is enough."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from oidcclient._words.errors import UsageError
from oidcclient.hooks import Hook

__all__ = ["installed_hooks"]

GROUP = "oidcclient.hooks"


def installed_hooks() -> list[Hook]:
    """
    Return a hook of each installed add-on, in the order of their names.

    An add-on names what makes its hook, called without arguments, in the entry-point group `oidcclient.hooks`. The
    library never asks by itself: `Client(..., hooks=installed_hooks())` does.

    Raises:
        UsageError: An add-on cannot be loaded, or what it makes is no hook; the cause says why.
    """
    return [_made(entry) for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))]


def _made(entry: EntryPoint) -> Hook:
    try:
        hook = entry.load()()
    except Exception as error:  # it is code of somebody else
        raise _unfit(entry, "cannot be loaded") from error
    if not isinstance(getattr(hook, "name", None), str):
        raise _unfit(entry, "makes no hook")
    found: Hook = hook
    return found


def _unfit(entry: EntryPoint, why: str) -> UsageError:
    return UsageError(
        f"the add-on {entry.name} {why}",
        rule="add-on",
        received=entry.value,
        hint="Mend or uninstall the package that brings it, or name the hooks: Client(..., hooks=[...]).",
    )
