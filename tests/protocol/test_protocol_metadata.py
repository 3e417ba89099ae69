"""Provider metadata."""

from typing import Any

import pytest

from oidcclient import DiscoveryRefused, OidcError, Policy, TransportError, UsageError
from oidcclient.protocol import HttpResponse, build_metadata_request, metadata_addresses, metadata_from, parse_metadata
from tests.protocol.examples import (
    ISSUER,
    METADATA,
    POLICY,
    WITH_ISS,
    WITH_PAR,
    answer,
    changed,
    metadata,
    raw,
    refused,
)

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


@pytest.mark.parametrize(
    ("issuer", "addresses"),
    [
        (ISSUER, (f"{ISSUER}{OPENID}", f"{ISSUER}{OAUTH}")),
        (f"{ISSUER}/", (f"{ISSUER}{OPENID}", f"{ISSUER}{OAUTH}")),
        (f"{ISSUER}/t/1", (f"{ISSUER}/t/1{OPENID}", f"{ISSUER}{OAUTH}/t/1", f"{ISSUER}{OPENID}/t/1")),
        (f"{ISSUER}/t/", (f"{ISSUER}/t{OPENID}", f"{ISSUER}{OAUTH}/t", f"{ISSUER}{OPENID}/t")),
        (f"{ISSUER}:8443/t//", (f"{ISSUER}:8443/t/{OPENID}", f"{ISSUER}:8443{OAUTH}/t/", f"{ISSUER}:8443{OPENID}/t/")),
    ],
)
def test_the_well_known_path_is_appended_first_then_inserted(issuer: str, addresses: tuple[str, ...]) -> None:
    """OIDC Discovery section 4, RFC 8414 sections 3, 3.1 and 5: one trailing slash is dropped, and one only."""
    assert metadata_addresses(issuer) == addresses


def test_metadata_is_asked_for_with_get_and_a_size_limit() -> None:
    """RFC 8414 section 3.1."""
    request = build_metadata_request(f"{ISSUER}{OPENID}", Policy(max_response_bytes=500))
    assert (request.method, request.url, request.body) == ("GET", f"{ISSUER}{OPENID}", b"")
    assert request.headers == (("Accept", "application/json"),)
    assert request.max_bytes == 500


def test_good_metadata_is_read() -> None:
    members = {**METADATA, **WITH_PAR, **WITH_ISS, "require_pushed_authorization_requests": True}
    found = parse_metadata(answer({**members, "scopes_supported": ["openid"]}), issuer=ISSUER, policy=POLICY)
    assert found is not None
    assert found.issuer == ISSUER
    assert found.authorization_endpoint == f"{ISSUER}/authorize"
    assert found.token_endpoint == f"{ISSUER}/token"
    assert found.jwks_uri == f"{ISSUER}/jwks"
    assert found.userinfo_endpoint == f"{ISSUER}/userinfo"
    assert found.pushed_authorization_request_endpoint == f"{ISSUER}/par"
    assert found.require_pushed_authorization_requests
    assert found.authorization_response_iss_parameter_supported
    assert found.code_challenge_methods_supported == ("S256",)
    assert found.id_token_signing_alg_values_supported == ("RS256", "ES256")
    assert found.scopes_supported == ("openid",)


def test_what_is_optional_may_be_absent() -> None:
    """RFC 8414 section 2, OIDC Discovery section 3."""
    found = metadata(
        userinfo_endpoint=..., id_token_signing_alg_values_supported=..., code_challenge_methods_supported=...
    )
    assert found.userinfo_endpoint is None
    assert found.pushed_authorization_request_endpoint is None
    assert found.id_token_signing_alg_values_supported is None
    assert not found.require_pushed_authorization_requests
    assert not found.authorization_response_iss_parameter_supported


def test_unknown_metadata_is_ignored_and_kept_for_hooks() -> None:
    """RFC 8414 section 3.2."""
    assert metadata(x_colour="blue").raw["x_colour"] == "blue"


@pytest.mark.parametrize("status", [204, 400, 401, 403, 404, 410])
def test_no_metadata_at_an_address_is_no_error_yet(status: int) -> None:
    assert parse_metadata(raw(b"nothing", status), issuer=ISSUER, policy=POLICY) is None


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_or_broken_server_is_the_wires_fault(status: int) -> None:
    with refused(TransportError):
        parse_metadata(raw(b"", status), issuer=ISSUER, policy=POLICY)


