"""Finding a stored session. Never opens anything, never touches the network."""

from __future__ import annotations

from dataclasses import dataclass, field

from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import LoginRequired, SessionExpired
from oidcclient._words.record import SessionRecord, Store
from oidcclient._words.values import AccessToken

__all__ = ["SessionQuery", "current_token", "find_session", "usable_sessions"]

EARLY = 30.0  # seconds before its end at which a token counts as ended: it must survive the request it is sent with


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


def current_token(record: SessionRecord, resource: str | None, now: float) -> AccessToken:
    """
    Return the stored access token for a resource, if it is still good.

    Args:
        record: The session.
        resource: The resource indicator asked for at the sign-in; None for the token that was asked for without one.
        now: Unix seconds.

    Raises:
        LoginRequired: No token for that resource was asked for.
        SessionExpired: The token has ended.
    """
    token = record.tokens.get(resource or "")
    if token is None and resource is None and len(record.tokens) == 1:
        token = next(iter(record.tokens.values()))
    if token is None:
        raise LoginRequired(
            "no token for this resource was asked for at the sign-in",
            rule="resource",
            section="RFC 8707 section 2",
            received=resource,
            hint="Sign in again with login(resource=...).",
        )
    if token.expires_at is not None and now >= token.expires_at - EARLY:
        raise SessionExpired("the access token has expired", rule="expires_in")
    return token
