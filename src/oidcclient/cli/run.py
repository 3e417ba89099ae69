"""What every command has at hand: where its output goes, and what it says on the way."""

from __future__ import annotations

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

    def client(self, settings: Settings, **more: Any) -> oidcclient.Client:
        """Return a client; what happens is traced if that was asked for."""
        on_event = self.on_event
        transport = self.transport(settings)
        return open_client(settings, on_event=on_event, transport=transport, **more)

    def store(self, settings: Settings) -> oidcclient.Store:
        """Return the store of a profile."""
        return open_store(settings)

    def on_event(self, event: oidcclient.events.Event) -> None:
        """Take what happens: notices are for the person, the rest is for the trace."""
        if isinstance(event, oidcclient.events.Notice):
            output.say(output.plain(event.text))
        elif self.trace is not None:
            self.trace.event(event)

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
            output.say(text)
