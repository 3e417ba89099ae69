"""The provider as a program uses it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from oidcclient_dpop.server import NonceIssuer, ProofVerifier

from .app import api_app, provider_app
from .browser import Browser
from .clients import DESKTOP, Client, default_clients
from .controls import Active, Controls, check_endpoint, prepared_answer
from .core import Core
from .devices import decide, find_waiting
from .grant_rules import DEVICE_CODE_LIFETIME, PASSWORD, POLL_INTERVAL
from .keys import SIGNING_ALGS, Keys
from .metrics import Metrics
from .misbehaviours import check_name
from .proof_rules import NONCE_MODES, NonceMode
from .records import RequestLog
from .serving import ServerThread, bind, origin
from .signing_in import sign_in
from .store import DeviceRequest
from .users import User, default_users


class Provider:
    """An OpenID provider on loopback with a protected API, for development and tests.

    Use it as a context manager, or call `start()` and `stop()`.

    Args:
        port: of the provider; 0 takes a free one.
        api_port: of the protected API; 0 takes a free one.
        sign_in_as: a user who is signed in without any page, or None to show the pages.
        users: who can sign in; ann and bob by default.
        keys: signing keys to use; making new ones takes a moment, so tests share them.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        api_port: int = 0,
        sign_in_as: str | None = None,
        users: Iterable[User] | None = None,
        keys: Keys | None = None,
    ) -> None:
        self._ports = (port, api_port)
        self.keys = keys.copy() if keys is not None else Keys()
        self.users: dict[str, User] = default_users() if users is None else {user.username: user for user in users}
        self.clients: dict[str, Client] = default_clients({"keys": [self.keys.client_key.public()]})
        self.client_id = DESKTOP
        self.resources: list[str] = []  # further resource indicators (RFC 8707) that tokens are issued for
        self.requests = RequestLog()
        self.metrics = Metrics()
        self._controls = Controls()
        self._core: Core | None = None
        self._thread: ServerThread | None = None
        self.sign_in_as(sign_in_as)

    # Life

    def start(self) -> Self:
        """Bind both ports and serve them."""
        if self._thread is not None:
            raise RuntimeError("the provider is running already")
        here = bind(self._ports[0])
        try:
            there = bind(self._ports[1])
        except BaseException:
            here.close()
            raise
        self._core = Core(
            issuer=origin(here),
            api=origin(there),
            keys=self.keys,
            users=self.users,
            clients=self.clients,
            resources=self.resources,
            controls=self._controls,
            requests=self.requests,
            metrics=self.metrics,
        )
        apps = [(here, provider_app(self._core)), (there, api_app(self._core))]
        self._thread = ServerThread(apps, on_stop=self._controls.stopping.set)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End at once: open connections are closed, delayed answers are not sent."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def core(self) -> Core:
        """The parts of the running provider."""
        if self._core is None:
            raise RuntimeError("the provider was not started")
        return self._core

    @property
    def issuer(self) -> str:
        """The issuer identifier."""
        return self.core.issuer

    @property
    def api(self) -> str:
        """The base address of the protected API."""
        return self.core.api

    # Apps and people

    def add_client(self, client_id: str, **members: Any) -> Client:
        """Register an app; the members are the fields of `Client`."""
        members.setdefault("client_name", client_id)
        for name in ("redirect_uris", "post_logout_redirect_uris", "scopes", "grant_types"):
            if name in members:
                members[name] = tuple(members[name])
        client = Client(client_id=client_id, **members)
        for alg in (client.id_token_signed_response_alg, client.userinfo_signed_response_alg):
            if alg is not None:
                self.keys.signing(alg)  # so that the JWKS has the key before the first token
        self.clients[client_id] = client
        return client

    def require_dpop(self, client_id: str = DESKTOP, *, required: bool = True) -> None:
        """Issue tokens to this client with a proof only (RFC 9449 section 5.2)."""
        self.clients[client_id] = replace(self.clients[client_id], dpop_bound_access_tokens=required)

    def allow_password_grant(self, client_id: str = DESKTOP) -> None:
        """Switch the password grant on, which is legacy and forbidden (RFC 9700 section 2.4), for this client."""
        client = self.clients[client_id]
        self.clients[client_id] = replace(client, grant_types=(*client.grant_types, PASSWORD))
        self._controls.grants.legacy = True

    def sign_in_as(self, username: str | None) -> None:
        """Sign this user in without any page, or show the pages again (None)."""
        if username is not None and username not in self.users:
            raise ValueError(f"no user is called {username!r}; there are {', '.join(self.users)}")
        self._controls.sign_in_as = username

    def browser(self, user: str = "ann", *, deny: bool = False, user_code: str | None = None) -> Browser:
        """Return a scripted person: call it with an address, as `open_browser`; `user_code` is what a device shows."""
        person = self.users[user]
        return Browser(person.username, person.password, deny=deny, user_code=user_code)

    def approve_device(self, user_code: str, user: str = "ann") -> None:
        """Let the device that shows this code have what it asked for, as a person does on the page (RFC 8628)."""
        decide(self._waiting(user_code), sign_in(self.core, self.users[user].username, "pwd"))

    def deny_device(self, user_code: str) -> None:
        """Refuse the device that shows this code."""
        decide(self._waiting(user_code), None)

    def _waiting(self, user_code: str) -> DeviceRequest:
        waiting = find_waiting(self.core, user_code)
        if waiting is None:
            raise ValueError(f"no device waits with the code {user_code!r}")
        return waiting

    # What was asked

    def count(self, endpoint: str) -> int:
        """Count the requests to one endpoint."""
        return len(self.requests.of(check_endpoint(endpoint)))

    # Controls

    def set_token_lifetime(self, seconds: int) -> None:
        """Let access tokens issued from now on live this long."""
        self._controls.access_token_lifetime = seconds

    def sign_access_tokens(self, alg: str) -> None:
        """Sign access tokens issued from now on with this algorithm; those issued before stay good."""
        if alg not in SIGNING_ALGS:
            raise ValueError(f"a signing algorithm is one of {', '.join(SIGNING_ALGS)}")
        self.keys.signing(alg)  # so that the JWKS has the key before the first token
        self._controls.access_token_algorithm = alg

    def expire_tokens(self, *, access: bool = True, refresh: bool = False) -> None:
        """Let the tokens issued so far be expired."""
        store = self.core.store
        for token in list(store.access_tokens.values()):
            token.expired = token.expired or access
        for refresh_token in list(store.refresh_tokens.values()):
            refresh_token.expires_at = 0.0 if refresh else refresh_token.expires_at

    def revoke_grants(self) -> None:
        """Revoke everything that was granted so far, as a person does on a provider's account page."""
        store = self.core.store
        for access_token in list(store.access_tokens.values()):
            access_token.grant.revoked = True
        for refresh_token in list(store.refresh_tokens.values()):
            refresh_token.grant.revoked = True

    def refuse_refresh(self, times: int = 1) -> None:
        """Answer the next refresh requests with invalid_grant."""
        self._controls.refuse_refreshes = times

    def set_device_codes(self, *, lifetime: int = DEVICE_CODE_LIFETIME, interval: int = POLL_INTERVAL) -> None:
        """Let device codes issued from now on live this long, and be asked about this often; in seconds."""
        self._controls.grants.device_lifetime, self._controls.grants.device_interval = lifetime, interval

    def rotate_keys(self, *, keep_old: bool = True) -> None:
        """Sign with new keys; the old ones stay in the JWKS or vanish at once."""
        self.keys.rotate(keep_old=keep_old)

    def move_clock(self, seconds: float) -> None:
        """Move the clock of the provider and its API."""
        self.core.clock.move(seconds)

    def dpop_nonces(self, *, as_: NonceMode = "off", rs: NonceMode = "off") -> None:
        """Ask for nonces in proofs: at the provider with its userinfo (`as_`) and at the API (`rs`)."""
        for mode in (as_, rs):
            if mode not in NONCE_MODES:
                raise ValueError(f"nonces are {', '.join(NONCE_MODES)}")
        self._controls.proofs.nonces = {"as": as_, "rs": rs}

    def dpop_algorithms(self, *algorithms: str) -> None:
        """Take proofs with these algorithms only, and advertise them."""
        ProofVerifier(algorithms=algorithms)  # refuses what it does not know
        self._controls.proofs.algorithms = algorithms

    def dpop_window(self, *, past: float, future: float, with_nonce: float | None = None) -> None:
        """
        Take proofs whose clock is this many seconds behind or ahead; if they have a nonce, `with_nonce` either way.

        With `math.inf` for `with_nonce` the nonce alone counts.
        """
        nonces = NonceIssuer(bytes(32))
        ProofVerifier(past=past, future=future, nonces=nonces, skew_with_nonce=with_nonce)  # refuses what is no window
        rules = self._controls.proofs
        rules.past, rules.future, rules.with_nonce = past, future, with_nonce

    def allow_origins(self, *origins: str) -> None:
        """Let pages of these origins alone call the endpoints for programs; `"*"`, as at first, is any origin."""
        self._controls.origins = origins

    def misbehave(self, name: str, *, times: int | None = None, **options: Any) -> None:
        """Do something wrong from now on, or the next `times` times. See `MISBEHAVIOURS`."""
        self._controls.active[check_name(name)] = Active(options, times)

    def behave(self) -> None:
        """End all misbehaviours, delays and prepared answers."""
        self._controls.active.clear()
        self._controls.delays.clear()
        self._controls.prepared.clear()
        self._controls.refuse_refreshes = 0

    def delay(self, endpoint: str, seconds: float) -> None:
        """Hold back each answer of an endpoint."""
        self._controls.delays[check_endpoint(endpoint)] = seconds

    def answer(
        self,
        endpoint: str,
        status: int,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str | Mapping[str, Any] = b"",
        *,
        times: int = 1,
    ) -> None:
        """Replace the next answers of an endpoint; a mapping is sent as JSON."""
        self._controls.prepare(endpoint, prepared_answer(status, headers, body), times)
