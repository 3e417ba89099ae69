"""What is known of a provider: where it is looked for, how long it is kept, when it is fetched again."""

from typing import Any

import pytest

from oidcclient import DiscoveryRefused, IDTokenRefused, Policy, ResponseRefused, TransportError
from oidcclient._flows.provider import (
    Provider,
    fetch_keys,
    fetch_metadata,
    lifetime,
    verified_id_token,
    verified_userinfo,
)
from oidcclient._words.effects import Send
from oidcclient._words.events import KeysFetched, MetadataFetched
from oidcclient.protocol import HttpResponse, parse_jwt
from tests.flows.world import KEY_SET, WELL_KNOWN, World
from tests.protocol.examples import CLIENT_ID, ISSUER, METADATA, NOW, answer, claims, expected, metadata, refused
from tests.protocol.signing import signer

TENANT = f"{ISSUER}/t"
TENANT_METADATA = {**METADATA, "issuer": TENANT}


def sent(effect: object) -> str:
    assert isinstance(effect, Send)
    return effect.request.url


def redirect(location: str | None, status: int = 302) -> HttpResponse:
    return HttpResponse(status, () if location is None else (("Location", location),))


def cached(members: Any, directive: str) -> HttpResponse:
    return answer(members, 200, ("Content-Type", "application/json"), ("Cache-Control", directive))


def test_metadata_is_looked_for_in_three_places_in_order() -> None:
    """OIDC Discovery section 4, RFC 8414 sections 3.1 and 5."""
    provider = Provider(TENANT, Policy(), lambda _event: None)
    flow = fetch_metadata(provider, NOW)
    assert sent(next(flow)) == f"{TENANT}/.well-known/openid-configuration"
    assert sent(flow.send(HttpResponse(404))) == f"{ISSUER}/.well-known/oauth-authorization-server/t"
    assert sent(flow.send(HttpResponse(403))) == f"{ISSUER}/.well-known/openid-configuration/t"
    with pytest.raises(StopIteration) as done:
        flow.send(answer(TENANT_METADATA))
    assert done.value.value.issuer == TENANT


def test_the_search_ends_at_the_first_metadata() -> None:
    world = World()
    assert world.perform(fetch_metadata(world.provider, NOW)).issuer == ISSUER
    assert world.paths == [WELL_KNOWN]
    assert world.events == [MetadataFetched(ISSUER)]


def test_an_issuer_without_metadata_is_refused() -> None:
    """OIDC Discovery section 4, RFC 8414 section 3."""
    world = World()
    world.answers.clear()
    with refused(DiscoveryRefused, "metadata"):
        world.perform(fetch_metadata(world.provider, NOW))
    assert len(world.requests) == 2


def test_metadata_of_another_issuer_ends_the_search() -> None:
    """RFC 8414 section 3.3: it is not ignored in favour of the next place."""
    world = World(issuer="https://evil.example")
    with refused(DiscoveryRefused, "issuer"):
        world.perform(fetch_metadata(world.provider, NOW))
    assert len(world.requests) == 1
    assert world.provider.metadata is None


def test_a_broken_server_is_not_taken_for_one_without_metadata() -> None:
    world = World()
    world.answers[WELL_KNOWN] = HttpResponse(503, (("Retry-After", "3"),))
    with refused(TransportError):
        world.perform(fetch_metadata(world.provider, NOW))
    assert len(world.requests) == 1


def test_metadata_given_by_the_program_is_checked_and_never_fetched() -> None:
    world = World()
    world.provider.given = METADATA
    assert world.perform(fetch_metadata(world.provider, NOW)).token_endpoint == f"{ISSUER}/token"
    assert world.perform(fetch_metadata(world.provider, NOW * 2)).token_endpoint == f"{ISSUER}/token"
    assert not world.requests
    other = Provider("https://other.example", Policy(), world.events.append, given=METADATA)
    with refused(DiscoveryRefused, "issuer"):
        world.perform(fetch_metadata(other, NOW))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_few_redirects_of_metadata_are_followed(status: int) -> None:
    world = World()
    world.answers["/3"] = world.answers[WELL_KNOWN]
    world.answers[WELL_KNOWN] = redirect("/1", status)
    world.answers["/1"] = redirect(f"{ISSUER}/2", status)
    world.answers["/2"] = redirect("3", status)
    assert world.perform(fetch_metadata(world.provider, NOW)).issuer == ISSUER
    assert world.paths == [WELL_KNOWN, "/1", "/2", "/3"]
    assert {request.method for request in world.requests} == {"GET"}


