"""Opening key stores by name, and choosing the best one that works."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from oidcclient import KeyUnavailable, UsageError
from oidcclient_dpop.keys import KeyStore, Protection

from .deadline import TimeLimited, within

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from oidcclient_dpop.keys import SigningKey

__all__ = ["ENTRY_POINTS", "NewKey", "choose", "create_best", "default_stores", "limited", "open_store", "schemes"]

ENTRY_POINTS: Final = "oidcclient_dpop.key_stores"  # the name of each is the scheme; it is called with the URI
PACKAGE: Final = "oidcclient_dpop.stores"
STORES: Final = {
    "tpm2": "tpm2.store:Tpm2Store",
    "cng": "cng.store:CngStore",
    "secure-enclave": "secure_enclave.store:SecureEnclaveStore",
    "pkcs11": "pkcs11:Pkcs11Store",
    "ssh-agent": "ssh_agent:SshAgentStore",
    "keyring": "keyring_store:KeyringKeyStore",
    "file": "file_store:FileKeyStore",
}
# The best first. Never a file, which is for people who chose it; nor what needs configuration, or is experimental.
DEFAULTS: Final = {
    "linux": ("tpm2:", "keyring:"),
    "win32": ("cng:provider=tpm", "cng:provider=software", "keyring:"),
}
OTHER_DEFAULTS: Final = ("keyring:",)
PROBE_S: Final = 5.0  # a probe asks nobody; longer than the limits that our stores set themselves
FOREIGN_S: Final = 60.0  # for one call of a store of somebody else, who may ask for a PIN or a touch


class NewKey(NamedTuple):
    """A key that was just made, its handle, and the store that made it."""

    store: KeyStore
    key: SigningKey
    handle: str


def open_store(uri: str) -> KeyStore:
    """
    Return the key store that a URI names, for example `"tpm2:"` or `"file:/path"`. Touches nothing yet.

    Raises:
        oidcclient.UsageError: No store has such a name, or its options are wrong.
    """
    scheme, colon, _ = uri.partition(":")
    if not colon:
        raise UsageError("a key store is named by a URI", hint=_hint(), rule="uri", expected="scheme:options")
    home = STORES.get(scheme)
    if home is not None:
        return _ours(home)(uri)
    for entry in _foreign():
        if entry.name == scheme:
            return limited(_loaded(entry)(uri))
    raise UsageError(f"there is no key store {scheme}:", hint=_hint(), rule="uri", received=f"{scheme}:")


def limited(store: KeyStore) -> KeyStore:
    """Return a store of somebody else with a time limit for each call, and with errors of ours; ours have both."""
    is_ours = type(store).__module__.startswith("oidcclient_dpop.")
    return store if is_ours else TimeLimited(store, FOREIGN_S)


def schemes() -> tuple[str, ...]:
    """Return the names of all key stores: ours, and those that other packages add."""
    return (*STORES, *(entry.name for entry in _foreign() if entry.name not in STORES))


def default_stores() -> list[KeyStore]:
    """Return the stores to try when none is named, the best first. A file is never among them."""
    return [open_store(uri) for uri in DEFAULTS.get(sys.platform, OTHER_DEFAULTS)]


def choose(
    stores: Iterable[KeyStore], minimum: Protection = Protection.FILE, algorithms: Collection[str] = ("ES256",)
) -> KeyStore:
    """
    Return the first store that works, protects well enough and makes keys for one of these algorithms.

    Args:
        stores: In order of preference.
        minimum: The least protection.
        algorithms: The JWS algorithms that will do.

    Raises:
        oidcclient.KeyUnavailable: None; the message has each store's reason.
    """
    why: list[str] = []
    for store, _ in _suitable(stores, minimum, algorithms, why):
        return store
    raise _none(why)


def create_best(
    stores: Iterable[KeyStore], minimum: Protection = Protection.FILE, algorithms: Collection[str] = ("ES256",)
) -> NewKey:
    """
    Make a key in the first store that really makes one, as some refuse only when they are asked to.

    For a new key only: one that is recorded is loaded from the store it was made in, and from no other.

    Args:
        stores: In order of preference.
        minimum: The least protection, of the key itself.
        algorithms: The JWS algorithms that will do, the best first.

    Raises:
        oidcclient.KeyUnavailable: None; the message has each store's reason.
    """
    why: list[str] = []
    for store, alg in _suitable(stores, minimum, algorithms, why):
        try:
            key, handle = store.create(alg)
        except KeyUnavailable as error:
            why.append(f"{_name(store)}: {error}")
            continue
        if key.protection >= minimum and key.alg == alg:
            return NewKey(store, key, handle)
        reason = f"it made a key for {key.alg}" if key.alg != alg else _too_low(key.protection, minimum)
        why.append(f"{_name(store)}: {reason}")
        with suppress(KeyUnavailable):
            store.delete(handle)
    raise _none(why)


def _suitable(
    stores: Iterable[KeyStore], minimum: Protection, algorithms: Collection[str], why: list[str]
) -> Iterator[tuple[KeyStore, str]]:
    """Yield stores that seem fit, with the algorithm to use; add the reasons of the others to `why`."""
    for store in stores:
        reason, alg = _why_not(store, minimum, algorithms)
        if reason is None:
            yield store, alg
        else:
            why.append(f"{_name(store)}: {reason}")


def _why_not(store: KeyStore, minimum: Protection, algorithms: Collection[str]) -> tuple[str | None, str]:
    if store.protection < minimum:
        return _too_low(store.protection, minimum), ""
    try:
        reason = within(store.probe, seconds=PROBE_S, subject=store.title)
        offered = () if reason is not None else within(store.algorithms, seconds=PROBE_S, subject=store.title)
    except KeyUnavailable as error:
        return str(error), ""
    if reason is not None:
        return reason, ""
    if store.protection < minimum:  # some know it only after a look at their token
        return _too_low(store.protection, minimum), ""
    for alg in algorithms:
        if alg in offered:
            return None, alg
    return f"it makes keys for {' '.join(offered)}, and {' '.join(algorithms)} is needed", ""


def _too_low(protection: Protection, minimum: Protection) -> str:
    return f"{protection.name} is below the required {minimum.name}"


def _name(store: KeyStore) -> str:
    return store.uri.partition(":")[0]


def _none(why: list[str]) -> KeyUnavailable:
    return KeyUnavailable(
        f"no key store can be used: {'; '.join(why) or 'none was given'}",
        hint="Mend one of these, or name a key store that you accept.",
        rule="key_store",
    )


def _hint() -> str:
    return f"Take one of {', '.join(f'{scheme}:' for scheme in STORES)}, or install the package that adds it."


def _ours(home: str) -> Callable[[str], KeyStore]:
    module, _, name = home.partition(":")
    factory: Callable[[str], KeyStore] = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
    return factory


def _foreign() -> list[EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - read only where a scheme is not ours

    return sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: (entry.name, entry.value))


def _loaded(entry: EntryPoint) -> Any:
    problem = None
    try:
        return entry.load()
    except Exception as error:  # noqa: BLE001 - it is code of somebody else
        problem = error
    raise UsageError(f"the key store {entry.name}: cannot be loaded", hint=f"Look at {entry.value}.") from problem
