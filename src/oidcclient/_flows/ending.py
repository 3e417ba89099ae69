"""Signing out: forget here first, then tell the provider, then remove the key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeVar

from oidcclient._words.clock import Clock
from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import LoginRequired, OAuthError, OidcError, StoreError
from oidcclient._words.events import EventHandler, Notice, SignedOut
from oidcclient._words.policy import Policy
from oidcclient._words.record import RecordKey, SessionRecord, Store
from oidcclient._words.value import dataclass, field
from oidcclient._words.values import Json, ProviderMetadata
from oidcclient.hooks import ExchangeKind, Forgets, Hook, HttpRequest
from oidcclient.protocol import (
    ClientAuth,
    build_revocation_request,
    end_session_address,
    parse_revocation_response,
)

from .exchange import BoundHooks, authenticator, with_aliases
from .provider import Provider, fetch_metadata
from .refresh import lock_record

__all__ = ["EndPlan", "forget_state", "forgetting_after", "logout_here", "logout_there", "revoke"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPlan:
    """
    All that ending a session needs.

    Args:
        provider: What is known of the provider.
        client_id: The client.
        client_auth: How it authenticates.
        policy: Limits.
        store: Where the session is.
        key: Which session.
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
    bind: Callable[[SessionRecord, ProviderMetadata, float], BoundHooks] = field(repr=False)
    clock: Clock
    emit: EventHandler = field(repr=False)


def logout_here(plan: EndPlan, known: SessionRecord | None) -> Flow[SessionRecord | None]:
    """
    Wipe the session from the store, whatever the network does, and return what was in it.

    The record is locked for it, so that a refresh under way cannot bring it back.

    Args:
        plan: What is needed.
        known: What this process knows of the session, for a store that cannot be read any more.

    Raises:
        StoreError: It could not be wiped.
    """
    lock = yield from lock_record(plan.store, plan.key, plan.clock, plan.policy.lock_timeout)
    try:
        try:
            record = yield from run(lambda: plan.store.load(plan.key))
        except (StoreError, LoginRequired):
            record = known
        yield from run(lambda: plan.store.delete(plan.key))
    finally:
        lock.release()
    plan.emit(SignedOut(plan.key.issuer, plan.key.account))
    return record


def logout_there(
    plan: EndPlan,
    record: SessionRecord,
    post_logout_redirect_uri: str | None,
    on_address: Callable[[str], object],
) -> Flow[None]:
    """
    Tell the provider: hand out the address at which its own session ends, if it has one, then revoke the tokens.

    A failure is told in an event and is none of the local sign-out.
    """
    try:
        now = yield from run(plan.clock.now)
        metadata = yield from fetch_metadata(plan.provider, now)
        _hand_out_address(plan, metadata, record, post_logout_redirect_uri, on_address)
        yield from revoke(plan, record)
    except OidcError as fault:
        plan.emit(Notice(f"Signed out here; the provider was not told: {fault}."))


def _hand_out_address(
    plan: EndPlan,
    metadata: ProviderMetadata,
    record: SessionRecord,
    post_logout_redirect_uri: str | None,
    on_address: Callable[[str], object],
) -> None:
    try:
        address = end_session_address(
            metadata,
            client_id=plan.client_id,
            id_token=record.id_token,
            post_logout_redirect_uri=post_logout_redirect_uri,
            policy=plan.policy,
        )
    except OidcError as fault:
        plan.emit(Notice(f"The provider's logout page cannot be used: {fault}."))
    else:
        if address is not None:
            on_address(address)


def revoke(plan: EndPlan, record: SessionRecord) -> Flow[bool]:
    """
    Revoke the refresh token, then every access token (RFC 7009 section 2.1).

    Returns:
        Whether the provider has an endpoint for it.

    Raises:
        OAuthError: The provider refused, other than for a kind of token it cannot revoke.
        TransportError: The provider cannot be reached; the tokens are still alive.
    """
    now = yield from run(plan.clock.now)
    metadata = yield from fetch_metadata(plan.provider, now)
    hooks = plan.bind(record, metadata, now)
    metadata = with_aliases(metadata, hooks, plan.policy)
    tokens: list[tuple[str, Literal["refresh_token", "access_token"]]] = []
    if record.refresh_token is not None:
        tokens.append((record.refresh_token, "refresh_token"))
    tokens.extend((value, "access_token") for value in dict.fromkeys(token.value for token in record.tokens.values()))
    revoked = False
    for token, hint in tokens:
        request = build_revocation_request(metadata, token, hint, plan.policy)
        if request is None:
            return False
        yield from _revoke_one(plan, hooks, metadata, request, now)
        revoked = True
    return revoked


def _revoke_one(
    plan: EndPlan, hooks: BoundHooks, metadata: ProviderMetadata, request: HttpRequest, now: float
) -> Flow[None]:
    response = yield from hooks.exchange(
        ExchangeKind.REVOCATION,
        request,
        authenticate=authenticator(plan.client_auth, plan.client_id, metadata, now),
    )
    try:
        parse_revocation_response(response)
    except OAuthError as refusal:
        if refusal.error != "unsupported_token_type":  # RFC 7009 section 2.2.1: it ends with its refresh token, or soon
            raise


def forget_state(hooks: Iterable[Hook], state: Mapping[str, dict[str, Json]], emit: EventHandler) -> Flow[None]:
    """Let each hook remove what its state refers to; a failure is told in an event, the session is gone anyhow."""
    for hook in hooks:
        if isinstance(hook, Forgets) and hook.name in state:
            try:
                yield from _forgotten(hook, state[hook.name])
            except Exception as fault:  # noqa: BLE001 - a hook's author may raise what they like
                why = fault if isinstance(fault, OidcError) else type(fault).__name__
                emit(Notice(f"What {hook.name} kept for the session could not be removed: {why}."))


def _forgotten(hook: Forgets, state: Mapping[str, Json]) -> Flow[None]:
    """Let a hook remove what a state refers to; begin anew if the task was cancelled before it could."""
    try:
        yield from hook.forget(state)
    except (Exception, GeneratorExit):
        raise
    except BaseException:
        yield from hook.forget(state)
        raise


def forgetting_after(
    flow: Flow[T], hooks: Iterable[Hook], state: Mapping[str, dict[str, Json]], emit: EventHandler
) -> Flow[T]:
    """Go through a flow; then, and also if it was interrupted, let each hook remove what its state refers to."""
    try:
        result = yield from flow
    except GeneratorExit:
        raise
    except BaseException:
        yield from forget_state(hooks, state, emit)
        raise
    yield from forget_state(hooks, state, emit)
    return result
