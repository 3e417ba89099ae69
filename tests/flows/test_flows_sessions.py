"""Finding a stored session: silent, and never somebody else's."""

from functools import partial

import pytest

from oidcclient import LoginRequired, SessionRecord
from oidcclient._flows.sessions import SessionQuery, find_session, usable_sessions
from oidcclient.protocol import HttpRequest, HttpResponse
from tests.flows.world import World
from tests.protocol.examples import CLIENT_ID, ISSUER, refused


def sessions(world: World, *, profile: str = "default", client_id: str = CLIENT_ID) -> SessionQuery:
    return SessionQuery(
        store=world.store, profile=profile, issuer=ISSUER, client_id=client_id, binding_hooks=frozenset()
    )


def token_of(world: World, sub: str, _request: HttpRequest) -> HttpResponse:
    return world.tokens(claimed={"sub": sub})


def signed_in(*people: str) -> World:
    """Return a world in which these people signed in, in this order."""
    world = World()
    for sub in people:
        world.answers["/token"] = partial(token_of, world, sub)
        world.login()
    return world


def find(world: World, account: str | None = None) -> SessionRecord:
    return world.perform(find_session(sessions(world), account))


def test_finding_a_session_sends_nothing_and_opens_nothing() -> None:
    world = signed_in("ann")
    world.requests.clear()
    world.receiver.waits.clear()
    assert find(world).account == "ann"
    assert not world.requests
    assert not world.receiver.waits


def test_the_last_one_signed_in_is_the_default() -> None:
    world = signed_in("ann", "bob")
    assert find(world).account == "bob"
    assert find(world, "ann").account == "ann"


def test_everybody_signed_in_is_found() -> None:
    world = signed_in("ann", "bob")
    found = world.perform(usable_sessions(sessions(world)))
    assert [record.account for record in found] == ["bob", "ann"]


@pytest.mark.parametrize("account", [None, "bob"])
def test_nobody_signed_in_means_login_required(account: str | None) -> None:
    world = signed_in() if account is None else signed_in("ann")
    with refused(LoginRequired, "session"):
        find(world, account)


def test_an_account_is_compared_with_case() -> None:
    """OIDC Core section 2."""
    with refused(LoginRequired, "session"):
        find(signed_in("ann"), "Ann")


def test_a_session_of_another_profile_or_client_is_not_found() -> None:
    world = signed_in("ann")
    for query in (sessions(world, profile="work"), sessions(world, client_id="other")):
        with refused(LoginRequired, "session"):
            world.perform(find_session(query, None))