@pytest.mark.parametrize("content_type", ["text/html", "", "text/json", "application/jwt", "application/jsonp"])
def test_metadata_that_is_not_application_json_is_refused(content_type: str) -> None:
    """RFC 8414 section 3.2, OIDC Discovery section 4.2."""
    with refused(DiscoveryRefused, "content-type", "RFC 8414 section 3.2"):
        parse_metadata(raw(answer(METADATA).body, 200, content_type), issuer=ISSUER, policy=POLICY)


def test_the_content_type_may_have_parameters_and_any_case() -> None:
    response = raw(answer(METADATA).body, 200, "Application/JSON; charset=UTF-8")
    assert parse_metadata(response, issuer=ISSUER, policy=POLICY) is not None


def test_metadata_without_a_content_type_is_refused() -> None:
    """RFC 8414 section 3.2."""
    with refused(DiscoveryRefused, "content-type"):
        parse_metadata(HttpResponse(200, (), answer(METADATA).body), issuer=ISSUER, policy=POLICY)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"issuer": 1, "issuer": 1}', b"\xff"])
def test_metadata_that_is_no_strict_json_object_is_refused(body: bytes) -> None:
    """RFC 8414 section 3.2."""
    with refused(DiscoveryRefused):
        parse_metadata(raw(body), issuer=ISSUER, policy=POLICY)


@pytest.mark.parametrize(
    "issuer",
    [
        ...,
        None,
        "https://evil.example",
        f"{ISSUER}/",
        "https://LOGIN.example.com",
        "https://login.example.com:443",
        "https://login.example.c\u043em",
        "https://login.e\u0301xample.com",
        [ISSUER],
        5,
    ],
)
def test_metadata_of_another_issuer_is_refused(issuer: object) -> None:
    """RFC 8414 sections 3.3 and 4, OIDC Discovery section 4.3: code point by code point, nothing is normalised."""
    with refused(DiscoveryRefused, "issuer", "RFC 8414 section 3.3"):
        metadata(issuer=issuer)


def test_a_templated_issuer_needs_the_named_exception() -> None:
    """RFC 8414 section 3.3, broken knowingly."""
    template = "https://login.example.com/{tenantid}/v2.0"
    with refused(DiscoveryRefused, "issuer"):
        metadata(issuer=template)
    assert metadata(Policy(templated_issuer=template), issuer=template).issuer == ISSUER
    with refused(DiscoveryRefused, "issuer"):
        metadata(Policy(templated_issuer=template), issuer="https://login.example.com/{other}/v2.0")


def test_metadata_of_an_http_issuer_is_refused() -> None:
    """RFC 8414 section 2."""
    members = changed(METADATA, {"issuer": "http://login.example.com"})
    with refused(UsageError, "issuer"):
        metadata_from(members, issuer="http://login.example.com", policy=POLICY)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("value", [..., None])
def test_metadata_without_a_needed_endpoint_is_refused(name: str, value: object) -> None:
    """OIDC Discovery section 3."""
    with refused(DiscoveryRefused, name, "OIDC Discovery 3"):
        metadata(**{name: value})


@pytest.mark.parametrize(
    "name",
    [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "pushed_authorization_request_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "end_session_endpoint",
        "device_authorization_endpoint",
        "registration_endpoint",
    ],
)
@pytest.mark.parametrize("address", ["http://login.example.com/x", "/x", "", 5, ["https://login.example.com/x"]])
def test_every_endpoint_must_be_https(name: str, address: object) -> None:
    """RFC 8414 section 2, OIDC Discovery section 3, RFC 9126 section 2, RFC 7009 section 2."""
    with refused(DiscoveryRefused, name, "RFC 8414 section 2"):
        metadata(**{name: address})


@pytest.mark.parametrize(
    "name", ["require_pushed_authorization_requests", "authorization_response_iss_parameter_supported"]
)
@pytest.mark.parametrize("value", ["true", 1, None, [], "false"])
def test_a_flag_that_is_not_true_or_false_is_refused(name: str, value: object) -> None:
    """RFC 9126 section 5, RFC 9207 section 3: neither protection is lost over a wrong type."""
    with refused(DiscoveryRefused, name):
        metadata(**{**WITH_PAR, name: value})


