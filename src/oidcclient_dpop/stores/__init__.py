"""
Where keys are kept, and which store to take.

Importing this loads no store; each is loaded when it is used.
"""

from __future__ import annotations

import importlib

from .registry import NewKey, choose, create_best, default_stores, open_store, schemes

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING
if TYPE_CHECKING:
    from .contract import KeyStoreContract
    from .software import SoftwareKey, from_pem, generate
    from .software_forms import from_jwk

__all__ = [
    "KeyStoreContract",
    "NewKey",
    "SoftwareKey",
    "choose",
    "create_best",
    "default_stores",
    "from_jwk",
    "from_pem",
    "generate",
    "open_store",
    "schemes",
]

_HOMES = {
    "KeyStoreContract": ".contract",
    "SoftwareKey": ".software",
    "from_jwk": ".software_forms",
    "from_pem": ".software",
    "generate": ".software",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
