"""A sign-in on another device, as the clients run it: the code on stderr, the wait, the end."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oidcclient._flows import device
from oidcclient._flows.plan import DevicePlan, DeviceStarted
from oidcclient._flows.preparing import abandon, forgetting
from oidcclient._words.effects import Flow, run
from oidcclient._words.record import SessionRecord
from oidcclient._words.ways import Device, DeviceCode

from .opener import say
from .pause import CancellablePause
from .pending import LoginOptions, Memory, memory_of, plan_settings

if TYPE_CHECKING:
    from .core import ClientCore

__all__ = ["PendingDevice", "start_device"]

_MINUTE = 60.0  # seconds


class PendingDevice:
    """A sign-in that waits for a person at another device; implements `Pending`."""

    def __init__(self, plan: DevicePlan, started: DeviceStarted, pause: CancellablePause, via: Device) -> None:
        self._plan = plan
        self._started = started
        self._pause = pause
        self._via = via
        self.device_code: DeviceCode | None = device.device_code(started)

    @property
    def address(self) -> str:
        """Where the person signs in; with the code in it, where the provider has such an address."""
        given = self._started.authorization
        return given.verification_uri_complete or given.verification_uri

    def show(self, issuer: str) -> Flow[None]:
        """Show the code to the person."""
        return forgetting(self._plan, self._started.hooks, run(lambda: self._show(issuer)))

    def _show(self, issuer: str) -> None:
        code = device.device_code(self._started)
        if self._via.show is not None:
            self._via.show(code)
            return
        tell(code, issuer, min(code.expires_in, self._plan.timeout))
        if self._via.qr:
            from .qr import draw  # noqa: PLC0415 - an extra

            draw(self.address)

    def finish(self) -> Flow[SessionRecord]:
        """Wait for the person."""
        return device.finish(self._plan, self._started)

    @property
    def memory(self) -> Memory:
        """What the hooks know."""
        return memory_of(self._started.hooks)

    def forget(self) -> Flow[None]:
        """Let the hooks remove what they made."""
        return abandon(self._plan, self._started.hooks)

    def cancel(self) -> None:
        """Stop the sign-in."""
        self._pause.cancel()

    def close(self) -> None:
        """End a wait that nobody waits for."""
        self._pause.cancel()


def tell(code: DeviceCode, issuer: str, seconds: float) -> None:
    """
    Say on stderr what to do: the code always, beside the address that brings it along (RFC 8628 section 3.3.1).

    Args:
        code: The codes.
        issuer: Where the person signs in.
        seconds: How long there is time.
    """
    lines = [
        f"To sign in to {urlsplit(issuer).hostname}, open this address on any device:",
        f"  {code.verification_uri}",
        "and enter this code:",
        f"  {code.user_code}",
    ]
    if code.verification_uri_complete is not None:
        lines += [
            "Or open this one, and check that the page shows the same code:",
            f"  {code.verification_uri_complete}",
        ]
    minutes = max(1, round(seconds / _MINUTE))
    # Section 5.4: whoever is talked into entering a code signs somebody else in.
    lines += [
        "Go on only if you started this sign-in yourself.",
        f"There is time for {minutes} minute{'s' if minutes > 1 else ''}.",
    ]
    say(*lines)


def start_device(core: ClientCore, options: LoginOptions, via: Device, *, opens: bool) -> Flow[PendingDevice]:
    """
    Ask for the codes.

    Args:
        core: The client.
        options: What was asked for.
        via: How the code is shown.
        opens: Whether `login` shows it later; otherwise only a `show` of the program's own is called.
    """
    if via.qr:
        from .qr import check_available  # noqa: PLC0415 - an extra

        yield from run(check_available)
    pause = CancellablePause()
    plan = DevicePlan(**plan_settings(core, options), pause=pause)
    pending = PendingDevice(plan, (yield from device.start(plan)), pause, via)
    if not opens and via.show is not None:
        yield from pending.show(core.issuer)
    return pending
