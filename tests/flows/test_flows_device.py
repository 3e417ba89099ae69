"""Signing a person in on another device, step by step, without a clock (RFC 8628)."""

from typing import Any

import pytest

from oidcclient import (
    IDTokenRefused,
    LoginCancelled,
    LoginDenied,
    LoginTimedOut,
    OAuthError,
    ResponseRefused,
    StoreError,
    TransportError,
    UsageError,
)
from oidcclient._flows import device
from oidcclient._words.effects import Run, Send
from oidcclient._words.events import (
    DeviceCodeShown,
    IDTokenVerified,
    KeysFetched,
    MetadataFetched,
    SignedIn,
    TokenReceived,
)
from oidcclient._words.ways import DeviceCode
from oidcclient.hooks import ExchangeKind, Flow
from oidcclient.protocol import DEVICE_GRANT, AuthorizationRequest, HttpResponse, PrivateKeyJwt
from tests.flows.hooks import RequestId, SenderConstraint
from tests.flows.world import WELL_KNOWN, World, form
from tests.protocol.examples import (
    ACCESS_TOKEN,
    CLIENT_ID,
    DEVICE,
    DEVICE_CODE,
    ISSUER,
    MARK,
    NOW,
    REFRESH_TOKEN,
    USER_CODE,
    WITH_DEVICE,
    answer,
    changed,
    refused,
)
from tests.protocol.signing import signer

PENDING = answer({"error": "authorization_pending"}, 400)
SLOW_DOWN = answer({"error": "slow_down"}, 400)
TIMED_OUT = TransportError("the token endpoint timed out")
NONE: dict[str, Any] = {"nonce": ...}  # an ID Token of this grant has none


class DeviceWorld(World):
    """A provider with the grant; the polls are answered in order, then with tokens."""

    def __init__(self, *polls: Any, given: dict[str, Any] | None = None, **settings: Any) -> None:
        super().__init__(**{**WITH_DEVICE, **settings})
        self.answers["/device"] = answer(changed(DEVICE, given or {}))
        self.answers["/token"] = [*polls, lambda _request: self.tokens(claimed=NONE)]

    @property
    def polls(self) -> list[dict[str, str]]:
        return [form(request) for request in self.requests if request.url.endswith("/token")]


def test_a_device_sign_in_by_hand() -> None:
    """The order of the steps; a wait for a person is marked as one."""
    world = DeviceWorld()
    plan = world.device_plan()
    flow = device.start(plan)
    assert next(flow) == Run(plan.clock.now)
    assert isinstance(flow.send(NOW), Send)
    assert flow.send(world.answers[WELL_KNOWN]) == Run(plan.store.probe)
    assert flow.send(None) == Run(plan.clock.now)
    assert flow.send(NOW) == Run(plan.clock.ticks)
    effect = flow.send(1000.0)
    assert isinstance(effect, Send)
    assert form(effect.request) == {"scope": "openid email", "client_id": CLIENT_ID}
    with pytest.raises(StopIteration) as done:
        flow.send(world.answers["/device"])
    started = done.value.value
    assert (started.expires_at, started.deadline) == (2800.0, 2800.0)

    waiting = device.finish(plan, started)
    assert next(waiting) == Run(plan.clock.now)
    effect = waiting.send(NOW)
    assert isinstance(effect, Send)
    assert effect.request.url == f"{ISSUER}/jwks"
    assert waiting.send(world.answers["/jwks"]) == Run(plan.clock.ticks)
    effect = waiting.send(1000.0)
    assert isinstance(effect, Run)
    assert effect.waits
    assert waiting.send(None) == Run(plan.clock.ticks)
    assert waiting.send(1006.0) == Run(plan.clock.now)
    effect = waiting.send(NOW)
    assert isinstance(effect, Send)
    assert effect.request.url == f"{ISSUER}/token"
    waiting.close()


def test_a_device_sign_in_stores_a_session() -> None:
    """Section 3.5; OIDC Core 3.1.3.7."""
    world = DeviceWorld(PENDING, PENDING)
    record = world.device_login()
    assert world.saved == [record]
    assert (record.issuer, record.client_id, record.account, record.profile) == (ISSUER, CLIENT_ID, "ann", "default")
    assert record.tokens[""].value == ACCESS_TOKEN
    assert record.refresh_token == REFRESH_TOKEN
    assert record.claims["sub"] == "ann"
    assert len(world.polls) == 3


