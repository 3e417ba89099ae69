"""An OpenID provider on loopback for development and tests."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .browser import Browser, BrowserStopped
    from .clients import Client
    from .keys import Keys
    from .misbehaviours import MISBEHAVIOURS
    from .provider import Provider
    from .records import RecordedRequest
    from .users import User
    from .web import Page

__version__ = "0.1.0"

__all__ = [
    "MISBEHAVIOURS",
    "Browser",
    "BrowserStopped",
    "Client",
    "Keys",
    "Page",
    "Provider",
    "RecordedRequest",
    "User",
]

_HOMES = {
    "MISBEHAVIOURS": "misbehaviours",
    "Browser": "browser",
    "BrowserStopped": "browser",
    "Client": "clients",
    "Keys": "keys",
    "Page": "web",
    "Provider": "provider",
    "RecordedRequest": "records",
    "User": "users",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
