"""Trying to take a private key out of its store, by whatever way the store itself has; for people who want to see."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from oidcclient import OidcError
from oidcclient_dpop.keys import KeyStore, SigningKey

__all__ = ["Attempt", "take_out"]


class Attempt(NamedTuple):
    """One way that was tried, what came of it, and whether the key came out."""

    what: str
    outcome: str
    came_out: bool


def take_out(store: KeyStore, key: SigningKey, handle: str) -> list[Attempt]:
    """
    Try to take a key out. What comes out is dropped at once.

    Args:
        store: The store.
        key: The key.
        handle: How the store finds it.
    """
    way = WAYS.get(type(key).__name__, _unknown)
    return way(store, key, handle)


def _from_software(store: KeyStore, _key: Any, handle: str) -> list[Attempt]:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - an unused store imports nothing
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    found: Any = store.load(handle)
    taken = found.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return [Attempt("reading what the store holds", f"the key came out, {len(taken)} bytes of PKCS #8", came_out=True)]


def _from_windows(_store: KeyStore, key: Any, _handle: str) -> list[Attempt]:
    from .cng import constants as c  # noqa: PLC0415 - an unused store imports nothing
    from .cng.ncrypt import CngError  # noqa: PLC0415 - an unused store imports nothing

    opened = key._key  # noqa: SLF001 - the store's own view of it
    forms = (c.BCRYPT_ECCPRIVATE_BLOB, c.NCRYPT_PKCS8_PRIVATE_KEY_BLOB)
    return [_attempt(f"NCryptExportKey {form}", partial(opened.export, form), CngError) for form in forms]


def _from_enclave(_store: KeyStore, key: Any, _handle: str) -> list[Attempt]:
    from .secure_enclave.frameworks import EnclaveError  # noqa: PLC0415 - an unused store imports nothing

    opened = key._key  # noqa: SLF001 - the store's own view of it
    return [_attempt("SecKeyCopyExternalRepresentation of the private key", opened.private_form, EnclaveError)]


def _from_token(store: Any, key: Any, _handle: str) -> list[Attempt]:
    import pkcs11  # noqa: PLC0415 - an unused store imports nothing

    def read(token: Any) -> bytes:
        found = key._fresh(token)  # noqa: SLF001 - the store's own view of it
        return bytes(found.private[pkcs11.Attribute.VALUE])

    return [_attempt("C_GetAttributeValue CKA_VALUE", lambda: store.use(read), (OidcError, pkcs11.PKCS11Error))]


def _from_tpm(_store: KeyStore, _key: Any, _handle: str) -> list[Attempt]:
    # TPM 2.0 Library, Part 1, "Object attributes". The attributes are checked whenever a key is loaded.
    return [
        Attempt(
            "asking the TPM",
            "it has no command that gives a key out, and fixedTPM and fixedParent forbid duplicating this one",
            came_out=False,
        )
    ]


def _from_agent(_store: KeyStore, _key: Any, _handle: str) -> list[Attempt]:
    return [Attempt("asking the agent", "its protocol has no request that gives a key out", came_out=False)]


def _unknown(_store: Any, _key: Any, _handle: str) -> list[Attempt]:
    return [Attempt("nothing", "no way to try it is known for this store", came_out=False)]


def _attempt(what: str, call: Callable[[], bytes], refusals: Any) -> Attempt:
    try:
        taken = call()
    except refusals as error:
        return Attempt(what, f"refused ({_words(error)})", came_out=False)
    return Attempt(what, f"the key came out, {len(taken)} bytes", came_out=True)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


WAYS: Final[dict[str, Callable[[Any, Any, str], list[Attempt]]]] = {
    "SoftwareKey": _from_software,
    "CngKey": _from_windows,
    "EnclaveKey": _from_enclave,
    "TokenSigningKey": _from_token,
    "Tpm2Key": _from_tpm,
    "AgentSigningKey": _from_agent,
}