def test_each_poll_names_the_client_and_the_same_code() -> None:
    """Section 3.4: client_id is REQUIRED if the client is not authenticating otherwise."""
    world = DeviceWorld(PENDING, PENDING)
    world.device_login()
    assert world.polls == [{"grant_type": DEVICE_GRANT, "device_code": DEVICE_CODE, "client_id": CLIENT_ID}] * 3


def test_a_confidential_client_authenticates_each_poll_anew() -> None:
    """Sections 3.1 and 3.4; RFC 7523 section 3: an assertion lives a minute, a wait for a person longer."""
    world = DeviceWorld(PENDING, PENDING)
    world.device_login(world.device_plan(client_auth=PrivateKeyJwt(key=signer().private_pem())))
    sent = [form(request) for request in world.requests if request.method == "POST"]
    assert len({one["client_assertion"] for one in sent}) == 4
    assert all(one["client_id"] == CLIENT_ID for one in sent)


def test_each_step_is_told_and_no_event_holds_a_code() -> None:
    """Sections 3.3 and 5.5: neither code is for whoever reads events."""
    world = DeviceWorld()
    world.device_login()
    assert [type(event) for event in world.events] == [
        MetadataFetched,
        DeviceCodeShown,
        KeysFetched,
        TokenReceived,
        IDTokenVerified,
        SignedIn,
    ]
    assert MARK not in repr(world.events)
    assert USER_CODE not in repr(world.events)


def test_a_program_gets_what_the_person_needs_and_not_the_device_code() -> None:
    """Section 3.3."""
    world = DeviceWorld()
    started = world.perform(device.start(world.device_plan()))
    code = device.device_code(started)
    assert code == DeviceCode(
        user_code=USER_CODE,
        verification_uri="https://example.com/device",
        verification_uri_complete=f"https://example.com/device?user_code={USER_CODE}",
        expires_in=1800.0,
        expires_at=NOW + 1800,
    )
    assert USER_CODE not in repr(code)
    assert MARK not in repr(started)


# -- the pace


def test_the_interval_is_waited_before_each_poll_and_a_fast_clock_is_allowed_for() -> None:
    """Section 3.5; the monotonic clock of a virtual machine may run a fifth too fast."""
    world = DeviceWorld(PENDING, PENDING)
    world.device_login()
    assert world.pause.waits == [6.0, 6.0, 6.0]


def test_without_an_interval_five_seconds_are_the_pace() -> None:
    """Section 3.2."""
    world = DeviceWorld(given={"interval": ...})
    world.device_login()
    assert world.pause.waits == [6.0]


def test_slow_down_adds_five_seconds_for_good() -> None:
    """Section 3.5: for this and all subsequent requests."""
    world = DeviceWorld(PENDING, SLOW_DOWN, PENDING, SLOW_DOWN, PENDING)
    world.device_login()
    assert world.pause.waits == pytest.approx([6.0, 6.0, 14.0, 14.0, 21.0, 21.0])


def test_no_provider_makes_us_ask_without_end() -> None:
    world = DeviceWorld(PENDING, PENDING, given={"interval": 0})
    world.device_login()
    assert world.pause.waits == pytest.approx([1.2, 1.2, 1.2])


def test_a_provider_that_does_not_answer_is_asked_less_and_less_often() -> None:
    """Section 3.5: a client MUST unilaterally reduce its polling frequency; doubling is RECOMMENDED."""
    world = DeviceWorld(TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT, PENDING)
    assert world.device_login().account == "ann"
    assert world.pause.waits == pytest.approx([6.0, 12.0, 24.0, 30.0, 30.0, 6.0])


def test_a_long_interval_is_never_shortened_by_a_failure() -> None:
    world = DeviceWorld(TIMED_OUT, given={"interval": 60})
    world.device_login()
    assert world.pause.waits == pytest.approx([72.0, 72.0])


def test_a_busy_provider_says_when_to_come_again() -> None:
    """RFC 9110 section 10.2.3."""
    world = DeviceWorld(HttpResponse(503, (("Retry-After", "45"),)))
    world.device_login()
    assert world.pause.waits == pytest.approx([6.0, 45.0])


# -- the end


