"""An Authlib server that issues bound tokens (RFC 9449 sections 5 to 8): its token endpoint."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import pytest
from authlib.oauth2.rfc6749 import OAuth2Request
from starlette.datastructures import Headers

from oidcclient_dpop.server import (
    MemoryReplayCache,
    NonceIssuer,
    ProofRefused,
    ProofVerifier,
    ReplayUnavailable,
    Rule,
)
from oidcclient_dpop.server.authlib import (
    InvalidProofError,
    TokenBinding,
    confirmation,
    introspection_members,
    proven_jkt,
)
from oidcclient_dpop.server.events import BindingRefused, NonceChallenged, ProofRejected, ProofUndecided, ProofVerified
from tests.authlib_server.conftest import SERVICE, OwnApp
from tests.authlib_server.own_server import ISSUER, TokenGenerator
from tests.dpop_server.proofs import new_key, prove

SECRET = b"s" * 32
SERVICE_GRANT = SERVICE | {"grant_type": "client_credentials"}


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_proof_makes_the_tokens_dpop_tokens(app: OwnApp) -> None:
    """Sections 5 and 6.1."""
    tokens = app.tokens()
    assert tokens["token_type"] == "DPoP"
    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": app.key.jkt}
    again = app.post("/token", app.refresh_form(tokens["refresh_token"])).json()
    assert again["token_type"] == "DPoP"
    assert claims_of(again["access_token"])["cnf"] == {"jkt": app.key.jkt}
    assert app.events == [ProofVerified("token", app.key.jkt)] * 2


def test_without_a_proof_all_is_bearer(app: OwnApp) -> None:
    tokens = app.plain("/token", app.form(app.authorize()["code"])).json()
    assert tokens["token_type"] == "Bearer"
    assert "cnf" not in claims_of(tokens["access_token"])
    again = app.plain("/token", app.refresh_form(tokens["refresh_token"])).json()
    assert again["token_type"] == "Bearer"
    assert not app.events


def test_a_token_that_is_no_jwt_is_bound_too(app: OwnApp) -> None:
    """Section 6.2: then introspection tells the key."""
    tokens = app.post("/token", SERVICE_GRANT).json()
    assert tokens["token_type"] == "DPoP"
    asked = app.plain("/introspect", SERVICE | {"token": tokens["access_token"]}).json()
    assert asked == {"active": True, "scope": "read", "token_type": "DPoP", "cnf": {"jkt": app.key.jkt}}
    bearer = app.plain("/token", SERVICE_GRANT).json()
    assert bearer["token_type"] == "Bearer"
    asked = app.plain("/introspect", SERVICE | {"token": bearer["access_token"]}).json()
    assert (asked["token_type"], "cnf" in asked) == ("Bearer", False)
    assert introspection_members(None) == {"token_type": "Bearer"}


@pytest.mark.parametrize("token", ["jwt", "x.!.y", "x.W10.y"])
def test_a_jwt_that_lacks_its_key_is_never_sent(app: OwnApp, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """Section 6.1: called DPoP and bound to nothing, it would be a bearer token that nobody takes for one."""
    monkeypatch.setattr(TokenGenerator, "get_extra_claims", lambda *_: {"cnf": "nothing"})
    if token == "jwt":
        assert app.post("/token", app.form(app.authorize()["code"])).status_code == 500
        assert not app.server.access_tokens
    else:  # no JWT, whatever it looks like
        made = {"access_token": token, "token_type": "Bearer", "scope": "read"}
        app.server.register_token_generator("client_credentials", lambda **_: dict(made))
        assert app.post("/token", SERVICE_GRANT).json()["token_type"] == "DPoP"


# Proofs


BAD = [
    ({"htm": "GET"}, Rule.HTM),
    ({"htu": "http://127.0.0.1/token"}, Rule.HTU),
    ({"htu": f"{ISSUER}/par"}, Rule.HTU),
    ({"iat": 1}, Rule.IAT),
    ({"jti": None}, Rule.CLAIMS),
]


@pytest.mark.parametrize(("claims", "rule"), BAD)
def test_a_bad_proof_spends_neither_code_nor_refresh_token(app: OwnApp, claims: dict[str, Any], rule: Rule) -> None:
    """Section 5; the same code and token are good with a good proof."""
    form = app.form(app.authorize()["code"])
    answer = app.post("/token", form, **claims)
    assert error_of(answer) == (400, "invalid_dpop_proof")
    assert answer.headers["cache-control"] == "no-store"
    assert app.events == [ProofRejected("token", rule)]
    tokens = app.post("/token", form).json()
    form = app.refresh_form(tokens["refresh_token"])
    assert error_of(app.post("/token", form, **claims)) == (400, "invalid_dpop_proof")
    assert app.post("/token", form).json()["token_type"] == "DPoP"


def test_a_proof_is_compared_with_the_address_the_world_knows(app: OwnApp) -> None:
    """Section 4.3 step 9: never with what a request says of its host."""
    form = app.form(app.authorize()["code"])
    headers = {"DPoP": prove(app.key, "POST", "https://evil.example/token"), "Host": "evil.example"}
    assert error_of(app.http.post("/token", data=form, headers=headers))[1] == "invalid_dpop_proof"
    headers["DPoP"] = prove(app.key, "POST", f"{ISSUER}/token")
    assert app.http.post("/token", data=form, headers=headers).json()["token_type"] == "DPoP"


def test_a_proof_is_good_once(app: OwnApp) -> None:
    """Section 11.1."""
    headers = {"DPoP": prove(app.key, "POST", f"{ISSUER}/token")}
    assert app.http.post("/token", data=SERVICE_GRANT, headers=headers).status_code == 200
    assert error_of(app.http.post("/token", data=SERVICE_GRANT, headers=headers)) == (400, "invalid_dpop_proof")
    assert app.events[-1] == ProofRejected("token", Rule.REPLAY)
    assert len(app.server.dpop.replay) == 1  # type: ignore[arg-type]  # this one has a length: the gauge


def test_two_proofs_are_refused(app: OwnApp) -> None:
    """Section 4.3 step 1; a WSGI server joins them with a comma."""
    headers = [("DPoP", prove(app.key, "POST", f"{ISSUER}/token")) for _ in range(2)]
    assert error_of(app.http.post("/token", data=SERVICE_GRANT, headers=headers)) == (400, "invalid_dpop_proof")


class Away:
    """A memory for proofs that cannot be reached."""

    blocks = True

    def use(self, _proof: Any, *, now: float) -> None:
        raise ReplayUnavailable("away")


def test_when_the_memory_is_away_nothing_is_issued(build: Any) -> None:
    """Section 11.1: fails closed, and the code stays good."""
    app = build(replay=Away())
    form = app.form(app.authorize()["code"])
    assert error_of(app.post("/token", form)) == (503, "temporarily_unavailable")
    assert len(app.server.codes) == 1
    assert not app.server.access_tokens
    assert app.events == [ProofUndecided("token")]


def test_who_may_not_have_a_token_spends_no_proof(app: OwnApp) -> None:
    """The client comes first: nobody fills the memory who does not authenticate."""
    headers = {"DPoP": prove(app.key, "POST", f"{ISSUER}/token")}
    answer = app.http.post("/token", data=SERVICE_GRANT | {"client_secret": "wrong"}, headers=headers)
    assert answer.json()["error"] == "invalid_client"
    assert app.http.post("/token", data=SERVICE_GRANT, headers=headers).status_code == 200


# Nonces


def test_a_nonce_is_asked_for_before_anything_is_spent(build: Any) -> None:
    """Section 8; on success too (section 8.2), and never two."""
    app = build(nonces=NonceIssuer(SECRET))
    form = app.form(app.authorize()["code"])
    asked = app.post("/token", form)
    assert error_of(asked) == (400, "use_dpop_nonce")
    (nonce,) = asked.headers.get_list("dpop-nonce")
    assert app.events == [NonceChallenged("token")]
    answer = app.post("/token", form, nonce=nonce)
    assert answer.json()["token_type"] == "DPoP"
    assert len(answer.headers.get_list("dpop-nonce")) == 1
    form = app.refresh_form(answer.json()["refresh_token"])
    assert error_of(app.post("/token", form, nonce="another")) == (400, "use_dpop_nonce")
    assert app.post("/token", form, nonce=nonce).status_code == 200
    wrong = app.post("/token", app.form("unknown"), nonce=nonce)
    assert error_of(wrong) == (400, "invalid_grant")
    assert len(wrong.headers.get_list("dpop-nonce")) == 1
    assert app.plain("/token", {"grant_type": "unknown"}).headers.get_list("dpop-nonce")


def test_no_other_endpoint_gives_nonces(build: Any) -> None:
    app = build(nonces=NonceIssuer(SECRET))
    assert "dpop-nonce" not in app.plain("/introspect", SERVICE | {"token": "x"}).headers
    assert "dpop-nonce" not in app.http.get("/authorize", params=app.request()).headers


def test_nonces_may_be_optional(build: Any) -> None:
    nonces = NonceIssuer(SECRET)
    app = build(nonces=nonces, proofs=ProofVerifier(nonces=nonces))
    answer = app.post("/token", SERVICE_GRANT)
    assert answer.status_code == 200
    assert error_of(app.post("/token", SERVICE_GRANT, nonce="another")) == (400, "use_dpop_nonce")
    assert app.post("/token", SERVICE_GRANT, nonce=answer.headers["dpop-nonce"]).status_code == 200


def test_a_verifier_that_wants_nonces_which_nobody_makes_just_refuses(build: Any) -> None:
    app = build(proofs=ProofVerifier(nonces=NonceIssuer(SECRET), nonce_required=True))
    assert error_of(app.post("/token", SERVICE_GRANT)) == (400, "invalid_dpop_proof")


# Clients that must


def test_a_client_may_be_held_to_proofs(app: OwnApp) -> None:
    """Section 5.2."""
    form = app.form(app.authorize(client_id="bound")["code"], client_id="bound")
    assert error_of(app.plain("/token", form)) == (400, "invalid_dpop_proof")
    assert app.events == [BindingRefused("token", "required")]
    assert app.post("/token", form).json()["token_type"] == "DPoP"


def test_a_grant_that_no_client_authenticates_for_is_no_way_around(app: OwnApp) -> None:
    """Section 5.2: the implicit grant knows no proof, a JWT as a grant (RFC 7523) no client authentication."""
    assert app.authorize(response_type="token")["token_type"] == "Bearer"
    answer = app.http.get("/authorize", params=app.request(response_type="token", client_id="bound"))
    assert "access_token" not in answer.headers.get("location", "")
    assert answer.json()["error"] == "invalid_dpop_proof"
    with pytest.raises(InvalidProofError, match="dpop_bound_access_tokens"):
        app.server.generate_token("urn:ietf:params:oauth:grant-type:jwt-bearer", app.server.clients["bound"])


def test_nothing_of_one_request_is_left_for_the_next(app: OwnApp) -> None:
    assert app.tokens()["token_type"] == "DPoP"
    assert confirmation() == {}
    assert app.plain("/token", SERVICE_GRANT).json()["token_type"] == "Bearer"
    request = OAuth2Request("POST", f"{ISSUER}/token")
    assert proven_jkt(request) is None


# The rules by themselves


class AttributeClient:
    dpop_bound_access_tokens = True


def test_the_members_of_a_client_may_be_attributes() -> None:
    rules = TokenBinding({"token": f"{ISSUER}/token"})
    assert rules.must_prove(AttributeClient())
    assert not rules.must_prove(object())


@pytest.mark.parametrize("as_headers", [dict, list])
def test_a_proof_is_found_whatever_holds_the_headers(as_headers: Any) -> None:
    """Authlib's request has whatever the framework has, in any case."""
    rules = TokenBinding({"token": f"{ISSUER}/token"}, replay=MemoryReplayCache(10))
    key = new_key()
    pairs = [("dPoP", prove(key, "POST", f"{ISSUER}/token"))]
    headers = dict(pairs) if as_headers is dict else Headers(raw=[(b"dpop", pairs[0][1].encode())])
    request = OAuth2Request("POST", "https://inside/token", headers=headers)
    proof = rules.check_proof(request, object())
    assert proof is not None
    assert proof.jkt == key.jkt
    assert rules.check_proof(request, object(), "introspection") is None