def test_endless_redirects_of_metadata_are_refused() -> None:
    world = World()
    world.answers[WELL_KNOWN] = redirect(WELL_KNOWN)
    with refused(DiscoveryRefused, "redirect"):
        world.perform(fetch_metadata(world.provider, NOW))
    assert len(world.requests) == 4


@pytest.mark.parametrize("location", [None, "http://login.example.com/x", "file:///etc/passwd", "https://["])
def test_a_redirect_of_metadata_to_another_scheme_is_not_followed(location: str | None) -> None:
    """RFC 8414 section 6.1."""
    world = World()
    world.answers[WELL_KNOWN] = redirect(location)
    with refused(DiscoveryRefused, "redirect", "RFC 8414 section 6.1"):
        world.perform(fetch_metadata(world.provider, NOW))
    assert len(world.requests) == 1


def test_a_redirect_of_keys_keeps_the_same_rules() -> None:
    world = World()
    world.answers["/jwks"] = redirect("http://login.example.com/jwks")
    with refused(DiscoveryRefused, "redirect"):
        world.perform(fetch_keys(world.provider, metadata(), NOW))


# -- how long it is kept


@pytest.mark.parametrize(
    ("directive", "seconds"),
    [
        ("max-age=600", 600.0),
        ("public, max-age=600", 600.0),
        ("Max-Age=600", 600.0),
        ("max-age=5", 60.0),
        ("max-age=0", 60.0),
        ("max-age=999999999", 86_400.0),
        ("max-age=9999999999", 86_400.0),
        ("max-age=-1", 86_400.0),
        ("max-age=soon", 86_400.0),
        ("max-age=\N{SUPERSCRIPT TWO}", 86_400.0),
        ("max-age", 86_400.0),
        ("s-maxage=5", 86_400.0),
        ("", 86_400.0),
    ],
)
def test_a_document_is_kept_as_long_as_it_says_within_a_minute_and_the_ceiling(directive: str, seconds: float) -> None:
    """RFC 9111 section 5.2.2.1."""
    assert lifetime(HttpResponse(200, (("Cache-Control", directive),)), 86_400.0) == seconds
    assert lifetime(HttpResponse(200), 50.0) == 50.0


def test_metadata_is_fetched_again_when_its_time_is_over() -> None:
    world = World()
    world.answers[WELL_KNOWN] = cached(METADATA, "max-age=600")
    for now in (NOW, NOW + 599):
        world.perform(fetch_metadata(world.provider, now))
    assert len(world.requests) == 1
    world.perform(fetch_metadata(world.provider, NOW + 600))
    assert len(world.requests) == 2


def test_no_document_is_kept_beyond_the_ceiling() -> None:
    world = World(policy=Policy(metadata_max_age=120))
    world.answers[WELL_KNOWN] = cached(METADATA, "max-age=86400")
    world.answers["/jwks"] = cached(KEY_SET, "max-age=86400")
    for now in (NOW, NOW + 119, NOW + 120):
        found = world.perform(fetch_metadata(world.provider, now))
        world.perform(fetch_keys(world.provider, found, now))
    assert world.paths == [WELL_KNOWN, "/jwks"] * 2


def test_metadata_that_is_refused_does_not_replace_what_is_known() -> None:
    world = World()
    known = world.perform(fetch_metadata(world.provider, NOW))
    world.answers[WELL_KNOWN] = answer({**METADATA, "issuer": "https://evil.example"})
    with refused(DiscoveryRefused):
        world.perform(fetch_metadata(world.provider, NOW + 10**9))
    assert world.provider.metadata is known


