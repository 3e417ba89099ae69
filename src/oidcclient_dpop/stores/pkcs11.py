"""
The key store `pkcs11:`: smart cards, security keys and other tokens, through the module of their maker.

Needs the package python-pkcs11: `pip install 'oidcclient-dpop[pkcs11]'`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from oidcclient import KeyLost, KeyUnavailable
from oidcclient_dpop.keys import Protection

from .deadline import within
from .jose import ec_public_jwk
from .pkcs11_uri import parse_uri

if TYPE_CHECKING:
    from .pkcs11_token import KeyOnToken, Token

__all__ = ["Pkcs11Store", "TokenSigningKey"]

T = TypeVar("T")

TIMEOUT_S: Final = 60.0  # a card may wait for a touch or a PIN pad, and makes a key in seconds
PROBE_S: Final = 4.0  # a card reader needs a moment
MADE: Final = "made:"  # and the key's id in hexadecimal: ours, deleted with the session
# python-pkcs11 does not ask a module to be safe for threads (C_Initialize), so each is used by one thread at a time.
# The process is part of the key: a child of fork() lacks the thread that may hold a lock.
_LOCKS: Final[dict[tuple[int, str], threading.Lock]] = {}
FOUND: Final = "found"  # the one the URI names: somebody else's, never deleted
MISSING: Final = "the package python-pkcs11 is not installed"
INSTALL: Final = "pip install 'oidcclient-dpop[pkcs11]'"


class Pkcs11Store:
    """
    Sign with keys on a token. A URI with `object` or `id` names a key that is there; without, new ones are made.

    Args:
        uri: A PKCS#11 URI (RFC 7512), such as
            `pkcs11:token=work;object=dpop?module-path=/usr/lib/opensc-pkcs11.so&pin-source=file:/path`.
        timeout: How long one operation may take, a touch or a PIN pad included, in seconds.
        pin: Returns the PIN, where the URI has none: for programs that ask the person.
    """

    title: Final = "PKCS#11 token"

    def __init__(self, uri: str, *, timeout: float = TIMEOUT_S, pin: Callable[[], str] | None = None) -> None:
        self._parsed = parse_uri(uri)
        self.uri: Final = self._parsed.without_pin()
        self._timeout = timeout
        self._pin = pin
        self._token: Token | None = None
        self._process = os.getpid()
        self.protection = Protection.HARDWARE  # at best; known when the token was seen

    def __repr__(self) -> str:
        return f"Pkcs11Store({self.uri!r})"

    def probe(self) -> str | None:
        """Return why the token cannot be used, or None. It is looked at; no PIN is given."""
        try:
            self.use(lambda token: token.check_present(), min(PROBE_S, self._timeout))
        except KeyUnavailable as error:
            return str(error)
        return None

    def algorithms(self) -> tuple[str, ...]:
        """Return the one that is used: ECDSA on P-256."""
        return ("ES256",)

    def create(self, alg: str) -> tuple[TokenSigningKey, str]:
        """Find the key that the URI names, or make one."""
        if alg != "ES256":
            raise KeyUnavailable(f"no key for {alg} on a token", rule="alg", expected="ES256", received=alg)
        if self._parsed.names_key:
            key = self.use(lambda token: token.find_named())
            if key is None:
                raise KeyUnavailable(
                    "the token has no such key",
                    hint="Look with `pkcs11-tool --list-objects --login`, or leave object and id out to have one made.",
                    rule="object",
                )
            return TokenSigningKey(self, key, FOUND), FOUND
        key = self.use(lambda token: token.generate(), late=lambda token, key: token.destroy(key.identifier))
        handle = MADE + key.identifier.hex()
        return TokenSigningKey(self, key, handle), handle

    def load(self, handle: str) -> TokenSigningKey:
        """Find a key again."""
        key = self.use(lambda token: _find(token, handle))
        if key is None:
            raise KeyLost("the key is not on the token", rule="object")
        return TokenSigningKey(self, key, handle)

    def delete(self, handle: str) -> None:
        """Remove a key that was made here, and no other."""
        identifier = _identifier(handle)
        if identifier is not None:
            self.use(lambda token: token.destroy(identifier))

    def use(
        self,
        action: Callable[[Token], T],
        seconds: float | None = None,
        *,
        late: Callable[[Token, T], object] | None = None,
    ) -> T:
        """
        Do something with the token, alone and in time; `late` undoes what comes when nobody waits any more.

        A PKCS#11 session is for one thread, and a module may not be used in a child of fork() (PKCS#11 section 5.6.1).
        """
        if self._process != os.getpid():
            raise KeyUnavailable(
                "a PKCS#11 token cannot be used in a child of fork()",
                hint="Start children with spawn, or open the key store in the child alone.",
                rule="fork",
            )
        seconds = self._timeout if seconds is None else seconds

        def undo(result: T) -> None:
            if late is not None:
                self._locked(lambda token: late(token, result), seconds)

        return within(lambda: self._locked(action, seconds), seconds=seconds, subject="the PKCS#11 token", late=undo)

    def _locked(self, action: Callable[[Token], T], seconds: float) -> T:
        lock = _LOCKS.setdefault((os.getpid(), self._parsed.module()), threading.Lock())
        if not lock.acquire(timeout=seconds):
            raise KeyUnavailable("the PKCS#11 token is busy", rule="timeout")
        try:
            if self._token is None:
                try:
                    from .pkcs11_token import Token  # noqa: PLC0415 - an unused store imports nothing
                except ImportError as error:
                    raise KeyUnavailable(MISSING, hint=f"Install it: {INSTALL}.", rule="pkcs11") from error
                self._token = Token(self._parsed, self._pin)
            result = self._token.run(action)
            self.protection = self._token.protection
            return result
        finally:
            lock.release()


def _identifier(handle: str) -> bytes | None:
    if not handle.startswith(MADE):
        return None
    try:
        return bytes.fromhex(handle.removeprefix(MADE)) or None
    except ValueError:
        return None


def _find(token: Token, handle: str) -> KeyOnToken | None:
    identifier = _identifier(handle)
    if identifier is not None:
        return token.find(identifier)
    return token.find_named() if handle == FOUND else None


class TokenSigningKey:
    """
    A key that a token signs with. Thread-safe; not for a child of fork().

    Args:
        store: The store, which knows the token.
        key: What is known of the key.
        handle: How it is found again, when the session with the token has ended.
    """

    alg: Final = "ES256"
    blocks: Final = True

    def __init__(self, store: Pkcs11Store, key: KeyOnToken, handle: str) -> None:
        self._store = store
        self._key = key
        self._handle = handle
        self._jwk = ec_public_jwk("P-256", key.x, key.y)
        self.protection: Final = key.protection

    def __repr__(self) -> str:
        return f"TokenSigningKey({self._store.uri!r})"

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public key."""
        return dict(self._jwk)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._store.use(lambda token: token.sign(self._fresh(token), message))

    def _fresh(self, token: Token) -> KeyOnToken:
        """Return the key in the session that is open now: after a token was pulled and put back, it is another one."""
        if self._key.session is token.session:
            return self._key
        key = _find(token, self._handle)
        if key is None or (key.x, key.y) != (self._key.x, self._key.y):
            raise KeyLost("the key is not on the token any more", rule="object")
        self._key = key
        return key