def test_the_polling_ends_when_the_code_does() -> None:
    """Section 3.3: until the code expires, and no poll after it."""
    world = DeviceWorld(*[PENDING] * 20, given={"expires_in": 20})
    with refused(LoginTimedOut, "expired_token") as caught:
        world.device_login()
    assert world.pause.waits == pytest.approx([6.0, 6.0, 6.0, 2.0])
    assert len(world.polls) == 3
    assert "new code" in caught[0].hint


def test_the_polling_ends_when_the_callers_time_does() -> None:
    world = DeviceWorld(*[PENDING] * 20)
    with refused(LoginTimedOut) as caught:
        world.device_login(world.device_plan(timeout=10.0))
    assert caught[0].rule is None
    assert "login.example.com within 10 seconds" in str(caught[0])
    assert world.pause.waits == pytest.approx([6.0, 4.0])


def test_a_wait_that_begins_too_late_is_none() -> None:
    world = DeviceWorld()
    plan = world.device_plan()
    started = world.perform(device.start(plan))
    world.clock.advance(5000)
    with refused(LoginTimedOut):
        world.perform(device.finish(plan, started))
    assert world.pause.waits == [0.0]
    assert not world.polls


def test_a_provider_that_was_never_reached_is_not_blamed_on_the_person() -> None:
    world = DeviceWorld(*[TIMED_OUT] * 20, given={"expires_in": 20})
    with refused(TransportError) as caught:
        world.device_login()
    assert "timed out" in str(caught[0])


ENDS: list[tuple[str, Any, str | None]] = [
    ("access_denied", LoginDenied, "error"),
    ("expired_token", LoginTimedOut, "expired_token"),
    ("invalid_grant", OAuthError, "error"),
    ("invalid_request", OAuthError, "error"),
    ("something_else", OAuthError, "error"),
]


@pytest.mark.parametrize(("error", "kind", "rule"), ENDS)
def test_any_other_error_ends_the_polling_at_once(error: str, kind: Any, rule: str | None) -> None:
    """Section 3.5: and after expired_token no new code is asked for; that is for a person to want."""
    world = DeviceWorld(PENDING, answer({"error": error}, 400))
    with refused(kind, rule):
        world.device_login()
    assert len(world.polls) == 2
    assert world.paths.count("/device") == 1
    assert not world.saved


def test_a_malformed_answer_ends_the_polling() -> None:
    world = DeviceWorld(HttpResponse(200, (), b"[]"))
    with refused(ResponseRefused):
        world.device_login()
    assert len(world.polls) == 1


def test_a_sign_in_that_is_cancelled_ends() -> None:
    world = DeviceWorld(PENDING)
    world.pause.errors = [LoginCancelled("stopped")]
    with refused(LoginCancelled):
        world.device_login()
    assert not world.polls


# -- before the codes


def test_a_provider_without_the_grant_is_not_asked() -> None:
    world = World()
    with refused(UsageError, "device"):
        world.device_login()
    assert world.paths == [WELL_KNOWN]


def test_a_store_that_fails_is_found_before_a_code_is_asked_for() -> None:
    world = DeviceWorld()

    class Full(type(world.store)):  # type: ignore[misc] # a store of the same kind
        def probe(self) -> None:
            raise StoreError("the disk is full")

    with refused(StoreError):
        world.device_login(world.device_plan(store=Full()))
    assert "/device" not in world.paths


def test_a_refused_request_for_codes_ends_the_sign_in() -> None:
    world = DeviceWorld()
    world.answers["/device"] = answer({"error": "invalid_scope"}, 400)
    with refused(OAuthError):
        world.device_login()


# -- what was granted


@pytest.mark.parametrize(
    ("rule", "kind", "changes"),
    [
        ("id_token", IDTokenRefused, {"id_token": ...}),
        ("nonce", IDTokenRefused, {"claimed": {"nonce": "of another request"}}),
        ("iss", IDTokenRefused, {"claimed": {**NONE, "iss": "https://evil.example"}}),
        ("aud", IDTokenRefused, {"claimed": {**NONE, "aud": "other"}}),
        ("at_hash", IDTokenRefused, {"claimed": {**NONE, "at_hash": "other"}}),
        ("token_type", ResponseRefused, {"token_type": "mac"}),
    ],
)
def test_tokens_of_a_device_that_fail_a_check_are_not_stored(rule: str, kind: Any, changes: dict[str, Any]) -> None:
    """OIDC Core 3.1.3.7 and 2: as in the code flow; a nonce cannot be sent, so none may come back."""
    world = DeviceWorld()
    world.answers["/token"] = lambda _: world.tokens(**changes)
    with refused(kind, rule):
        world.device_login()
    assert not world.saved


