"""
Refreshing, as one transaction for all processes of a machine.

    lock the record against everybody
    read it again: another process may have refreshed, and then its token is ours too
    send one token request
    save the rotated refresh token before anything else can fail
    check the answer, save the rest, let go

Providers revoke the whole grant when a refresh token is used twice (RFC 9700 section 4.14.2), so two refreshes at once
would sign the person out.
"""

from __future__ import annotations

from collections.abc import Callable

from oidcclient._words.clock import Clock
from oidcclient._words.effects import Flow, run, sleep
from oidcclient._words.errors import LoginRequired, OAuthError, SessionExpired, StoreError
from oidcclient._words.events import EventHandler, SessionRefreshed
from oidcclient._words.http import HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.record import Lock, RecordKey, SessionRecord, Store
from oidcclient._words.value import dataclass, field, replace
from oidcclient._words.values import ProviderMetadata, TokenResponse
from oidcclient.hooks import ExchangeKind
from oidcclient.protocol import (
    ClientAuth,
    Expected,
    build_refresh_request,
    check_continuity,
    check_token_type,
    parse_token_response,
    rotated_token,
)

from .exchange import BoundHooks, authenticator, with_aliases
from .provider import Provider, fetch_metadata, verified_id_token
from .tokens import Freshness, freshness, with_tokens

__all__ = ["RefreshPlan", "Rescue", "lock_record", "refresh"]

FIRST_PAUSE = 0.005  # seconds between two tries for the lock, doubled up to the longest
LONGEST_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Rescue:
    """
    A rotated refresh token that could not be saved.

    Args:
        spent: The token it replaces. Secret.
        refresh_token: The token. Secret.
    """

    spent: str | None = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshPlan:
    """
    All that a refresh needs.

    Args:
        provider: What is known of the provider.
        client_id: The client.
        client_auth: How it authenticates.
        policy: Limits; `lock_timeout` among them.
        store: Where the session is.
        key: Which session.
        resource: The resource indicator of the token; empty for none.
        stale: The token that will not do any more; another one that is found in the store will.
        refused: Whether an API has refused that token, so that it is of no use though it has not ended.
        binding_hooks: The binding hooks in use.
        rescued: Rotated tokens that could not be saved, by session.
        bind: Gives the hooks their contexts for a record.
        clock: The time.
        emit: Takes events.
    """

    provider: Provider
    client_id: str
    client_auth: ClientAuth = field(repr=False)
    policy: Policy
    store: Store = field(repr=False)
    key: RecordKey
    resource: str
    stale: str | None = field(repr=False)
    refused: bool = False
    binding_hooks: frozenset[str] = frozenset()
    rescued: dict[RecordKey, Rescue] = field(default_factory=dict, repr=False)
    bind: Callable[[SessionRecord, ProviderMetadata, float], BoundHooks] = field(repr=False)
    clock: Clock
    emit: EventHandler = field(repr=False)


def lock_record(store: Store, key: RecordKey, clock: Clock, timeout: float) -> Flow[Lock]:
    """
    Lock a record, waiting by short sleeps so that no thread of a pool is held.

    Raises:
        StoreError: It stayed locked for `timeout` seconds.
    """
    began = yield from run(clock.ticks)
    pause = FIRST_PAUSE
    while True:
        lock = yield from run(lambda: store.try_lock(key))
        if lock is not None:
            return lock
        ticks = yield from run(clock.ticks)
        if ticks - began >= timeout:
            raise StoreError(
                f"another process has held the session's lock for {timeout:.0f} seconds",
                rule="lock",
                hint="Look for a hanging process that uses the same session, end it, and try again.",
            )
        yield from sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def refresh(plan: RefreshPlan) -> Flow[SessionRecord]:
    """
    Return the session with a token that can be used, refreshed by us or by somebody else meanwhile.

    Raises:
        SessionExpired: The provider ended the session, or there is no refresh token.
        LoginRequired: The session is gone, or is bound to something this program does not have.
        StoreError: The store cannot be read, locked or written.
        TransportError: The provider cannot be reached; the session is untouched.
    """
    lock = yield from lock_record(plan.store, plan.key, plan.clock, plan.policy.lock_timeout)
    try:
        record = yield from run(lambda: plan.store.load(plan.key))
        if record is None:
            raise LoginRequired("the session is gone: somebody signed out", rule="session")
        _check_bound(plan, record)
        record = yield from _with_rescued(plan, record)
        now = yield from run(plan.clock.now)
        if _renewed(record, plan, now):
            return record
        return (yield from _refresh(plan, record, now))
    finally:
        lock.release()


def _check_bound(plan: RefreshPlan, record: SessionRecord) -> None:
    """Refuse a session that was signed in to again meanwhile, by a program with other binding hooks than ours."""
    if frozenset(record.binding_hooks) != plan.binding_hooks:
        raise LoginRequired(
            "the session is bound to something that this program does not use",
            rule="hooks",
            expected=", ".join(sorted(plan.binding_hooks)) or "nothing",
            received=", ".join(record.binding_hooks) or "nothing",
        )


