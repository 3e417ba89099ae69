"""A world for flows to be stepped through: a clock that stands still, a receiver with a list, no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from oidcclient import MemoryStore, OidcError, Policy, SessionRecord
from oidcclient._flows import device
from oidcclient._flows.login import LoginPlan, Started, finish, start
from oidcclient._flows.plan import DevicePlan, DeviceStarted
from oidcclient._flows.provider import Provider
from oidcclient._words.effects import Effect, Flow, Run, Send
from oidcclient._words.events import Event
from oidcclient._words.receiver import CallbackArrived, LoginOutcome, StartRequested
from oidcclient.protocol import AuthorizationRequest, HttpRequest, HttpResponse, PublicClient
from tests.protocol.examples import (
    CLIENT_ID,
    CODE,
    DEVICE,
    ISSUER,
    METADATA,
    NOW,
    REDIRECT_URI,
    REQUEST_URI,
    TOKENS,
    answer,
    changed,
    claims,
)
from tests.protocol.signing import signer

T = TypeVar("T")
Answer = HttpResponse | OidcError | Callable[[HttpRequest], HttpResponse]
Arrival = StartRequested | CallbackArrived | OidcError | Callable[[], "Arrival"] | None

WELL_KNOWN = "/.well-known/openid-configuration"
START_URI = "http://127.0.0.1:49152/start/s"
KEY_SET = {"keys": [signer().jwk(), signer("RS256").jwk()]}


@dataclass
class StandingClock:
    time: float = NOW
    tick: float = 1000.0

    def now(self) -> float:
        return self.time

    def ticks(self) -> float:
        return self.tick

    def advance(self, seconds: float) -> None:
        self.time += seconds
        self.tick += seconds


@dataclass
class ListedReceiver:
    """Bring the arrivals listed, one for each wait; where none is left the time runs out."""

    clock: StandingClock
    start_uri: str | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    state: str = ""
    waits: list[float] = field(default_factory=list)
    sent_on: list[str | None] = field(default_factory=list)
    outcomes: list[LoginOutcome] = field(default_factory=list)

    def open(self, state: str) -> str:
        self.state = state
        return REDIRECT_URI

    def wait(self, seconds: float) -> StartRequested | CallbackArrived | None:
        self.waits.append(seconds)
        arrival = self.arrivals.pop(0) if self.arrivals else None
        while callable(arrival):
            arrival = arrival()
        if arrival is None:
            self.clock.advance(seconds)
        if isinstance(arrival, OidcError):
            raise arrival
        return arrival

    def send_on(self, event: StartRequested, address: str | None) -> None:
        self.sent_on.append(address)

    def finish(self, outcome: LoginOutcome) -> None:
        self.outcomes.append(outcome)

    def cancel(self) -> None:
        raise AssertionError("no flow cancels")

    def close(self) -> None:
        raise AssertionError("whoever opened it closes it, not the flow")


@dataclass
class CountingPause:
    """Let the standing clock run, and note how long was waited; a listed error ends a wait."""

    clock: StandingClock
    waits: list[float] = field(default_factory=list)
    errors: list[OidcError] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self.errors:
            raise self.errors.pop()
        self.clock.advance(seconds)

    def cancel(self) -> None:
        raise AssertionError("no flow cancels")


class World:
    """All that surrounds one client, and the answers of its provider by path."""

    def __init__(self, *, policy: Policy | None = None, start_uri: str | None = None, **members: Any) -> None:
        self.policy = policy or Policy()
        self.clock = StandingClock()
        self.receiver = ListedReceiver(self.clock, start_uri)
        self.pause = CountingPause(self.clock)
        self.store: MemoryStore = MemoryStore()
        self.events: list[Event] = []
        self.shown: list[str] = []
        self.requests: list[HttpRequest] = []
        self.nonce = ""
        self.provider = Provider(ISSUER, self.policy, self.events.append)
        self.answers: dict[str, Answer | list[Answer]] = {
            WELL_KNOWN: answer(changed(METADATA, members)),
            "/jwks": answer(KEY_SET),
            "/par": answer({"request_uri": REQUEST_URI, "expires_in": 60}, 201),
            "/token": lambda _request: self.tokens(),
            "/device": answer(DEVICE),
        }

    @property
    def paths(self) -> list[str]:
        """What was asked of the provider, in order."""
        return [urlsplit(request.url).path for request in self.requests]

    @property
    def saved(self) -> list[SessionRecord]:
        """What is stored."""
        return list(self.store.records("default", ISSUER, CLIENT_ID))

    def tokens(self, *, claimed: dict[str, Any] | None = None, kid: str | None = None, **changes: Any) -> HttpResponse:
        """Return a good token response, with changes."""
        token = signer().sign(claims(**{"nonce": self.nonce, **(claimed or {})}), kid=kid or signer().kid)
        return answer(changed({**TOKENS, "id_token": token}, changes))

    def plan(self, *, asked: AuthorizationRequest | None = None, **changes: Any) -> LoginPlan:
        settings: dict[str, Any] = {
            **self._settings(asked),
            "receiver": self.receiver,
            "form_post": False,
            "own_start": self.receiver.start_uri is not None,
            "show_again": self.shown.append,
            "timeout": 300.0,
        }
        return LoginPlan(**{**settings, **changes})

    def _settings(self, asked: AuthorizationRequest | None) -> dict[str, Any]:
        """Return what every sign-in needs."""
        return {
            "provider": self.provider,
            "client_id": CLIENT_ID,
            "client_auth": PublicClient(),
            "policy": self.policy,
            "hooks": (),
            "profile": "default",
            "store": self.store,
            "request": asked or AuthorizationRequest(scopes=("openid", "email")),
            "clock": self.clock,
            "emit": self.events.append,
        }

    def device_plan(self, *, asked: AuthorizationRequest | None = None, **changes: Any) -> DevicePlan:
        settings: dict[str, Any] = {
            **self._settings(asked),
            "timeout": 3600.0,
            "pause": self.pause,
        }
        return DevicePlan(**{**settings, **changes})

    def callback(self, **changes: Any) -> CallbackArrived:
        """Return the good response to the sign-in under way, with changes."""
        members = changed({"code": CODE, "state": self.receiver.state}, changes)
        return CallbackArrived(tuple(members.items()), REDIRECT_URI)

    # -- stepping

    def perform(self, flow: Flow[T]) -> T:
        """Step through a flow to its end."""
        resume: Callable[[], Effect] = partial(next, flow)
        while True:
            try:
                effect = resume()
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                value = self._done(effect)
            except OidcError as error:
                resume = partial(flow.throw, error)
            else:
                resume = partial(flow.send, value)

    def _done(self, effect: Effect) -> Any:
        if isinstance(effect, Run):
            return effect.call()
        assert isinstance(effect, Send)
        self.requests.append(effect.request)
        path = urlsplit(effect.request.url).path
        found = self.answers.get(path, HttpResponse(404))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, OidcError):
            raise found
        return found(effect.request) if callable(found) else found

    def start(self, plan: LoginPlan) -> Started:
        started = self.perform(start(plan))
        self.nonce = started.transaction.nonce
        return started

    def device_login(self, plan: DevicePlan | None = None) -> SessionRecord:
        """Sign in on another device."""
        plan = plan or self.device_plan()
        started: DeviceStarted = self.perform(device.start(plan))
        return self.perform(device.finish(plan, started))

    def login(self, plan: LoginPlan | None = None) -> SessionRecord:
        """Sign in; the callback comes at once unless other arrivals are listed."""
        plan = plan or self.plan()
        started = self.start(plan)
        if not self.receiver.arrivals:
            self.receiver.arrivals = [self.callback]
        return self.perform(finish(plan, started))


def query(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))


def form(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


__all__ = ["KEY_SET", "START_URI", "WELL_KNOWN", "Answer", "World", "form", "query"]
