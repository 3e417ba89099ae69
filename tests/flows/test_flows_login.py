"""Signing a person in, step by step."""

from typing import Any

import pytest

from oidcclient import (
    CallbackRefused,
    IDTokenRefused,
    LoginCancelled,
    LoginDenied,
    LoginTimedOut,
    MemoryStore,
    OAuthError,
    Policy,
    ResponseRefused,
    SessionRecord,
    StoreError,
    TransportError,
)
from oidcclient._flows.login import finish, start
from oidcclient._words.effects import Run, Send
from oidcclient._words.events import (
    CallbackAccepted,
    IDTokenVerified,
    KeysFetched,
    MetadataFetched,
    Notice,
    RequestPushed,
    SignedIn,
    SignInAddress,
    TokenReceived,
)
from oidcclient._words.receiver import CallbackArrived, LoginOutcome, StartRequested
from oidcclient.protocol import AuthorizationRequest, HttpResponse, PrivateKeyJwt
from tests.flows.world import START_URI, WELL_KNOWN, World, form, query
from tests.protocol.examples import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CODE,
    ISSUER,
    MARK,
    NOW,
    REDIRECT_URI,
    REFRESH_TOKEN,
    REQUEST_URI,
    STATE,
    WITH_ISS,
    WITH_PAR,
    answer,
    refused,
)
from tests.protocol.signing import signer

SENT_ON = StartRequested(1)


class FullStore(MemoryStore):
    """A store that cannot save, and says so when it is probed or only when it is too late."""

    def __init__(self, *, probed: bool = False) -> None:
        super().__init__()
        self.probed = probed

    def probe(self) -> None:
        if self.probed:
            raise StoreError("the disk is full")

    def save(self, record: SessionRecord, *, current: bool = False) -> None:
        raise StoreError("the disk is full")


def test_a_sign_in_by_hand() -> None:
    """The order of the steps: nothing is sent unasked, and the wait for a person is marked as one."""
    world = World()
    plan = world.plan()
    flow = start(plan)
    assert next(flow) == Run(plan.clock.now)
    effect = flow.send(NOW)
    assert isinstance(effect, Send)
    assert effect.request.url == f"{ISSUER}{WELL_KNOWN}"
    assert flow.send(world.answers[WELL_KNOWN]) == Run(plan.store.probe)
    effect = flow.send(None)
    assert isinstance(effect, Run)  # the receiver is opened
    assert not effect.waits
    assert flow.send(REDIRECT_URI) == Run(plan.clock.ticks)
    with pytest.raises(StopIteration) as done:
        flow.send(1000.0)
    started = done.value.value
    assert started.deadline == 1300.0
    assert query(started.address)["redirect_uri"] == REDIRECT_URI

    waiting = finish(plan, started)
    assert next(waiting) == Run(plan.clock.now)
    effect = waiting.send(NOW)
    assert isinstance(effect, Send)
    assert effect.request.url == f"{ISSUER}/jwks"
    assert waiting.send(world.answers["/jwks"]) == Run(plan.clock.ticks)
    effect = waiting.send(1000.0)
    assert isinstance(effect, Run)
    assert effect.waits
    callback = CallbackArrived((("code", CODE), ("state", started.transaction.state)), REDIRECT_URI)
    assert waiting.send(callback) == Run(plan.clock.now)
    effect = waiting.send(NOW)
    assert isinstance(effect, Send)
    assert effect.request.url == f"{ISSUER}/token"
    waiting.close()


def test_a_sign_in_stores_a_session() -> None:
    """OIDC Core section 3.1."""
    world = World()
    record = world.login()
    assert world.saved == [record]
    assert (record.issuer, record.client_id, record.account, record.profile) == (ISSUER, CLIENT_ID, "ann", "default")
    assert record.tokens[""].value == ACCESS_TOKEN
    assert (record.tokens[""].type, record.tokens[""].expires_at) == ("Bearer", NOW + 3600)
    assert record.tokens[""].scope == ("openid", "email")
    assert record.refresh_token == REFRESH_TOKEN
    assert record.claims["sub"] == "ann"
    assert record.signed_in_at == NOW
    assert record.binding_hooks == ()
    assert MARK not in repr(record)
    assert world.receiver.outcomes == [LoginOutcome(ok=True)]


