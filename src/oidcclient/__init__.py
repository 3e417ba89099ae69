"""
Native OpenID Connect relying party (RFC 8252): sign users in with the system browser.

Importing this module loads nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING, whose import costs more than all of this module
if TYPE_CHECKING:
    from ._shell.async_client import AsyncClient
    from ._shell.client import Client
    from ._shell.installed import installed_hooks
    from ._shell.opener import browser_reasons, can_open_browser
    from ._shell.pending_login import AsyncPendingLogin, PendingLogin
    from ._shell.session import AsyncSession, Session
    from ._shell.store.file import FileStore
    from ._shell.store.keyring_store import KeyringStore
    from ._shell.store.memory import MemoryStore
    from ._words import events
    from ._words.errors import (
        BrowserUnavailable,
        CallbackRefused,
        DiscoveryRefused,
        DowngradeRefused,
        IDTokenRefused,
        KeyLost,
        KeyUnavailable,
        LocalError,
        LoginCancelled,
        LoginDenied,
        LoginRequired,
        LoginTimedOut,
        OAuthError,
        OidcError,
        RemoteError,
        ResponseRefused,
        SessionExpired,
        StepUpRequired,
        StoreError,
        TransportError,
        UsageError,
    )
    from ._words.options import Http
    from ._words.policy import Policy
    from ._words.record import Lock, RecordKey, SessionRecord, Store
    from ._words.values import AccessToken, User
    from ._words.ways import Auto, Device, DeviceCode, Loopback, Paste
    from .protocol import (
        ClientAuth,
        ClientSecretBasic,
        ClientSecretJwt,
        ClientSecretPost,
        PrivateKeyJwt,
        PublicClient,
    )

__version__ = "0.1.0"

_HOMES = {
    "._shell.client": ("Client",),
    "._shell.async_client": ("AsyncClient",),
    "._shell.installed": ("installed_hooks",),
    "._shell.opener": ("browser_reasons", "can_open_browser"),
    "._shell.pending_login": ("AsyncPendingLogin", "PendingLogin"),
    "._shell.session": ("AsyncSession", "Session"),
    "._shell.store.file": ("FileStore",),
    "._shell.store.keyring_store": ("KeyringStore",),
    "._shell.store.memory": ("MemoryStore",),
    "._words.errors": (
        "BrowserUnavailable",
        "CallbackRefused",
        "DiscoveryRefused",
        "DowngradeRefused",
        "IDTokenRefused",
        "KeyLost",
        "KeyUnavailable",
        "LocalError",
        "LoginCancelled",
        "LoginDenied",
        "LoginRequired",
        "LoginTimedOut",
        "OAuthError",
        "OidcError",
        "RemoteError",
        "ResponseRefused",
        "SessionExpired",
        "StepUpRequired",
        "StoreError",
        "TransportError",
        "UsageError",
    ),
    "._words.options": ("Http",),
    "._words.policy": ("Policy",),
    "._words.record": ("Lock", "RecordKey", "SessionRecord", "Store"),
    "._words.values": ("AccessToken", "User"),
    "._words.ways": ("Auto", "Device", "DeviceCode", "Loopback", "Paste"),
    ".protocol": (
        "ClientAuth",
        "ClientSecretBasic",
        "ClientSecretJwt",
        "ClientSecretPost",
        "PrivateKeyJwt",
        "PublicClient",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = {"events": "._words.events", "hooks": ".hooks", "protocol": ".protocol", "testing": ".testing"}

__all__ = [
    "AccessToken",
    "AsyncClient",
    "AsyncPendingLogin",
    "AsyncSession",
    "Auto",
    "BrowserUnavailable",
    "CallbackRefused",
    "Client",
    "ClientAuth",
    "ClientSecretBasic",
    "ClientSecretJwt",
    "ClientSecretPost",
    "Device",
    "DeviceCode",
    "DiscoveryRefused",
    "DowngradeRefused",
    "FileStore",
    "Http",
    "IDTokenRefused",
    "KeyLost",
    "KeyUnavailable",
    "KeyringStore",
    "LocalError",
    "Lock",
    "LoginCancelled",
    "LoginDenied",
    "LoginRequired",
    "LoginTimedOut",
    "Loopback",
    "MemoryStore",
    "OAuthError",
    "OidcError",
    "Paste",
    "PendingLogin",
    "Policy",
    "PrivateKeyJwt",
    "PublicClient",
    "RecordKey",
    "RemoteError",
    "ResponseRefused",
    "Session",
    "SessionExpired",
    "SessionRecord",
    "StepUpRequired",
    "Store",
    "StoreError",
    "TransportError",
    "UsageError",
    "User",
    "browser_reasons",
    "can_open_browser",
    "events",
    "installed_hooks",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name], __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
