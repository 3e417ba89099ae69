"""
Signing a person in on another device (RFC 8628).

`start` asks for the codes; `finish` asks the token endpoint again and again until the person has decided, and ends
with checked tokens. Between the two the program shows the code.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import LoginTimedOut, OidcError, TransportError
from oidcclient._words.events import DeviceCodeShown, SignedIn
from oidcclient._words.record import SessionRecord
from oidcclient._words.value import dataclass
from oidcclient._words.values import ProviderMetadata, TokenResponse
from oidcclient._words.ways import DeviceCode
from oidcclient.hooks import ExchangeKind
from oidcclient.protocol import (
    DevicePoll,
    build_device_authorization_request,
    build_device_token_request,
    device_code_expired,
    parse_device_authorization_response,
    parse_device_token_response,
)

from .completion import Granted, keep
from .exchange import BoundHooks, authenticator
from .plan import DevicePlan, DeviceStarted
from .preparing import begin, forgetting, prefetch_keys

__all__ = ["device_code", "finish", "start"]

SHORTEST_INTERVAL = 1.0  # seconds, whatever the provider says: nobody types a code faster
SLOWER = 5.0  # seconds; RFC 8628 section 3.5
# The monotonic clocks of virtual machines and of WSL run fast, and a poll that comes early is answered with slow_down.
# cli/oauth waits so much longer, and more once it was told to slow down (its device/device_flow.go).
DRIFT, DRIFT_SEEN = 1.2, 1.4
LONGEST_BACK_OFF = 30.0  # seconds between two tries while the provider cannot be reached


@dataclass(slots=True)
class Pace:
    """
    How long to wait before the next poll (section 3.5).

    Args:
        interval: The shortest time between two polls, in seconds; only ever grows.
        drift: By how much more is waited, for a clock that runs fast.
        failures: How often in a row the provider could not be reached.
        fault: Why, the last time.
    """

    interval: float
    drift: float = DRIFT
    failures: int = 0
    fault: TransportError | None = None

    def slow_down(self) -> None:
        """Wait five seconds more, for this and all polls to come."""
        self.interval += SLOWER
        self.drift = DRIFT_SEEN

    def answered(self) -> None:
        """Note that the provider can be reached."""
        self.failures, self.fault = 0, None

    def failed(self, fault: TransportError) -> None:
        """Note that it cannot: the wait doubles each time."""
        self.failures, self.fault = self.failures + 1, fault

    @property
    def seconds(self) -> float:
        """How long to wait now."""
        usual = max(self.interval, SHORTEST_INTERVAL) * self.drift
        if self.fault is None:
            return usual
        doubled = min(usual * 2.0 ** min(self.failures, 30), max(LONGEST_BACK_OFF, usual))
        return max(doubled, self.fault.retry_after or 0.0)


def start(plan: DevicePlan) -> Flow[DeviceStarted]:
    """
    Ask for the codes.

    Raises:
        OidcError: Something is in the way; there is no code to show.
    """
    return (yield from begin(plan, lambda metadata, hooks: _start(plan, metadata, hooks)))


def _start(plan: DevicePlan, metadata: ProviderMetadata, hooks: BoundHooks) -> Flow[DeviceStarted]:
    now = yield from run(plan.clock.now)
    ticks = yield from run(plan.clock.ticks)  # before the request: the codes live from when they were made
    response = yield from hooks.exchange(
        ExchangeKind.DEVICE_AUTHORIZATION,
        build_device_authorization_request(metadata, plan.request, plan.policy),
        authenticate=authenticator(plan.client_auth, plan.client_id, metadata, now),
    )
    authorization = parse_device_authorization_response(response, issuer=metadata.issuer, policy=plan.policy)
    ends = ticks + authorization.expires_in
    plan.emit(DeviceCodeShown(authorization.verification_uri, authorization.expires_in, authorization.interval))
    return DeviceStarted(metadata, hooks, authorization, now, ends, min(ends, ticks + plan.timeout))


def device_code(started: DeviceStarted) -> DeviceCode:
    """Return what the person needs; the code that the device asks with is not among it (section 3.3)."""
    given = started.authorization
    return DeviceCode(
        user_code=given.user_code,
        verification_uri=given.verification_uri,
        verification_uri_complete=given.verification_uri_complete,
        expires_in=given.expires_in,
        expires_at=started.given_at + given.expires_in,
    )


def finish(plan: DevicePlan, started: DeviceStarted) -> Flow[SessionRecord]:
    """
    Ask until the person has decided, check everything, store the session.

    Raises:
        OidcError: The sign-in failed; nothing was stored.
    """
    record = yield from forgetting(plan, started.hooks, _finish(plan, started))
    plan.emit(SignedIn(record.issuer, record.account))
    return record


def _finish(plan: DevicePlan, started: DeviceStarted) -> Flow[SessionRecord]:
    yield from prefetch_keys(plan, started.metadata)
    tokens = yield from _polled(plan, started)
    now = yield from run(plan.clock.now)
    return (yield from keep(plan, started, Granted(ExchangeKind.DEVICE, tokens, None, now)))


def _polled(plan: DevicePlan, started: DeviceStarted) -> Flow[TokenResponse]:
    """Poll until there is an answer (section 3.5)."""
    pace = Pace(started.authorization.interval)
    while True:
        yield from _wait(plan, started, pace)
        try:
            answer = yield from _poll(plan, started)
        except TransportError as fault:
            pace.failed(fault)
            continue
        pace.answered()
        if isinstance(answer, TokenResponse):
            return answer
        if answer is DevicePoll.SLOW_DOWN:
            pace.slow_down()


def _wait(plan: DevicePlan, started: DeviceStarted, pace: Pace) -> Flow[None]:
    """Wait for the next poll; where the time is over before, there is none."""
    ticks = yield from run(plan.clock.ticks)
    seconds = max(0.0, min(pace.seconds, started.deadline - ticks))
    yield from run(lambda: plan.pause.wait(seconds), waits=True)
    ticks = yield from run(plan.clock.ticks)
    if ticks >= started.deadline:
        raise pace.fault or _too_late(plan, started)


def _too_late(plan: DevicePlan, started: DeviceStarted) -> OidcError:
    if started.deadline >= started.expires_at:
        return device_code_expired()
    host = urlsplit(started.metadata.issuer).hostname
    return LoginTimedOut(f"nobody finished signing in to {host} within {plan.timeout:.0f} seconds")


def _poll(plan: DevicePlan, started: DeviceStarted) -> Flow[TokenResponse | DevicePoll]:
    """Ask once. Hooks and client authentication make something of their own for each poll (RFC 9449 section 5)."""
    metadata = started.metadata
    now = yield from run(plan.clock.now)
    response = yield from started.hooks.exchange(
        ExchangeKind.DEVICE,
        build_device_token_request(metadata, started.authorization, plan.request, plan.policy),
        authenticate=authenticator(plan.client_auth, plan.client_id, metadata, now),
    )
    return parse_device_token_response(response)
