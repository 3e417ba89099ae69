"""
The border to `keyring`: the operating system's secure store, and no other.

Left to itself, `keyring` takes whatever is installed or configured: with some plug-ins a plain file, with its null
backend nothing at all. So the choice is made here, as in the core: from known backends, each built directly.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from oidcclient import KeyUnavailable

__all__ = ["BACKENDS", "delete_secret", "read_secret", "secure_store_problem", "write_secret"]

T = TypeVar("T")
Backend = Any  # keyring is imported when it is needed, and its classes with it

SERVICE = "oidcclient-dpop"
ELSEWHERE = (("keyring.backends.SecretService", "Keyring"), ("keyring.backends.kwallet", "DBusKeyring"))
BACKENDS = {
    "darwin": (("keyring.backends.macOS", "Keyring"),),
    "win32": (("keyring.backends.Windows", "WinVaultKeyring"),),
}
LOCKED = frozenset({"KeyringLocked", "LockedException", "PromptDismissedException"})
HINT = "Start or unlock a keyring such as GNOME Keyring or KWallet, or name another key store."


def read_secret(name: str) -> str | None:
    """Return a secret, or None if the secure store answers and has none of this name."""
    found: str | None = _use(lambda backend: backend.get_password(_service(name), name))
    return found


def write_secret(name: str, secret: str) -> None:
    """Keep a secret."""
    _use(lambda backend: backend.set_password(_service(name), name, secret))


def delete_secret(name: str) -> None:
    """Remove a secret that is there."""
    _use(lambda backend: backend.delete_password(_service(name), name))


def secure_store_problem() -> str | None:
    """Return why there is no secure store here, or None; asks nobody and unlocks nothing."""
    try:
        _ = _kind().priority
    except KeyUnavailable as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - each backend lets out errors of its own
        return f"no keyring of this system can be used ({type(error).__name__})"
    return None


def _kind() -> Backend:
    """Return the class of the first backend whose service is there."""
    problems = []
    for module, name in BACKENDS.get(sys.platform, ELSEWHERE):
        try:
            kind = getattr(importlib.import_module(module), name)
            _ = kind.priority  # raises where it is not there; asking it anything else could start it
        except Exception as error:  # noqa: BLE001 - each backend lets out errors of its own and of its D-Bus library
            problems.append(f"{module.rpartition('.')[2]}: {type(error).__name__}")
        else:
            return kind
    raise KeyUnavailable(f"no keyring of this system can be used ({'; '.join(problems)})", hint=HINT, rule="keyring")


def _use(call: Callable[[Backend], T]) -> T:
    backend = _kind()()
    if sys.platform == "win32":
        backend.persist = "local machine"  # the default lets the key roam to other machines with the profile
    elif sys.platform != "darwin":
        backend.appid = "oidcclient"  # people see it when they are asked to unlock
    try:
        return call(backend)
    except Exception as error:  # noqa: BLE001 - each backend lets out errors of its own and of its D-Bus library
        kind, is_locked = type(error).__name__, type(error).__name__ in LOCKED
    # Raised here and not in the handler: a foreign error may hold the secret, and would go along as the context.
    if is_locked:
        raise KeyUnavailable(f"the keyring is locked ({kind})", hint=HINT, rule="locked")
    raise KeyUnavailable(f"the keyring failed ({kind})", hint=HINT, rule="keyring")


def _service(name: str) -> str:
    # keyring's backend for Windows moves the secret of another user name away when it writes, which is a race: there,
    # each secret has a service of its own.
    return f"{SERVICE}/{name}" if sys.platform == "win32" else SERVICE
