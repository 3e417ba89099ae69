"""Where the access tokens of one session come from: the record in memory, or a refresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from oidcclient._flows.tokens import Freshness, freshness, resource_for
from oidcclient._words.record import RecordKey, SessionRecord
from oidcclient._words.values import AccessToken

if TYPE_CHECKING:
    from oidcclient._flows.exchange import BoundHooks

    from .core import ClientCore
    from .http import Performs
    from .refresher import Flight

__all__ = ["TokenSource"]


class TokenSource:
    """
    Hand out the access token of one session for one resource.

    Args:
        core: The client.
        key: Which session.
        resource: An API's address or a resource indicator; None for the session's first or only token.
        wire: Makes what performs the requests of a refresh.
    """

    def __init__(self, core: ClientCore, key: RecordKey, resource: str | None, wire: Callable[[], Performs]) -> None:
        self._core = core
        self._key = key
        self._wire = wire
        self.loop_thread: int | None = None
        self._bound: tuple[SessionRecord, BoundHooks | None] | None = None
        self._place = resource_for(core.record(key), resource)

    def of(self, record: SessionRecord) -> AccessToken:
        """Return the token of a record that has just been refreshed."""
        return record.tokens[self._place]

    def ready(self) -> AccessToken | None:
        """Return the token if it can be used now; one that ends soon is renewed meanwhile, and nobody waits for it."""
        record = self._core.record(self._key)
        token = record.tokens.get(self._place)
        state = freshness(token, self._core.clock.now())
        if state is Freshness.FRESH:
            return token
        if state is Freshness.DUE:
            if (
                token is not None
                and record.refresh_token
                and not self._core.refresher.wants_quiet(self._key, self._place)
            ):
                self._core.fly(self._key, self._place, token.value, self._wire)
            return token
        return None

    def fly(self, stale: str | None, *, refused: bool = False) -> Flight:
        """
        Start a refresh, or join the one under way.

        Args:
            stale: The token that will not do; None for the one that has ended.
            refused: Whether an API has refused it.

        Raises:
            TransportError: The provider asked to be left alone for a while.
        """
        self._core.refresher.check_retry_after(self._key, self._place)
        if stale is None:
            token = self._core.record(self._key).tokens.get(self._place)
            stale = None if token is None else token.value
        return self._core.fly(self._key, self._place, stale, self._wire, refused=refused)

    def hooks(self) -> BoundHooks | None:
        """Return the session's hooks, if any of them wraps exchanges. Bound once for each state of the session."""
        record = self._core.record(self._key)
        if self._bound is None or self._bound[0] is not record:
            self._bound = (record, self._core.resource_hooks(record))
        return self._bound[1]