def test_each_step_is_told_and_no_event_holds_a_secret() -> None:
    world = World(**WITH_PAR)
    world.login()
    kinds = [type(event) for event in world.events]
    assert kinds == [
        MetadataFetched,
        RequestPushed,
        SignInAddress,
        KeysFetched,
        CallbackAccepted,
        TokenReceived,
        IDTokenVerified,
        SignedIn,
    ]
    told = [event for event in world.events if not isinstance(event, SignInAddress)]
    assert MARK not in repr(told)
    assert "eyJ" not in repr(told)


def test_the_token_request_repeats_what_the_browser_was_sent_with() -> None:
    """RFC 6749 section 4.1.3, RFC 7636 section 4.5."""
    world = World()
    plan = world.plan()
    started = world.start(plan)
    world.receiver.arrivals = [world.callback]
    world.perform(finish(plan, started))
    sent, asked = form(world.requests[-1]), query(started.address)
    assert sent["redirect_uri"] == asked["redirect_uri"] == REDIRECT_URI
    assert sent["client_id"] == asked["client_id"] == CLIENT_ID
    assert sent["code_verifier"] == started.transaction.code_verifier
    assert started.transaction.code_verifier not in started.address
    assert MARK not in repr(started)


def test_after_the_callback_there_is_one_request() -> None:
    """The keys are fetched while the person types."""
    world = World()
    plan = world.plan()
    started = world.start(plan)
    before: list[str] = []

    def arrive() -> CallbackArrived:
        before.extend(world.paths)
        return world.callback()

    world.receiver.arrivals = [arrive]
    world.perform(finish(plan, started))
    assert before == [WELL_KNOWN, "/jwks"]
    assert world.paths[len(before) :] == ["/token"]


def test_after_the_callback_there_is_one_request_with_an_own_start_address_too() -> None:
    world = World(start_uri=START_URI)
    before: list[str] = []

    def arrive() -> CallbackArrived:
        before.extend(world.paths)
        return world.callback()

    world.receiver.arrivals = [SENT_ON, arrive]
    world.login()
    assert before == [WELL_KNOWN, "/jwks"]
    assert world.paths[2:] == ["/token"]


@pytest.mark.parametrize("failure", [TransportError("no route"), HttpResponse(503), HttpResponse(200, (), b"[]")])
def test_keys_that_cannot_be_had_early_are_fetched_when_needed(failure: Any) -> None:
    world = World()
    good = world.answers["/jwks"]
    assert isinstance(good, HttpResponse)
    world.answers["/jwks"] = [failure, good]
    assert world.login().account == "ann"
    assert world.paths == [WELL_KNOWN, "/jwks", "/token", "/jwks"]


def test_a_second_sign_in_asks_for_nothing_that_is_known() -> None:
    world = World()
    world.login()
    world.requests.clear()
    world.login()
    assert world.paths == ["/token"]


# -- before the browser


def test_a_store_that_fails_is_found_before_the_browser_opens() -> None:
    world = World()

    world.store = FullStore(probed=True)
    with refused(StoreError):
        world.start(world.plan())
    assert not world.receiver.state


def test_metadata_that_is_refused_opens_nothing() -> None:
    """RFC 8414 section 3.3."""
    world = World(issuer="https://evil.example")
    with pytest.raises(Exception, match="another issuer"):
        world.start(world.plan())
    assert not world.receiver.state


def test_the_address_holds_the_whole_request_without_par() -> None:
    world = World()
    plan = world.plan(form_post=True, asked=AuthorizationRequest(login_hint="ann"))
    asked = query(world.start(plan).address)
    assert asked["code_challenge_method"] == "S256"
    assert (asked["response_mode"], asked["login_hint"]) == ("form_post", "ann")
    assert asked["state"] == world.receiver.state


# -- pushed authorization requests


def test_par_is_used_whenever_it_is_advertised() -> None:
    """RFC 9126 section 5."""
    world = World(**WITH_PAR)
    started = world.start(world.plan())
    assert world.paths == [WELL_KNOWN, "/par"]
    assert query(started.address) == {"client_id": CLIENT_ID, "request_uri": REQUEST_URI}
    pushed = form(world.requests[-1])
    assert pushed["state"] == world.receiver.state
    assert {"nonce", "code_challenge", "client_id", "redirect_uri"} <= pushed.keys()


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_a_push_that_fails_never_becomes_an_unpushed_request(status: int) -> None:
    """RFC 9126 section 2.3."""
    world = World(**WITH_PAR)
    world.answers["/par"] = answer({"error": "invalid_request"} if status < 500 else {}, status)
    with pytest.raises((OAuthError, TransportError)):
        world.start(world.plan())
    assert not [event for event in world.events if isinstance(event, SignInAddress)]


