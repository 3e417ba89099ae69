"""From the answer to a stored session: the code exchange and every check (OIDC Core 3.1.3)."""

from __future__ import annotations

from collections.abc import Mapping

from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import IDTokenRefused, LoginRequired, StoreError
from oidcclient._words.events import CallbackAccepted, IDTokenVerified, Notice, TokenReceived
from oidcclient._words.receiver import CallbackArrived
from oidcclient._words.record import Lock, RecordKey, SessionRecord
from oidcclient._words.value import dataclass, field
from oidcclient._words.values import Json, TokenResponse
from oidcclient.hooks import ExchangeKind
from oidcclient.protocol import (
    Expected,
    IDToken,
    build_code_request,
    check_no_nonce,
    check_token_type,
    missing_scopes,
    parse_callback,
    parse_token_response,
    resources_of_code,
)

from .ending import forget_state
from .exchange import authenticator
from .plan import Begun, LoginPlan, SignInPlan, Started
from .provider import verified_id_token
from .refresh import lock_record
from .tokens import token_from

__all__ = ["Granted", "complete", "keep"]


def complete(plan: LoginPlan, started: Started, callback: CallbackArrived) -> Flow[SessionRecord]:
    """
    Check the callback, exchange the code, check the tokens, store the session.

    Raises:
        OidcError: A check failed, or the session could not be stored; nothing was.
    """
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
        authenticate=authenticator(plan.client_auth, plan.client_id, metadata, now),
    )
    grant = Granted(ExchangeKind.TOKEN, parse_token_response(response), transaction.nonce, now)
    return (yield from keep(plan, started, grant))


@dataclass(frozen=True, slots=True)
class Granted:
    """
    What a sign-in got from the token endpoint.

    Args:
        kind: By which exchange.
        tokens: The answer, not yet checked.
        nonce: The nonce that was sent; None where none could be. Secret.
        now: Unix seconds.
    """

    kind: ExchangeKind
    tokens: TokenResponse
    nonce: str | None = field(repr=False)
    now: float


def keep(plan: SignInPlan, begun: Begun, grant: Granted) -> Flow[SessionRecord]:
    """
    Check the tokens and store the session: the one way in for all ways to sign in.

    Raises:
        OidcError: A check failed, or the session could not be stored; nothing was.
    """
    tokens = grant.tokens
    check_token_type(tokens, known=begun.hooks.accept_token(grant.kind, tokens))
    id_token = yield from _checked_id_token(plan, begun, grant)
    _check_account(plan, id_token)
    _report(plan, tokens, id_token)
    record = _record(plan, begun, tokens, id_token, grant.now)
    yield from _store(plan, begun, record)
    return record


def _store(plan: SignInPlan, begun: Begun, record: SessionRecord) -> Flow[None]:
    """
    Save the session, under its lock: a refresh of an older session of this account must not end after us and win.

    What hooks kept for that older session goes when the new one is safe.
    """
    lock: Lock | None = None
    try:
        lock = yield from lock_record(plan.store, record.key, plan.clock, plan.policy.lock_timeout)
    except StoreError as fault:  # the code is spent and the tokens are alive: not to save them would help nobody
        plan.emit(Notice(f"Saved all the same: {fault}."))
    try:
        previous = yield from run(lambda: _previous(plan, record.key))
        yield from run(lambda: plan.store.save(record, current=True))
        begun.hooks.stored = True
    finally:
        if lock is not None:
            lock.release()
    old = {name: state for name, state in previous.items() if state != record.hook_state.get(name)}
    yield from forget_state(plan.hooks, old, plan.emit)


def _previous(plan: SignInPlan, key: RecordKey) -> Mapping[str, dict[str, Json]]:
    try:
        record = plan.store.load(key)
    except (StoreError, LoginRequired):  # it cannot be read, so nothing in it can be removed
        return {}
    return {} if record is None else record.hook_state


def _check_account(plan: SignInPlan, id_token: IDToken) -> None:
    """Refuse a sign-in of somebody else than was asked for."""
    if plan.account is not None and id_token.sub != plan.account:
        raise IDTokenRefused(
            "somebody else signed in than was asked for",
            rule="account",
            expected=plan.account,
            received=id_token.sub,
            hint="Sign in with the account that was asked for, or ask for none.",
        )


def _checked_id_token(plan: SignInPlan, begun: Begun, grant: Granted) -> Flow[IDToken]:
    tokens = grant.tokens
    if tokens.id_token is None:
        raise IDTokenRefused("the token response has no ID Token", rule="id_token", section="OIDC Core 3.1.3.3")
    request = plan.request
    expected = Expected(
        issuer=begun.metadata.issuer,
        client_id=plan.client_id,
        nonce=grant.nonce,
        access_token=tokens.access_token,
        max_age=request.max_age,
        essential_acr=request.essential_acr,
        policy=plan.policy,
        now=grant.now,
    )
    id_token = yield from verified_id_token(plan.provider, begun.metadata, tokens.id_token, expected)
    if grant.nonce is None:
        check_no_nonce(id_token)
    return id_token


def _report(plan: SignInPlan, tokens: TokenResponse, id_token: IDToken) -> None:
    missing = missing_scopes(tokens, plan.request.scopes)
    plan.emit(
        TokenReceived(tokens.token_type, tokens.expires_in, tokens.refresh_token is not None, missing_scopes=missing)
    )
    plan.emit(IDTokenVerified(id_token.sub, id_token.algorithm))
    if missing:
        plan.emit(Notice(f"Not granted by the provider: {', '.join(missing)}."))
    if "offline_access" in plan.request.scopes and tokens.refresh_token is None:
        plan.emit(Notice("The provider gave no refresh token: you will be asked to sign in again when this one ends."))


def _record(plan: SignInPlan, begun: Begun, tokens: TokenResponse, id_token: IDToken, now: float) -> SessionRecord:
    token = token_from(tokens, plan.request.scopes, now)
    return SessionRecord(
        profile=plan.profile,
        issuer=begun.metadata.issuer,
        client_id=plan.client_id,
        account=id_token.sub,
        claims=id_token.claims,
        id_token=id_token.raw,
        tokens=dict.fromkeys(resources_of_code(plan.request) or ("",), token),
        refresh_token=tokens.refresh_token,
        scopes=plan.request.scopes,
        resources=plan.request.resources,
        hook_state=begun.hooks.states({}),
        binding_hooks=tuple(bound.hook.name for bound in begun.hooks.hooks if getattr(bound.hook, "binds", False)),
        signed_in_at=now,
        **plan.provider.to_record(),
    )
