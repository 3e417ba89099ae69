"""The keys that sessions are bound to, through the add-ons that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import oidcclient
from oidcclient import UsageError
from oidcclient.addons import HeldKey, HoldsKeys, installed_addons

from . import people
from .clients import PACKAGES, open_store
from .settings import Settings

__all__ = ["Bound", "bound_keys", "holders"]


class Bound:
    """
    A session and the key that it is bound to.

    Args:
        settings: The profile.
        record: The session.
        holder: The add-on that holds the key.
        addon: That add-on's name.
        key: The key.
    """

    def __init__(
        self, settings: Settings, record: oidcclient.SessionRecord, holder: HoldsKeys, addon: str, key: HeldKey
    ) -> None:
        self.settings = settings
        self.record = record
        self.key = key
        self._holder = holder
        self._addon = addon

    @property
    def who(self) -> str:
        """What people call the account."""
        return people.name_of(self.record.claims)

    def delete(self) -> None:
        """
        Remove the key.

        Raises:
            KeyUnavailable: Its store does not answer.
        """
        self._holder.delete_key(self.record.hook_state[self._addon])

    def shape(self) -> dict[str, Any]:
        """Return it for a script."""
        return {
            "profile": self.settings.name,
            "sub": self.record.account,
            "name": self.who,
            "addon": self._addon,
            "store": self.key.store,
            "title": self.key.title,
            "protection": self.key.protection,
            "algorithm": self.key.algorithm,
            "thumbprint": self.key.thumbprint,
            "problem": self.key.problem,
        }


def holders() -> Mapping[str, HoldsKeys]:
    """
    Return the installed add-ons that hold keys, by name.

    Raises:
        UsageError: There is none.
    """
    found = {addon.name: addon for addon in installed_addons() if isinstance(addon, HoldsKeys)}
    if not found:
        raise UsageError(
            "no add-on that keeps keys is installed", rule="add-on", hint=f"Install it: pip install {PACKAGES['dpop']}"
        )
    return found


def bound_keys(settings: Settings, known: Mapping[str, HoldsKeys]) -> Iterator[Bound]:
    """
    Return the keys of a profile's sessions, the current account's first.

    Raises:
        StoreError: The sessions cannot be read.
        LoginRequired: The key that they are encrypted with is gone.
    """
    for record in open_store(settings).records(settings.profile, settings.issuer, settings.client_id):
        for name, holder in known.items():
            key = holder.held_key(record.hook_state[name]) if name in record.hook_state else None
            if key is not None:
                yield Bound(settings, record, holder, name, key)
