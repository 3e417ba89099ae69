"""DPoP at the provider and its API (RFC 9449), over plain HTTP with proofs made by hand."""

from typing import Any

import pytest

from tests.devkit.dpop_app import CODE, DPoPApp, challenges
from tests.dpop_server.proofs import new_key, prove

OTHER_WAYS = ["Bearer", "DPoP"]

# Tokens


def test_a_proof_makes_the_tokens_dpop_tokens(dpop: DPoPApp, claims_of: Any) -> None:
    """Section 5, 6.1."""
    tokens = dpop.tokens()
    assert tokens["token_type"] == "DPoP"
    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": dpop.key.jkt}
    again = dpop.refresh(tokens["refresh_token"]).json()
    assert again["token_type"] == "DPoP"
    assert claims_of(again["access_token"])["cnf"] == {"jkt": dpop.key.jkt}
    assert dpop.api("/me", again["access_token"]).json()["name"] == "Ann Example"
    assert dpop.call(f"{dpop.provider.issuer}/userinfo", again["access_token"]).json()["name"] == "Ann Example"


def test_the_metadata_name_the_algorithms(dpop: DPoPApp) -> None:
    """Section 5.1; RFC 9728 section 2."""
    path = "/.well-known/openid-configuration"
    assert {"ES256", "PS256", "Ed25519"} <= set(dpop.app.get(path).json()["dpop_signing_alg_values_supported"])
    dpop.provider.dpop_algorithms("ES384")
    assert dpop.app.get(path).json()["dpop_signing_alg_values_supported"] == ["ES384"]
    resource = dpop.http.get(f"{dpop.provider.api}/.well-known/oauth-protected-resource").json()
    assert resource["dpop_signing_alg_values_supported"] == ["ES384"]
    assert resource["dpop_bound_access_tokens_required"] is False
    assert dpop.redeem(dpop.code()).json()["error"] == "invalid_dpop_proof"
    with pytest.raises(ValueError, match="no such algorithm"):
        dpop.provider.dpop_algorithms("HS256")


def test_a_client_may_be_held_to_proofs(dpop: DPoPApp) -> None:
    """Section 5.2."""
    dpop.provider.add_client("bound", redirect_uris=["com.example.devkit:/callback"], dpop_bound_access_tokens=True)
    code = dpop.app.sign_in(client_id="bound")["code"]
    answer = dpop.app.redeem(code, client_id="bound")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    assert dpop.redeem(code, form={"client_id": "bound"}).json()["token_type"] == "DPoP"


@pytest.mark.parametrize(
    "claims",
    [{"htm": "GET"}, {"htu": "https://other.example/token"}, {"iat": 1}, {"iat": None}, {"jti": None}],
)
def test_a_bad_proof_spends_neither_code_nor_refresh_token(dpop: DPoPApp, claims: dict[str, Any]) -> None:
    code = dpop.code()
    answer = dpop.redeem(code, **claims)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    assert answer.headers["cache-control"] == "no-store"
    token = dpop.redeem(code).json()["refresh_token"]
    assert dpop.refresh(token, **claims).json()["error"] == "invalid_dpop_proof"
    assert dpop.refresh(token).json()["token_type"] == "DPoP"


def test_a_proof_is_good_once(dpop: DPoPApp) -> None:
    """Section 11.1."""
    url = f"{dpop.provider.issuer}/token"
    form = dpop.app.form(dpop.code())
    headers = {"DPoP": prove(dpop.key, "POST", url)}
    tokens = dpop.http.post(url, data=form, headers=headers).json()
    assert dpop.http.post(url, data=form, headers=headers).json()["error"] == "invalid_dpop_proof"
    url = f"{dpop.provider.api}/hello"
    token = tokens["access_token"]
    headers = {"Authorization": f"DPoP {token}", "DPoP": prove(dpop.key, "GET", url, token)}
    assert dpop.http.get(url, headers=headers).status_code == 200
    assert 'error="invalid_dpop_proof"' in challenges(dpop.http.get(url, headers=headers))["DPoP"]


def test_too_many_proofs_at_once_are_refused_unseen(dpop: DPoPApp) -> None:
    from oidcclient_dpop.server import MemoryReplayCache  # noqa: PLC0415 - for this test only

    dpop.provider.core.proofs.replay = MemoryReplayCache(1)
    assert dpop.redeem("unknown").json()["error"] == "invalid_grant"
    assert dpop.redeem("unknown").status_code == 503