def test_keys_are_fetched_once_and_kept() -> None:
    world = World()
    for _ in range(3):
        assert len(world.perform(fetch_keys(world.provider, metadata(), NOW)).keys) == 2
    assert world.paths == ["/jwks"]
    assert world.events == [KeysFetched(ISSUER, 2)]


def test_the_requests_have_the_size_limit_of_the_policy() -> None:
    world = World(policy=Policy(max_response_bytes=5000))
    world.perform(fetch_keys(world.provider, world.perform(fetch_metadata(world.provider, NOW)), NOW))
    assert [request.max_bytes for request in world.requests] == [5000, 5000]


# -- an unknown kid

NEW = signer(which=1)


def verify(world: World, token: str, now: float = NOW) -> str:
    wanted = expected(now=now)
    return world.perform(verified_id_token(world.provider, metadata(), token, wanted)).sub


def test_an_unknown_kid_fetches_the_keys_again_once() -> None:
    """OIDC Core section 10.1.1."""
    world = World()
    world.answers["/jwks"] = [answer(KEY_SET), answer({"keys": [NEW.jwk()]})]
    assert verify(world, NEW.sign(claims())) == "ann"
    assert world.paths == ["/jwks", "/jwks"]


def test_a_kid_that_stays_unknown_is_refused_after_one_fetch() -> None:
    """OIDC Core section 10.1.1."""
    world = World()
    with refused(IDTokenRefused, "kid"):
        verify(world, NEW.sign(claims()))
    assert world.paths == ["/jwks", "/jwks"]


def test_a_stream_of_unknown_kids_is_no_stream_of_fetches() -> None:
    """OIDC Core section 10.1.1, at the rate that the policy allows."""
    world = World(policy=Policy(jwks_refetch_interval=60))
    for seconds in (0, 1, 59):
        with refused(IDTokenRefused, "kid"):
            verify(world, NEW.sign(claims()), NOW + seconds)
    assert world.paths == ["/jwks", "/jwks"]
    with refused(IDTokenRefused, "kid"):
        verify(world, NEW.sign(claims()), NOW + 60)
    assert world.paths == ["/jwks"] * 3


def test_nothing_but_an_unknown_kid_fetches_the_keys_again() -> None:
    world = World()
    for token in (signer().sign(claims(nonce="other")), NEW.sign(claims(), kid=signer().kid)):
        with refused(IDTokenRefused):
            verify(world, token)
    assert world.paths == ["/jwks"]


def test_what_is_no_jwt_fetches_nothing() -> None:
    world = World()
    with refused(IDTokenRefused, "format"):
        verify(world, "x")
    assert not world.requests


def test_keys_that_cannot_be_had_leave_the_id_token_unverified() -> None:
    """OIDC Core section 3.1.3.7 step 6: no keys, no sign-in."""
    world = World()
    world.answers["/jwks"] = TransportError("no route")
    with refused(TransportError):
        verify(world, signer().sign(claims()))


def test_signed_userinfo_fetches_the_keys_again_once_too() -> None:
    """OIDC Core sections 5.3.4 and 10.1.1."""
    world = World()
    world.answers["/jwks"] = [answer(KEY_SET), answer({"keys": [NEW.jwk()]})]
    said = {"iss": ISSUER, "aud": CLIENT_ID, "sub": "ann"}

    def userinfo(now: float) -> object:
        jwt = parse_jwt(NEW.sign(said), "userinfo", ResponseRefused)
        flow = verified_userinfo(world.provider, metadata(), jwt, client_id=CLIENT_ID, now=now)
        return world.perform(flow)

    assert userinfo(NOW) == said
    assert world.paths == ["/jwks", "/jwks"]
    world.provider.keys_until = 0
    world.answers["/jwks"] = answer(KEY_SET)
    with refused(ResponseRefused, "kid"):
        userinfo(NOW + 1)
    assert world.paths == ["/jwks"] * 3
