"""The port for add-ons, shown on two hooks of different kinds."""

from typing import Any

import pytest

from oidcclient import DiscoveryRefused, DowngradeRefused, LoginRequired, TransportError, UsageError
from oidcclient._flows.exchange import bind_hooks
from oidcclient._flows.login import finish
from oidcclient._flows.sessions import SessionQuery, find_session
from oidcclient._flows.userinfo import userinfo
from oidcclient.hooks import (
    AcceptsTokens,
    AddsParameters,
    Describes,
    ExchangeKind,
    Forgets,
    Hook,
    HookContext,
    Prepares,
    SuppliesTransport,
    WrapsExchanges,
)
from oidcclient.protocol import HttpRequest, HttpResponse, PrivateKeyJwt
from tests.flows.hooks import Adds, RequestId, SenderConstraint, Stubborn, Transport
from tests.flows.world import START_URI, WELL_KNOWN, World, form, query
from tests.protocol.examples import ACCESS_TOKEN, CLIENT_ID, ISSUER, MARK, NOW, WITH_PAR, answer, refused
from tests.protocol.signing import signer

BOUND: dict[str, Any] = {"constraint_supported": True}


def constrained(**members: Any) -> World:
    """Return a world whose provider binds tokens, and challenges the first request of each path."""
    world = World(**BOUND, **members)
    world.answers["/token"] = lambda _: world.tokens(token_type="Bound")
    return world


def challenging(world: World, path: str, status: int = 400) -> None:
    good = world.answers[path]
    assert not isinstance(good, list)
    world.answers[path] = [HttpResponse(status, (("X-Challenge", "c-1"),), b'{"error": "use_challenge"}'), good]


def context(world: World, hook: Hook) -> HookContext:
    plan = world.plan(hooks=(hook,))
    return world.start(plan).hooks.hooks[0].context


def headers(world: World, name: str) -> list[tuple[str, str | None]]:
    return [(path, request.header(name)) for path, request in zip(world.paths, world.requests, strict=True)]


def test_the_two_hooks_have_the_powers_they_show_and_no_other() -> None:
    powers = (Prepares, AddsParameters, WrapsExchanges, AcceptsTokens, Describes, Forgets, SuppliesTransport)
    assert [isinstance(RequestId(), power) for power in powers] == [False, False, True, False, False, False, False]
    assert [isinstance(SenderConstraint(), power) for power in powers] == [True, True, True, True, False, False, False]


# -- a hook that marks requests


def test_every_exchange_passes_the_hook_and_discovery_and_keys_never() -> None:
    hook = RequestId()
    world = World(**WITH_PAR)
    world.login(world.plan(hooks=(hook,)))
    assert hook.kinds == [ExchangeKind.PAR, ExchangeKind.TOKEN]
    assert headers(world, "X-Request-Id") == [(WELL_KNOWN, None), ("/par", "1"), ("/jwks", None), ("/token", "2")]


def test_a_hook_that_does_not_bind_leaves_the_session_free() -> None:
    world = World()
    record = world.login(world.plan(hooks=(RequestId(),)))
    assert record.binding_hooks == ()
    assert record.hook_state == {}
    assert find(world, ()) == record


def test_a_hook_sees_the_request_before_client_authentication() -> None:
    """RFC 6749 section 2.3: the hook never holds the client's secret, and each retry is authenticated anew."""
    hook = SenderConstraint()
    world = constrained()
    world.login(world.plan(hooks=(hook,), client_auth=PrivateKeyJwt(key=signer().private_pem())))
    assert "client_assertion" not in form(hook.exchanges[0].request)
    assert "client_assertion" in form(world.requests[-1])


# -- a hook that constrains the sender


def test_a_constrained_sign_in() -> None:
    hook = SenderConstraint()
    world = constrained(**WITH_PAR)
    plan = world.plan(hooks=(hook, RequestId()))
    record = world.login(plan)
    pushed = form(next(request for request in world.requests if request.url.endswith("/par")))
    assert pushed["x_key"] == "k-1"
    assert headers(world, "Proof") == [(WELL_KNOWN, None), ("/par", "k-1 1 -"), ("/jwks", None), ("/token", "k-1 2 -")]
    assert record.tokens[""].type == "Bound"
    assert record.binding_hooks == ("constraint",)
    assert record.hook_state == {"constraint": {"key": "k-1"}}


def test_a_challenge_is_answered_once_and_remembered() -> None:
    world = constrained(**WITH_PAR)
    challenging(world, "/par")
    record = world.login(world.plan(hooks=(SenderConstraint(),)))
    proofs = [proof for _, proof in headers(world, "Proof") if proof]
    assert proofs == ["k-1 1 -", "k-1 2 c-1", "k-1 3 c-1"]
    assert record.hook_state["constraint"]["challenge"] == "c-1"


