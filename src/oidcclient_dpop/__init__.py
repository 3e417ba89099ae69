"""
DPoP (RFC 9449) for oidcclient: tokens bound to a key that stays on the machine.

Importing this module loads nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING, whose import costs more than all of this module
if TYPE_CHECKING:
    from .hook import DPoP
    from .keys import KeyStore, Protection, SigningKey
    from .proofs import ProofMaker, proof, thumbprint

__version__ = "0.1.0"

_HOMES = {
    "DPoP": ".hook",
    "KeyStore": ".keys",
    "ProofMaker": ".proofs",
    "Protection": ".keys",
    "SigningKey": ".keys",
    "proof": ".proofs",
    "thumbprint": ".proofs",
}
_MODULES = ("constants", "server", "stores")

__all__ = ["DPoP", "KeyStore", "ProofMaker", "Protection", "SigningKey", "proof", "thumbprint"]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
