"""From settings to a client of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import oidcclient
from oidcclient import UsageError

from .config import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidcclient.hooks import Hook

    from .settings import Settings

__all__ = ["PACKAGES", "given_metadata", "hooks_of", "missing_addon", "open_client", "open_store"]

STORES = ("keyring", "file")
# Keys of add-ons that we know by name, to say what brings them.
PACKAGES = {"dpop": "oidcclient-dpop", "key_store": "oidcclient-dpop", "min_protection": "oidcclient-dpop"}


def open_store(settings: Settings) -> oidcclient.Store:
    """
    Return the store of a profile.

    Raises:
        UsageError: There is no such store.
    """
    kind, _, folder = (settings.text("store") or STORES[0]).partition(":")
    if kind not in STORES:
        raise UsageError(
            f"there is no store {kind}",
            rule="store",
            expected=" or ".join(STORES),
            received=kind,
            hint="Use keyring or file, with a folder if you like: file:/path.",
        )
    place = settings.place(folder) if folder else None
    if kind == "file":
        return oidcclient.FileStore(place)
    return oidcclient.KeyringStore(place, key_cache=settings.text("key_cache"))  # type: ignore[arg-type] # checked there


def open_client(
    settings: Settings,
    *,
    on_event: Callable[[oidcclient.events.Event], object] | None = None,
    transport: Any = None,
    store: oidcclient.Store | None = None,
) -> oidcclient.Client:
    """
    Return a client for a profile.

    Args:
        settings: The profile's settings.
        on_event: Called with each event.
        transport: An httpx transport in place of the usual one, for a trace.
        store: The store, where it is open already.

    Raises:
        UsageError: A setting does not fit.
    """
    more: dict[str, Any] = {}
    if settings.switch("allow_http_loopback"):
        more["policy"] = oidcclient.Policy(allow_http_loopback=True)
    if settings.text("client_auth") not in {None, "none"}:
        from .client_secret import client_auth  # noqa: PLC0415 - most clients have none

        more["client_auth"] = client_auth(settings)
    if settings.text("metadata_file"):
        more["metadata"] = given_metadata(settings)
    if transport is not None or settings.text("ca_bundle"):
        more["http"] = oidcclient.Http(verify=settings.path("ca_bundle") or True, transport=transport)
    return oidcclient.Client(
        settings.issuer,
        settings.client_id,
        scopes=settings.scopes,
        hooks=hooks_of(settings),
        store=store or open_store(settings),
        profile=settings.profile,
        on_event=on_event,
        **more,
    )


def given_metadata(settings: Settings) -> Any:
    """
    Return the metadata in a profile's `metadata_file`.

    Raises:
        UsageError: It cannot be read.
    """
    import json  # noqa: PLC0415 - few profiles have it

    path = settings.path("metadata_file") or ""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib would cost a cached token too much
            return json.load(file)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the metadata in {path} cannot be read ({type(error).__name__})",
            rule="metadata_file",
            hint="Name a JSON file with the members of RFC 8414 section 2.",
        ) from None


def hooks_of(settings: Settings) -> list[Hook]:
    """
    Return the hooks that a profile asks for by keys of add-ons; without such a key no add-on is looked for.

    Raises:
        UsageError: No add-on knows a key.
    """
    values = settings.addon_values
    if not values:
        return []
    from oidcclient.addons import installed_addons  # noqa: PLC0415 - only where it is asked for

    hooks = []
    for addon in installed_addons():
        own = {option.key: values.pop(option.key) for option in addon.options if option.key in values}
        hook = addon.make_hook(own) if own else None
        hooks += [] if hook is None else [hook]
    for key in values:
        raise unknown_key(key, settings)
    return hooks


def missing_addon(key: str) -> UsageError:
    """Return the error for a key of an add-on that is not installed."""
    return UsageError(
        f"{key} needs an add-on that is not installed", rule=key, hint=f"Install it: pip install {PACKAGES[key]}"
    )


def unknown_key(key: str, settings: Settings) -> UsageError:
    """Return the error for a key that neither the command nor an add-on knows."""
    if key in PACKAGES:
        return missing_addon(key)
    from difflib import get_close_matches  # noqa: PLC0415 - only for this message

    close = get_close_matches(key, KEYS, 1)
    return UsageError(
        f"the profile {settings.name} has an unknown key {key}",
        rule=key,
        hint=f"Did you mean {close[0]}?" if close else f"Take it out of {settings.config.path}.",
    )
