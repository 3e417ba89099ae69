"""
The border to `keyring`: the operating system's secure store, and no other.

`keyring` itself takes whatever is installed or configured: with some plug-ins a plain file, with its null backend
nothing at all. So the choice is made here, from known backends, each built directly.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from oidcclient._words.errors import StoreError

__all__ = ["read_secret", "write_secret"]

Backend = Any  # keyring is imported when it is needed, and its classes with it

SERVICE = "oidcclient"
LARGEST_SECRET = 1280  # characters: Windows takes 2,560 bytes, and keyring writes UTF-16
SECRET_SERVICE = ("keyring.backends.SecretService", "Keyring")
KWALLET = ("keyring.backends.kwallet", "DBusKeyring")
BACKENDS = {
    "darwin": (("keyring.backends.macOS", "Keyring"),),
    "win32": (("keyring.backends.Windows", "WinVaultKeyring"),),
}
LOCKED = frozenset({"KeyringLocked", "LockedException", "PromptDismissedException"})
INSTEAD = "or use FileStore(...), whose key lies in a file: read first what that protects against"


def read_secret(name: str) -> str | None:
    """
    Return a secret, or None if no keyring of this system has it.

    Raises:
        StoreError: No keyring of this system answers, or it is locked.
    """
    if sys.platform not in BACKENDS:
        from .secret_service import secret_at_once  # noqa: PLC0415 - macOS and Windows have none

        at_once = secret_at_once(_service(name), name)
        if at_once is not None:
            return at_once
    found: list[str | None] = []

    def read(backend: Backend) -> bool:
        found.append(backend.get_password(_service(name), name))
        return found[-1] is not None

    _first_that(read, answered=found)
    return found[-1]


def write_secret(name: str, secret: str) -> None:
    """
    Keep a secret in the first keyring of this system that takes it.

    Raises:
        StoreError: None does, or it is locked.
    """
    if len(secret) > LARGEST_SECRET:
        raise StoreError("too long a secret for a keyring", rule="size", expected=f"at most {LARGEST_SECRET}")

    def write(backend: Backend) -> bool:
        backend.set_password(_service(name), name, secret)
        return True

    _first_that(write, answered=[])


def _first_that(use: Callable[[Backend], bool], *, answered: list[str | None]) -> None:
    """Use one backend after the other until one has what is wanted; none having it is fine if one could tell."""
    problems: list[str] = []
    for position, (module, name) in enumerate(BACKENDS.get(sys.platform, (SECRET_SERVICE, KWALLET))):
        try:
            if use(_build(module, name, is_first=position == 0)):
                return
            problem = None
        except Exception as error:  # noqa: BLE001 - each backend lets out errors of its own and of its D-Bus library
            problem = _name_of(error)
            is_locked = type(error).__name__ in LOCKED
        # Raised here and not in the handler: a foreign error may hold a secret, and would go along as the context.
        if problem is not None and is_locked:
            raise StoreError(
                f"the keyring is locked ({problem})",
                hint=f"Unlock your login keyring and try again; {INSTEAD}.",
                rule="locked",
            )
        if problem is not None:
            problems.append(f"{module.rpartition('.')[2]}: {problem}")
    if not answered:
        raise StoreError(
            f"no keyring of this system can be used ({'; '.join(problems)})",
            hint=f"Start a keyring such as GNOME Keyring or KWallet; {INSTEAD}.",
            rule="keyring",
        )


def _build(module: str, name: str, *, is_first: bool) -> Backend:
    kind = getattr(importlib.import_module(module), name)
    if not is_first:
        _ = kind.priority  # raises where it is not there; asking it anything else could start it
    backend = kind()
    if sys.platform == "win32":
        backend.persist = "local machine"  # the default lets the key roam to other machines with the profile
    elif sys.platform != "darwin":
        backend.appid = "oidcclient"  # people see it when they are asked to unlock
    return backend


def _service(name: str) -> str:
    # keyring's backend for Windows moves the secret of another user name away when it writes, which is a race: there,
    # each secret has a service of its own.
    return f"{SERVICE}/{name}" if sys.platform == "win32" else SERVICE


def _name_of(error: Exception) -> str:
    """Say which error it is, and nothing of its text: that could quote what was to be stored."""
    code = getattr(error, "winerror", None)
    return f"{type(error).__name__} {code}" if isinstance(code, int) else type(error).__name__