def test_two_proofs_are_refused(dpop: DPoPApp) -> None:
    """Section 4.3 step 1."""
    url = f"{dpop.provider.issuer}/token"
    headers = [("DPoP", prove(dpop.key, "POST", url)) for _ in range(2)]
    answer = dpop.http.post(url, data=dpop.app.form(dpop.code()), headers=headers)
    assert answer.json()["error"] == "invalid_dpop_proof"


def test_the_window_can_be_moved(dpop: DPoPApp) -> None:
    now = dpop.provider.core.now()
    assert dpop.redeem(dpop.code(), iat=now - 40).json()["error"] == "invalid_dpop_proof"
    dpop.provider.dpop_window(past=60, future=0)
    assert dpop.redeem(dpop.code(), iat=now - 40).status_code == 200
    assert dpop.redeem(dpop.code(), iat=now + 10).json()["error"] == "invalid_dpop_proof"
    with pytest.raises(ValueError, match="seconds"):
        dpop.provider.dpop_window(past=-1, future=0)


# Binding


def test_a_code_is_bound_by_dpop_jkt(dpop: DPoPApp) -> None:
    """Section 10; a proof that does not fit spends nothing."""
    code = dpop.code(dpop_jkt=dpop.key.jkt)
    assert dpop.app.redeem(code).json()["error"] == "invalid_dpop_proof"
    assert dpop.redeem(code, new_key()).json()["error"] == "invalid_grant"
    assert dpop.redeem(code).json()["token_type"] == "DPoP"


def test_a_dpop_jkt_that_is_no_thumbprint_is_refused(dpop: DPoPApp) -> None:
    assert dpop.app.sign_in(dpop_jkt="short")["error"] == "invalid_request"


@pytest.mark.parametrize("with_jkt", [False, True])
def test_a_proof_with_the_push_binds_the_code(dpop: DPoPApp, with_jkt: bool) -> None:
    """Section 10.1."""
    form = dict(dpop.app.request(**CODE, **({"dpop_jkt": dpop.key.jkt} if with_jkt else {})))
    pushed = dpop.post("/par", form).json()
    code = dpop.app.sign_in(request_uri=pushed["request_uri"])["code"]
    assert dpop.redeem(code, new_key()).json()["error"] == "invalid_grant"
    assert dpop.app.redeem(code).json()["error"] == "invalid_dpop_proof"
    assert dpop.redeem(code).json()["token_type"] == "DPoP"


def test_a_push_whose_proof_and_dpop_jkt_disagree_is_refused(dpop: DPoPApp) -> None:
    """Section 10.1: both are known, and must agree."""
    form = dict(dpop.app.request(dpop_jkt=new_key().jkt))
    assert dpop.post("/par", form).json()["error"] == "invalid_dpop_proof"
    assert dpop.post("/par", dict(dpop.app.request()), iat=1).json()["error"] == "invalid_dpop_proof"
    assert not dpop.provider.core.store.pushed


def test_the_refresh_token_of_a_public_client_is_bound(dpop: DPoPApp) -> None:
    """Section 5; a thief without the key cannot even end the family."""
    token = dpop.tokens()["refresh_token"]
    assert dpop.refresh(token, new_key()).json()["error"] == "invalid_grant"
    again = dpop.refresh(token).json()
    assert dpop.refresh(token, new_key()).json()["error"] == "invalid_grant"
    assert dpop.refresh(again["refresh_token"]).status_code == 200


def test_a_confidential_client_may_change_its_key(dpop: DPoPApp, claims_of: Any) -> None:
    """Section 5."""
    dpop.provider.add_client(
        "service",
        redirect_uris=["com.example.devkit:/callback"],
        token_endpoint_auth_method="client_secret_post",
        client_secret="a-secret-of-the-service",
    )
    form = {"client_id": "service", "client_secret": "a-secret-of-the-service"}
    tokens = dpop.redeem(dpop.code(client_id="service"), form=form).json()
    other = new_key()
    again = dpop.refresh(tokens["refresh_token"], other, form).json()
    assert claims_of(again["access_token"])["cnf"] == {"jkt": other.jkt}
    assert dpop.api("/hello", again["access_token"], other).status_code == 200


