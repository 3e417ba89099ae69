"""The key store `secure-enclave:` and its keys."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import Protection
from oidcclient_dpop.stores.deadline import too_slow, within
from oidcclient_dpop.stores.jose import P256_BYTES, ec_public_jwk, raw_signature

from .handle import WrappedKey

if TYPE_CHECKING:
    from .frameworks import Frameworks, Key

__all__ = ["EnclaveKey", "SecureEnclaveStore"]

T = TypeVar("T")

TIMEOUT_S: Final = 60.0  # somebody may be asked for a finger
PROBE_S: Final = 2.0
TITLE: Final = "Secure Enclave"
# SecAccessControl.h: kSecAccessControlUserPresence, kSecAccessControlBiometryCurrentSet
PRESENCE: Final = {"": 0, "presence=person": 1 << 0, "presence=biometry": 1 << 3}
# Signed once by a new key, as nothing else shows that the enclave does what it says. It is no JWS.
TRIAL: Final = b"oidcclient-dpop: does this key sign?"


class SecureEnclaveStore:
    """
    Make keys in the Secure Enclave of a Mac: they cannot leave it. The handle is the key, encrypted by the enclave.

    Experimental: it has not run on a Mac yet, and it is never taken unless it is named.

    Args:
        uri: `secure-enclave:`, or with `presence=person` or `presence=biometry` for a key that asks for somebody's
            password or finger, or for one of the fingers enrolled today, before each signature.
        timeout: How long one operation may take, a question to the person included, in seconds.
        _library: The path of a library to take in place of those of macOS; for tests.
    """

    protection: Final = Protection.HARDWARE
    title: Final = TITLE

    def __init__(
        self, uri: str = "secure-enclave:", *, timeout: float = TIMEOUT_S, _library: str | None = None
    ) -> None:
        option = uri.removeprefix("secure-enclave:")
        if option == uri or option not in PRESENCE:
            raise UsageError(
                "the Secure Enclave is named secure-enclave: and has one option, presence",
                rule="uri",
                expected="presence=person or presence=biometry",
            )
        self.uri: Final = uri
        self._access = PRESENCE[option]
        self._timeout = timeout
        self._path = _library
        self._process = os.getpid()
        self._frameworks: Frameworks | None = None

    def __repr__(self) -> str:
        return f"SecureEnclaveStore({self.uri!r})"

    def probe(self) -> str | None:
        """Return why macOS has nothing of the kind, or None. Whether there is an enclave, the first key shows."""
        try:
            self._do(self._libraries, min(PROBE_S, self._timeout))
        except KeyUnavailable as error:
            return str(error)
        return None

    def algorithms(self) -> tuple[str, ...]:
        """Return the one that the enclave has."""
        return ("ES256",)

    def create(self, alg: str) -> tuple[EnclaveKey, str]:
        """Make a key."""
        if alg != "ES256":
            raise KeyUnavailable(f"the Secure Enclave makes no key for {alg}", rule="alg", expected="ES256")
        return self._do(self._make)

    def load(self, handle: str) -> EnclaveKey:
        """Give the enclave a key back; only the one that made it can use it."""
        problem = None
        try:
            stored = WrappedKey.parse(handle)
        except ValueError as error:
            problem = str(error)
        if problem is not None:
            raise KeyLost(f"what is stored is no key of a Secure Enclave: {problem}", rule="secure-enclave")
        return self._do(lambda: self._open(stored))

    def delete(self, handle: str) -> None:
        """Do nothing: the key is nowhere but in its handle."""

    def _make(self) -> tuple[EnclaveKey, str]:
        key, wrapped = self._libraries().create(self._access)
        try:
            stored = WrappedKey(key.public_point(), wrapped)
        except ValueError as error:
            raise KeyUnavailable(f"Secure Enclave: {error}", rule="secure-enclave") from None
        made = EnclaveKey(self, key, stored.point)
        _try_out(key, made)
        return made, stored.dump()

    def _open(self, stored: WrappedKey) -> EnclaveKey:
        key = self._libraries().open(stored.wrapped)
        # What it does not know it may answer with a new key.
        if key.public_point() != stored.point:
            raise KeyLost("this Mac's Secure Enclave does not know the key", rule="secure-enclave")
        return EnclaveKey(self, key, stored.point)

    def _libraries(self) -> Frameworks:
        if self._frameworks is None:
            from .frameworks import Frameworks  # noqa: PLC0415 - an unused store imports nothing

            self._frameworks = Frameworks(self._path)
        return self._frameworks

    def sign(self, key: Key, message: bytes, lock: threading.Lock) -> bytes:
        """Return the signature of a message by one key, which is for one thread at a time."""

        def act() -> bytes:
            if not lock.acquire(timeout=self._timeout):  # another thread may hang in it
                raise too_slow(TITLE, self._timeout)
            try:
                return _raw(key.sign(message))
            finally:
                lock.release()

        return self._do(act)

    def _do(self, action: Callable[[], T], seconds: float | None = None) -> T:
        """Do something in time, in the process that began: Apple's frameworks do not work in a child of fork()."""
        if self._path is None and sys.platform != "darwin":
            raise KeyUnavailable("only Macs have a Secure Enclave", rule="secure-enclave")
        if self._process != os.getpid():
            raise KeyUnavailable(
                "the Secure Enclave cannot be used in a child of fork()",
                hint="Start children with spawn, or open the key store in the child alone.",
                rule="fork",
            )

        def act() -> T:
            from .problems import translated  # noqa: PLC0415 - an unused store imports nothing

            with translated():
                return action()

        return within(act, seconds=self._timeout if seconds is None else seconds, subject=TITLE)


