"""DPoP at the command `oidcclient`: `dpop = true` in a profile, `oidcclient login --dpop`, and rows for its tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from oidcclient import OidcError, UsageError
from oidcclient.addons import Check, HeldKey, Option
from oidcclient.hooks import ProviderMetadata

from .constants import SIGNING_ALGORITHMS
from .hook import DPoP
from .keys import KeyStore, Protection
from .proofs import thumbprint

__all__ = ["ADDON", "DPoPAddon"]

LEVELS = {level.name.lower(): level for level in Protection}
MESSAGE = b"oidcclient doctor"
ROUNDS = 3  # the first signature may open the key
SUBJECT = "DPoP"


class DPoPAddon:
    """What the command knows of DPoP."""

    name = DPoP.name
    options = (
        Option(key="dpop", help="Bind the tokens to a key that stays on this machine (RFC 9449)."),
        Option(key="key_store", metavar="URI", help="Where the key is made, for example tpm2: or keyring:."),
        Option(
            key="min_protection",
            metavar="LEVEL",
            choices=tuple(LEVELS),
            help="The least protection of the key accepted.",
        ),
    )

    def make_hook(self, settings: Mapping[str, Any]) -> DPoP | None:
        """
        Return the hook that a profile asks for, or None if it asks for none.

        Raises:
            UsageError: A value does not fit.
        """
        wanted = settings.get("dpop", False)
        if not isinstance(wanted, bool):
            raise UsageError("dpop must be true or false", rule="dpop", received=wanted)
        if not wanted:
            _check_alone(settings)
            return None
        store = settings.get("key_store")
        if store is not None and not isinstance(store, str):
            raise UsageError("key_store must be a string", rule="key_store", received=store)
        return DPoP(store=store, minimum=_level(settings.get("min_protection", "file")))

    def checks(self, settings: Mapping[str, Any], metadata: ProviderMetadata | None) -> Iterator[Check]:
        """Look at the provider's support and at each key store; a key is made in each that works, and removed."""
        if metadata is not None:
            yield _support(metadata)
        for store in _stores(settings):
            yield _look_at(store)

    def held_key(self, state: Mapping[str, Any]) -> HeldKey | None:
        """Return the key that a session's state names, or None if it names none."""
        if not isinstance(state.get("jkt"), str):
            return None
        return HeldKey(
            store=str(state.get("store", "")),
            title=str(state.get("title", "a key of the program's own")),
            protection=_level_name(state.get("protection", 0)),
            algorithm=str(state.get("alg", "")),
            thumbprint=state["jkt"],
            problem=_problem(state),
        )

    def delete_key(self, state: Mapping[str, Any]) -> None:
        """Remove the key that a session's state names; no error if it is gone, or is the program's own."""
        from .stores import open_store  # noqa: PLC0415 - stores are loaded when one is needed

        if "handle" in state:
            open_store(state["store"]).delete(state["handle"])

    def try_key_store(self, uri: str) -> Iterator[Check]:
        """Make a key, use it, find it again in a new process, try to take it out, and remove it."""
        from .trying import try_key_store  # noqa: PLC0415 - rarely asked for

        return try_key_store(uri)


ADDON = DPoPAddon()


def _check_alone(settings: Mapping[str, Any]) -> None:
    for key in ("key_store", "min_protection"):
        if key in settings:
            raise UsageError(
                f"{key} is for a key that is made only with dpop",
                rule=key,
                hint="Switch it on: --dpop at the sign-in, or dpop = true in the profile.",
            )


def _level(name: object) -> Protection:
    if not isinstance(name, str) or name.lower() not in LEVELS:
        raise UsageError(
            "there is no such protection", rule="min_protection", expected=" or ".join(LEVELS), received=name
        )
    return LEVELS[name.lower()]


def _level_name(level: object) -> str:
    return next((name for name, known in LEVELS.items() if known == level), "unknown")


def _support(metadata: ProviderMetadata) -> Check:
    found = metadata.raw.get(SIGNING_ALGORITHMS)
    if isinstance(found, list) and found:
        return Check(subject=SUBJECT, state="ok", detail=f"the provider takes {' '.join(map(str, found))}")
    return Check(subject=SUBJECT, state="absent", detail="the provider does not say that it supports DPoP")


def _stores(settings: Mapping[str, Any]) -> Iterable[KeyStore]:
    from .stores import default_stores, open_store  # noqa: PLC0415 - rarely asked for

    named = settings.get("key_store")
    return [open_store(named)] if isinstance(named, str) else default_stores()


def _look_at(store: KeyStore) -> Check:
    subject = f"Key store {store.title}"
    try:
        problem = store.probe()
        if problem is not None:
            return Check(subject=subject, state="absent", detail=problem)
        seconds = _sign_time(store)
    except OidcError as error:
        return Check(subject=subject, state="failed", detail=str(error), advice=error.hint)
    level = _level_name(store.protection)
    return Check(subject=subject, state="ok", detail=f"works; protection: {level}; signs in {seconds * 1e3:.1f} ms")


def _sign_time(store: KeyStore) -> float:
    """Return how long one signature takes, in seconds: the best of a few, with a key made for it."""
    key, handle = store.create(store.algorithms()[0])
    try:
        return min(_once(key.sign) for _ in range(ROUNDS))
    finally:
        store.delete(handle)


def _once(sign: Any) -> float:
    begin = time.perf_counter()
    sign(MESSAGE)
    return time.perf_counter() - begin


def _problem(state: Mapping[str, Any]) -> str | None:
    from .stores import open_store  # noqa: PLC0415 - rarely asked for

    if "handle" not in state:
        return None
    try:
        key = open_store(state["store"]).load(state["handle"])
    except OidcError as error:
        return str(error)
    return None if thumbprint(key.public_jwk()) == state["jkt"] else "another key is in its place"
