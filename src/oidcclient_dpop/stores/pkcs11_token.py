"""The border to python-pkcs11: one token, one session. Used by one thread at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, SlotFlag, TokenFlag

from oidcclient import KeyUnavailable
from oidcclient_dpop.keys import Protection

from .jose import P256_BYTES
from .pkcs11_uri import Pkcs11Uri

__all__ = ["KeyOnToken", "Token"]

T = TypeVar("T")

LABEL: Final = "oidcclient-dpop"  # people see it when they list the token's objects
IDENTIFIER_BYTES: Final = 16  # random: two keys of one label are told apart by it
P256_PARAMETERS: Final = bytes.fromhex("06082a8648ce3d030107")  # RFC 5480 section 2.1.1.1: OID 1.2.840.10045.3.1.7
POINT_BYTES: Final = 1 + 2 * P256_BYTES
UNCOMPRESSED: Final = 4  # SEC 1 section 2.3.3
OCTET_STRING: Final = bytes([0x04, POINT_BYTES])  # PKCS#11: CKA_EC_POINT is "DER-encoding of ANSI X9.62 ECPoint"
# The session, and not the key or the PIN, has ended: the token was pulled, or another part of the program signed out.
SESSION_ENDED: Final = (
    pkcs11.DeviceRemoved,
    pkcs11.KeyHandleInvalid,
    pkcs11.ObjectHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.UserNotLoggedIn,
)
_LOADED_BY: Final[dict[str, int]] = {}  # the process that loaded a module: python-pkcs11 keeps it in the same way
# Modules, tokens and hashes of PINs that were refused: each further try could lock the card, and a session tries to
# open its key at each request.
_REFUSED: Final[set[tuple[str, str, bytes]]] = set()
PIN_REFUSED: Final = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)


@dataclass(frozen=True, slots=True)
class KeyOnToken:
    """A private key, as it is known in one session."""

    session: Any = field(repr=False)
    private: Any = field(repr=False)
    identifier: bytes
    x: bytes
    y: bytes
    protection: Protection


class Token:
    """
    The token that a URI names.

    Args:
        uri: The URI.
        ask_pin: Returns the PIN, where the URI has none.
    """

    def __init__(self, uri: Pkcs11Uri, ask_pin: Callable[[], str] | None) -> None:
        self._uri = uri
        self._ask_pin = ask_pin
        self.protection = Protection.HARDWARE
        self.session: Any = None

    def run(self, action: Callable[[Token], T]) -> T:
        """Do something with the token; once more if its session turns out to have ended. Translate what goes wrong."""
        try:
            try:
                return action(self)
            except SESSION_ENDED:
                self._close()
                return action(self)
        except pkcs11.PKCS11Error as error:
            raise _unavailable(error) from error

    def check_present(self) -> None:
        """See that the module and the token are there."""
        self._find_token()

    def _find_token(self) -> Any:
        module = self._uri.module()
        # PKCS#11, C_Initialize: a child of fork() that inherits a module has to initialise it anew; not all can.
        if _LOADED_BY.setdefault(module, os.getpid()) != os.getpid():
            raise KeyUnavailable(
                "a PKCS#11 module cannot be used in a child of fork()", hint="Start children with spawn.", rule="fork"
            )
        try:
            library = pkcs11.lib(module)
        except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
            raise KeyUnavailable(
                f"the PKCS#11 module {module} cannot be loaded ({type(error).__name__})", rule="module"
            ) from None
        found = [slot.get_token() for slot in library.get_slots(token_present=True)]
        found = [token for token in found if self._is_meant(token)]
        if len(found) != 1:
            reason = "no token" if not found else "more than one token"
            raise KeyUnavailable(
                f"{reason} in the readers is the one of the URI",
                hint="Plug it in, and say which: token=, serial=.",
                rule="token",
            )
        self.protection = _protection(found[0])
        return found[0]

    def _is_meant(self, token: Any) -> bool:
        has = {
            "token": token.label,
            "serial": token.serial,
            "manufacturer": token.manufacturer_id,
            "model": token.model,
        }
        return TokenFlag.TOKEN_INITIALIZED in token.flags and all(
            _plain(value) == self._uri.path.get(name, _plain(value)) for name, value in has.items()
        )

    def _open(self) -> Any:
        if self.session is None:
            token = self._find_token()
            pin = self._pin(token)
            tried = (self._uri.module(), _plain(token.serial), hashlib.sha256(str(pin).encode()).digest())
            if tried in _REFUSED:
                raise KeyUnavailable("the PIN was refused before", hint="Give the right one.", rule="pin")
            # A new key is written, a named one is only used.
            writes = not self._uri.names_key
            try:
                self.session = token.open(rw=writes, user_pin=pin)
            except pkcs11.UserAlreadyLoggedIn:  # by another store of this program; it counts for all its sessions
                self.session = token.open(rw=writes)
            except PIN_REFUSED:
                if pin is not pkcs11.PROTECTED_AUTH:  # what was typed at the reader may be another next time
                    _REFUSED.add(tried)
                raise
        return self.session

    def _pin(self, token: Any) -> Any:
        pin = self._uri.pin()
        if pin is None and self._ask_pin is not None:
            return self._ask_pin()
        if pin is None and TokenFlag.PROTECTED_AUTHENTICATION_PATH in token.flags:
            return pkcs11.PROTECTED_AUTH  # the reader has keys of its own
        if pin is None and TokenFlag.LOGIN_REQUIRED in token.flags:
            raise KeyUnavailable("the token wants a PIN", hint="Add pin-source=file:/path to the URI.", rule="pin")
        return pin

    def _close(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            with suppress(pkcs11.PKCS11Error):
                session.close()

    def find_named(self) -> KeyOnToken | None:
        """Return the key that the URI names, or None."""
        return self._find(label=self._uri.path.get("object"), identifier=self._uri.key_id)

    def find(self, identifier: bytes) -> KeyOnToken | None:
        """Return a key that was made here, or None."""
        return self._find(label=LABEL, identifier=identifier)

    def _find(self, *, label: str | None, identifier: bytes | None) -> KeyOnToken | None:
        found = self._objects(ObjectClass.PRIVATE_KEY, label=label, identifier=identifier)
        if len(found) > 1:
            raise KeyUnavailable("more than one key fits the URI", hint="Add id= to it.", rule="object")
        return self._checked(found[0]) if found else None

    def _objects(self, kind: ObjectClass, *, label: str | None, identifier: bytes | None) -> list[Any]:
        """Return the objects of the token that fit; all are fetched, as a search left half done blocks the next."""
        wanted: dict[Attribute, Any] = {Attribute.CLASS: kind, Attribute.TOKEN: True}
        if label is not None:
            wanted[Attribute.LABEL] = label
        if identifier is not None:
            wanted[Attribute.ID] = identifier
        return list(self._open().get_objects(wanted))

    def generate(self) -> KeyOnToken:
        """Make a key that cannot be taken out."""
        session = self._open()
        identifier = os.urandom(IDENTIFIER_BYTES)
        parameters = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: P256_PARAMETERS}, local=True)
        _, private = parameters.generate_keypair(
            store=True,
            label=LABEL,
            id=identifier,
            private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True},
        )
        try:
            return self._checked(private)
        except BaseException:
            self.destroy(identifier)
            raise

    def destroy(self, identifier: bytes) -> None:
        """Remove both halves of a key that was made here."""
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            for found in self._objects(kind, label=LABEL, identifier=identifier):
                found.destroy()

    def sign(self, key: KeyOnToken, message: bytes) -> bytes:
        """Return the signature of a message: r and s, as JWS has them (PKCS#11, CKM_ECDSA)."""
        signature = bytes(key.private.sign(hashlib.sha256(message).digest(), mechanism=Mechanism.ECDSA))
        if len(signature) != 2 * P256_BYTES:
            raise KeyUnavailable("the token makes signatures of another length", rule="signature")
        return signature

    def _checked(self, private: Any) -> KeyOnToken:
        if private.key_type != KeyType.EC:
            raise KeyUnavailable("the key on the token is none for ES256", rule="alg", expected="P-256")
        # Asked of the token, after finding and after making: a template is only a wish.
        if not _says(private, Attribute.SENSITIVE, wanted=True) or not _says(
            private, Attribute.EXTRACTABLE, wanted=False
        ):
            raise _exportable("it can be taken out of the token")
        if not _says(private, Attribute.NEVER_EXTRACTABLE, wanted=True):
            raise _exportable("it could once be taken out of the token, or was put into it")
        if _says(private, Attribute.ALWAYS_AUTHENTICATE, wanted=True):
            raise KeyUnavailable("the token wants the PIN for each signature of this key", rule="always_authenticate")
        identifier = bytes(private[Attribute.ID])
        x, y = self._point(private, identifier)
        return KeyOnToken(self.session, private, identifier, x, y, self.protection)

    def _point(self, private: Any, identifier: bytes) -> tuple[bytes, bytes]:
        """Return the public key: of the public object beside, or of the private one where there is none."""
        beside = self._objects(ObjectClass.PUBLIC_KEY, label=None, identifier=identifier) if identifier else []
        holder = beside[0] if len(beside) == 1 else private
        try:
            parameters, point = bytes(holder[Attribute.EC_PARAMS]), bytes(holder[Attribute.EC_POINT])
        except (pkcs11.AttributeTypeInvalid, pkcs11.AttributeSensitive):
            raise KeyUnavailable("the token has no public key beside the private one", rule="public_key") from None
        if len(point) != POINT_BYTES:  # some tokens give the point without its frame
            point = point.removeprefix(OCTET_STRING)
        if parameters != P256_PARAMETERS or len(point) != POINT_BYTES or point[0] != UNCOMPRESSED:
            raise KeyUnavailable("the key on the token is none for ES256", rule="crv", expected="P-256")
        return point[1 : 1 + P256_BYTES], point[1 + P256_BYTES :]


def _plain(value: str | bytes) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text.rstrip(" \0")  # PKCS#11: such fields are padded with blanks


def _says(key: Any, attribute: Attribute, *, wanted: bool) -> bool:
    try:
        return bool(key[attribute]) is wanted
    except pkcs11.AttributeTypeInvalid:  # not said is not promised
        return False


def _exportable(reason: str) -> KeyUnavailable:
    return KeyUnavailable(f"the key is refused: {reason}", hint="Have one made on the token.", rule="extractable")


def _protection(token: Any) -> Protection:
    """Return what the token says of itself: hardware, by its slot (CKF_HW_SLOT) or its mechanism (CKF_HW)."""
    if SlotFlag.HW_SLOT in token.slot.flags:
        return Protection.HARDWARE
    try:
        flags = token.slot.get_mechanism_info(Mechanism.ECDSA).flags
    except pkcs11.PKCS11Error:
        return Protection.ISOLATED
    return Protection.HARDWARE if MechanismFlag.HW in flags else Protection.ISOLATED


def _unavailable(error: pkcs11.PKCS11Error) -> KeyUnavailable:
    if isinstance(error, PIN_REFUSED):
        return KeyUnavailable(
            "the token refused the PIN", hint="Give the right one: a few wrong ones lock the token.", rule="pin"
        )
    if isinstance(error, pkcs11.PinLocked):
        return KeyUnavailable("the token's PIN is locked", hint="Unlock it with its PUK.", rule="pin")
    return KeyUnavailable(f"the PKCS#11 token failed ({type(error).__name__})", rule="pkcs11")