@pytest.mark.parametrize(
    "endpoints",
    [
        {},
        {"par": f"{ISSUER}/par"},
        {"token": "http://login.example/token"},
        {"token": "login.example"},
        {"token": f"{ISSUER}/token#part"},
    ],
)
def test_an_endpoint_has_an_address_of_its_own(endpoints: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        TokenBinding(endpoints)


def test_http_is_for_loopback() -> None:
    rules = TokenBinding({"token": "http://127.0.0.1:9400/token"}, nonces=NonceIssuer(SECRET), clock=lambda: 1_000)
    assert rules.nonce_headers() == [("DPoP-Nonce", NonceIssuer(SECRET).issue(now=1_000))]


def test_the_metadata_name_the_algorithms(build: Any) -> None:
    """Section 5.1."""
    app = build(proofs=ProofVerifier(algorithms=["ES256"]))
    assert app.http.get("/metadata").json() == {"dpop_signing_alg_values_supported": ["ES256"]}


def test_authlib_is_loaded_by_this_module_alone() -> None:
    script = "import sys, oidcclient_dpop.server as s; s.ProofVerifier(); sys.exit('authlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_without_authlib_it_is_said_what_to_install() -> None:
    script = "import sys; sys.modules['authlib'] = None; import oidcclient_dpop.server.authlib"
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert "pip install 'oidcclient-dpop[authlib]'" in ended.stderr


class Waiting:
    """A memory for proofs on an event loop, which Authlib has not."""

    async def use(self, _proof: Any, *, now: float) -> None:
        """Never awaited, it would let every proof through."""


def test_a_memory_that_needs_an_event_loop_is_refused() -> None:
    with pytest.raises(TypeError, match="AsyncReplayCache"):
        TokenBinding({"token": f"{ISSUER}/token"}, replay=Waiting())  # type: ignore[arg-type]  # that is the mistake


def test_a_refusal_has_no_character_that_no_description_has(app: OwnApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6749 section 5.2."""

    def refuse(*_: Any, **__: Any) -> None:
        raise ProofRefused(Rule.JWT, 'a "quoted" \\ thing')

    monkeypatch.setattr(ProofVerifier, "verify", refuse)
    answer = app.post("/token", SERVICE_GRANT)
    assert error_of(answer) == (400, "invalid_dpop_proof")
    assert answer.json()["error_description"] == "a ?quoted? ? thing."
