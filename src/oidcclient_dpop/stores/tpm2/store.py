"""The key store `tpm2:` and its keys."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import Protection
from oidcclient_dpop.stores.deadline import too_slow
from oidcclient_dpop.stores.jose import b64url_decode, b64url_encode, ec_public_jwk, raw_signature

from . import constants as c
from .blob import LONGEST_BLOB, WrappedKey, parse_public
from .commands import Tpm, TpmError
from .marshal import MalformedAnswer
from .problems import lost, unavailable, why_not_open
from .transport import Channel, DeadlinePassed, open_device, open_socket

__all__ = ["Place", "Tpm2Key", "Tpm2Store"]

T = TypeVar("T")

DEVICE: Final = "/dev/tpmrm0"  # Linux's resource manager: each who opens it has its own objects
TIMEOUT_S: Final = 30.0  # slow chips take seconds to make a key, and others may use the TPM too
PROBE_S: Final = 2.0
# One user at a time per TPM in this process. The process is part of the key: a child of fork() has locks of its own, as
# a thread that it does not have may hold ours.
_LOCKS: Final[dict[tuple[int, str], threading.Lock]] = {}


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a TPM is.

    Args:
        path: Of the device or the socket.
        is_socket: Which of the two it is.
    """

    path: str
    is_socket: bool

    @property
    def keeps_objects(self) -> bool:
        """Whether a resource manager lets us keep a key loaded: /dev/tpmrm0 does; /dev/tpm0 and simulators do not."""
        return not self.is_socket and os.path.basename(self.path).startswith("tpmrm")  # noqa: PTH119 - text is enough

    def open(self, deadline: float) -> Channel:
        """Open it; what the system says goes out as it is."""
        if sys.platform == "win32":
            raise OSError(errno.ENODEV, "no such device")
        return open_socket(self.path, deadline) if self.is_socket else open_device(self.path)

    def lock(self, deadline: float) -> threading.Lock:
        """Wait until nobody else in this process uses it; release what is returned."""
        who = (os.getpid(), self.path)
        lock = _LOCKS.get(who) or _LOCKS.setdefault(who, threading.Lock())
        if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise DeadlinePassed
        return lock


def _parse_uri(uri: str) -> Place:
    scheme, _, rest = uri.partition(":")
    name, _, path = rest.partition("=")
    if scheme != "tpm2" or "\0" in path or (rest and (name not in {"device", "socket"} or not path.startswith("/"))):
        raise UsageError(
            "a TPM is named tpm2: or tpm2:device=/path or tpm2:socket=/path", rule="uri", expected="an absolute path"
        )
    return Place(path or DEVICE, is_socket=name == "socket")


class Tpm2Store:
    """
    Make keys in a TPM 2.0: they cannot leave it. The handle is the key itself, wrapped by the TPM.

    Args:
        uri: `tpm2:`, `tpm2:device=/dev/tpmrm0`, or `tpm2:socket=/path` for a simulator in tests.
        timeout: How long one operation may take, waiting for others included, in seconds.
    """

    protection: Final = Protection.HARDWARE
    title: Final = "TPM 2.0"

    def __init__(self, uri: str = "tpm2:", *, timeout: float = TIMEOUT_S) -> None:
        self._place = _parse_uri(uri)
        self._timeout = timeout
        self.uri: Final = uri

    def __repr__(self) -> str:
        return f"Tpm2Store({self.uri!r})"

    def probe(self) -> str | None:
        """Return why the TPM cannot be opened, or None. It is opened and closed; nothing is sent."""
        deadline = time.monotonic() + min(PROBE_S, self._timeout)
        try:
            self._place.open(deadline).close()
        except DeadlinePassed:
            return "the TPM is in use"
        except OSError as error:
            return why_not_open(error, self._place.path)
        return None

    def algorithms(self) -> tuple[str, ...]:
        """Return the one that every TPM 2.0 has."""
        return ("ES256",)

    def create(self, alg: str) -> tuple[Tpm2Key, str]:
        """Make a key."""
        if alg != "ES256":
            raise KeyUnavailable(f"a TPM makes no key for {alg}", rule="alg", expected="ES256", received=alg)
        wrapped = _operate(self._place, self._timeout, Tpm.create)
        key = Tpm2Key(self._place, wrapped, self._timeout)
        key.load()
        return key, b64url_encode(wrapped.dump())

    def load(self, handle: str) -> Tpm2Key:
        """Load a key from its blob; only the TPM that made it can."""
        try:
            if len(handle) > 2 * LONGEST_BLOB:
                raise ValueError("too long")
            wrapped = WrappedKey.parse(b64url_decode(handle))
        except (ValueError, MalformedAnswer) as error:
            raise KeyLost(f"what is stored is no key of a TPM: {error}", rule="blob") from None
        key = Tpm2Key(self._place, wrapped, self._timeout)
        key.load()
        return key

    def delete(self, handle: str) -> None:
        """Do nothing: the key is nowhere but in its handle."""