def test_a_second_challenge_is_an_error_and_no_loop() -> None:
    """The server refused the proof, not the code: one retry is allowed, and then it is the provider's error."""
    world = constrained()
    world.answers["/token"] = HttpResponse(400, (("X-Challenge", "c-1"),), b'{"error": "use_challenge"}')
    with pytest.raises(Exception, match="use_challenge"):
        world.login(world.plan(hooks=(SenderConstraint(),)))
    assert world.paths.count("/token") == 2


@pytest.mark.parametrize("path", ["/par", "/token"])
def test_the_client_assertion_is_made_again_for_a_retry(path: str) -> None:
    """RFC 7523 section 3: a jti is used once."""
    world = constrained(**WITH_PAR)
    challenging(world, path)
    world.login(world.plan(hooks=(SenderConstraint(),), client_auth=PrivateKeyJwt(key=signer().private_pem())))
    sent = [form(request) for request, at in zip(world.requests, world.paths, strict=True) if at == path]
    assert len(sent) == 2
    assert sent[0].pop("client_assertion") != sent[1].pop("client_assertion")
    assert sent[0] == sent[1]


def test_a_token_that_lost_its_protection_is_refused() -> None:
    """No silent downgrade."""
    world = constrained()
    world.answers["/token"] = lambda _: world.tokens()
    with refused(DowngradeRefused, "token_type"):
        world.login(world.plan(hooks=(SenderConstraint(),)))
    assert not world.saved
    assert [outcome.ok for outcome in world.receiver.outcomes] == [False]


def test_a_hook_may_refuse_the_provider_before_anything_is_opened() -> None:
    world = World(**WITH_PAR)
    with refused(UsageError, "constraint"):
        world.start(world.plan(hooks=(SenderConstraint(),)))
    assert world.paths == [WELL_KNOWN]
    assert not world.receiver.state


def find(world: World, binding: tuple[str, ...]) -> object:
    sessions = SessionQuery(
        store=world.store,
        profile="default",
        issuer=ISSUER,
        client_id=CLIENT_ID,
        binding_hooks=frozenset(binding),
    )
    return world.perform(find_session(sessions, None))


def test_a_bound_session_is_not_found_without_its_hook() -> None:
    world = constrained()
    record = world.login(world.plan(hooks=(SenderConstraint(),)))
    assert find(world, ("constraint",)) == record
    for others in ((), ("other",), ("constraint", "other")):
        with refused(LoginRequired, "session"):
            find(world, others)


def test_an_unbound_session_is_not_found_by_a_client_that_binds() -> None:
    world = World()
    world.login()
    with refused(LoginRequired, "session"):
        find(world, ("constraint",))


def test_at_userinfo_the_hook_knows_the_token_and_its_type() -> None:
    hook = SenderConstraint()
    world = constrained()
    world.answers["/userinfo"] = answer({"sub": "ann"})
    plan = world.plan(hooks=(hook,))
    record = world.login(plan)
    known = plan.provider.metadata
    assert known is not None
    state = record.hook_state["constraint"]
    bound = bind_hooks(
        (hook,),
        lambda _: HookContext(
            issuer=ISSUER,
            client_id=CLIENT_ID,
            profile="default",
            account="ann",
            metadata=known,
            policy=plan.policy,
            now=NOW,
            emit=plan.emit,
            state=state,
        ),
    )
    flow = userinfo(world.provider, bound, record.tokens[""], client_id=CLIENT_ID, sub="ann", now=NOW)
    assert world.perform(flow) == {"sub": "ann"}
    exchange = hook.exchanges[-1]
    assert (exchange.kind, exchange.access_token, exchange.token_type) == (ExchangeKind.USERINFO, ACCESS_TOKEN, "Bound")
    assert world.requests[-1].header("proof") == f"k-1 1 - {ACCESS_TOKEN}"
    assert world.requests[-1].header("authorization") == f"Bound {ACCESS_TOKEN}"
    assert MARK not in repr(exchange)
    assert "k-1" not in repr(bound.hooks[0].context)


# -- what no hook may do


@pytest.mark.parametrize("reasons", [("same", "same"), (None,), ("a", None), ("a", "b", "a")])
def test_a_hook_that_sends_again_without_a_new_reason_is_refused(reasons: tuple[str | None, ...]) -> None:
    world = World()
    with refused(UsageError, "retry"):
        world.login(world.plan(hooks=(Stubborn(*reasons),)))
    assert world.paths.count("/token") == len(reasons)


def test_a_hook_may_send_again_for_another_reason() -> None:
    world = World()
    world.login(world.plan(hooks=(Stubborn("one", "two"),)))
    assert world.paths.count("/token") == 3


def test_the_first_hook_is_the_outermost_and_its_retry_passes_the_others() -> None:
    inner = RequestId()
    world = World()
    world.login(world.plan(hooks=(Stubborn("once"), inner)))
    assert [value for path, value in headers(world, "X-Request-Id") if path == "/token"] == ["1", "2"]


