"""Choosing a way to sign in by what is there: the browser, a device code, or pasting."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from oidcclient._flows.provider import fetch_metadata
from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import OAuthError
from oidcclient._words.events import WayChosen
from oidcclient._words.record import SessionRecord
from oidcclient._words.ways import Auto, Device, DeviceCode, Loopback, Paste
from oidcclient.protocol import device_endpoint

from .browser.environment import Detection, Verdict, detect, read_surroundings, stderr_is_tty
from .by_browser import start_browser
from .by_device import start_device
from .opener import nobody_here
from .pending import LoginOptions, Memory, Pending
from .redirect import CodeWanted
from .terminal import open_keyboard

if TYPE_CHECKING:
    from .core import ClientCore

__all__ = ["start_chosen"]

W = TypeVar("W", Loopback, Device, Paste)

# How providers say that this client may not use the grant: RFC 6749 section 5.2; the last is oidc-provider's (npm).
_NOT_FOR_US = frozenset({"unauthorized_client", "unsupported_grant_type", "invalid_request"})


def start_chosen(core: ClientCore, options: LoginOptions, auto: Auto, *, opens: bool) -> Flow[Pending]:
    """
    Choose, tell why in an event, and start.

    Raises:
        BrowserUnavailable: There is no way: nobody is here.
    """
    detection = yield from run(lambda: _detect(options, auto))
    way = yield from _choose(core, auto, detection)
    if not isinstance(way, Device):
        offers = opens and (yield from _can_offer_code(core, way))
        pending = yield from start_browser(core, options, way, opens=opens, detection=detection, offers_code=offers)
        return PendingChosen(core, options, auto, pending) if offers else pending
    try:
        return (yield from start_device(core, options, way, opens=opens))
    except OAuthError as refusal:
        if refusal.error not in _NOT_FOR_US or detection.chosen == "device":
            raise
        reason = f"provider: it gives this client no device code ({refusal.error})"
    paste = yield from run(lambda: _paste_or_nothing(core, auto, (*detection.reasons, reason)))
    return (yield from start_browser(core, options, paste, opens=opens, detection=detection))


class PendingChosen:
    """A sign-in by a browser that becomes one by a code when the person asks for it; implements `Pending`."""

    def __init__(self, core: ClientCore, options: LoginOptions, auto: Auto, pending: Pending) -> None:
        self._core = core
        self._options = options
        self._auto = auto
        self._pending = pending

    @property
    def device_code(self) -> DeviceCode | None:
        """The codes, once the person asked for them."""
        return self._pending.device_code

    @property
    def address(self) -> str:
        """Where the person signs in."""
        return self._pending.address

    @property
    def memory(self) -> Memory:
        """What the hooks know."""
        return self._pending.memory

    def show(self, issuer: str) -> Flow[None]:
        """Open the address, or show it."""
        return self._pending.show(issuer)

    def finish(self) -> Flow[SessionRecord]:
        """Wait for the person; begin anew with a code if they ask for one."""
        try:
            return (yield from self._pending.finish())
        except CodeWanted:
            self._pending.close()
        _chosen(self._core, self._auto.device, ("choice: the person asked for a code",))
        self._pending = yield from start_device(self._core, self._options, self._auto.device, opens=True)
        yield from self._pending.show(self._core.issuer)
        return (yield from self._pending.finish())

    def forget(self) -> Flow[None]:
        """Let the hooks remove what they made."""
        return self._pending.forget()

    def cancel(self) -> None:
        """Stop the sign-in."""
        self._pending.cancel()

    def close(self) -> None:
        """Let go of all that waits."""
        self._pending.close()


def _can_offer_code(core: ClientCore, way: Loopback | Paste) -> Flow[bool]:
    """Tell whether the person could ask for a code at the terminal: they read and type there, and there are codes."""
    if isinstance(way, Paste) and way.read is not None:
        return False
    if not (yield from run(lambda: stderr_is_tty() and open_keyboard() is not None)):
        return False
    now = yield from run(core.clock.now)
    return device_endpoint((yield from fetch_metadata(core.provider, now))) is not None


def _detect(options: LoginOptions, auto: Auto) -> Detection:
    found = detect(read_surroundings(), configured=auto.flow)
    if options.open_browser is None or found.chosen is not None:
        return found
    return Detection(Verdict.BROWSER, ("choice: the program opens the address itself",))


def _choose(core: ClientCore, auto: Auto, detection: Detection) -> Flow[Loopback | Device | Paste]:
    reasons = detection.reasons
    if detection.kind is Verdict.FAIL:
        raise nobody_here(reasons[-1])
    if detection.kind is Verdict.BROWSER:
        return _chosen(core, auto.loopback, reasons)
    if detection.chosen is not None:
        return (
            _chosen(core, auto.device, reasons) if detection.chosen == "device" else _chosen(core, auto.paste, reasons)
        )
    now = yield from run(core.clock.now)
    metadata = yield from fetch_metadata(core.provider, now)
    if device_endpoint(metadata) is None:
        why = "provider: it has no device authorization endpoint"
    elif auto.device.show is None and not (yield from run(stderr_is_tty)):
        why = "terminal: nobody would see a code"
    else:
        return _chosen(core, auto.device, (*reasons, "provider: it has a device authorization endpoint"))
    return (yield from run(lambda: _paste_or_nothing(core, auto, (*reasons, why))))


def _paste_or_nothing(core: ClientCore, auto: Auto, reasons: tuple[str, ...]) -> Paste:
    if auto.paste.read is None and not (stderr_is_tty() and open_keyboard() is not None):
        raise nobody_here("; ".join((*reasons[-2:], "terminal: nobody could paste an address")))
    return _chosen(core, auto.paste, (*reasons, "terminal: an address can be pasted"))


def _chosen(core: ClientCore, way: W, reasons: tuple[str, ...]) -> W:
    core.emit(WayChosen(type(way).__name__.lower(), reasons))
    return way
