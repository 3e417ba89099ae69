"""Finding a stored session. Never opens anything, never touches the network."""

from __future__ import annotations

from contextlib import suppress

from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import LoginRequired, StoreError
from oidcclient._words.record import SessionRecord, Store
from oidcclient._words.value import dataclass, field

__all__ = ["SessionQuery", "find_session", "usable_sessions", "use_session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """
    Which sessions are ours.

    Args:
        store: Where they are.
        profile: The profile.
        issuer: The issuer.
        client_id: The client.
        binding_hooks: The binding hooks in use; a session made with others, or without, is not ours.
    """

    store: Store = field(repr=False)
    profile: str
    issuer: str
    client_id: str
    binding_hooks: frozenset[str]


def usable_sessions(query: SessionQuery) -> Flow[tuple[SessionRecord, ...]]:
    """Return the sessions that this client may use, the last one used first."""
    records = yield from run(lambda: query.store.records(query.profile, query.issuer, query.client_id))
    return tuple(record for record in records if frozenset(record.binding_hooks) == query.binding_hooks)


def find_session(query: SessionQuery, account: str | None) -> Flow[SessionRecord]:
    """
    Return the session of an account, or the last one used.

    Raises:
        LoginRequired: There is none.
        StoreError: The store cannot be read.
    """
    if account is None:
        record = yield from run(lambda: query.store.current(query.profile, query.issuer, query.client_id))
        if record is not None and frozenset(record.binding_hooks) == query.binding_hooks:
            return record
    for record in (yield from usable_sessions(query)):
        if account is None or record.account == account:
            return record
    who = "nobody is signed in" if account is None else "that account is not signed in"
    raise LoginRequired(f"{who} (profile {query.profile})", rule="session")


def use_session(query: SessionQuery, record: SessionRecord) -> Flow[None]:
    """Make a session the one that is used by default. A store that cannot be written does not matter here."""
    current = yield from run(lambda: query.store.current(query.profile, query.issuer, query.client_id))
    if current is None or current.key != record.key:
        with suppress(StoreError):
            yield from run(lambda: query.store.make_current(record.key))
