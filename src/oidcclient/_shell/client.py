"""The client for sync programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from oidcclient._words.errors import LoginRequired
from oidcclient._words.policy import Policy
from oidcclient._words.record import SessionRecord, Store
from oidcclient._words.values import Json, User

from .core import ClientCore
from .session import Session
from .wires import Wires

if TYPE_CHECKING:
    from oidcclient._words.events import EventHandler
    from oidcclient._words.options import Http
    from oidcclient._words.ways import Way
    from oidcclient.hooks import Hook
    from oidcclient.protocol import ClientAuth

    from .pending_login import PendingLogin

__all__ = ["Client"]

LOGIN_TIMEOUT = 300.0  # seconds; long enough for a password manager and a second factor


class Client:
    """
    Sign a person in at one issuer and keep the session.

    Constructing touches neither network, disk nor keyring. Thread-safe.

    Args:
        issuer: The issuer identifier, to the letter.
        client_id: The client's identifier at that issuer.
        scopes: The scopes to ask for; `openid` must be among them.
        client_auth: How the client authenticates; a public client by default.
        hooks: Add-ons, the outermost first.
        store: Where sessions are kept.
        policy: Limits, skews and named exceptions.
        profile: The name under which the session is stored.
        metadata: The provider's metadata, for providers without discovery.
        http: How the network is reached.
        on_event: Called with each event; must return soon and must not raise.

    Raises:
        UsageError: An argument does not fit.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        scopes: Sequence[str] = ("openid",),
        client_auth: ClientAuth | None = None,
        hooks: Sequence[Hook] = (),
        store: Store | None = None,
        policy: Policy | None = None,
        profile: str = "default",
        metadata: Mapping[str, Json] | None = None,
        http: Http | None = None,
        on_event: EventHandler | None = None,
    ) -> None:
        self._core = ClientCore(
            issuer,
            client_id,
            scopes=scopes,
            client_auth=client_auth,
            hooks=hooks,
            store=store,
            policy=policy,
            profile=profile,
            metadata=metadata,
            http=http,
            on_event=on_event,
        )
        self._wires = Wires(self._core)

    def __repr__(self) -> str:
        return f"Client({self._core!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections. The client can be used again; sessions are not touched."""
        self._wires.close()

    def _session(self, record: SessionRecord) -> Session:
        return Session(self._core, record, self._wires)

    def session(self, account: str | None = None) -> Session:
        """
        Return the stored session. Works offline; never opens anything.

        Args:
            account: The `sub` to use; the last one used by default.

        Raises:
            LoginRequired: Nobody is signed in.
        """
        return self._session(self._wires.drive(self._core.session(account)))

    def accounts(self) -> tuple[User, ...]:
        """Return who is signed in, the last one used first."""
        return self._wires.drive(self._core.accounts())

    def login(
        self,
        *,
        via: Way | None = None,
        open_browser: Callable[[str], object] | None = None,
        timeout: float = LOGIN_TIMEOUT,
        login_hint: str | None = None,
        prompt: str | None = None,
        max_age: int | None = None,
        acr_values: str | Sequence[str] | None = None,
        resource: str | Sequence[str] | None = None,
        claims: Mapping[str, Json] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Session:
        """
        Sign a person in: with the system browser, or another way.

        Args:
            via: The way: `Loopback()` (the default), `Device()`, `Paste()`, or `Auto()`, which chooses.
            open_browser: Takes the address to open, in place of the system browser. Not with `Device()`.
            timeout: How long the person may take, in seconds.
            login_hint: Who is expected to sign in.
            prompt: none, login, consent or select_account (OIDC Core 3.1.2.1).
            max_age: The longest time since the person last signed in, in seconds.
            acr_values: The authentication contexts wished for, best first.
            resource: Resource indicators of the APIs the token is for (RFC 8707).
            claims: The `claims` request parameter (OIDC Core 5.5).
            extra: Further authorization request parameters; security parameters cannot be set.

        Raises:
            LoginDenied: The person or the provider said no.
            LoginTimedOut: Nobody finished in time, or a device's code expired.
            LoginCancelled: The sign-in was stopped.
            BrowserUnavailable: There is no browser and nobody to show an address to, or to paste one.
            RemoteError: The provider broke a rule; nothing was stored.
            TransportError: The provider cannot be reached.
            UsageError: An argument does not fit.
        """
        from .signing_in import login, login_options  # noqa: PLC0415 - a stored session needs none of it

        options = login_options(
            self._core,
            via=via,
            open_browser=open_browser,
            timeout=timeout,
            login_hint=login_hint,
            prompt=prompt,
            max_age=max_age,
            acr_values=acr_values,
            resource=resource,
            claims=claims,
            extra=extra,
        )
        return self._session(self._wires.drive(login(self._core, options)))

    def start_login(
        self,
        *,
        via: Way | None = None,
        timeout: float = LOGIN_TIMEOUT,
        login_hint: str | None = None,
        prompt: str | None = None,
        max_age: int | None = None,
        acr_values: str | Sequence[str] | None = None,
        resource: str | Sequence[str] | None = None,
        claims: Mapping[str, Json] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> PendingLogin:
        """
        Start a sign-in and return its address, for programs with a window of their own. Opens nothing itself.

        The arguments are those of `login`.

        Raises:
            RemoteError: The provider broke a rule.
            TransportError: The provider cannot be reached.
            UsageError: An argument does not fit.
        """
        from .pending_login import PendingLogin  # noqa: PLC0415 - a stored session needs none of it
        from .signing_in import login_options, start_login  # noqa: PLC0415 - a stored session needs none of it

        options = login_options(
            self._core,
            via=via,
            open_browser=None,
            timeout=timeout,
            login_hint=login_hint,
            prompt=prompt,
            max_age=max_age,
            acr_values=acr_values,
            resource=resource,
            claims=claims,
            extra=extra,
        )
        pending = self._wires.drive(start_login(self._core, options, opens=False))
        return PendingLogin(self._core, pending, self._wires)

    def session_or_login(
        self,
        account: str | None = None,
        *,
        via: Way | None = None,
        open_browser: Callable[[str], object] | None = None,
        timeout: float = LOGIN_TIMEOUT,
        login_hint: str | None = None,
        prompt: str | None = None,
        max_age: int | None = None,
        acr_values: str | Sequence[str] | None = None,
        resource: str | Sequence[str] | None = None,
        claims: Mapping[str, Json] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Session:
        """
        Return the stored session, refreshed if need be; sign the person in only if that cannot be done.

        A stored session will do if it is of this account, has all the client's scopes and these resources, and the
        person signed in within `max_age`. The arguments are those of `session` and `login`; with `account` only that
        account may sign in.

        Raises:
            OidcError: As `login`.
        """
        from .signing_in import check_fits, login, login_options  # noqa: PLC0415 - a stored session needs none of it

        options = login_options(
            self._core,
            via=via,
            open_browser=open_browser,
            timeout=timeout,
            login_hint=login_hint,
            prompt=prompt,
            max_age=max_age,
            acr_values=acr_values,
            resource=resource,
            claims=claims,
            extra=extra,
            account=account,
        )
        try:
            session = self.session(account)
            check_fits(self._core, session.key, options.request)
            session.access_token()
        except LoginRequired:
            return self._session(self._wires.drive(login(self._core, options)))
        return session