def test_what_was_demanded_of_a_device_sign_in_is_checked() -> None:
    """OIDC Core 3.1.3.7 step 13: a provider that ignored max_age is found out."""
    with refused(IDTokenRefused, "auth_time"):
        world = DeviceWorld()
        world.device_login(world.device_plan(asked=AuthorizationRequest(max_age=60)))


def test_the_account_that_was_asked_for_must_sign_in_on_the_device() -> None:
    world = DeviceWorld()
    with refused(IDTokenRefused, "account"):
        world.device_login(world.device_plan(account="bob"))


def test_a_token_of_a_device_is_kept_under_its_resource() -> None:
    """RFC 8707 section 2.2."""
    world = DeviceWorld()
    record = world.device_login(world.device_plan(asked=AuthorizationRequest(resources=("https://api.example.com",))))
    assert list(record.tokens) == ["https://api.example.com"]
    assert world.polls[0]["resource"] == "https://api.example.com"


# -- hooks


class Keeper(SenderConstraint):
    """Remembers what it was told to forget."""

    def __init__(self) -> None:
        super().__init__()
        self.forgotten: list[dict[str, Any]] = []

    def forget(self, state: dict[str, Any]) -> Flow[None]:
        self.forgotten.append(state)
        yield from ()


def bound_world(*polls: Any) -> DeviceWorld:
    world = DeviceWorld(*polls, constraint_supported=True)
    found = world.answers["/token"]
    assert isinstance(found, list)
    found[-1] = lambda _: world.tokens(claimed=NONE, token_type="Bound")
    return world


def test_each_poll_carries_a_proof_of_its_own_with_the_same_key() -> None:
    """RFC 9449 section 5: a proof for every token request, whatever the grant."""
    world = bound_world(PENDING, HttpResponse(400, (("X-Challenge", "c-1"),), PENDING.body))
    keeper, counter = Keeper(), RequestId()
    record = world.device_login(world.device_plan(hooks=(keeper, counter)))
    proofs = [request.header("proof") for request in world.requests if request.header("proof")]
    assert proofs == ["k-1 1 -", "k-1 2 -", "k-1 3 -", "k-1 4 c-1"]
    assert counter.kinds == [ExchangeKind.DEVICE_AUTHORIZATION, *[ExchangeKind.DEVICE] * 3]
    assert record.hook_state["constraint"]["key"] == "k-1"
    assert record.binding_hooks == ("constraint",)
    assert not keeper.forgotten


def test_a_challenged_poll_is_one_poll() -> None:
    """RFC 9449 section 8: the retry with the nonce waits for nothing."""
    world = bound_world(HttpResponse(400, (("X-Challenge", "c-1"),), b'{"error": "use_challenge"}'))
    world.device_login(world.device_plan(hooks=(Keeper(),)))
    assert len(world.polls) == 2
    assert world.pause.waits == [6.0]


@pytest.mark.parametrize("failure", ["codes", "poll", "cancel", "bug"])
def test_the_key_made_for_a_device_sign_in_is_forgotten_when_it_fails(failure: str) -> None:
    world = bound_world(answer({"error": "access_denied"}, 400))
    keeper = Keeper()
    if failure == "codes":
        world.answers["/device"] = HttpResponse(503)
    if failure == "cancel":
        world.pause.errors = [LoginCancelled("stopped")]
    if failure == "bug":
        world.answers["/token"] = lambda _: 1 / 0  # type: ignore[assignment, return-value] # a bug in a transport
        flow = device.finish(plan := world.device_plan(hooks=(keeper,)), world.perform(device.start(plan)))
        next(flow)
        with pytest.raises(ZeroDivisionError):
            flow.throw(ZeroDivisionError())
    else:
        with pytest.raises(Exception, match=r".+"):
            world.device_login(world.device_plan(hooks=(keeper,)))
    assert keeper.forgotten == [{"key": "k-1"}]
