"""The authorization request."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from oidcclient import DiscoveryRefused, Policy, UsageError
from oidcclient.protocol import (
    AuthorizationRequest,
    Transaction,
    authorization_address,
    authorization_parameters,
    build_code_request,
    callback_path,
    new_transaction,
)
from tests.protocol.examples import (
    CLIENT_ID,
    CODE,
    ISSUER,
    MARK,
    NONCE,
    POLICY,
    REDIRECT_URI,
    STATE,
    VERIFIER,
    form,
    metadata,
    refused,
    transaction,
)


def parameters(
    sign_in: Transaction, added: Mapping[str, str] | None = None, *, form_post: bool = False
) -> dict[str, str]:
    pairs = authorization_parameters(sign_in, client_id=CLIENT_ID, form_post=form_post, added=added or {})
    names = [name for name, _ in pairs if name != "resource"]
    assert len(set(names)) == len(names)  # RFC 6749 section 3.1: no parameter twice; resource may repeat
    return dict(pairs)


def test_the_request_holds_what_the_code_flow_needs() -> None:
    """OIDC Core section 3.1.2.1, RFC 6749 section 4.1.1."""
    asked = parameters(transaction())
    assert asked["response_type"] == "code"
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == REDIRECT_URI
    assert asked["scope"] == "openid"
    assert asked["state"] == STATE


def test_every_request_carries_an_s256_challenge() -> None:
    """RFC 7636 sections 4.2 and 4.3, RFC 8252 section 6, RFC 9700 section 2.1.1: to every server, S256 named."""
    asked = parameters(transaction())
    digest = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (digest, "S256")
    assert VERIFIER not in asked.values()


def test_a_server_that_does_not_speak_of_pkce_gets_it_all_the_same() -> None:
    """RFC 7636 section 5: the request does not look at the metadata at all."""
    silent = metadata(code_challenge_methods_supported=...)
    sent = parse_qsl(urlsplit(authorization_address(silent, list(parameters(transaction()).items()))).query)
    assert dict(sent)["code_challenge_method"] == "S256"


def test_a_nonce_is_always_sent() -> None:
    """OIDC Core section 3.1.2.1; state, nonce and PKCE together against CSRF, RFC 9700 section 4.7."""
    assert parameters(transaction())["nonce"] == NONCE


def test_state_nonce_and_verifier_are_new_for_each_sign_in() -> None:
    """RFC 7636 section 4.1, RFC 9700 section 2.1.1, RFC 6749 section 10.10."""
    many = [new_transaction(ISSUER, AuthorizationRequest()) for _ in range(50)]
    values = [text for one in many for text in (one.state, one.nonce, one.code_verifier)]
    assert len(set(values)) == 150


def test_random_values_have_256_bits_in_43_unreserved_characters() -> None:
    """RFC 7636 sections 4.1 and 7.1, RFC 8252 section 8.9; FAPI 2.0 section 5.3.3.2: a nonce of at most 64."""
    drawn = new_transaction(ISSUER, AuthorizationRequest())
    for text in (drawn.state, drawn.nonce, drawn.code_verifier):
        assert re.fullmatch(r"[A-Za-z0-9._~-]{43}", text)


def test_a_sign_in_remembers_its_issuer_and_shows_no_secret() -> None:
    """RFC 9700 section 4.4.2: the issuer, per request."""
    assert new_transaction(ISSUER, AuthorizationRequest()).issuer == ISSUER
    assert MARK not in repr(transaction())


def test_the_default_response_mode_is_not_named() -> None:
    """OIDC Core section 3.1.2.1."""
    assert "response_mode" not in parameters(transaction())
    assert parameters(transaction(), form_post=True)["response_mode"] == "form_post"


def test_only_the_code_is_ever_asked_for() -> None:
    """RFC 9700 sections 2.1.2 and 2.4: no token in the front channel, no password grant."""
    with refused(UsageError, "extra"):
        AuthorizationRequest(extra={"response_type": "code token"})
    grant = dict(form(build_code_request(metadata(), transaction(), CODE, POLICY)))["grant_type"]
    assert grant == "authorization_code"


def test_what_the_caller_asks_for_is_sent() -> None:
    """OIDC Core sections 3.1.2.1 and 5.5."""
    wanted = {"id_token": {"acr": {"essential": True, "value": "strong"}}}
    asked = parameters(
        transaction(
            scopes=("openid", "email"),
            login_hint="ann@example.com",
            prompt="login consent",
            max_age=0,
            acr_values="strong stronger",
            claims=wanted,
            ui_locales="de en",
            id_token_hint=f"hint-{MARK}",
            extra={"kc_idp_hint": "x"},
        )
    )
    assert asked["scope"] == "openid email"
    assert asked["login_hint"] == "ann@example.com"
    assert asked["prompt"] == "login consent"
    assert asked["max_age"] == "0"
    assert asked["acr_values"] == "strong stronger"
    assert json.loads(asked["claims"]) == wanted
    assert asked["ui_locales"] == "de en"
    assert asked["id_token_hint"] == f"hint-{MARK}"
    assert asked["kc_idp_hint"] == "x"
    assert MARK not in repr(AuthorizationRequest(id_token_hint=MARK))


@pytest.mark.parametrize("scopes", [(), ("profile",), ("OpenID",), ("openid profile",)])
def test_a_request_without_openid_is_refused(scopes: tuple[str, ...]) -> None:
    """OIDC Core section 3.1.2.1."""
    with refused(UsageError, "scope", "OIDC Core 3.1.2.1"):
        AuthorizationRequest(scopes=scopes)


@pytest.mark.parametrize("prompt", ["", "Login", "login  consent", "none ", "always"])
def test_a_prompt_that_nobody_knows_is_refused(prompt: str) -> None:
    """OIDC Core section 3.1.2.1."""
    with refused(UsageError, "prompt", "OIDC Core 3.1.2.1"):
        AuthorizationRequest(prompt=prompt)


@pytest.mark.parametrize("prompt", ["none login", "consent none"])
def test_prompt_none_with_another_value_is_refused(prompt: str) -> None:
    """OIDC Core section 3.1.2.1."""
    with refused(UsageError, "prompt", "OIDC Core 3.1.2.1"):
        AuthorizationRequest(prompt=prompt)


@pytest.mark.parametrize("prompt", [None, "none", "login", "select_account consent", "create"])
def test_a_known_prompt_is_accepted(prompt: str | None) -> None:
    assert AuthorizationRequest(prompt=prompt).prompt == prompt


@pytest.mark.parametrize("max_age", [-1, True])
def test_a_max_age_that_is_no_number_of_seconds_is_refused(max_age: int) -> None:
    """OIDC Core section 3.1.2.1."""
    with refused(UsageError, "max_age"):
        AuthorizationRequest(max_age=max_age)


PROTECTED = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "state",
    "nonce",
    "redirect_uri",
    "response_type",
    "response_mode",
    "code_challenge",
    "code_challenge_method",
    "code_challenge_anything",
    "request",
    "request_uri",
    "dpop_jkt",
]
NAMED = ["scope", "prompt", "max_age", "acr_values", "claims", "login_hint", "resource"]


@pytest.mark.parametrize("name", [*PROTECTED, *NAMED])
def test_an_extra_parameter_never_replaces_one_that_security_rests_on(name: str) -> None:
    """RFC 9700 section 4.7, RFC 9126 section 2.1 on request_uri."""
    with refused(UsageError, "extra") as caught:
        AuthorizationRequest(extra={name: MARK})
    assert name in str(caught[0])


@pytest.mark.parametrize("name", ["ui_locales", "id_token_hint"])
def test_an_extra_parameter_never_hides_an_argument(name: str) -> None:
    """RFC 6749 section 3.1: no parameter twice."""
    assert parameters(transaction(extra={name: "x"}))[name] == "x"
    asked: dict[str, Any] = {name: MARK, "extra": {name: "x"}}
    with refused(UsageError, "extra"):
        AuthorizationRequest(**asked)


@pytest.mark.parametrize("name", sorted({*PROTECTED, *NAMED} - {"dpop_jkt"}))
def test_a_hook_never_replaces_or_adds_a_parameter_of_the_core(name: str) -> None:
    with refused(UsageError, "hook"):
        parameters(transaction(), {name: MARK})


def test_a_hook_adds_parameters_of_its_own() -> None:
    """RFC 9449 section 10."""
    assert parameters(transaction(), {"dpop_jkt": "thumbprint", "x_trace": "1"})["dpop_jkt"] == "thumbprint"
    with refused(UsageError, "hook"):
        parameters(transaction(extra={"x_trace": "2"}), {"x_trace": "1"})


# -- resource indicators


@pytest.mark.parametrize(
    "resource",
    ["", "/api", "api.example.com", "https://api.example.com/#", "https://api.example.com/#a", "urn:", "https://[::1"],
)
def test_a_resource_that_is_no_absolute_uri_without_fragment_is_refused(resource: str) -> None:
    """RFC 8707 section 2."""
    with refused(UsageError, "resource", "RFC 8707 section 2"):
        AuthorizationRequest(resources=(resource,))


def test_resources_are_sent_in_both_requests_and_may_repeat() -> None:
    """RFC 8707 sections 2 and 2.2, RFC 9700 section 2.3."""
    wanted = ("https://api.example.com", "https://api.example.com/v1?a", "urn:example:api")
    sign_in = transaction(resources=wanted)
    pairs = authorization_parameters(sign_in, client_id=CLIENT_ID, form_post=False, added={})
    sent = form(build_code_request(metadata(), sign_in, CODE, POLICY))
    for request in (pairs, sent):
        assert tuple(value for name, value in request if name == "resource") == wanted


# -- claims


@pytest.mark.parametrize(
    ("claims", "demanded"),
    [
        (None, None),
        ({}, None),
        ({"id_token": None}, None),
        ({"id_token": {}}, None),
        ({"id_token": {"acr": None}}, None),
        ({"id_token": {"acr": {"values": ["a"]}}}, None),
        ({"id_token": {"acr": {"essential": False, "value": "a"}}}, None),
        ({"id_token": {"acr": {"essential": True}}}, ()),
        ({"id_token": {"acr": {"essential": True, "value": "a"}}}, ("a",)),
        ({"id_token": {"acr": {"essential": True, "values": ["a", "b"]}}}, ("a", "b")),
        ({"userinfo": {"acr": {"essential": True, "value": "a"}}}, None),
    ],
)
def test_an_essential_acr_is_demanded_of_the_id_token(claims: Any, demanded: tuple[str, ...] | None) -> None:
    """OIDC Core section 5.5.1.1."""
    assert AuthorizationRequest(claims=claims).essential_acr == demanded


@pytest.mark.parametrize(
    "claims",
    [
        {"id_token": "acr"},
        {"id_token": ["acr"]},
        {"userinfo": 5},
        {"id_token": {"acr": {"essential": True, "values": "strong"}}},
        {"id_token": {"acr": {"essential": True, "values": None}}},
        {"id_token": {"email": {1, 2}}},
        {"id_token": {"email": float("nan")}},
    ],
)
def test_claims_that_no_provider_could_read_are_refused(claims: Any) -> None:
    """OIDC Core section 5.5: an essential acr must not be lost over a wrong type."""
    with refused(UsageError, "claims", "OIDC Core 5.5"):
        AuthorizationRequest(claims=claims)


# -- addresses


def test_the_address_is_encoded() -> None:
    """RFC 6749 section 4.1.1 and appendix B."""
    address = authorization_address(metadata(), [("scope", "openid a&b"), ("x", "\N{SNOWMAN}+#")])
    assert address == f"{ISSUER}/authorize?scope=openid%20a%26b&x=%E2%98%83%2B%23"


def test_the_endpoints_own_query_is_kept() -> None:
    """RFC 6749 section 3.1."""
    endpoint = f"{ISSUER}/authorize?p=b2c"
    found = authorization_address(metadata(authorization_endpoint=endpoint), [("client_id", "c")])
    assert found == f"{endpoint}&client_id=c"


def test_an_endpoint_that_names_one_of_our_parameters_is_refused() -> None:
    """RFC 6749 section 3.1: no parameter twice."""
    endpoint = f"{ISSUER}/authorize?p=b2c&client%5Fid="
    with refused(DiscoveryRefused, "authorization_endpoint", "RFC 6749 section 3.1"):
        authorization_address(metadata(authorization_endpoint=endpoint), [("client_id", CLIENT_ID), ("state", STATE)])


def test_each_of_several_issuers_gets_a_redirect_path_of_its_own() -> None:
    """RFC 8252 section 8.10."""
    policy = Policy(several_issuers=True)
    paths = {callback_path(issuer, policy) for issuer in (ISSUER, f"{ISSUER}/", "https://other.example")}
    assert len(paths) == 3
    assert all(re.fullmatch(r"/callback/[0-9a-f]{16}", path) for path in paths)
    assert callback_path(ISSUER, policy) == callback_path(ISSUER, policy)


@pytest.mark.parametrize("policy", [POLICY, Policy(several_issuers=True, shared_redirect_path=True)])
def test_one_issuer_or_the_named_exception_has_the_plain_path(policy: Policy) -> None:
    """RFC 9700 section 4.4.2."""
    assert callback_path(ISSUER, policy) == "/callback"
