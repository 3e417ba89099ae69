"""What `Client` and `AsyncClient` have in common, and no more than a stored session needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oidcclient._flows.sessions import SessionQuery, find_session, usable_sessions, use_session
from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import LoginRequired, UsageError
from oidcclient._words.policy import Policy
from oidcclient._words.record import RecordKey, SessionRecord, Store
from oidcclient._words.values import Json, ProviderMetadata, User

from .clock import SystemClock
from .refresher import Refresher

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidcclient._flows.exchange import BoundHooks
    from oidcclient._flows.provider import Provider
    from oidcclient._flows.refresh import Rescue
    from oidcclient._words.events import Event, EventHandler
    from oidcclient._words.options import Http
    from oidcclient.hooks import Hook
    from oidcclient.protocol import ClientAuth

    from .http import Performs
    from .refresher import Flight

__all__ = ["ClientCore", "Memory", "user_of"]

Memory = dict[str, dict[str, Any]]  # what hooks keep while the program runs, by hook name


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
        check_settings(issuer, client_id, scopes, self.policy)
        self.issuer, self.client_id, self.profile = issuer, client_id, profile
        self.scopes = tuple(dict.fromkeys(scopes))
        self.hooks = tuple(hooks)
        if len({hook.name for hook in self.hooks}) != len(self.hooks):
            raise UsageError("two hooks have the same name", rule="hooks")
        self.store: Store = store or _default_store()
        self.clock = SystemClock()
        self.refresher = Refresher()
        self.known: dict[RecordKey, SessionRecord] = {}
        self.memory: dict[RecordKey, Memory] = {}
        self.rescued: dict[RecordKey, Rescue] = {}
        self._gone: set[RecordKey] = set()
        self._client_auth = client_auth
        self._http = http
        self._on_event = on_event
        self._given = metadata
        self._provider: Provider | None = None

    def __repr__(self) -> str:
        return f"issuer={self.issuer!r}, client_id={self.client_id!r}, profile={self.profile!r}"

    def emit(self, event: Event) -> None:
        """Log an event's name, and hand the event to the program."""
        import logging  # noqa: PLC0415 - a cached token emits nothing

        logging.getLogger("oidcclient").debug("event name=%s", type(event).__name__)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:  # a handler's fault must not lose a session between an answer and its save
                logging.getLogger("oidcclient").exception("the event handler failed on %s", type(event).__name__)

    # What a cached token does not need is made when it is needed.

    @property
    def client_auth(self) -> ClientAuth:
        """How the client authenticates."""
        if self._client_auth is None:
            from oidcclient.protocol import PublicClient  # noqa: PLC0415 - see above

            self._client_auth = PublicClient()
        return self._client_auth

    @property
    def http(self) -> Http:
        """How the network is reached."""
        if self._http is None:
            from oidcclient._words.options import Http  # noqa: PLC0415 - see above

            self._http = Http()
        return self._http

    @property
    def provider(self) -> Provider:
        """What is known of the provider; what the sessions know of it counts too."""
        if self._provider is None:
            from oidcclient._flows.provider import Provider  # noqa: PLC0415 - see above

            self._provider = Provider(self.issuer, self.policy, self.emit, given=self._given)
            for record in self.known.values():
                self._provider.learn(record)
        return self._provider

    # -- sessions

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

    def record(self, key: RecordKey) -> SessionRecord:
        """
        Return the newest state of a session that this process knows.

        Raises:
            LoginRequired: It was signed out.
        """
        try:
            return self.known[key]
        except KeyError:
            raise LoginRequired("this session was signed out", rule="session") from None

    def begin(self, record: SessionRecord, memory: Memory | None = None) -> SessionRecord:
        """
        Take over a session from a sign-in or from the store.

        Args:
            record: The session.
            memory: What the hooks of a sign-in know already; a session from the store begins with nothing.
        """
        self._gone.discard(record.key)
        if memory is not None:
            self.memory[record.key] = memory
        return self.remember(record)

    def forget(self, key: RecordKey) -> None:
        """Know a session no more; a refresh that still ends does not bring it back."""
        self._gone.add(key)
        self.known.pop(key, None)
        self.memory.pop(key, None)

    def remember(self, record: SessionRecord) -> SessionRecord:
        """Keep the newest state of a session for everybody in this process."""
        if record.key in self._gone:
            return record
        self.known[record.key] = record
        if self._provider is not None:
            self._provider.learn(record)
        return record

    def session(self, account: str | None) -> Flow[SessionRecord]:
        """Find a stored session; one that is asked for by name becomes the current one."""
        record = self.begin((yield from find_session(self.query, account)))
        if account is not None:
            yield from use_session(self.query, record)
        return record

    def accounts(self) -> Flow[tuple[User, ...]]:
        """List who is signed in."""
        records = yield from usable_sessions(self.query)
        return tuple(user_of(record) for record in records)

    # -- tokens

    def fly(
        self, key: RecordKey, resource: str, stale: str | None, wire: Callable[[], Performs], *, refused: bool = False
    ) -> Flight:
        """
        Start a refresh, or join the one under way.

        Args:
            key: Which session.
            resource: The resource indicator of the token.
            stale: The token that will not do.
            wire: Makes what performs the requests.
            refused: Whether an API has refused that token.
        """
        return self.refresher.fly(key, resource, lambda: self._refresh(key, resource, stale, refused=refused), wire)

    def _refresh(self, key: RecordKey, resource: str, stale: str | None, *, refused: bool) -> Flow[SessionRecord]:
        from oidcclient._flows.refresh import RefreshPlan, refresh  # noqa: PLC0415 - a cached token needs none of it

        late: list[Event] = []  # told when the lock is let go and the token is there: a handler may ask for it
        plan = RefreshPlan(
            provider=self.provider,
            client_id=self.client_id,
            client_auth=self.client_auth,
            policy=self.policy,
            store=self.store,
            key=key,
            resource=resource,
            stale=stale,
            refused=refused,
            binding_hooks=self.query.binding_hooks,
            rescued=self.rescued,
            bind=self.bind,
            clock=self.clock,
            emit=late.append,
        )
        try:
            record = self.remember((yield from refresh(plan)))
        except LoginRequired:
            left = yield from run(lambda: self.store.load(key))
            if left is None:
                self.forget(key)
            else:
                self.remember(left)
            raise
        finally:
            for event in late:
                self.emit(event)
        return record

    # -- hooks

    def bind(self, record: SessionRecord, metadata: ProviderMetadata, now: float) -> BoundHooks:
        """Give each hook the context of one session."""
        from oidcclient._flows.exchange import bind_hooks  # noqa: PLC0415 - a cached token needs none of it
        from oidcclient.hooks import HookContext  # noqa: PLC0415 - a cached token needs none of it

        kept = self.memory.setdefault(record.key, {})
        return bind_hooks(
            self.hooks,
            lambda hook: HookContext(
                issuer=record.issuer,
                client_id=record.client_id,
                profile=record.profile,
                account=record.account,
                metadata=metadata,
                policy=self.policy,
                now=now,
                emit=self.emit,
                state=record.hook_state.get(hook.name, {}),
                memory=kept.setdefault(hook.name, {}),
            ),
        )

    def describe(self, record: SessionRecord) -> tuple[str, ...]:
        """Return what each hook did for a session, in words."""
        from oidcclient.hooks import Describes  # noqa: PLC0415 - a cached token needs none of it

        return tuple(
            hook.describe(record.hook_state.get(hook.name, {})) for hook in self.hooks if isinstance(hook, Describes)
        )

    def resource_hooks(self, record: SessionRecord) -> BoundHooks | None:
        """Return the hooks for requests to an API, or None where none of them wraps exchanges."""
        if not any(hasattr(hook, "exchange") for hook in self.hooks):
            return None
        provider = self.provider
        provider.learn(record)
        metadata = provider.metadata or ProviderMetadata(self.issuer)
        return self.bind(record, metadata, self.clock.now())


def _default_store() -> Store:
    from .store.keyring_store import KeyringStore  # noqa: PLC0415 - only where no store is given

    return KeyringStore()


def check_settings(issuer: str, client_id: str, scopes: Sequence[str], policy: Policy) -> None:
    """
    Refuse what no sign-in could work with, at once and not at the first sign-in.

    Raises:
        UsageError: A setting does not fit.
    """
    from oidcclient.protocol import check_issuer  # noqa: PLC0415 - one small module

    check_issuer(issuer, policy)
    if not isinstance(client_id, str) or not client_id:
        raise UsageError("client_id must be a string", rule="client_id", section="RFC 6749 section 2.2")
    if isinstance(scopes, str) or not all(isinstance(scope, str) and scope for scope in scopes):
        raise UsageError("scopes must be a list of strings, not one string", rule="scopes")
    if "openid" not in scopes:
        raise UsageError(
            "scopes must hold openid", rule="scope", section="OIDC Core 3.1.2.1", received=" ".join(scopes)
        )


def user_of(record: SessionRecord) -> User:
    """Return who a session belongs to."""
    return User(sub=record.account, issuer=record.issuer, claims=record.claims)
