"""The client credentials grant (RFC 6749 section 4.4), with and without DPoP."""

from typing import Any

import pytest

from oidcclient_devkit.clients import SHARED_SECRET
from tests.devkit.dpop_app import DPoPApp
from tests.dpop_server.proofs import new_key

SERVICE = "devkit-confidential-post"
FORM = {"grant_type": "client_credentials", "client_id": SERVICE, "client_secret": SHARED_SECRET}


def test_a_client_gets_a_token_of_its_own(app: Any, claims_of: Any) -> None:
    """RFC 9068 section 2.2: the subject is the client, and nobody signed in."""
    answer = app.post("/token", FORM)
    assert answer.status_code == 200
    tokens = answer.json()
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "api")
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope"}  # no refresh token: section 4.4.3
    claims = claims_of(tokens["access_token"])
    assert (claims["sub"], claims["client_id"], claims["aud"]) == (SERVICE, SERVICE, app.provider.api)
    assert not {"auth_time", "acr", "cnf"} & set(claims)
    assert app.api("/hello", tokens["access_token"]).status_code == 200


def test_a_token_without_a_person_tells_of_nobody(app: Any) -> None:
    token = app.post("/token", FORM).json()["access_token"]
    assert app.api("/me", token).status_code == 403
    assert app.get("/userinfo", Authorization=f"Bearer {token}").status_code == 403
    (record,) = app.provider.core.store.access_tokens.values()
    with pytest.raises(LookupError):
        app.provider.core.user_of(record.grant)


@pytest.mark.parametrize(("scope", "granted"), [("api", "api"), ("api openid unknown", "api")])
def test_scopes_about_a_person_are_not_granted(app: Any, scope: str, granted: str) -> None:
    """RFC 6749 section 5.1: a scope that differs is told."""
    assert app.post("/token", FORM | {"scope": scope}).json()["scope"] == granted


@pytest.mark.parametrize("scope", ["openid profile", "unknown", ""])
def test_a_request_for_nothing_but_a_person_is_refused(app: Any, scope: str) -> None:
    answer = app.post("/token", FORM | {"scope": scope})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_a_token_is_for_the_resource_that_was_asked_for(app: Any, claims_of: Any) -> None:
    """RFC 8707 section 2.2."""
    resource = f"{app.provider.api}/files"
    token = app.post("/token", FORM | {"resource": resource}).json()["access_token"]
    assert claims_of(token)["aud"] == resource
    assert app.api("/files/one", token).status_code == 200
    assert app.api("/hello", token).status_code == 401
    answer = app.post("/token", FORM | {"resource": "https://other.example"})
    assert answer.json()["error"] == "invalid_target"


def test_only_a_client_that_authenticates_gets_one(app: Any) -> None:
    """RFC 6749 section 4.4: the client credentials grant is for confidential clients alone."""
    answer = app.post("/token", FORM | {"client_secret": "wrong"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    public = {"grant_type": "client_credentials", "client_id": app.provider.client_id}
    assert app.post("/token", public).json()["error"] == "unauthorized_client"
    with pytest.raises(ValueError, match="authenticate"):
        app.provider.add_client("public", grant_types=["client_credentials"])
    with pytest.raises(ValueError, match="no grant is called"):
        app.provider.add_client("implicit", grant_types=["implicit"])


def test_a_client_is_registered_for_it(app: Any) -> None:
    secret = "a-secret-of-this-client"
    app.provider.add_client("web", token_endpoint_auth_method="client_secret_post", client_secret=secret)
    answer = app.post("/token", FORM | {"client_id": "web", "client_secret": secret})
    assert answer.json()["error"] == "unauthorized_client"


def test_it_ends_with_all_other_grants(app: Any) -> None:
    token = app.post("/token", FORM).json()["access_token"]
    app.provider.revoke_grants()
    assert app.api("/hello", token).status_code == 401


# DPoP


def test_a_proof_binds_the_token_of_a_client(dpop: DPoPApp, claims_of: Any) -> None:
    """RFC 9449 sections 5 and 6.1."""
    tokens = dpop.post("/token", FORM).json()
    assert tokens["token_type"] == "DPoP"
    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": dpop.key.jkt}
    assert dpop.api("/hello", tokens["access_token"]).status_code == 200
    assert dpop.api("/hello", tokens["access_token"], new_key()).status_code == 401
    assert dpop.app.api("/hello", tokens["access_token"]).status_code == 401


def test_each_token_of_a_client_may_have_another_key(dpop: DPoPApp, claims_of: Any) -> None:
    other = new_key()
    token = dpop.post("/token", FORM, other).json()["access_token"]
    assert claims_of(token)["cnf"] == {"jkt": other.jkt}


def test_a_bad_proof_gets_no_token(dpop: DPoPApp) -> None:
    answer = dpop.post("/token", FORM, iat=1)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    assert not dpop.provider.core.store.access_tokens


def test_a_client_may_be_held_to_proofs_here_too(dpop: DPoPApp) -> None:
    """RFC 9449 section 5.2."""
    dpop.provider.add_client(
        "bound",
        token_endpoint_auth_method="client_secret_post",
        client_secret=SHARED_SECRET,
        grant_types=["client_credentials"],
        dpop_bound_access_tokens=True,
    )
    form = FORM | {"client_id": "bound"}
    assert dpop.app.post("/token", form).json()["error"] == "invalid_dpop_proof"
    assert dpop.post("/token", form).json()["token_type"] == "DPoP"


def test_a_nonce_is_asked_for_here_too(dpop: DPoPApp) -> None:
    """RFC 9449 section 8."""
    dpop.provider.dpop_nonces(as_="required")
    asked = dpop.post("/token", FORM)
    assert (asked.status_code, asked.json()["error"]) == (400, "use_dpop_nonce")
    answer = dpop.post("/token", FORM, nonce=asked.headers["dpop-nonce"])
    assert answer.json()["token_type"] == "DPoP"
    assert answer.headers["dpop-nonce"]