def test_with_an_own_start_address_nothing_is_pushed_until_a_browser_comes() -> None:
    """RFC 9126 sections 2.2 and 4: request URIs live for seconds and are good once."""
    world = World(start_uri=START_URI, **WITH_PAR)
    plan = world.plan()
    started = world.start(plan)
    assert started.address == START_URI
    assert world.paths == [WELL_KNOWN]
    numbers = iter(range(5))
    world.answers["/par"] = lambda _: answer({"request_uri": f"urn:{next(numbers)}", "expires_in": 60}, 201)
    world.receiver.arrivals = [SENT_ON, None, SENT_ON, world.callback]
    world.clock.advance(-1000)
    with refused(LoginTimedOut):  # the None above lets the time run out: no push was repeated meanwhile
        world.perform(finish(plan, started))
    assert [query(address or "")["request_uri"] for address in world.receiver.sent_on] == ["urn:0"]
    assert world.paths == [WELL_KNOWN, "/par", "/jwks"]


def test_each_start_gets_a_push_of_its_own() -> None:
    """RFC 9126 section 4: a request_uri is used once."""
    world = World(start_uri=START_URI, **WITH_PAR)
    numbers = iter(range(5))
    world.answers["/par"] = lambda _: answer({"request_uri": f"urn:{next(numbers)}", "expires_in": 60}, 201)
    world.receiver.arrivals = [SENT_ON, SENT_ON, world.callback]
    world.login()
    assert [query(address or "")["request_uri"] for address in world.receiver.sent_on] == ["urn:0", "urn:1"]
    assert world.paths == [WELL_KNOWN, "/par", "/jwks", "/par", "/token"]


def test_without_an_own_start_address_an_expired_push_is_made_again_and_shown() -> None:
    """RFC 9126 section 4."""
    world = World(**WITH_PAR)
    numbers = iter(range(5))
    world.answers["/par"] = lambda _: answer({"request_uri": f"urn:{next(numbers)}", "expires_in": 60}, 201)
    world.receiver.arrivals = [None, None, world.callback]
    world.login()
    assert world.receiver.waits == [60.0, 60.0, 60.0]
    assert [query(address)["request_uri"] for address in world.shown] == ["urn:1", "urn:2"]
    addresses = [event.address for event in world.events if isinstance(event, SignInAddress)]
    assert [query(address)["request_uri"] for address in addresses] == ["urn:0", "urn:1", "urn:2"]


def test_a_lifetime_of_no_time_is_no_stream_of_pushes() -> None:
    """RFC 9126 section 2.2: 5 to 600 seconds; what is shorter is taken for five."""
    world = World(**WITH_PAR)
    world.answers["/par"] = answer({"request_uri": REQUEST_URI, "expires_in": 0.001}, 201)
    with refused(LoginTimedOut):
        world.receiver.arrivals = [None]
        world.login()
    assert world.paths.count("/par") == 60


def test_a_receiver_without_a_start_address_is_served_as_such() -> None:
    """RFC 9126 section 4: whatever the plan hoped for, the push is renewed and the keys are fetched early."""
    world = World(**WITH_PAR)
    plan = world.plan(own_start=True)
    world.receiver.arrivals = [None, world.callback]
    world.login(plan)
    assert world.paths == [WELL_KNOWN, "/par", "/jwks", "/par", "/token"]
    assert len(world.shown) == 1


def test_a_push_that_fails_at_the_start_address_is_told_to_the_browser() -> None:
    world = World(start_uri=START_URI, **WITH_PAR)
    world.answers["/par"] = HttpResponse(503)
    world.receiver.arrivals = [SENT_ON]
    with refused(TransportError):
        world.login()
    assert world.receiver.sent_on == [None]


def test_a_browser_that_starts_without_end_is_not_sent_on_without_end() -> None:
    world = World(start_uri=START_URI, **WITH_PAR)

    def later() -> StartRequested:
        world.clock.advance(100)  # the last push has expired, and is not renewed: no browser could use it
        return SENT_ON

    world.receiver.arrivals = [*([SENT_ON] * 20), later, *([SENT_ON] * 4), world.callback]
    world.login()
    assert world.paths.count("/par") == 20
    assert not world.shown
    assert world.receiver.sent_on[20:] == [None] * 5