def _with_rescued(plan: RefreshPlan, record: SessionRecord) -> Flow[SessionRecord]:
    """Put in place a rotated token that could not be saved when it came, if the store still has the one it replaced."""
    rescue = plan.rescued.get(plan.key)
    if rescue is None:
        return record
    if rescue.spent == record.refresh_token:
        record = replace(record, refresh_token=rescue.refresh_token)
        yield from _save(plan, record)
    del plan.rescued[plan.key]
    return record


def _renewed(record: SessionRecord, plan: RefreshPlan, now: float) -> bool:
    """Whether somebody else has refreshed: the store holds another token than ours, and it can be used."""
    token = record.tokens.get(plan.resource)
    return token is not None and token.value != plan.stale and freshness(token, now) is not Freshness.ENDED


def _refresh(plan: RefreshPlan, record: SessionRecord, now: float) -> Flow[SessionRecord]:
    refresh_token = record.refresh_token
    if refresh_token is None:
        if plan.refused:
            yield from _save(plan, _without_refused(plan, record))
        raise SessionExpired("the session has ended and there is no refresh token to renew it", rule="refresh_token")
    metadata = yield from fetch_metadata(plan.provider, now)
    hooks = plan.bind(record, metadata, now)
    metadata = with_aliases(metadata, hooks, plan.policy)
    seen: list[HttpResponse] = []
    try:
        response = yield from _exchange(plan, hooks, metadata, (refresh_token, now), seen.append)
    except OAuthError as refusal:
        if refusal.error != "invalid_grant":
            raise
        return (yield from _refused(plan, record))
    except Exception:  # whatever a hook or its author did: the rotated token must not be lost with it
        yield from _keep_rotated(plan, record, hooks, seen)
        raise
    record = yield from _keep_rotated(plan, record, hooks, seen)
    check_token_type(response, known=hooks.accept_token(ExchangeKind.REFRESH, response))
    record = yield from _checked(plan, record, response, metadata, now)
    record = replace(
        with_tokens(record, response, plan.resource, now),
        hook_state=hooks.states(record.hook_state),
        **plan.provider.to_record(),
    )
    yield from _save(plan, record)
    plan.emit(SessionRefreshed(record.issuer, record.account, response.expires_in))
    return record


def _keep_rotated(
    plan: RefreshPlan, record: SessionRecord, hooks: BoundHooks, seen: list[HttpResponse]
) -> Flow[SessionRecord]:
    """
    Save the rotated refresh token before the answer is judged: the old one is spent (RFC 9700 section 4.14.2).

    Where it cannot be saved it is kept in memory, so that this process at least does not use the old one again.
    """
    rotated = next((token for answer in reversed(seen) if (token := rotated_token(answer)) is not None), None)
    if rotated is None or rotated == record.refresh_token:
        return record
    spent = record.refresh_token
    record = replace(record, refresh_token=rotated, hook_state=hooks.states(record.hook_state))
    try:
        yield from _save(plan, record)
    except Exception:  # a store of somebody else may raise what it likes
        plan.rescued[plan.key] = Rescue(spent, rotated)
        raise
    return record


def _save(plan: RefreshPlan, record: SessionRecord) -> Flow[None]:
    yield from run(lambda: plan.store.save(record))


def _exchange(
    plan: RefreshPlan,
    hooks: BoundHooks,
    metadata: ProviderMetadata,
    what: tuple[str, float],
    witness: Callable[[HttpResponse], object],
) -> Flow[TokenResponse]:
    refresh_token, now = what
    response = yield from hooks.exchange(
        ExchangeKind.REFRESH,
        build_refresh_request(metadata, refresh_token, plan.resource or None, plan.policy),
        authenticate=authenticator(plan.client_auth, plan.client_id, metadata, now),
        witness=witness,
    )
    return parse_token_response(response)


def _refused(plan: RefreshPlan, record: SessionRecord) -> Flow[SessionRecord]:
    """Forget the tokens that failed and nothing else, unless a newer one has come from somewhere meanwhile."""
    stored = yield from run(lambda: plan.store.load(plan.key))
    if stored is not None and stored.refresh_token not in {None, record.refresh_token}:
        now = yield from run(plan.clock.now)
        if _renewed(stored, plan, now):
            return stored
    elif stored is not None:
        yield from _save(plan, _without_refused(plan, replace(stored, refresh_token=None)))
    raise SessionExpired("the provider has ended the session", rule="invalid_grant", section="RFC 6749 section 5.2")


def _without_refused(plan: RefreshPlan, record: SessionRecord) -> SessionRecord:
    if not plan.refused:
        return record
    return replace(record, tokens={place: token for place, token in record.tokens.items() if token.value != plan.stale})


def _checked(
    plan: RefreshPlan, record: SessionRecord, response: TokenResponse, metadata: ProviderMetadata, now: float
) -> Flow[SessionRecord]:
    """Take over a new ID Token, if one came and it is about the same sign-in (OIDC Core 12.2)."""
    if response.id_token is None:
        return record
    expected = Expected(
        issuer=record.issuer,
        client_id=plan.client_id,
        nonce=None,
        access_token=response.access_token,
        policy=plan.policy,
        now=now,
    )
    id_token = yield from verified_id_token(plan.provider, metadata, response.id_token, expected)
    check_continuity(id_token.claims, record.claims)
    return replace(record, id_token=id_token.raw, claims={**record.claims, **id_token.claims})