@pytest.mark.parametrize("name", ["client_id", "state", "redirect_uri", "code_challenge", "request_uri", "resource"])
def test_a_hook_never_sets_a_parameter_of_the_core(name: str) -> None:
    world = World()
    with refused(UsageError, "hook"):
        world.start(world.plan(hooks=(Adds("adds", **{name: "x"}),)))


def test_two_hooks_never_give_the_same_parameter() -> None:
    """RFC 6749 section 3.1: no parameter twice."""
    world = World()
    with refused(UsageError, "hook"):
        world.start(world.plan(hooks=(Adds("one", x_key="1"), Adds("two", x_key="2"))))


def test_parameters_of_several_hooks_are_all_sent() -> None:
    world = World()
    asked = query(world.start(world.plan(hooks=(Adds("one", x_1="1"), RequestId(), Adds("two", x_2="2")))).address)
    assert (asked["x_1"], asked["x_2"]) == ("1", "2")


def test_a_wire_that_fails_is_seen_by_the_hook_and_by_the_caller() -> None:
    """RFC 6749 section 4.1.2: the core sends a code once, and no hook of ours sends it again."""
    world = constrained()
    world.answers["/token"] = TransportError("timed out")
    with refused(TransportError):
        world.login(world.plan(hooks=(SenderConstraint(), RequestId())))
    assert world.paths.count("/token") == 1


# -- the connection


def test_a_hooks_certificate_goes_with_exchanges_and_with_nothing_else() -> None:
    """RFC 8705 section 2."""
    pair = ("/certificate.pem", "/key.pem")
    world = World(**WITH_PAR)
    world.login(world.plan(hooks=(Transport(certificate=pair), RequestId())))
    found = [(path, request.certificate) for path, request in zip(world.paths, world.requests, strict=True)]
    assert found == [(WELL_KNOWN, None), ("/par", pair), ("/jwks", None), ("/token", pair)]


def test_two_certificates_are_refused() -> None:
    world = World()
    pair = ("/certificate.pem", "/key.pem")
    with refused(UsageError, "hook"):
        world.start(world.plan(hooks=(Transport("one", certificate=pair), Transport("two", certificate=pair))))


def aliased(**aliases: str) -> Transport:
    return Transport(endpoint_aliases=aliases)


def test_an_endpoint_alias_is_used_in_place_of_the_endpoint() -> None:
    """RFC 8705 section 5."""
    world = World()
    world.answers["/mtls/token"] = world.answers["/token"]
    world.login(world.plan(hooks=(aliased(token_endpoint=f"{ISSUER}/mtls/token", unheard_of_endpoint="x:"),)))
    assert world.paths[-1] == "/mtls/token"


@pytest.mark.parametrize("address", ["http://login.example.com/token", "/token", ""])
def test_an_endpoint_alias_keeps_the_https_rule(address: str) -> None:
    """RFC 8414 section 2."""
    world = World()
    with refused(DiscoveryRefused, "token_endpoint"):
        world.start(world.plan(hooks=(aliased(token_endpoint=address),)))


@pytest.mark.parametrize("name", ["issuer", "jwks_uri", "raw", "require_pushed_authorization_requests"])
def test_an_alias_never_replaces_what_is_no_endpoint(name: str) -> None:
    """RFC 8705 section 5, RFC 8414 section 3.3: or a provider could name another's issuer in its own metadata."""
    world = World()
    plan = world.plan(hooks=(aliased(**{name: "https://evil.example/x"}),))
    started = world.start(plan)
    assert started.metadata == world.provider.metadata
    world.receiver.arrivals = [world.callback]
    assert world.perform(finish(plan, started)).issuer == ISSUER


def test_hooks_know_what_they_are_bound_to() -> None:
    world = World(start_uri=START_URI)
    found = context(world, RequestId())
    assert (found.issuer, found.client_id, found.profile, found.account) == (ISSUER, CLIENT_ID, "default", None)
    assert (found.metadata, found.policy, found.now) == (world.provider.metadata, world.policy, NOW)


def test_a_hook_may_tell_the_program_something() -> None:
    world = World()
    found = context(world, RequestId())
    before = len(world.events)
    found.emit(world.events[0])
    assert len(world.events) == before + 1


def test_a_hook_may_answer_without_sending() -> None:
    """What a hook returns is the answer; `proceed` is its own choice."""

    class Silent:
        name = "silent"

        def exchange(self, context: HookContext, exchange: Any, proceed: Any) -> Any:
            yield from ()
            return HttpResponse(503)

    world = World()
    with refused(TransportError):
        world.login(world.plan(hooks=(Silent(),)))
    assert "/token" not in world.paths


def test_a_request_keeps_one_header_of_a_name() -> None:
    request = HttpRequest("GET", ISSUER, (("A", "1"), ("a", "2"), ("B", "3"))).with_header("a", "4")
    assert request.headers == (("B", "3"), ("a", "4"))
    assert request.header("A") == "4"
    assert request.header("C") is None