def test_without_par_the_start_address_leads_to_the_whole_request() -> None:
    world = World(start_uri=START_URI)
    world.receiver.arrivals = [SENT_ON, world.callback]
    world.login()
    assert query(world.receiver.sent_on[0] or "")["state"] == world.receiver.state


# -- the wait


def test_the_wait_ends_at_the_deadline() -> None:
    world = World()
    world.receiver.arrivals = [None]
    with refused(LoginTimedOut) as caught:
        world.login(world.plan(timeout=30.0))
    assert world.receiver.waits == [30.0]
    assert "login.example.com within 30 seconds" in str(caught[0])


def test_a_callback_after_the_deadline_is_not_waited_for() -> None:
    world = World()
    plan = world.plan()
    started = world.start(plan)
    world.clock.advance(300)
    with refused(LoginTimedOut):
        world.perform(finish(plan, started))
    assert not world.receiver.waits


def test_a_sign_in_that_is_cancelled_ends() -> None:
    world = World()
    world.receiver.arrivals = [LoginCancelled("stopped")]
    with refused(LoginCancelled):
        world.login()
    assert not world.saved


# -- the answer

BAD_CALLBACKS: list[tuple[str, type[Exception], dict[str, Any]]] = [
    ("state", CallbackRefused, {"state": STATE}),
    ("code", CallbackRefused, {"code": ...}),
    ("iss", CallbackRefused, {"iss": "https://evil.example"}),
    ("response_type", CallbackRefused, {"access_token": "x"}),
    ("access_denied", LoginDenied, {"error": "access_denied"}),
    ("server_error", OAuthError, {"error": "server_error"}),
]


@pytest.mark.parametrize(("rule", "kind", "changes"), BAD_CALLBACKS)
def test_a_callback_that_is_refused_sends_nothing_and_is_told_to_the_browser(
    rule: str, kind: Any, changes: dict[str, Any]
) -> None:
    """RFC 9207 section 2.4: before any token request."""
    world = World()
    world.receiver.arrivals = [lambda: world.callback(**changes)]
    with refused(kind, None if issubclass(kind, OAuthError) else rule) as caught:
        world.login()
    assert "/token" not in world.paths
    assert not world.saved
    assert world.receiver.outcomes == [LoginOutcome(ok=False, message=caught[0].hint, detail=rule)]
    assert not [event for event in world.events if isinstance(event, CallbackAccepted)]


def test_a_callback_at_another_address_is_refused() -> None:
    """RFC 8252 section 8.10."""
    world = World()
    world.receiver.arrivals = [lambda: CallbackArrived(world.callback().parameters, "http://127.0.0.1:49153/callback")]
    with refused(CallbackRefused, "redirect_uri"):
        world.login()


@pytest.mark.parametrize("advertised", [True, False])
def test_a_callback_without_iss_is_refused_where_it_is_due(advertised: bool) -> None:
    """RFC 9207 section 2.4; MCP and FAPI demand it of every provider."""
    world = World(policy=None if advertised else Policy(require_iss=True), **WITH_ISS)
    with refused(CallbackRefused, "iss"):
        world.login()


def test_a_code_is_exchanged_once_and_never_again() -> None:
    """RFC 6749 section 4.1.2: the client uses a code once; after a timeout nobody knows whether it was."""
    world = World()
    world.answers["/token"] = TransportError("timed out")
    with refused(TransportError):
        world.login()
    assert world.paths.count("/token") == 1
    assert [outcome.ok for outcome in world.receiver.outcomes] == [False]


BAD_TOKENS: list[tuple[str, type[Exception], dict[str, Any]]] = [
    ("id_token", IDTokenRefused, {"id_token": ...}),
    ("token_type", ResponseRefused, {"token_type": "mac"}),
    ("access_token", ResponseRefused, {"access_token": ...}),
    ("nonce", IDTokenRefused, {"claimed": {"nonce": "another"}}),
    ("iss", IDTokenRefused, {"claimed": {"iss": "https://evil.example"}}),
    ("aud", IDTokenRefused, {"claimed": {"aud": "other"}}),
    ("kid", IDTokenRefused, {"kid": "unknown"}),
    ("at_hash", IDTokenRefused, {"claimed": {"at_hash": "other"}}),
]


