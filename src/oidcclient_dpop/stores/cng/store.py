"""The key store `cng:` and its keys."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import Protection
from oidcclient_dpop.stores.deadline import too_slow, within
from oidcclient_dpop.stores.jose import ec_public_jwk

from . import constants as c

if TYPE_CHECKING:
    from .ncrypt import Ncrypt, OpenKey

__all__ = ["CngKey", "CngStore"]

T = TypeVar("T")

TIMEOUT_S: Final = 30.0  # slow chips take seconds to make a key
PROBE_S: Final = 2.0
TPM: Final = "tpm"
SOFTWARE: Final = "software"
PROVIDERS: Final = {
    TPM: c.MS_PLATFORM_KEY_STORAGE_PROVIDER,
    SOFTWARE: c.MS_KEY_STORAGE_PROVIDER,
}
TITLES: Final = {TPM: "TPM, through Windows", SOFTWARE: "Windows key storage"}
NAME_BYTES: Final = 16  # random: nobody else has the same name
HANDLE: Final = re.compile(r"(tpm|software):([0-9a-f]{32})")
# Signed once by a new key, as nothing else shows that a provider does what it says. It is no JWS.
TRIAL: Final = b"oidcclient-dpop: does this key sign?"


class CngStore:
    """
    Make keys in the key storage of Windows, which does not let them out. The handle is the name of the key.

    Args:
        uri: `cng:provider=tpm`, `cng:provider=software`, or `cng:` for the first of them that makes a key.
        timeout: How long one operation may take, in seconds.
        _library: The path of a library to take in place of ncrypt.dll; for tests.
    """

    def __init__(self, uri: str = "cng:", *, timeout: float = TIMEOUT_S, _library: str | None = None) -> None:
        rest = uri.removeprefix("cng:")
        provider = rest.removeprefix("provider=")
        if rest == uri or (rest and (provider == rest or provider not in PROVIDERS)):
            raise UsageError(
                "the key storage of Windows is named cng: or cng:provider=tpm or cng:provider=software",
                rule="uri",
                expected="provider=tpm or provider=software",
            )
        self.uri: Final = uri
        self._providers: Final = (provider,) if provider else tuple(PROVIDERS)
        self.protection: Final = Protection.HARDWARE if TPM in self._providers else Protection.ISOLATED  # at best
        self.title: Final = TITLES[self._providers[-1]]
        self._timeout = timeout
        self._path = _library
        self._ncrypt: Ncrypt | None = None

    def __repr__(self) -> str:
        return f"CngStore({self.uri!r})"

    def probe(self) -> str | None:
        """Return why no key can be kept, or None. A key that is not there is asked for; nothing is made."""
        reasons = []
        for provider in self._providers:
            try:
                self._do(provider, lambda: self._look(provider), seconds=min(PROBE_S, self._timeout))  # noqa: B023 - called here
            except KeyUnavailable as error:
                reasons.append(str(error))
            else:
                return None
        return "; ".join(dict.fromkeys(reasons))

    def algorithms(self) -> tuple[str, ...]:
        """Return the one that is used: ECDSA on P-256."""
        return ("ES256",)

    def create(self, alg: str) -> tuple[CngKey, str]:
        """Make a key under a random name, in the first provider that can."""
        if alg != "ES256":
            raise KeyUnavailable(f"no key for {alg} in Windows", rule="alg", expected="ES256", received=alg)
        problems: list[KeyUnavailable] = []
        for provider in self._providers:
            try:
                return self._create_in(provider)
            except KeyUnavailable as error:
                problems.append(error)
        raise KeyUnavailable("; ".join(map(str, problems)), hint=problems[0].hint, rule="cng")

    def _create_in(self, provider: str) -> tuple[CngKey, str]:
        handle = _new_handle(provider)
        return self._do(provider, lambda: self._make(handle), late=lambda _: self.delete(handle)), handle

    def load(self, handle: str) -> CngKey:
        """Open a key again."""
        provider = self._provider_of(handle)
        if provider is None:
            raise KeyLost("what is stored is no name of a key of this store", rule="cng")
        return self._do(provider, lambda: self._open(handle), may_be_lost=True)

    def delete(self, handle: str) -> None:
        """Delete a key."""
        provider = self._provider_of(handle)
        if provider is not None:
            with suppress(KeyLost):
                self._do(provider, lambda: self._library().open_key(*_place(handle)).delete(), may_be_lost=True)

    def _look(self, provider: str) -> None:
        """See whether the provider keeps keys: what is none answers something else than that there is no such key."""
        from .ncrypt import CngError  # noqa: PLC0415 - an unused store imports nothing
        from .problems import NOT_THERE  # noqa: PLC0415 - an unused store imports nothing

        self._library().check_algorithm(PROVIDERS[provider])
        try:
            self._library().open_key(*_place(_new_handle(provider))).close()
        except CngError as error:
            if error.status not in NOT_THERE:
                raise

    def _make(self, handle: str) -> CngKey:
        from .ncrypt import CngError  # noqa: PLC0415 - an unused store imports nothing

        key = self._library().create_key(*_place(handle))
        try:
            _finalize(key)
        except BaseException:
            key.close()  # nothing was stored
            raise
        try:
            made = CngKey(key, TITLES[_provider(handle)], self._timeout)
            if key.number(c.NCRYPT_EXPORT_POLICY_PROPERTY):
                raise KeyUnavailable("Windows would let the new key out: its export policy allows it", rule="export")
            _try_out(key, made)
        except BaseException:
            with suppress(CngError):
                key.delete()
            raise
        return made

    def _open(self, handle: str) -> CngKey:
        key = self._library().open_key(*_place(handle))
        try:
            if key.number(c.NCRYPT_EXPORT_POLICY_PROPERTY):
                raise KeyLost("Windows would let the key out, which it would not when it was made", rule="export")
            return CngKey(key, TITLES[_provider(handle)], self._timeout)
        except BaseException:
            key.close()
            raise

    def _library(self) -> Ncrypt:
        if self._ncrypt is None:
            from .ncrypt import Ncrypt  # noqa: PLC0415 - an unused store imports nothing

            self._ncrypt = Ncrypt(self._path)
        return self._ncrypt

    def _provider_of(self, handle: str) -> str | None:
        found = HANDLE.fullmatch(handle)
        return found[1] if found and found[1] in self._providers else None

    def _do(
        self,
        provider: str,
        action: Callable[[], T],
        *,
        seconds: float | None = None,
        may_be_lost: bool = False,
        late: Callable[[T], object] | None = None,
    ) -> T:
        """Do something in time, and in a thread of its own, as a driver may hang."""

        def act() -> T:
            from .problems import translated  # noqa: PLC0415 - an unused store imports nothing

            with translated(TITLES[provider], may_be_lost=may_be_lost):
                return action()

        seconds = self._timeout if seconds is None else seconds
        return within(act, seconds=seconds, subject=TITLES[provider], late=late)


def _place(handle: str) -> tuple[str, str]:
    """Return the name of the provider, and that of the key in it."""
    return PROVIDERS[_provider(handle)], f"oidcclient-dpop-{handle.partition(':')[2]}"


def _new_handle(provider: str) -> str:
    return f"{provider}:{os.urandom(NAME_BYTES).hex()}"


def _provider(handle: str) -> str:
    return handle.partition(":")[0]


def _finalize(key: OpenKey) -> None:
    """Say what a new key is for, and have it stored."""
    from .ncrypt import CngError  # noqa: PLC0415 - an unused store imports nothing

    for name, value in (
        (c.NCRYPT_EXPORT_POLICY_PROPERTY, 0),  # in no form, neither now nor for an archive
        (c.NCRYPT_KEY_USAGE_PROPERTY, c.NCRYPT_ALLOW_SIGNING_FLAG),
    ):
        try:
            key.set_number(name, value)
        except CngError as error:  # it may have one policy for all keys: what counts is read back
            if error.status != c.NTE_NOT_SUPPORTED:
                raise
    key.finalize()


def _try_out(key: OpenKey, made: CngKey) -> None:
    """
    Have a new key sign, and try to take it out.

    Raises:
        oidcclient.KeyUnavailable: It is not what it should be.
    """
    from oidcclient_dpop.stores.verifying import is_signature  # noqa: PLC0415 - an unused store imports nothing

    from .ncrypt import CngError  # noqa: PLC0415 - an unused store imports nothing

    for form in (c.BCRYPT_ECCPRIVATE_BLOB, c.NCRYPT_PKCS8_PRIVATE_KEY_BLOB):
        with suppress(CngError):
            key.export(form)
            raise KeyUnavailable("Windows lets the new key out, in spite of its policy", rule="export")
    if not is_signature(key.sign(hashlib.sha256(TRIAL).digest()), TRIAL, alg=made.alg, jwk=made.public_jwk()):
        raise KeyUnavailable("Windows makes signatures that do not verify", rule="cng")


class CngKey:
    """
    A key that Windows signs with. Thread-safe.

    Args:
        key: The key, open.
        subject: Where it is, in words.
        timeout: How long one signature may take, in seconds.
    """

    alg: Final = "ES256"
    blocks: Final = True

    def __init__(self, key: OpenKey, subject: str, timeout: float) -> None:
        from .ncrypt import parse_public  # noqa: PLC0415 - an unused store imports nothing

        point = parse_public(key.export(c.BCRYPT_ECCPUBLIC_BLOB), lambda: key.text(c.NCRYPT_ECC_CURVE_NAME_PROPERTY))
        self.protection: Final = _protection(key.number(c.NCRYPT_IMPL_TYPE_PROPERTY))
        self._jwk = ec_public_jwk("P-256", *point)
        self._key = key
        self._subject = subject
        self._timeout = timeout
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"CngKey({self._subject!r}, {self.protection.name})"

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public key."""
        return dict(self._jwk)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        digest = hashlib.sha256(message).digest()
        return within(lambda: self._sign(digest), seconds=self._timeout, subject=self._subject)

    def _sign(self, digest: bytes) -> bytes:
        from .problems import translated  # noqa: PLC0415 - an unused store imports nothing

        if not self._lock.acquire(timeout=self._timeout):  # one thread at a time; another may hang in it
            raise too_slow(self._subject, self._timeout)
        try:
            with translated(self._subject, may_be_lost=True):
                return self._key.sign(digest)
        finally:
            self._lock.release()


def _protection(impl_type: int) -> Protection:
    """Return what the key itself says of where it is, whatever its provider is called."""
    is_hardware = impl_type & (c.NCRYPT_IMPL_HARDWARE_FLAG | c.NCRYPT_IMPL_SOFTWARE_FLAG) == c.NCRYPT_IMPL_HARDWARE_FLAG
    return Protection.HARDWARE if is_hardware else Protection.ISOLATED