class Tpm2Key:
    """
    A key that a TPM signs with. Thread-safe, and usable in a child of fork().

    Args:
        place: Where the TPM is.
        wrapped: The key as the TPM wrapped it.
        timeout: How long one operation may take, in seconds.
    """

    alg: Final = "ES256"
    protection: Final = Protection.HARDWARE
    blocks: Final = True

    def __init__(self, place: Place, wrapped: WrappedKey, timeout: float) -> None:
        self._place = place
        self._wrapped = wrapped
        self._timeout = timeout
        self._jwk = ec_public_jwk("P-256", *parse_public(wrapped.public))
        self._kept: tuple[Tpm, int] | None = None  # under the lock of the place

    def __repr__(self) -> str:
        return f"Tpm2Key({self._place.path!r})"

    def __del__(self) -> None:
        kept = getattr(self, "_kept", None)
        if kept is not None:
            with suppress(OSError):
                kept[0].channel.close()

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public key."""
        return dict(self._jwk)

    def load(self) -> None:
        """See whether the TPM takes the key, and keep it loaded where a resource manager allows it."""
        self._with_handle(lambda _tpm, _handle: None)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        digest = hashlib.sha256(message).digest()
        r, s = self._with_handle(lambda tpm, handle: tpm.sign(handle, digest))
        try:
            return raw_signature(r, s)
        except ValueError:
            raise unavailable(MalformedAnswer("it is no signature"), self._place.path) from None

    def _with_handle(self, use: Callable[[Tpm, int], T]) -> T:
        if not self._place.keeps_objects:
            return _operate(self._place, self._timeout, lambda tpm: self._use_once(tpm, use))
        return _locked(self._place, self._timeout, lambda deadline: self._use_kept(use, deadline))

    def _use_once(self, tpm: Tpm, use: Callable[[Tpm, int], T]) -> T:
        handle = tpm.load(self._wrapped)
        try:
            return use(tpm, handle)
        finally:
            tpm.flush(handle)

    def _use_kept(self, use: Callable[[Tpm, int], T], deadline: float) -> T:
        kept = self._kept
        if kept is not None:
            # A child of fork() shares the descriptor with its parent, and with it the answers: it opens its own.
            if kept[0].channel.process == os.getpid():
                kept[0].deadline = deadline
                try:
                    return self._or_dropped(use, *kept)
                except (OSError, TpmError) as error:
                    if isinstance(error, TpmError) and error.base not in {c.RC_HANDLE, c.RC_REFERENCE_H0}:
                        raise  # what follows is for keys that were lost from the chip's memory: a suspend, a driver
            self._drop()
        tpm = Tpm(self._place.open(deadline), deadline)
        try:
            self._kept = (tpm, tpm.load(self._wrapped))
        except BaseException:
            tpm.channel.close()
            raise
        return self._or_dropped(use, *self._kept)

    def _or_dropped(self, use: Callable[[Tpm, int], T], tpm: Tpm, handle: int) -> T:
        """Use a loaded key; after a failure nobody knows in which state the channel is, so it is closed."""
        try:
            return use(tpm, handle)
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept[0].channel.close()


def _operate(place: Place, timeout: float, action: Callable[[Tpm], T]) -> T:
    """Open a TPM, do one thing and close it."""

    def act(deadline: float) -> T:
        channel = place.open(deadline)
        try:
            tpm = Tpm(channel, deadline)
            try:
                return action(tpm)
            except TpmError as error:
                if not place.is_socket or error.code not in {c.RC_INITIALIZE, c.RC_OBJECT_MEMORY}:
                    raise
                # A simulator has no firmware to start it, no resource manager, and one user at a time: us.
                (tpm.startup if error.code == c.RC_INITIALIZE else tpm.flush_all)()
            return action(tpm)
        finally:
            channel.close()

    return _locked(place, timeout, act)


def _locked(place: Place, timeout: float, act: Callable[[float], T]) -> T:
    """Do something in its time while nobody else uses the TPM; what happens below becomes an error of this library."""
    try:
        deadline = time.monotonic() + timeout
        lock = place.lock(deadline)
        try:
            return act(deadline)
        finally:
            lock.release()
    except DeadlinePassed:
        raise too_slow("the TPM", timeout) from None
    except TpmError as error:
        raise (lost(error) or unavailable(error, place.path)) from error
    except (MalformedAnswer, OSError) as error:
        raise unavailable(error, place.path) from error
