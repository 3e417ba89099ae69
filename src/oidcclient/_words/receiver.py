"""
How an authorization response reaches a flow: the port for a listener, a pasted address or an app's own scheme.

And how a flow waits where no response comes: it asks again and again, and pauses in between.
"""

from __future__ import annotations

from typing import Protocol

from .value import dataclass, field

__all__ = ["CallbackArrived", "LoginOutcome", "Pause", "Receiver", "StartRequested"]


@dataclass(frozen=True, slots=True)
class StartRequested:
    """
    A browser asked for our own start address and waits to be sent on.

    Args:
        token: Names the waiting connection to its receiver.
    """

    token: int


@dataclass(frozen=True, slots=True)
class CallbackArrived:
    """
    An authorization response whose `state` is ours.

    Args:
        parameters: Every name and value that came, form-decoded, in order. Secret: they hold the code.
        redirect_uri: The redirect URI on which it came, as the receiver saw it.
    """

    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class LoginOutcome:
    """
    What the person is told in the browser when all is done.

    Args:
        ok: Whether the sign-in was completed, all checks included.
        message: One sentence for the person. Shown escaped.
        detail: The error code or rule, for support. Shown escaped.
    """

    ok: bool
    message: str = ""
    detail: str = ""


class Receiver(Protocol):
    """
    Receive one authorization response. Methods may block; each is called from one thread at a time, except `cancel`.

    A flow uses it so: `open`, then `wait` until a callback arrives (each `StartRequested` answered by `send_on`), then
    `finish` with what came of it, then `close`. `close` may come at any moment and is safe to call twice.
    """

    def open(self, state: str) -> str:
        """Make ready for the response that carries `state`, and return the `redirect_uri` to use, byte for byte."""
        ...

    @property
    def start_uri(self) -> str | None:
        """Our own short address that sends a browser on to the provider, if this receiver has one."""
        ...

    def wait(self, seconds: float) -> StartRequested | CallbackArrived | None:
        """
        Block for the next event, or return None when the time is over.

        Raises:
            LoginCancelled: `cancel` was called.
            CallbackRefused: Too many responses came that were not ours.
        """
        ...

    def send_on(self, event: StartRequested, address: str | None) -> None:
        """Send the waiting browser to `address` at the provider; None tells it that there will be no sign-in."""
        ...

    def finish(self, outcome: LoginOutcome) -> None:
        """Tell the waiting browser what came of the sign-in; returns when its page was fetched, or after one second."""
        ...

    def cancel(self) -> None:
        """Make `wait` raise LoginCancelled at once; may be called from any thread."""
        ...

    def close(self) -> None:
        """Stop listening and let every connection go. Quick, never raises."""
        ...


class Pause(Protocol):
    """Let time pass until the flow asks again. Unlike a plain sleep it can be ended at once."""

    def wait(self, seconds: float) -> None:
        """
        Block for `seconds`.

        Raises:
            LoginCancelled: `cancel` was called, now or before.
        """
        ...

    def cancel(self) -> None:
        """Make `wait` raise LoginCancelled at once; may be called from any thread."""
        ...
