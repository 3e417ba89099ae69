"""
Signing a person in: the authorization code flow with PKCE (OIDC Core 3.1, RFC 8252).

`start` does all that can be done before a person looks at a browser; `finish` waits for the answer and ends with
checked tokens. Between the two a program may show the address in its own way.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import LoginTimedOut, OAuthError, OidcError
from oidcclient._words.events import RequestPushed, SignedIn, SignInAddress
from oidcclient._words.receiver import CallbackArrived, LoginOutcome, StartRequested
from oidcclient._words.record import SessionRecord
from oidcclient._words.value import replace
from oidcclient._words.values import ProviderMetadata
from oidcclient.hooks import ExchangeKind
from oidcclient.protocol import (
    authorization_address,
    authorization_parameters,
    build_par_request,
    new_transaction,
    parse_par_response,
    pushed_address,
)

from .completion import complete
from .exchange import BoundHooks, authenticator
from .plan import LoginPlan, Started
from .preparing import begin, forgetting, prefetch_keys

__all__ = ["LoginPlan", "Started", "finish", "start"]

_MOST_STARTS = 20  # times a browser may ask for the start address; a person needs one or two
_SHORTEST_PUSH = 5.0  # seconds; RFC 9126 section 2.2 speaks of 5 to 600, and less would mean one push after the other


def start(plan: LoginPlan) -> Flow[Started]:
    """
    Prepare a sign-in up to the address that a browser opens. The caller closes the receiver if this raises.

    Raises:
        OidcError: Something is in the way; no browser was opened.
    """
    return (yield from begin(plan, lambda metadata, hooks: _start(plan, metadata, hooks)))


def _start(plan: LoginPlan, metadata: ProviderMetadata, hooks: BoundHooks) -> Flow[Started]:
    transaction = new_transaction(metadata.issuer, plan.request)
    redirect_uri = yield from run(lambda: plan.receiver.open(transaction.state))
    transaction = replace(transaction, redirect_uri=redirect_uri)
    added = yield from hooks.parameters()
    parameters = authorization_parameters(transaction, client_id=plan.client_id, form_post=plan.form_post, added=added)
    ticks = yield from run(plan.clock.ticks)
    started = Started(metadata, hooks, transaction, parameters, "", None, ticks + plan.timeout)
    own = _own_start(plan)
    started.address = (yield from _provider_address(plan, started)) if own is None else own
    plan.emit(SignInAddress(started.address))
    return started


def _own_start(plan: LoginPlan) -> str | None:
    """Return our own start address, if it is to be used and there is one."""
    return plan.receiver.start_uri if plan.own_start else None


def _provider_address(plan: LoginPlan, started: Started) -> Flow[str]:
    """Return the provider's own address for the browser; the request is pushed first whenever that is offered."""
    metadata = started.metadata
    if metadata.pushed_authorization_request_endpoint is None:
        return authorization_address(metadata, started.parameters)
    now = yield from run(plan.clock.now)
    request = build_par_request(metadata, started.parameters, plan.policy)
    response = yield from started.hooks.exchange(
        ExchangeKind.PAR, request, authenticate=authenticator(plan.client_auth, plan.client_id, metadata, now)
    )
    pushed = parse_par_response(response)
    ticks = yield from run(plan.clock.ticks)
    started.expires_at = ticks + max(pushed.expires_in, _SHORTEST_PUSH)
    plan.emit(RequestPushed(metadata.issuer, pushed.expires_in))
    return pushed_address(metadata, client_id=plan.client_id, pushed=pushed)


def finish(plan: LoginPlan, started: Started) -> Flow[SessionRecord]:
    """
    Wait for the person, exchange the code, check everything, store the session, then tell the browser.

    Raises:
        OidcError: The sign-in failed; the browser was told, and nothing was stored.
    """
    record = yield from forgetting(plan, started.hooks, _finish(plan, started))
    yield from run(lambda: plan.receiver.finish(LoginOutcome(ok=True)))
    plan.emit(SignedIn(record.issuer, record.account))
    return record


def _finish(plan: LoginPlan, started: Started) -> Flow[SessionRecord]:
    callback = yield from _wait(plan, started)
    try:
        return (yield from complete(plan, started, callback))
    except OidcError as error:
        outcome = outcome_of(error)
        yield from run(lambda: plan.receiver.finish(outcome))
        raise


def _wait(plan: LoginPlan, started: Started) -> Flow[CallbackArrived]:
    """Answer the browser's events until the callback comes. The provider's keys are fetched while the person types."""
    own_start = _own_start(plan) is not None
    if not own_start:
        yield from prefetch_keys(plan, started.metadata)
    while True:
        ticks = yield from run(plan.clock.ticks)
        if ticks >= started.deadline:
            host = urlsplit(started.metadata.issuer).hostname
            raise LoginTimedOut(f"nobody finished signing in to {host} within {plan.timeout:.0f} seconds")
        yield from _renew(plan, started, ticks)
        until = started.deadline if started.expires_at is None or own_start else started.expires_at
        seconds = min(until, started.deadline) - ticks
        event = yield from run(lambda seconds=seconds: plan.receiver.wait(seconds), waits=True)  # type: ignore[misc] # a lambda's default has no type
        if isinstance(event, CallbackArrived):
            return event
        if isinstance(event, StartRequested):
            yield from _send_on(plan, started, event)
            yield from prefetch_keys(plan, started.metadata)


def _renew(plan: LoginPlan, started: Started, ticks: float) -> Flow[None]:
    """Push again when the address that a person was shown has expired (RFC 9126 section 4)."""
    if _own_start(plan) is not None or started.expires_at is None or ticks < started.expires_at:
        return
    started.address = yield from _provider_address(plan, started)
    plan.emit(SignInAddress(started.address))
    address = started.address
    yield from run(lambda: plan.show_again(address))


def _send_on(plan: LoginPlan, started: Started, event: StartRequested) -> Flow[None]:
    """Send a browser from our start address to the provider; the request is pushed now, so that it is fresh."""
    started.starts += 1
    if started.starts > _MOST_STARTS:
        yield from run(lambda: plan.receiver.send_on(event, None))
        return
    try:
        address = yield from _provider_address(plan, started)
    except OidcError:
        yield from run(lambda: plan.receiver.send_on(event, None))
        raise
    yield from run(lambda: plan.receiver.send_on(event, address))


def outcome_of(error: OidcError) -> LoginOutcome:
    """Say in the browser what went wrong: one sentence for the person, one word for support."""
    detail = error.error if isinstance(error, OAuthError) else error.rule or type(error).__name__
    return LoginOutcome(ok=False, message=error.hint, detail=detail)