def test_dpop_neither_starts_nor_stops_at_a_refresh(dpop: DPoPApp) -> None:
    bearer = dpop.app.redeem(dpop.code()).json()
    assert dpop.refresh(bearer["refresh_token"]).json()["error"] == "invalid_grant"
    bound = dpop.tokens()
    assert dpop.app.refresh(bound["refresh_token"]).json()["error"] == "invalid_dpop_proof"
    assert dpop.app.refresh(bearer["refresh_token"]).json()["token_type"] == "Bearer"
    assert dpop.refresh(bound["refresh_token"]).json()["token_type"] == "DPoP"


# The API and userinfo


def _resources(dpop: DPoPApp) -> list[str]:
    return [f"{dpop.provider.api}/me", f"{dpop.provider.issuer}/userinfo"]


def test_a_bound_token_does_not_go_as_bearer(dpop: DPoPApp) -> None:
    """Section 7.2."""
    token = dpop.tokens()["access_token"]
    for url in _resources(dpop):
        answer = dpop.http.get(url, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert 'error="invalid_token"' in challenges(answer)["Bearer"]
        assert "error" not in challenges(answer)["DPoP"]
    answer = dpop.http.post(f"{dpop.provider.issuer}/userinfo", data={"access_token": token})
    assert answer.status_code == 401


def test_an_unbound_token_does_not_go_with_a_proof(dpop: DPoPApp) -> None:
    token = dpop.app.tokens()["access_token"]
    for url in _resources(dpop):
        answer = dpop.call(url, token)
        assert answer.status_code == 401
        assert 'error="invalid_token"' in challenges(answer)["DPoP"]
        assert "error" not in challenges(answer)["Bearer"]


def test_both_schemes_at_once_are_a_bad_request(dpop: DPoPApp) -> None:
    """Section 7.2."""
    token = dpop.tokens()["access_token"]
    for url in _resources(dpop):
        headers = [("Authorization", f"{scheme} {token}") for scheme in OTHER_WAYS]
        answer = dpop.http.get(url, headers=[*headers, ("DPoP", prove(dpop.key, "GET", url, token))])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        for joined in (f"DPoP {token}, Bearer {token}", f"Basic YW5u, Bearer {token}"):
            answer = dpop.http.get(url, headers={"Authorization": joined})
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_token_without_its_key_is_refused(dpop: DPoPApp) -> None:
    """Sections 4.3 step 12 and 7.1."""
    token = dpop.tokens()["access_token"]
    for url in _resources(dpop):
        assert 'error="invalid_token"' in challenges(dpop.call(url, token, new_key()))["DPoP"]
        for claims in ({"ath": None}, {"ath": "x"}, {"htm": "POST"}, {"htu": f"{url}/more"}, {"iat": 1}):
            answer = dpop.call(url, token, **claims)
            assert answer.status_code == 401
            assert 'error="invalid_dpop_proof"' in challenges(answer)["DPoP"]
        answer = dpop.http.get(url, headers={"Authorization": f"DPoP {token}"})
        assert 'error="invalid_dpop_proof"' in challenges(answer)["DPoP"]
        assert dpop.call(url, token).status_code == 200


def test_without_a_token_both_schemes_are_offered_without_an_error(dpop: DPoPApp) -> None:
    """Sections 7.1 and 7.2."""
    for url in _resources(dpop):
        found = challenges(dpop.http.get(url))
        assert 'algs="ES256 ' in found["DPoP"]
        assert all("error" not in value for value in found.values())


def test_scope_and_expiry_are_told_in_the_scheme_that_was_tried(dpop: DPoPApp) -> None:
    code = dpop.app.sign_in(scope="openid")["code"]
    token = dpop.redeem(code).json()["access_token"]
    answer = dpop.api("/me", token)
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in challenges(answer)["DPoP"]
    assert 'scope="profile"' in challenges(answer)["DPoP"]
    assert "error" not in challenges(answer)["Bearer"]
    dpop.provider.expire_tokens()
    assert 'error="invalid_token"' in challenges(dpop.api("/hello", token))["DPoP"]


@pytest.mark.parametrize("path", ["/files/a%2Fb", "/files/%25/x", "/files/a+b%20c", "/files/r%C3%A9sum%c3%a9"])
def test_a_proof_is_for_the_path_as_it_was_sent(dpop: DPoPApp, path: str) -> None:
    """Section 4.2; RFC 3986 section 6.2.2."""
    token = dpop.tokens()["access_token"]
    assert dpop.api(path, token).json() == {"path": path}
    assert dpop.api(f"{path}?a=b", token, htu=f"{dpop.provider.api}{path}").status_code == 200
    assert dpop.api(path, token, htu=f"{dpop.provider.api}/files/a/b").status_code == 401
