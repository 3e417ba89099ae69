"""
How an add-on plugs into the command.

An add-on names an object in the entry-point group `oidcclient.addons`. It has a `name` and `options`; whatever else it
has of the methods below is used. The command looks it up only where somebody asks for it: on its command line, or by a
key in the profile. The library itself never does: programs pass hooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, Protocol, runtime_checkable

from ._words.errors import UsageError
from ._words.values import ProviderMetadata
from .hooks import Hook

__all__ = ["Addon", "Check", "Checks", "HeldKey", "HoldsKeys", "Option", "TriesKeyStores", "installed_addons"]

GROUP = "oidcclient.addons"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """
    A key of a profile that belongs to an add-on, which is also an option of `oidcclient login`.

    Args:
        key: The key in the profile, for example `"key_store"`; the option is `--key-store`.
        help: What it is for, in one sentence.
        metavar: What stands for the value in the help; None for a flag, whose value is true or false.
        choices: The values it may have; empty for any text.
    """

    key: str
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    What `oidcclient doctor` found about one thing.

    Args:
        subject: What was looked at, for example `"TPM 2.0"`.
        state: Whether it works.
        detail: What was found, in words.
        advice: What to do about it, where something is to be done.
    """

    subject: str
    state: Literal["ok", "warning", "failed", "absent"]
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKey:
    """
    The key that a session is bound to.

    Args:
        store: The store's URI, without secrets.
        title: What people call the store.
        protection: How well it keeps its keys, in one word.
        algorithm: The JWS algorithm.
        thumbprint: The key's JWK thumbprint (RFC 7638).
        problem: Why the key cannot be used now; None where it can.
    """

    store: str
    title: str
    protection: str
    algorithm: str
    thumbprint: str
    problem: str | None = None


class Addon(Protocol):
    """The least an add-on is."""

    @property
    def name(self) -> str:
        """The name of its hook: its state in a session lies under this name."""
        ...

    @property
    def options(self) -> tuple[Option, ...]:
        """Its keys in a profile."""
        ...

    def make_hook(self, settings: Mapping[str, Any]) -> Hook | None:
        """
        Return the hook that a profile asks for, or None if it asks for none.

        Args:
            settings: The values of the add-on's own keys in the profile.

        Raises:
            UsageError: A value does not fit.
        """
        ...


@runtime_checkable
class Checks(Protocol):
    """An add-on that has something to say in `oidcclient doctor`."""

    def checks(self, settings: Mapping[str, Any], metadata: ProviderMetadata | None) -> Iterable[Check]:
        """
        Look at what the add-on needs on this machine and at the provider.

        Args:
            settings: The values of the add-on's own keys in the profile.
            metadata: The provider's metadata, if it could be had.
        """
        ...


@runtime_checkable
class HoldsKeys(Protocol):
    """An add-on whose sessions are bound to a key."""

    def held_key(self, state: Mapping[str, Any]) -> HeldKey | None:
        """Return the key that a session's state names, or None if it names none."""
        ...

    def delete_key(self, state: Mapping[str, Any]) -> None:
        """
        Remove the key that a session's state names; no error if it is gone.

        Raises:
            KeyUnavailable: The store does not answer now.
        """
        ...


@runtime_checkable
class TriesKeyStores(Protocol):
    """An add-on that can try a key store out, from making a key to removing it."""

    def try_key_store(self, uri: str) -> Iterable[Check]:
        """
        Make a key, use it, find it again in a new process, try to take it out, and remove it; tell of each step.

        Args:
            uri: The key store.

        Raises:
            UsageError: There is no such key store.
        """
        ...


def installed_addons() -> list[Addon]:
    """
    Return the installed add-ons, in the order of their names.

    Raises:
        UsageError: An add-on cannot be loaded, or what it names is none; the cause says why.
    """
    return [_loaded(entry) for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))]


def _loaded(entry: EntryPoint) -> Addon:
    try:
        addon = entry.load()
    except Exception as error:  # it is code of somebody else
        raise _unfit(entry, "cannot be loaded") from error
    if not isinstance(getattr(addon, "name", None), str) or not hasattr(addon, "make_hook"):
        raise _unfit(entry, "is no add-on")
    found: Addon = addon
    return found


def _unfit(entry: EntryPoint, why: str) -> UsageError:
    return UsageError(
        f"the add-on {entry.name} {why}",
        rule="add-on",
        received=entry.value,
        hint="Mend or uninstall the package that brings it.",
    )
