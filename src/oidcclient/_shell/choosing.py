"""Choosing a way to sign in by what is there: the browser, a device code, or pasting."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from oidcclient._flows.provider import fetch_metadata
from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import OAuthError
from oidcclient._words.events import WayChosen
from oidcclient._words.ways import Auto, Device, Loopback, Paste
from oidcclient.protocol import device_endpoint

from .browser.environment import Detection, Verdict, detect, read_surroundings, stderr_is_tty
from .by_browser import start_browser
from .by_device import start_device
from .opener import nobody_here
from .pending import LoginOptions, Pending
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
        return (yield from start_browser(core, options, way, opens=opens, detection=detection))
    try:
        return (yield from start_device(core, options, way, opens=opens))
    except OAuthError as refusal:
        if refusal.error not in _NOT_FOR_US or detection.chosen == "device":
            raise
        reason = f"provider: it gives this client no device code ({refusal.error})"
    paste = yield from run(lambda: _paste_or_nothing(core, auto, (*detection.reasons, reason)))
    return (yield from start_browser(core, options, paste, opens=opens, detection=detection))


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
