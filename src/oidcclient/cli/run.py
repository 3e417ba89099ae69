"""What every command has at hand: where its output goes, and what it says on the way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import oidcclient

from . import output
from .clients import open_client, open_store
from .settings import Settings, resolve

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Run"]


class Run:
    """
    One call of the command.

    Args:
        as_json: Whether the result is JSON.
        verbosity: How much is said on the way: 1 steps, 2 HTTP too.
        unsafe: Whether secrets may be in it.
    """

    def __init__(self, *, as_json: bool, verbosity: int = 0, unsafe: bool = False) -> None:
        self.as_json = as_json
        self.trace: Trace | None = None
        if verbosity:
            from .trace import Trace  # noqa: PLC0415 - only where it is asked for

            self.trace = Trace(http=verbosity > 1, unsafe=unsafe)

    def settings(self, profile: str | None, **flags: Any) -> Settings:
        """Gather the settings of a profile; arguments as for `resolve`."""
        return resolve(profile, flags)

    def client(
        self,
        settings: Settings,
        *,
        store: oidcclient.Store | None = None,
        listener: Callable[[oidcclient.events.Event], object] | None = None,
    ) -> oidcclient.Client:
        """
        Return a client; what happens is traced if that was asked for.

        Args:
            settings: The settings.
            store: The store, where it is open already.
            listener: Takes events too, before they are told.
        """

        def on_event(event: oidcclient.events.Event) -> None:
            if listener is not None:
                listener(event)
            self.tell(event, sign_in=listener is not None)

        return open_client(settings, on_event=on_event, transport=self.transport(settings), store=store)

    def store(self, settings: Settings) -> oidcclient.Store:
        """Return the store of a profile."""
        return open_store(settings)

    def tell(self, event: oidcclient.events.Event, *, sign_in: bool) -> None:
        """
        Say what happened: notices to every person, the rest to whoever wants a trace.

        Args:
            event: What happened.
            sign_in: Whether it happened at a sign-in: the library itself talks to the person there.
        """
        if self.trace is not None:
            self.trace.event(event)
        elif isinstance(event, oidcclient.events.Notice) and not sign_in:
            output.say(output.plain(event.text))

    def transport(self, settings: Settings, *, bodies: bool = True) -> Any:
        """Return the transport that traces HTTP, or None where none is traced."""
        if self.trace is None or not self.trace.http:
            return None
        return self.trace.transport(settings.path("ca_bundle"), bodies=bodies)

    def result(self, value: Any, text: str) -> None:
        """Write the result on stdout."""
        output.text_or_json(value, text, as_json=self.as_json)

    def done(self, value: Any, text: str) -> None:
        """Say that something is done; only JSON is a result."""
        if self.as_json:
            output.result(output.json_text(value))
        else:
            output.say(*(output.fitted(line, sys.stderr) for line in text.split("\n")))
