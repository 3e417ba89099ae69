"""Asking the provider about the user."""

import pytest

from oidcclient import OAuthError, ResponseRefused
from oidcclient._flows.exchange import BoundHooks
from oidcclient._flows.userinfo import userinfo
from oidcclient._words.values import AccessToken
from oidcclient.protocol import HttpResponse
from tests.flows.world import WELL_KNOWN, World
from tests.protocol.examples import ACCESS_TOKEN, CLIENT_ID, ISSUER, NOW, answer, raw, refused
from tests.protocol.signing import signer

TOKEN = AccessToken(ACCESS_TOKEN, "Bearer", None, ("openid",))
SIGNED = {"iss": ISSUER, "aud": CLIENT_ID, "sub": "ann", "name": "Ann"}


def ask(response: HttpResponse) -> tuple[object, list[str]]:
    world = World()
    world.answers["/userinfo"] = response
    flow = userinfo(world.provider, BoundHooks(), TOKEN, client_id=CLIENT_ID, sub="ann", now=NOW)
    return world.perform(flow), world.paths


def test_claims_are_fetched_with_one_request() -> None:
    """OIDC Core section 5.3."""
    assert ask(answer({"sub": "ann", "name": "Ann"})) == ({"sub": "ann", "name": "Ann"}, [WELL_KNOWN, "/userinfo"])


def test_signed_claims_are_verified_with_the_providers_keys() -> None:
    """OIDC Core section 5.3.4."""
    found = ask(raw(signer().sign(SIGNED).encode(), 200, "application/jwt"))
    assert found == (SIGNED, [WELL_KNOWN, "/userinfo", "/jwks"])


@pytest.mark.parametrize("sub", [None, "bob"])
def test_claims_about_somebody_else_are_refused(sub: str | None) -> None:
    """OIDC Core section 5.3.2."""
    with refused(ResponseRefused, "sub"):
        ask(answer({"sub": sub}))
    with refused(ResponseRefused, "sub"):
        ask(raw(signer().sign({**SIGNED, "sub": sub}).encode(), 200, "application/jwt"))


def test_signed_claims_with_a_wrong_signature_are_refused() -> None:
    """OIDC Core section 5.3.4."""
    forged = signer(which=1).sign(SIGNED, kid=signer().kid)
    with refused(ResponseRefused, "signature"):
        ask(raw(forged.encode(), 200, "application/jwt"))


def test_a_token_that_is_no_longer_good_is_said_so() -> None:
    """RFC 6750 section 3.1."""
    with refused(OAuthError, "error"):
        ask(HttpResponse(401, (("WWW-Authenticate", 'Bearer error="invalid_token"'),)))