@pytest.mark.parametrize(
    "name", ["code_challenge_methods_supported", "id_token_signing_alg_values_supported", "scopes_supported"]
)
@pytest.mark.parametrize("value", ["S256", 5, {"S256": 1}, ["S256", 5], [None], [["S256"]]])
def test_a_list_that_holds_no_strings_is_refused(name: str, value: object) -> None:
    """RFC 8414 section 2."""
    with refused(DiscoveryRefused, name):
        metadata(**{name: value})


@pytest.mark.parametrize("methods", [[], ["plain"], ["s256"]])
def test_a_provider_that_lists_pkce_without_s256_is_refused(methods: list[str]) -> None:
    """RFC 7636 sections 4.2 and 7.2: never a fall back to plain."""
    with refused(DiscoveryRefused, "code_challenge_methods_supported", "RFC 7636 section 4.2"):
        metadata(code_challenge_methods_supported=methods)


def test_a_provider_that_says_nothing_of_pkce_is_refused_only_if_the_policy_says_so() -> None:
    """RFC 7636 section 5, RFC 8414 section 2."""
    metadata(code_challenge_methods_supported=...)
    with refused(DiscoveryRefused, "code_challenge_methods_supported"):
        metadata(Policy(require_pkce_advertised=True), code_challenge_methods_supported=...)
    metadata(Policy(require_pkce_advertised=True))


@pytest.mark.parametrize("algorithms", [[], ["none"], ["HS256"], ["HS256", "none"], ["rs256"]])
def test_a_provider_without_a_common_algorithm_is_refused_before_anything_is_opened(algorithms: list[str]) -> None:
    """RFC 8725 section 3.1, OIDC Core section 10.1."""
    with refused(DiscoveryRefused, "id_token_signing_alg_values_supported", "RFC 8725 section 3.1"):
        metadata(id_token_signing_alg_values_supported=algorithms)


def test_a_provider_that_also_lists_none_is_no_reason_to_refuse_it() -> None:
    metadata(id_token_signing_alg_values_supported=["none", "HS256", "RS256"])


def test_par_required_without_an_endpoint_is_refused() -> None:
    """RFC 9126 section 5."""
    with refused(DiscoveryRefused, "pushed_authorization_request_endpoint", "RFC 9126 section 5"):
        metadata(require_pushed_authorization_requests=True)
    with refused(DiscoveryRefused, "pushed_authorization_request_endpoint", "RFC 9126 section 5"):
        metadata(Policy(require_par=True))
    metadata(Policy(require_par=True), **WITH_PAR)


STRICT_ISS: list[dict[str, Any]] = [
    {"require_iss": True},
    {"several_issuers": True, "shared_redirect_path": True},
]


@pytest.mark.parametrize("settings", STRICT_ISS)
def test_a_provider_without_iss_is_refused_where_the_defence_rests_on_it(settings: dict[str, Any]) -> None:
    """RFC 9700 section 4.4.2, RFC 9207: one path shared by several issuers needs iss in every response."""
    name = "authorization_response_iss_parameter_supported"
    with refused(DiscoveryRefused, name, "RFC 9700 section 4.4.2"):
        metadata(Policy(**settings))
    metadata(Policy(**settings), **WITH_ISS)


@pytest.mark.parametrize("settings", [{}, {"several_issuers": True}, {"shared_redirect_path": True}])
def test_a_provider_without_iss_is_accepted_elsewhere(settings: dict[str, Any]) -> None:
    """RFC 9207 section 3: absent means false."""
    metadata(Policy(**settings))


def test_a_public_client_is_not_refused_for_the_authentication_methods_listed_or_not() -> None:
    """RFC 8414 section 2: absent means client_secret_basic, which says nothing about public clients."""
    metadata(token_endpoint_auth_methods_supported=...)
    metadata(token_endpoint_auth_methods_supported=["client_secret_basic"])


def test_no_error_about_metadata_is_outside_the_tree() -> None:
    values: tuple[object, ...] = (None, 5, "", [], {}, True, 1.5, "\ud800", "x" * 10_000)
    for name in METADATA:
        for value in values:
            try:
                metadata(**{name: value})
            except OidcError:
                continue