@pytest.mark.parametrize(("rule", "kind", "changes"), BAD_TOKENS)
def test_tokens_that_fail_a_check_are_not_stored_and_the_browser_is_told(
    rule: str, kind: Any, changes: dict[str, Any]
) -> None:
    """OIDC Core sections 3.1.3.3 and 3.1.3.7; RFC 6749 section 7.1: the page never says "signed in" before."""
    world = World()
    world.answers["/token"] = lambda _: world.tokens(**changes)
    with refused(kind, rule):
        world.login()
    assert not world.saved
    assert [(outcome.ok, outcome.detail) for outcome in world.receiver.outcomes] == [(False, rule)]
    assert not [event for event in world.events if isinstance(event, SignedIn)]


def test_the_providers_error_is_told_by_its_class_or_rule() -> None:
    world = World()
    world.answers["/token"] = TransportError("no route")
    with refused(TransportError):
        world.login()
    assert world.receiver.outcomes[0].detail == "TransportError"


def test_a_store_that_fails_at_the_end_is_told_to_the_browser() -> None:
    world = World()

    world.store = FullStore()
    with refused(StoreError):
        world.login()
    assert [outcome.ok for outcome in world.receiver.outcomes] == [False]


@pytest.mark.parametrize(
    ("asked", "claimed", "rule"),
    [
        (AuthorizationRequest(max_age=60), {}, "auth_time"),
        (AuthorizationRequest(max_age=60), {"auth_time": NOW - 600}, "auth_time"),
        (AuthorizationRequest(claims={"id_token": {"acr": {"essential": True, "value": "a"}}}), {}, "acr"),
        (AuthorizationRequest(claims={"id_token": {"acr": {"essential": True}}}), {"acr": 5}, "acr"),
    ],
)
def test_what_was_demanded_is_checked(asked: AuthorizationRequest, claimed: dict[str, Any], rule: str) -> None:
    """OIDC Core sections 3.1.3.7 steps 12 and 13, and 5.5.1.1."""
    world = World()
    world.answers["/token"] = lambda _: world.tokens(claimed=claimed)
    with refused(IDTokenRefused, rule):
        world.login(world.plan(asked=asked))


def test_a_token_of_each_resource_is_kept_under_its_name() -> None:
    """RFC 8707 section 2."""
    world = World()
    record = world.login(world.plan(asked=AuthorizationRequest(resources=("https://api.example.com",))))
    assert list(record.tokens) == ["https://api.example.com"]
    assert form(world.requests[-1])["resource"] == "https://api.example.com"


def test_a_lifetime_that_is_not_said_is_not_invented() -> None:
    world = World()
    world.answers["/token"] = lambda _: world.tokens(expires_in=..., refresh_token=..., token_type="bearer")
    token = world.login().tokens[""]
    assert (token.expires_at, token.type) == (None, "Bearer")


def test_what_was_not_granted_is_said() -> None:
    """RFC 6749 section 3.3."""
    world = World()
    world.answers["/token"] = lambda _: world.tokens(scope="openid")
    assert world.login().tokens[""].scope == ("openid",)
    received = next(event for event in world.events if isinstance(event, TokenReceived))
    assert received.missing_scopes == ("email",)
    assert [event.text for event in world.events if isinstance(event, Notice)] == [
        "Not granted by the provider: email."
    ]


def test_a_refresh_token_that_was_asked_for_and_did_not_come_is_said() -> None:
    """OIDC Core section 11."""
    world = World()
    asked = AuthorizationRequest(scopes=("openid", "offline_access"))
    world.login(world.plan(asked=asked))
    world.answers["/token"] = lambda _: world.tokens(refresh_token=...)
    world.login()
    assert not [event for event in world.events if isinstance(event, Notice)]
    world.login(world.plan(asked=asked))
    notices = [event.text for event in world.events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "no refresh token" in notices[0]


def test_the_push_and_the_token_request_are_authenticated_each_anew() -> None:
    """RFC 9126 section 2, RFC 7523 section 3."""
    world = World(**WITH_PAR)
    world.login(world.plan(client_auth=PrivateKeyJwt(key=signer().private_pem())))
    pushed, exchanged = (form(request) for request in world.requests if request.method == "POST")
    assert pushed["client_assertion_type"] == exchanged["client_assertion_type"]
    assert pushed["client_assertion"] != exchanged["client_assertion"]
    assert pushed["client_id"] == exchanged["client_id"] == CLIENT_ID


def test_an_error_that_is_not_ours_is_not_swallowed() -> None:
    """A bug in a store or a hook reaches whoever called, as it is."""
    world = World()
    plan = world.plan()
    started = world.start(plan)
    flow = finish(plan, started)
    next(flow)
    with pytest.raises(ZeroDivisionError):
        flow.throw(ZeroDivisionError())
