"""What is the same however an API is served: events, and the mode that takes both schemes."""

from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient

from oidcclient_dpop.server import MemoryReplayCache, Needs, ProtectedResource, Route, Rule, VerifiedRequest, events
from oidcclient_dpop.server import asgi as asgi_adapter
from oidcclient_dpop.server import wsgi as wsgi_adapter
from oidcclient_dpop.server.fastapi import DPoPMiddleware, DPoPSecurity
from tests.resource_server import test_resource_asgi as by_asgi
from tests.resource_server import test_resource_wsgi as by_wsgi
from tests.resource_server.django_site import set_up
from tests.resource_server.lab import API, Lab, access_token
from tests.resource_server.test_resource_asgi import Pairs, credentials

set_up()

from django.conf import settings  # noqa: E402 - configured by the line above
from django.test import Client  # noqa: E402 - configured by the line above

Ask = Callable[[Pairs], int]  # asks for /me, which needs the scope profile, and returns the status
ROUTES = [Route("/me", Needs(("profile",)))]
NONE: Pairs = []


def asgi(resource: ProtectedResource) -> Ask:
    app = asgi_adapter.DPoPMiddleware(by_asgi.echo, resource, routes=ROUTES)
    return lambda headers: int(by_asgi.call(app, by_asgi.scope_of("/me", headers))[0]["status"])


def wsgi(resource: ProtectedResource) -> Ask:
    app = wsgi_adapter.DPoPMiddleware(by_wsgi.who, resource, routes=ROUTES)

    def ask(headers: Pairs) -> int:
        return int(by_wsgi.call(app, **{f"HTTP_{name.upper()}": value for name, value in headers})[0][:3])

    return ask


def fastapi(resource: ProtectedResource) -> Ask:
    app = FastAPI()
    app.add_middleware(DPoPMiddleware, resource=resource, default=None)
    security = DPoPSecurity(resource)

    @app.get("/me")
    async def me(request: Annotated[VerifiedRequest, Security(security, scopes=["profile"])]) -> None:
        assert request.subject == "ann"

    client = TestClient(app, base_url=API)
    return lambda headers: client.get("/me", headers=headers).status_code


def django(resource: ProtectedResource, path: str = "/plain") -> Ask:
    settings.OIDCCLIENT_DPOP_RESOURCE = resource
    return lambda headers: int(Client().get(path, headers=dict(headers), RAW_URI="/me").status_code)


def rest_framework(resource: ProtectedResource) -> Ask:
    return django(resource, "/me")


@pytest.fixture(params=[asgi, wsgi, fastapi, django, rest_framework], ids=lambda one: one.__name__)
def served(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[ProtectedResource], Ask]:
    monkeypatch.setattr(settings, "OIDCCLIENT_DPOP_RESOURCE", None)
    adapter: Callable[[ProtectedResource], Ask] = request.param
    return adapter


Served = Callable[[ProtectedResource], Ask]


def test_an_accepted_request_makes_these_events_and_no_others(lab: Lab, served: Served) -> None:
    assert served(lab.resource())(credentials(lab)) == 200
    assert lab.events == [events.ProofVerified("resource", lab.key.jkt), events.RequestAccepted("DPoP")]


def test_a_request_without_a_token_makes_one_event(lab: Lab, served: Served) -> None:
    assert served(lab.resource())(NONE) == 401
    assert lab.events == [events.RequestRefused(401, None, None)]


def test_a_scheme_that_is_not_taken_makes_one_event(lab: Lab, served: Served) -> None:
    ask = served(lab.resource())
    assert ask([("Authorization", f"Bearer {access_token(lab.signer)}")]) == 401
    assert ask([("Authorization", 'Digest username="ann", uri="/me"')]) == 401
    assert lab.events == [events.RequestRefused(401, None, "Bearer"), events.RequestRefused(401, None, None)]


def test_a_request_that_lacks_a_scope_is_counted_once(lab: Lab, served: Served) -> None:
    assert served(lab.resource())(credentials(lab, scope="other")) == 403
    assert lab.events == [
        events.ProofVerified("resource", lab.key.jkt),
        events.RequestRefused(403, "insufficient_scope", "DPoP"),
    ]


def test_a_proof_that_comes_again_is_rejected_and_so_is_its_request(lab: Lab, served: Served) -> None:
    ask, good = served(lab.resource()), credentials(lab)
    assert (ask(good), ask(good)) == (200, 401)
    assert lab.events[2:] == [
        events.ProofRejected("resource", Rule.REPLAY),
        events.RequestRefused(401, "invalid_dpop_proof", "DPoP"),
    ]


def test_a_proof_that_cannot_be_remembered_is_undecided(lab: Lab, served: Served) -> None:
    ask = served(lab.resource(replay=MemoryReplayCache(1)))
    assert (ask(credentials(lab)), ask(credentials(lab))) == (200, 503)
    assert lab.events[2:] == [
        events.ProofUndecided("resource"),
        events.RequestRefused(503, "temporarily_unavailable", "DPoP"),
    ]


def test_two_schemes_in_one_field_are_a_bad_request(lab: Lab, served: Served) -> None:
    """RFC 9449 section 7.2."""
    (name, value), proof = credentials(lab)
    assert served(lab.resource())([(name, f"Basic YW5u, {value}"), proof]) == 400


def test_where_both_schemes_are_taken_a_bound_token_is_no_bearer_token(lab: Lab, served: Served) -> None:
    """RFC 9449 section 7.2: the downgrade."""
    ask = served(lab.resource(mode="dpop_and_bearer"))
    assert ask([("Authorization", f"Bearer {access_token(lab.signer)}")]) == 200
    assert ask([("Authorization", f"Bearer {lab.token()}")]) == 401
    assert ask(credentials(lab)) == 200
    assert lab.events == [
        events.RequestAccepted("Bearer"),
        events.AccessTokenRefused("bound"),
        events.RequestRefused(401, "invalid_token", "Bearer"),
        events.ProofVerified("resource", lab.key.jkt),
        events.RequestAccepted("DPoP"),
    ]
