"""The same with Authlib's own class for Django, its requests and its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oidcclient_dpop.server import NonceIssuer, ProofVerifier
from oidcclient_dpop.server.authlib import DPoPServer, TokenBinding
from tests.authlib_server.conftest import CHALLENGE, SERVICE, VERIFIER
from tests.authlib_server.own_grants import REDIRECT_URI, CodeGrant, RefreshGrant, ServiceGrant, Shelf, User
from tests.dpop_server.proofs import new_key, prove
from tests.resource_server.django_site import set_up

set_up()

from authlib.integrations.django_oauth2 import AuthorizationServer  # noqa: E402 - configured by the line above
from authlib.oauth2.rfc7636 import CodeChallenge  # noqa: E402 - configured by the line above
from django.test import RequestFactory  # noqa: E402 - configured by the line above

TOKEN = "https://login.example/oauth/token"
SERVICE_GRANT = SERVICE | {"grant_type": "client_credentials"}


class DjangoServer(DPoPServer, Shelf, AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """As its documentation has it, but for the models."""


@pytest.fixture
def server() -> DjangoServer:
    nonces = NonceIssuer(b"s" * 32)
    made = DjangoServer(None, None)
    made.config["refresh_token_generator"] = True
    made.register_token_generator("default", made.create_bearer_token_generator())
    made.dpop = TokenBinding({"token": TOKEN}, nonces=nonces, proofs=ProofVerifier(nonces=nonces))
    made.register_grant(CodeGrant, [CodeChallenge(required=True)])
    made.register_grant(RefreshGrant)
    made.register_grant(ServiceGrant)
    return made


def post(server: DjangoServer, form: Any, *proofs: str) -> Any:
    headers = {"DPoP": ",".join(proofs)} if proofs else {}
    return server.create_token_response(RequestFactory().post("/inside/token", form, headers=headers, secure=True))


def code(server: DjangoServer, **changes: str) -> dict[str, str]:
    asked = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": REDIRECT_URI,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    request = RequestFactory().get("/oauth/authorize", asked | changes, secure=True)
    grant = server.get_consent_grant(request, end_user=User())
    location = server.create_authorization_response(request, grant_user=User(), grant=grant)["Location"]
    return {
        "grant_type": "authorization_code",
        "code": location.partition("code=")[2],
        "client_id": "app",
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }


def test_django_issues_bound_tokens(server: DjangoServer) -> None:
    """Sections 5 and 8.2."""
    key = new_key()
    answer = post(server, SERVICE_GRANT, prove(key, "POST", TOKEN))
    assert json.loads(answer.content)["token_type"] == "DPoP"
    assert answer["DPoP-Nonce"]
    assert answer["Cache-Control"] == "no-store"
    (kept,) = server.access_tokens.values()
    assert kept.dpop_jkt == key.jkt
    assert json.loads(post(server, SERVICE_GRANT).content)["token_type"] == "Bearer"


def test_django_asks_for_a_nonce_and_spends_nothing(server: DjangoServer) -> None:
    """Section 8."""
    key, form = new_key(), code(server)
    asked = post(server, form, prove(key, "POST", TOKEN, nonce="another"))
    assert (asked.status_code, json.loads(asked.content)["error"]) == (400, "use_dpop_nonce")
    answer = post(server, form, prove(key, "POST", TOKEN, nonce=asked["DPoP-Nonce"]))
    assert json.loads(answer.content)["token_type"] == "DPoP"


def test_django_takes_no_two_proofs(server: DjangoServer) -> None:
    """Section 4.3 step 1: the fields arrive joined by a comma."""
    answer = post(server, SERVICE_GRANT, *(prove(new_key(), "POST", TOKEN) for _ in range(2)))
    assert json.loads(answer.content)["error"] == "invalid_dpop_proof"


def test_django_keeps_the_bindings(server: DjangoServer) -> None:
    """Sections 5 and 10."""
    key, other = new_key(), new_key()
    form = code(server, dpop_jkt=key.jkt)
    assert json.loads(post(server, form, prove(other, "POST", TOKEN)).content)["error"] == "invalid_grant"
    token = json.loads(post(server, form, prove(key, "POST", TOKEN)).content)["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app"}
    assert json.loads(post(server, form, prove(other, "POST", TOKEN)).content)["error"] == "invalid_grant"
    assert json.loads(post(server, form).content)["error"] == "invalid_dpop_proof"
    assert json.loads(post(server, form, prove(key, "POST", TOKEN)).content)["token_type"] == "DPoP"
