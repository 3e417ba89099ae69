"""What `-v` says: the steps of the library's events; with `-vv` the HTTP too, redacted by an allow-list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import oidcclient
from oidcclient import UsageError, events

from .output import can_ask, duration, plain, say, typed

__all__ = ["STEPS", "Trace", "ask_for_unsafe", "step"]

STEPS: dict[type, Callable[[Any], str]] = {
    events.WayChosen: lambda event: f"The way to sign in: {event.way} ({'; '.join(event.reasons)})",
    events.DeviceCodeShown: lambda _: "There is a code for another device",
    events.Notice: lambda event: event.text,
    events.MetadataFetched: lambda event: f"The provider's metadata is there: {event.issuer}",
    events.KeysFetched: lambda event: f"The provider's signing keys are there: {event.count}",
    events.RequestPushed: lambda event: f"The request was pushed; good for {duration(event.expires_in)}",
    events.SignInAddress: lambda _: "The sign-in has an address for the browser",
    events.BrowserOpened: lambda event: (
        f"A browser was started: {event.how}" if event.started else f"No browser could be started: {event.how}"
    ),
    events.CallbackAccepted: lambda _: "The browser came back with the answer to our request",
    events.TokenReceived: lambda event: (
        f"The token endpoint gave a {event.token_type} token"
        + (f" for {duration(event.expires_in)}" if event.expires_in else "")
        + (", with a refresh token" if event.refreshable else "")
    ),
    events.IDTokenVerified: lambda event: f"The ID Token is verified ({event.algorithm})",
    events.SignedIn: lambda event: f"The session of {event.sub} is stored",
    events.SessionRefreshed: lambda _: "The session was refreshed",
    events.SignedOut: lambda _: "The session was wiped from this machine",
}


def step(event: events.Event) -> str:
    """Return an event in words; of one that is not known here, its name alone."""
    words = STEPS.get(type(event))
    return type(event).__name__ if words is None else plain(words(event))


def ask_for_unsafe() -> None:
    """
    Ask whether secrets may be shown.

    Raises:
        UsageError: There is nobody to ask.
        LoginCancelled: The answer is not yes.
    """
    if not can_ask():
        raise UsageError(
            "--trace-unsafe shows secrets, and there is no terminal to ask whether it may",
            rule="trace-unsafe",
            hint="Use -vv, which leaves them out.",
        )
    say("This shows tokens, codes and secrets on the screen. Whoever sees them can use them.")
    if typed("Type yes to go on: ") != "yes":
        raise oidcclient.LoginCancelled("nothing was done", hint="Use -vv, which leaves secrets out.")


class Trace:
    """
    What is said on the way.

    Args:
        http: Whether requests and answers are shown.
        unsafe: Whether secrets are shown too.
    """

    def __init__(self, *, http: bool, unsafe: bool = False) -> None:
        self.http = http
        self._unsafe = unsafe

    def event(self, event: events.Event) -> None:
        """Say what happened."""
        say(f"- {step(event)}")

    def transport(self, ca_bundle: str | None, *, bodies: bool) -> Any:
        """Return an httpx transport that says what it sends and gets."""
        from .http_trace import TracingTransport  # noqa: PLC0415 - httpx, only where it is asked for

        return TracingTransport(ca_bundle, bodies=bodies, unsafe=self._unsafe)