class EnclaveKey:
    """
    A key that the enclave signs with. Thread-safe; not for a child of fork().

    Args:
        store: The store, which knows how to ask.
        key: The key, open.
        point: The public key: 04, X and Y.
    """

    alg: Final = "ES256"
    protection: Final = Protection.HARDWARE
    blocks: Final = True

    def __init__(self, store: SecureEnclaveStore, key: Key, point: bytes) -> None:
        self._store = store
        self._key = key
        self._jwk = ec_public_jwk("P-256", point[1 : 1 + P256_BYTES], point[1 + P256_BYTES :])
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"EnclaveKey({self._store.uri!r})"

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public key."""
        return dict(self._jwk)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._store.sign(self._key, message, self._lock)


def _try_out(key: Key, made: EnclaveKey) -> None:
    """
    Have a new key sign, and try to take it out.

    Raises:
        oidcclient.KeyUnavailable: It is not what it should be.
    """
    from oidcclient_dpop.stores.verifying import is_signature  # noqa: PLC0415 - an unused store imports nothing

    from .frameworks import EnclaveError  # noqa: PLC0415 - an unused store imports nothing

    with suppress(EnclaveError):
        key.private_form()
        raise KeyUnavailable("macOS lets the new key out: it is not in a Secure Enclave", rule="export")
    if not is_signature(_raw(key.sign(TRIAL)), TRIAL, alg=made.alg, jwk=made.public_jwk()):
        raise KeyUnavailable("the Secure Enclave makes signatures that do not verify", rule="secure-enclave")


def _raw(der: bytes) -> bytes:
    """Return R and S, as JWS wants them (RFC 7518 section 3.4), of a DER sequence."""
    from cryptography.hazmat.primitives.asymmetric.utils import (  # noqa: PLC0415 - an unused store imports nothing
        decode_dss_signature,
    )

    try:
        numbers = [number.to_bytes(P256_BYTES, "big") for number in decode_dss_signature(der)]
        return raw_signature(*numbers)
    except (ValueError, OverflowError):
        raise KeyUnavailable("what the Secure Enclave returned is no signature", rule="secure-enclave") from None
