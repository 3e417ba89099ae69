"""
Signing a person in: the authorization code flow with PKCE (OIDC Core 3.1, RFC 8252).

`start` does all that can be done before a person looks at a browser; `finish` waits for the answer and ends with
checked tokens. Between the two a program may show the address in its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from oidcclient._words.clock import Clock
from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import IDTokenRefused, LoginTimedOut, OAuthError, OidcError, RemoteError, TransportError
from oidcclient._words.events import (
    CallbackAccepted,
    EventHandler,
    IDTokenVerified,
    Notice,
    RequestPushed,
    SignedIn,
    SignInAddress,
    TokenReceived,
)
from oidcclient._words.policy import Policy
from oidcclient._words.receiver import CallbackArrived, LoginOutcome, Receiver, StartRequested
from oidcclient._words.record import SessionRecord, Store
from oidcclient._words.values import ProviderMetadata, TokenResponse
from oidcclient.hooks import ExchangeKind, Hook, HookContext, HttpRequest
from oidcclient.protocol import (
    AuthorizationRequest,
    ClientAuth,
    Expected,
    IDToken,
    Transaction,
    authorization_address,
    authorization_parameters,
    build_code_request,
    build_par_request,
    check_endpoint,
    check_token_type,
    missing_scopes,
    new_transaction,
    parse_callback,
    parse_par_response,
    parse_token_response,
    pushed_address,
)

from .exchange import BoundHooks, bind_hooks
from .provider import Provider, fetch_keys, fetch_metadata, verified_id_token
from .tokens import token_from

__all__ = ["LoginPlan", "Started", "finish", "start"]

_MOST_STARTS = 20  # times a browser may ask for the start address; a person needs one or two
_SHORTEST_PUSH = 5.0  # seconds; RFC 9126 section 2.2 speaks of 5 to 600, and less would mean one push after the other


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPlan:
    """
    All that a sign-in needs.

    Args:
        provider: What is known of the provider.
        client_id: The client.
        client_auth: How it authenticates.
        policy: Limits and exceptions.
        hooks: The add-ons.
        profile: The name under which the session is stored.
        store: Where it is stored.
        request: What to ask for.
        receiver: How the answer comes back.
        form_post: Whether to ask for `response_mode=form_post`.
        own_start: Whether a browser on this machine is sent to our own start address first.
        show_again: Takes a new address when the shown one has expired.
        timeout: How long a person may take, in seconds.
        clock: The time.
        emit: Takes events.
    """

    provider: Provider
    client_id: str
    client_auth: ClientAuth = field(repr=False)
    policy: Policy
    hooks: tuple[Hook, ...]
    profile: str
    store: Store = field(repr=False)
    request: AuthorizationRequest
    receiver: Receiver
    form_post: bool
    own_start: bool
    show_again: Callable[[str], object] = field(repr=False)
    timeout: float
    clock: Clock
    emit: EventHandler = field(repr=False)


@dataclass(slots=True)
class Started:
    """
    A sign-in that waits for a person.

    Args:
        metadata: The provider, its endpoints replaced by a hook's aliases.
        hooks: The add-ons with their contexts.
        transaction: What ties the answer to the request.
        parameters: The authorization request.
        address: What a browser opens.
        expires_at: When that address expires, on the clock's `ticks`; None if it does not.
        deadline: When the wait ends, on the clock's `ticks`.
        starts: How often a browser asked for the start address.
    """

    metadata: ProviderMetadata
    hooks: BoundHooks
    transaction: Transaction = field(repr=False)
    parameters: list[tuple[str, str]] = field(repr=False)
    address: str = field(repr=False)
    expires_at: float | None
    deadline: float
    starts: int = 0


def start(plan: LoginPlan) -> Flow[Started]:
    """
    Prepare a sign-in up to the address that a browser opens. The caller closes the receiver if this raises.

    Raises:
        OidcError: Something is in the way; no browser was opened.
    """
    now = yield from run(plan.clock.now)
    metadata = yield from fetch_metadata(plan.provider, now)
    yield from run(plan.store.probe)
    hooks = bind_hooks(plan.hooks, lambda _hook: _context(plan, metadata, now))
    metadata = _with_aliases(plan, metadata, hooks)
    yield from hooks.prepare()
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


def _context(plan: LoginPlan, metadata: ProviderMetadata, now: float) -> HookContext:
    return HookContext(
        issuer=metadata.issuer,
        client_id=plan.client_id,
        profile=plan.profile,
        account=None,
        metadata=metadata,
        policy=plan.policy,
        now=now,
        emit=plan.emit,
    )


def _with_aliases(plan: LoginPlan, metadata: ProviderMetadata, hooks: BoundHooks) -> ProviderMetadata:
    """
    Put a hook's endpoint aliases in place, under the same https rule (RFC 8705 section 5).

    Endpoints alone: a hook may take the aliases from the provider's metadata, and an alias of `issuer` or `jwks_uri`
    there would let one provider speak for another.
    """
    aliases = {
        name: check_endpoint(name, address, issuer=metadata.issuer, policy=plan.policy)
        for name, address in hooks.transport().endpoint_aliases.items()
        if name.endswith("_endpoint") and hasattr(metadata, name)
    }
    return replace(metadata, **aliases) if aliases else metadata  # type: ignore[arg-type] # every endpoint is a str


def _authenticate(plan: LoginPlan, metadata: ProviderMetadata, now: float) -> Callable[[HttpRequest], HttpRequest]:
    def authenticated(request: HttpRequest) -> HttpRequest:
        return plan.client_auth.authenticate(
            request,
            client_id=plan.client_id,
            issuer=metadata.issuer,
            token_endpoint=metadata.token_endpoint or "",
            now=now,
        )

    return authenticated


def _provider_address(plan: LoginPlan, started: Started) -> Flow[str]:
    """Return the provider's own address for the browser; the request is pushed first whenever that is offered."""
    metadata = started.metadata
    if metadata.pushed_authorization_request_endpoint is None:
        return authorization_address(metadata, started.parameters)
    now = yield from run(plan.clock.now)
    request = build_par_request(metadata, started.parameters, plan.policy)
    response = yield from started.hooks.exchange(
        ExchangeKind.PAR, request, authenticate=_authenticate(plan, metadata, now)
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
    callback = yield from _wait(plan, started)
    try:
        record = yield from _complete(plan, started, callback)
    except OidcError as error:
        outcome = outcome_of(error)
        yield from run(lambda: plan.receiver.finish(outcome))
        raise
    yield from run(lambda: plan.receiver.finish(LoginOutcome(ok=True)))
    plan.emit(SignedIn(record.issuer, record.account))
    return record


def _wait(plan: LoginPlan, started: Started) -> Flow[CallbackArrived]:
    """Answer the browser's events until the callback comes. The provider's keys are fetched while the person types."""
    own_start = _own_start(plan) is not None
    if not own_start:
        yield from _prefetch_keys(plan, started)
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
            yield from _prefetch_keys(plan, started)


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


def _prefetch_keys(plan: LoginPlan, started: Started) -> Flow[None]:
    """Fetch the keys ahead of need. A failure is no failure of the sign-in yet: they are fetched again when needed."""
    now = yield from run(plan.clock.now)
    try:
        yield from fetch_keys(plan.provider, started.metadata, now)
    except (TransportError, RemoteError):
        plan.provider.keys = None


def _complete(plan: LoginPlan, started: Started, callback: CallbackArrived) -> Flow[SessionRecord]:
    metadata, transaction = started.metadata, started.transaction
    code = parse_callback(
        callback.parameters,
        transaction,
        metadata,
        received_at=callback.redirect_uri,
        require_iss=plan.policy.require_iss,
    )
    plan.emit(CallbackAccepted(metadata.issuer))
    now = yield from run(plan.clock.now)
    response = yield from started.hooks.exchange(
        ExchangeKind.TOKEN,
        build_code_request(metadata, transaction, code, plan.policy),
        authenticate=_authenticate(plan, metadata, now),
    )
    tokens = parse_token_response(response)
    check_token_type(tokens, known=started.hooks.accept_token(ExchangeKind.TOKEN, tokens))
    id_token = yield from _checked_id_token(plan, started, tokens, now)
    _report(plan, tokens, id_token)
    record = _record(plan, started, tokens, id_token, now)
    yield from run(lambda: plan.store.save(record, current=True))
    return record


def _checked_id_token(plan: LoginPlan, started: Started, tokens: TokenResponse, now: float) -> Flow[IDToken]:
    if tokens.id_token is None:
        raise IDTokenRefused("the token response has no ID Token", rule="id_token", section="OIDC Core 3.1.3.3")
    request = plan.request
    expected = Expected(
        issuer=started.metadata.issuer,
        client_id=plan.client_id,
        nonce=started.transaction.nonce,
        access_token=tokens.access_token,
        max_age=request.max_age,
        essential_acr=request.essential_acr,
        policy=plan.policy,
        now=now,
    )
    return (yield from verified_id_token(plan.provider, started.metadata, tokens.id_token, expected))


def _report(plan: LoginPlan, tokens: TokenResponse, id_token: IDToken) -> None:
    missing = missing_scopes(tokens, plan.request.scopes)
    plan.emit(
        TokenReceived(tokens.token_type, tokens.expires_in, tokens.refresh_token is not None, missing_scopes=missing)
    )
    plan.emit(IDTokenVerified(id_token.sub, id_token.algorithm))
    if missing:
        plan.emit(Notice(f"Not granted by the provider: {', '.join(missing)}."))
    if "offline_access" in plan.request.scopes and tokens.refresh_token is None:
        plan.emit(Notice("The provider gave no refresh token: you will be asked to sign in again when this one ends."))


def _record(plan: LoginPlan, started: Started, tokens: TokenResponse, id_token: IDToken, now: float) -> SessionRecord:
    token = token_from(tokens, plan.request.scopes, now)
    return SessionRecord(
        profile=plan.profile,
        issuer=started.metadata.issuer,
        client_id=plan.client_id,
        account=id_token.sub,
        claims=id_token.claims,
        id_token=id_token.raw,
        tokens=dict.fromkeys(plan.request.resources or ("",), token),
        refresh_token=tokens.refresh_token,
        scopes=plan.request.scopes,
        resources=plan.request.resources,
        hook_state=started.hooks.states({}),
        binding_hooks=tuple(bound.hook.name for bound in started.hooks.hooks if getattr(bound.hook, "binds", False)),
        signed_in_at=now,
        **plan.provider.to_record(),
    )


def outcome_of(error: OidcError) -> LoginOutcome:
    """Say in the browser what went wrong: one sentence for the person, one word for support."""
    detail = error.error if isinstance(error, OAuthError) else error.rule or type(error).__name__
    return LoginOutcome(ok=False, message=error.hint, detail=detail)
