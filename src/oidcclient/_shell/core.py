"""What `Client` and `AsyncClient` have in common: everything but the driver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oidcclient._flows.exchange import BoundHooks, bind_hooks
from oidcclient._flows.login import LoginPlan, Started, finish, start
from oidcclient._flows.provider import Provider, fetch_metadata
from oidcclient._flows.sessions import SessionQuery, current_token, find_session, usable_sessions
from oidcclient._flows.userinfo import userinfo
from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import LoginCancelled, UsageError
from oidcclient._words.events import Event, EventHandler
from oidcclient._words.options import Http
from oidcclient._words.policy import Policy
from oidcclient._words.record import SessionRecord, Store
from oidcclient._words.values import AccessToken, Json, User
from oidcclient._words.ways import Loopback
from oidcclient.hooks import Hook, HookContext
from oidcclient.protocol import AuthorizationRequest, ClientAuth, PublicClient, callback_path, check_issuer

from .drivers import SystemClock
from .opener import Opener, choose_opener
from .redirect import Limits, LoopbackReceiver
from .store.memory import MemoryStore

__all__ = ["ClientCore", "LoginOptions", "Memory", "Pending", "user_of"]

Memory = dict[str, dict[str, Any]]  # what hooks keep while a session object lives, by hook name

_logger = logging.getLogger("oidcclient")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOptions:
    """The arguments of `login()`, checked."""

    via: Loopback
    open_browser: Callable[[str], object] | None = field(repr=False)
    timeout: float
    request: AuthorizationRequest


@dataclass(slots=True)
class Pending:
    """A sign-in that was started: its plan, what came of the start, and how the address reaches the person."""

    plan: LoginPlan
    opener: Opener
    started: Started


def _texts(name: str, values: Iterable[str] | str | None) -> tuple[str, ...]:
    if values is None:
        return ()
    texts = (values,) if isinstance(values, str) else tuple(values)
    if not all(isinstance(text, str) and text for text in texts):
        raise UsageError(f"{name} must hold strings", rule=name)
    return texts


class ClientCore:
    """Hold a client's settings and build its flows. Constructing touches neither network, disk nor keyring."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        scopes: Sequence[str],
        client_auth: ClientAuth | None,
        hooks: Sequence[Hook],
        store: Store | None,
        policy: Policy | None,
        profile: str,
        metadata: Mapping[str, Json] | None,
        http: Http | None,
        on_event: EventHandler | None,
    ) -> None:
        self.policy = policy or Policy()
        check_issuer(issuer, self.policy)
        if not isinstance(client_id, str) or not client_id:
            raise UsageError("client_id must be a string", rule="client_id", section="RFC 6749 section 2.2")
        if isinstance(scopes, str):
            raise UsageError("scopes must be a list of strings, not one string", rule="scopes")
        self.issuer, self.client_id, self.profile = issuer, client_id, profile
        self.scopes = tuple(dict.fromkeys(_texts("scopes", scopes)))
        AuthorizationRequest(scopes=self.scopes)  # a wrong list is refused here, not at the first sign-in
        self.client_auth: ClientAuth = client_auth or PublicClient()
        self.hooks = tuple(hooks)
        if len({hook.name for hook in self.hooks}) != len(self.hooks):
            raise UsageError("two hooks have the same name", rule="hooks")
        self.store: Store = store or MemoryStore()
        self.http = http or Http()
        self.clock = SystemClock()
        self._on_event = on_event
        self.provider = Provider(issuer, self.policy, self.emit, given=metadata)

    def __repr__(self) -> str:
        return f"issuer={self.issuer!r}, client_id={self.client_id!r}, profile={self.profile!r}"

    def emit(self, event: Event) -> None:
        """Log an event's name, and hand the event to the program."""
        _logger.debug("event name=%s", type(event).__name__)
        if self._on_event is not None:
            self._on_event(event)

    # -- signing in

    def options(
        self,
        *,
        via: Loopback | None,
        open_browser: Callable[[str], object] | None,
        timeout: float,
        login_hint: str | None,
        prompt: str | None,
        max_age: int | None,
        acr_values: str | Sequence[str] | None,
        resource: str | Sequence[str] | None,
        claims: Mapping[str, Json] | None,
        extra: Mapping[str, str] | None,
    ) -> LoginOptions:
        """
        Check the arguments of a sign-in.

        Raises:
            UsageError: One does not fit.
        """
        if timeout <= 0:
            raise UsageError("timeout must be more than 0 seconds", rule="timeout", received=timeout)
        if prompt is None and "offline_access" in self.scopes:
            prompt = "consent"  # OIDC Core 11: providers ignore offline_access without it
        request = AuthorizationRequest(
            scopes=self.scopes,
            login_hint=login_hint,
            prompt=prompt,
            max_age=max_age,
            acr_values=" ".join(_texts("acr_values", acr_values)) or None,
            resources=_texts("resource", resource),
            claims=claims,
            extra=dict(extra or {}),
        )
        return LoginOptions(via=via or Loopback(), open_browser=open_browser, timeout=timeout, request=request)

    def start(self, options: LoginOptions, *, opens: bool) -> Flow[Pending]:
        """
        Start a sign-in.

        Args:
            options: What was asked for.
            opens: Whether a browser is to be opened; otherwise the program has the address.
        """
        receiver = LoopbackReceiver(
            options.via,
            default_path=callback_path(self.issuer, self.policy),
            limits=Limits(wrong_answers=self.policy.max_wrong_callbacks),
            on_notice=lambda text: opener.notice(text),  # noqa: PLW0108 - the opener is chosen further down
        )
        opener = Opener(self.emit)
        if opens:
            opener = yield from run(lambda: choose_opener(options.open_browser, receiver, self.emit))
        plan = LoginPlan(
            provider=self.provider,
            client_id=self.client_id,
            client_auth=self.client_auth,
            policy=self.policy,
            hooks=self.hooks,
            profile=self.profile,
            store=self.store,
            request=options.request,
            receiver=receiver,
            form_post=options.via.form_post,
            own_start=opener.own_start,
            show_again=opener.show_again,
            timeout=options.timeout,
            clock=self.clock,
            emit=self.emit,
        )
        try:
            started = yield from start(plan)
        except BaseException:
            receiver.close()
            raise
        return Pending(plan, opener, started)

    def finish(self, pending: Pending) -> Flow[SessionRecord]:
        """Wait for the end of a sign-in."""
        try:
            return (yield from finish(pending.plan, pending.started))
        except LoginCancelled:
            failure = pending.opener.failure()
            if failure is not None:
                raise failure from None
            raise
        finally:
            pending.plan.receiver.close()

    def login(self, options: LoginOptions) -> Flow[SessionRecord]:
        """Sign a person in, from the first request to the stored session."""
        pending = yield from self.start(options, opens=True)
        try:
            address = pending.started.address
            yield from run(lambda: pending.opener.open(address, self.issuer))
        except BaseException:
            pending.plan.receiver.close()
            raise
        return (yield from self.finish(pending))

    # -- what is stored

    @property
    def query(self) -> SessionQuery:
        """Which sessions are this client's."""
        return SessionQuery(
            store=self.store,
            profile=self.profile,
            issuer=self.issuer,
            client_id=self.client_id,
            binding_hooks=frozenset(hook.name for hook in self.hooks if getattr(hook, "binds", False)),
        )

    def session(self, account: str | None) -> Flow[SessionRecord]:
        """Find a stored session."""
        return (yield from find_session(self.query, account))

    def usable_session(self, account: str | None) -> Flow[SessionRecord]:
        """Find a stored session whose token can be used now."""
        record = yield from find_session(self.query, account)
        current_token(record, None, self.clock.now())
        return record

    def accounts(self) -> Flow[tuple[User, ...]]:
        """List who is signed in."""
        records = yield from usable_sessions(self.query)
        return tuple(user_of(record) for record in records)

    # -- with a session

    def access_token(self, record: SessionRecord, resource: str | None) -> AccessToken:
        """Return the access token of a session."""
        return current_token(record, resource, self.clock.now())

    def userinfo(self, record: SessionRecord, memory: Memory) -> Flow[Mapping[str, Json]]:
        """Fetch the claims of a session's user."""
        now = yield from run(self.clock.now)
        token = current_token(record, None, now)
        hooks = yield from self._bound(record, memory, now)
        return (yield from userinfo(self.provider, hooks, token, client_id=self.client_id, sub=record.account, now=now))

    def _bound(self, record: SessionRecord, memory: Memory, now: float) -> Flow[BoundHooks]:
        metadata = yield from fetch_metadata(self.provider, now)

        def context(hook: Hook) -> HookContext:
            return HookContext(
                issuer=record.issuer,
                client_id=record.client_id,
                profile=record.profile,
                account=record.account,
                metadata=metadata,
                policy=self.policy,
                now=now,
                emit=self.emit,
                state=record.hook_state.get(hook.name, {}),
                memory=memory.setdefault(hook.name, {}),
            )

        return bind_hooks(self.hooks, context)


def user_of(record: SessionRecord) -> User:
    """Return who a session belongs to."""
    return User(sub=record.account, issuer=record.issuer, claims=record.claims)
