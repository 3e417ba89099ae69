"""What a proof binds at the provider, at each of its endpoints that takes one (RFC 9449)."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oidcclient_devkit import Keys, Provider
from oidcclient_devkit.clients import SHARED_SECRET
from oidcclient_devkit.devices import plain
from oidcclient_devkit.endpoints.registration import MEMBERS, register
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.grant_rules import GRANT_TYPES
from tests.devkit.dpop_app import CODE, DPoPApp, challenges
from tests.dpop_server.proofs import new_key, prove

POST = {"client_id": "devkit-confidential-post", "client_secret": SHARED_SECRET}


def _everywhere(dpop: DPoPApp, **claims: Any) -> dict[str, int]:
    """Return the status of each endpoint that takes proofs."""
    tokens = dpop.tokens()
    return {
        "par": dpop.post("/par", dict(dpop.app.request()), **claims).status_code,
        "code": dpop.redeem(dpop.code(), **claims).status_code,
        "refresh": dpop.refresh(tokens["refresh_token"], **claims).status_code,
        "service": dpop.post("/token", POST | {"grant_type": "client_credentials"}, **claims).status_code,
        "userinfo": dpop.call(f"{dpop.provider.issuer}/userinfo", tokens["access_token"], **claims).status_code,
        "api": dpop.api("/hello", tokens["access_token"], **claims).status_code,
    }


GOOD = {"par": 201, "code": 200, "refresh": 200, "service": 200, "userinfo": 200, "api": 200}
REFUSED = {"par": 400, "code": 400, "refresh": 400, "service": 400, "userinfo": 401, "api": 401}


@pytest.mark.parametrize(("seconds", "expected"), [(-28, GOOD), (28, GOOD), (-32, REFUSED), (32, REFUSED)])
def test_a_clock_may_be_thirty_seconds_off_either_way(dpop: DPoPApp, seconds: int, expected: dict[str, int]) -> None:
    """Section 11.1; as Connect2id server has it by default."""
    assert _everywhere(dpop, iat=dpop.provider.core.now() + seconds) == expected


def test_a_proof_is_good_once_at_each_endpoint(dpop: DPoPApp) -> None:
    """Section 11.1."""
    tokens = dpop.tokens()
    token = tokens["access_token"]
    issuer = dpop.provider.issuer
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "devkit-desktop"}
    for path, form in (("/par", dict(dpop.app.request())), ("/token", refresh)):
        headers = {"DPoP": prove(dpop.key, "POST", f"{issuer}{path}")}
        assert dpop.http.post(f"{issuer}{path}", data=form, headers=headers).status_code in {200, 201}
        again = dpop.http.post(f"{issuer}{path}", data=form, headers=headers)
        assert (again.status_code, again.json()["error"]) == (400, "invalid_dpop_proof")
    url = f"{issuer}/userinfo"
    headers = {"Authorization": f"DPoP {token}", "DPoP": prove(dpop.key, "GET", url, token)}
    assert dpop.http.get(url, headers=headers).status_code == 200
    assert 'error="invalid_dpop_proof"' in challenges(dpop.http.get(url, headers=headers))["DPoP"]


def test_the_same_jti_is_another_proof_for_another_key_or_address(dpop: DPoPApp) -> None:
    """Section 11.1: in the context of the URI."""
    for key in (dpop.key, new_key()):
        assert dpop.post("/par", dict(dpop.app.request()), key, jti="one").status_code == 201
    form = POST | {"grant_type": "client_credentials"}
    assert dpop.post("/token", form, jti="one").status_code == 200
    assert dpop.post("/token", form, jti="one").status_code == 400


def test_a_proof_for_one_endpoint_is_none_for_another(dpop: DPoPApp) -> None:
    """Section 4.3 step 9."""
    form = POST | {"grant_type": "client_credentials"}
    assert dpop.post("/token", form, htu=f"{dpop.provider.issuer}/par").json()["error"] == "invalid_dpop_proof"
    assert dpop.post("/token", form, htu=f"{dpop.provider.api}/token").json()["error"] == "invalid_dpop_proof"


def test_two_proofs_are_refused_wherever_tokens_are_issued(dpop: DPoPApp) -> None:
    """Section 4.3 step 1."""
    for path, form in (("/par", dict(dpop.app.request())), ("/token", POST | {"grant_type": "client_credentials"})):
        url = f"{dpop.provider.issuer}{path}"
        headers = [("DPoP", prove(dpop.key, "POST", url)) for _ in range(2)]
        assert dpop.http.post(url, data=form, headers=headers).json()["error"] == "invalid_dpop_proof"


def test_an_unknown_client_fills_no_memory(dpop: DPoPApp) -> None:
    answer = dpop.post("/token", POST | {"client_secret": "wrong", "grant_type": "client_credentials"})
    assert answer.json()["error"] == "invalid_client"
    assert len(dpop.provider.core.proofs.replay) == 0


@pytest.mark.parametrize("path", ["/authorize", "/par"])
def test_a_dpop_jkt_comes_once(dpop: DPoPApp, path: str) -> None:
    """RFC 6749 section 3.1."""
    pairs = dpop.app.request(dpop_jkt=[dpop.key.jkt, dpop.key.jkt])
    if path == "/par":
        names = dict(pairs) | {"dpop_jkt": [dpop.key.jkt, dpop.key.jkt]}
        assert dpop.post("/par", names).json()["error"] == "invalid_request"
    else:
        assert dpop.app.sign_in(dpop_jkt=[dpop.key.jkt, dpop.key.jkt])["error"] == "invalid_request"


def test_a_pushed_dpop_jkt_that_is_no_thumbprint_is_refused(dpop: DPoPApp) -> None:
    """Section 10.1; with a proof beside it or without."""
    form = dict(dpop.app.request(dpop_jkt="short"))
    assert dpop.app.post("/par", form).json()["error"] == "invalid_request"
    assert dpop.post("/par", form).json()["error"] == "invalid_request"


def test_the_parameter_alone_binds_a_push(dpop: DPoPApp) -> None:
    """Section 10.1: a client may do either."""
    pushed = dpop.app.post("/par", dict(dpop.app.request(**CODE, dpop_jkt=dpop.key.jkt))).json()
    code = dpop.app.sign_in(request_uri=pushed["request_uri"])["code"]
    assert dpop.redeem(code, new_key()).json()["error"] == "invalid_grant"
    assert dpop.redeem(code).json()["token_type"] == "DPoP"


def test_introspection_tells_the_key_a_service_uses_now(dpop: DPoPApp) -> None:
    """Section 5: a confidential client may change its key; section 6.2."""
    form = POST | {"grant_type": "client_credentials"}
    for key in (dpop.key, new_key()):
        token = dpop.post("/token", form, key).json()["access_token"]
        answer = dpop.app.post("/introspect", POST | {"token": token}).json()
        assert (answer["token_type"], answer["cnf"]) == ("DPoP", {"jkt": key.jkt})


def test_nobody_is_held_to_proofs_where_tokens_are_revoked(dpop: DPoPApp) -> None:
    """RFC 7009: a client without its key must still be able to sign out."""
    dpop.provider.require_dpop()
    token = dpop.tokens()["refresh_token"]
    assert dpop.app.post("/revoke", {"client_id": "devkit-desktop", "token": token}).status_code == 200
    assert dpop.refresh(token).json()["error"] == "invalid_grant"


# Whatever comes


@example("\u1e9e")  # in capitals it is two letters of ASCII, once it was small
@example("\u212a")  # whose small letter is a k
@given(st.text())
def test_a_user_code_is_compared_by_its_letters_and_digits(text: str) -> None:
    """RFC 8628 section 6.1."""
    small = "".join(char.lower() if char.isascii() else char for char in text)
    assert plain(text) == plain(plain(text)) == plain(f" {small}-")
    assert plain("\u00df") == ""
    assert plain(text).isalnum() or not plain(text)


@pytest.fixture(scope="module")
def provider() -> Any:
    with Provider(keys=Keys()) as running:
        yield running


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
URI = st.sampled_from(["https://app.example/cb", "http://[::1]/cb", "http://[bad]/", "com.example:/cb", "app:/cb", "é"])
WORD = st.sampled_from(["none", "private_key_jwt", "client_secret_post", "RS256", "ES512", "web", "native", "openid"])
JWK = st.dictionaries(
    st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "kid"]),
    st.sampled_from(["EC", "RSA", "OKP", "P-256", "Ed25519", "AQAB", 1, None]),
)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "redirect_uris": st.lists(URI, max_size=2),
    "post_logout_redirect_uris": st.lists(URI, max_size=2),
    "grant_types": st.lists(st.sampled_from([*GRANT_TYPES, "x\ud800"]), max_size=3),
    "jwks": st.builds(lambda keys: {"keys": keys}, st.lists(JWK, max_size=2)),
}
METADATA = st.fixed_dictionaries({}, optional={name: LIKELY.get(name, WORD) | JSON for name in MEMBERS})


@given(metadata=METADATA)
def test_any_metadata_are_registered_or_refused(provider: Provider, metadata: dict[str, Any]) -> None:
    """RFC 7591 section 3.2.2: with one of its errors, and never anything else."""
    headers = (("content-type", "application/json"),)
    answer = register(provider.core, Exchange("POST", "/register", headers=headers, body=json.dumps(metadata).encode()))
    if answer.status == 400:
        assert answer.json()["error"] in {"invalid_client_metadata", "invalid_redirect_uri"}
    else:
        assert answer.status == 201
        assert answer.json()["client_id"] in provider.clients
