"""A sign-in that was started, for sync and for async programs."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, NoReturn

from oidcclient._words.errors import UsageError

from .core import ClientCore
from .drivers import drive
from .session import AsyncSession, Session
from .wires import AsyncWires, Wires

if TYPE_CHECKING:
    from oidcclient._words.ways import DeviceCode

    from .pending import Pending

__all__ = ["AsyncPendingLogin", "PendingLogin"]


class _PendingBase:
    def __init__(self, core: ClientCore, pending: Pending) -> None:
        self._core = core
        self._pending = pending
        self._waited = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(issuer={self._core.issuer!r})"

    @property
    def url(self) -> str:
        """The address to open in a browser, here or on another device; good for this sign-in alone."""
        return self._pending.address

    @property
    def device_code(self) -> DeviceCode | None:
        """What to show to the person, where they sign in on another device (`via=Device()`); None otherwise."""
        return self._pending.device_code

    def cancel(self) -> None:
        """Stop the sign-in; `wait` then raises LoginCancelled. May be called from any thread."""
        self._pending.cancel()

    def __del__(self) -> None:
        """Stop listening when nobody can wait any more, and let the hooks remove what they made: a key, for example."""
        self._pending.close()
        if not self._waited and self._core.hooks:
            with contextlib.suppress(RuntimeError):  # the interpreter ends: no thread starts any more
                threading.Thread(target=_forget, args=(self._pending,), daemon=True, name="oidcclient-forget").start()


def _forget(pending: Pending) -> None:
    drive(pending.forget(), _no_wire)


def _no_wire() -> NoReturn:
    raise UsageError("what a sign-in that was given up left behind is removed without the network", rule="hook")


class PendingLogin(_PendingBase):
    """A sign-in that waits for a person. Made by `start_login()`; call `wait()` soon, it answers the browser."""

    def __init__(self, core: ClientCore, pending: Pending, wires: Wires) -> None:
        super().__init__(core, pending)
        self._wires = wires

    def wait(self) -> Session:
        """
        Wait until the person has signed in.

        Raises:
            LoginTimedOut: Nobody finished in time.
            LoginCancelled: `cancel` was called.
            OidcError: The sign-in failed.
        """
        from .signing_in import finish_login  # noqa: PLC0415 - a stored session needs none of it

        self._waited = True
        record = self._wires.drive(finish_login(self._core, self._pending))
        return Session(self._core, record, self._wires)


class AsyncPendingLogin(_PendingBase):
    """A sign-in that waits for a person. Made by `start_login()`; call `wait()` soon, it answers the browser."""

    def __init__(self, core: ClientCore, pending: Pending, wires: AsyncWires) -> None:
        super().__init__(core, pending)
        self._wires = wires

    async def wait(self) -> AsyncSession:
        """
        Wait until the person has signed in.

        Raises:
            LoginTimedOut: Nobody finished in time.
            LoginCancelled: `cancel` was called.
            OidcError: The sign-in failed.
        """
        from .signing_in import finish_login  # noqa: PLC0415 - a stored session needs none of it

        self._waited = True
        record = await self._wires.drive(finish_login(self._core, self._pending))
        return AsyncSession(self._core, record, self._wires)
