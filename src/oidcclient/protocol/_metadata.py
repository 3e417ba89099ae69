"""Provider metadata: OIDC Discovery 1.0 and RFC 8414."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from oidcclient._words.errors import DiscoveryRefused
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.values import Json, ProviderMetadata

from ._addresses import check_endpoint, check_issuer
from ._parsing import JSON_TYPES, json_object, parse_error

__all__ = [
    "REDIRECTS",
    "build_metadata_request",
    "check_issuer_is",
    "metadata_addresses",
    "metadata_from",
    "parse_metadata",
]

REDIRECTS = 3  # hops; a well-known address that needs more is misconfigured
_OK = 200
_BUSY = 429
_SERVER_ERRORS = 500
_ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "pushed_authorization_request_endpoint",
)
# Endpoints that later flows read from `raw`; all must keep the https rule.
_OTHER_ENDPOINTS = (
    "revocation_endpoint",
    "introspection_endpoint",
    "end_session_endpoint",
    "device_authorization_endpoint",
    "registration_endpoint",
)


def metadata_addresses(issuer: str) -> tuple[str, ...]:
    """
    Return where an issuer's metadata may be, in the order to try.

    OIDC Discovery 4 appends the well-known path to the issuer; RFC 8414 section 3.1 inserts it between host and path.
    One trailing `/` of the issuer is dropped first (both). Without a path two of the three are the same.
    """
    base = issuer.removesuffix("/")
    parts = urlsplit(base)
    host, path = f"{parts.scheme}://{parts.netloc}", parts.path
    tried = (
        f"{base}/.well-known/openid-configuration",
        f"{host}/.well-known/oauth-authorization-server{path}",
        f"{host}/.well-known/openid-configuration{path}",
    )
    return tuple(dict.fromkeys(tried))


def build_metadata_request(address: str, policy: Policy) -> HttpRequest:
    """Make the GET request for metadata or keys (RFC 8414 section 3.1)."""
    return HttpRequest("GET", address, (("Accept", "application/json"),), max_bytes=policy.max_response_bytes)


def parse_metadata(response: HttpResponse, *, issuer: str, policy: Policy) -> ProviderMetadata | None:
    """
    Read a metadata answer; None means that there is none at this address.

    Raises:
        DiscoveryRefused: The answer breaks a rule of RFC 8414 section 3.2 or 3.3, or OIDC Discovery 4.3.
        TransportError: The server is busy or broken.
    """
    if response.status == _BUSY or response.status >= _SERVER_ERRORS:
        raise parse_error(response, "provider metadata")
    if response.status != _OK:
        return None
    if response.media_type not in JSON_TYPES:  # RFC 8414 section 3.2
        raise DiscoveryRefused(
            "the provider's metadata is not application/json",
            rule="content-type",
            section="RFC 8414 section 3.2",
            received=response.media_type,
        )
    members = json_object(response.body, "provider metadata", DiscoveryRefused)
    return metadata_from(members, issuer=issuer, policy=policy)


def metadata_from(members: Mapping[str, Json], *, issuer: str, policy: Policy) -> ProviderMetadata:
    """
    Check metadata members and return them as a value; unknown ones are ignored (RFC 8414 section 3.2).

    Args:
        members: Parsed JSON, or what a program passes as `metadata=` for a provider without discovery.
        issuer: The issuer asked for.
        policy: What is allowed.

    Raises:
        DiscoveryRefused: The issuer is another, or an endpoint is missing or not https.
    """
    check_issuer(issuer, policy)
    check_issuer_is(members.get("issuer"), issuer, policy)
    endpoints: dict[str, str] = {}
    for name in (*_ENDPOINTS, *_OTHER_ENDPOINTS):
        if members.get(name) is not None:
            endpoints[name] = check_endpoint(name, members[name], issuer=issuer, policy=policy)
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if name not in endpoints:
            raise DiscoveryRefused(
                f"the provider's metadata has no {name}", rule=name, section="OIDC Discovery 3", expected="present"
            )
    metadata = ProviderMetadata(
        issuer=issuer,
        **{name: endpoints[name] for name in _ENDPOINTS if name in endpoints},
        require_pushed_authorization_requests=_flag(members, "require_pushed_authorization_requests"),
        authorization_response_iss_parameter_supported=_flag(members, "authorization_response_iss_parameter_supported"),
        code_challenge_methods_supported=_names(members, "code_challenge_methods_supported"),
        id_token_signing_alg_values_supported=_names(members, "id_token_signing_alg_values_supported"),
        scopes_supported=_names(members, "scopes_supported"),
        raw=MappingProxyType(dict(members)),
    )
    _check_abilities(metadata, policy)
    return metadata


def check_issuer_is(received: Json, issuer: str, policy: Policy) -> None:
    """
    Refuse metadata of another issuer: identical, code point by code point (RFC 8414 sections 3.3 and 4).

    Raises:
        DiscoveryRefused: The metadata names another issuer, or none.
    """
    if received == issuer or (policy.templated_issuer is not None and received == policy.templated_issuer):
        return
    raise DiscoveryRefused(
        "the provider's metadata is for another issuer",
        rule="issuer",
        section="RFC 8414 section 3.3",
        expected=issuer,
        received=received,
    )


def _check_abilities(metadata: ProviderMetadata, policy: Policy) -> None:
    """Refuse a provider that cannot do what is needed, before anything is opened."""
    methods = metadata.code_challenge_methods_supported
    if (methods is not None and "S256" not in methods) or (methods is None and policy.require_pkce_advertised):
        # RFC 7636 section 7.2: never fall back to plain. A provider that lists methods without S256 would refuse us.
        raise DiscoveryRefused(
            "the provider does not support PKCE with S256",
            rule="code_challenge_methods_supported",
            section="RFC 7636 section 4.2",
            expected="S256",
            received=methods,
            hint="Ask whoever runs the provider to support PKCE with S256.",
        )
    algorithms = metadata.id_token_signing_alg_values_supported
    if algorithms is not None and not set(algorithms) & set(policy.id_token_algorithms):
        raise DiscoveryRefused(
            "the provider signs ID Tokens with no algorithm that is allowed here",
            rule="id_token_signing_alg_values_supported",
            section="RFC 8725 section 3.1",
            expected=policy.id_token_algorithms,
            received=algorithms,
        )
    missing_iss = not metadata.authorization_response_iss_parameter_supported
    if missing_iss and (policy.require_iss or (policy.several_issuers and policy.shared_redirect_path)):
        raise DiscoveryRefused(
            "the provider does not send iss in its authorization responses",
            rule="authorization_response_iss_parameter_supported",
            section="RFC 9700 section 4.4.2",
            expected=True,
            hint="Give this provider a redirect path of its own: leave shared_redirect_path and require_iss off.",
        )
    if metadata.pushed_authorization_request_endpoint is None and (
        policy.require_par or metadata.require_pushed_authorization_requests
    ):
        raise DiscoveryRefused(
            "pushed authorization requests are required but the provider names no endpoint for them",
            rule="pushed_authorization_request_endpoint",
            section="RFC 9126 section 5",
        )


def _flag(members: Mapping[str, Json], name: str) -> bool:
    value = members.get(name, False)
    if not isinstance(value, bool):
        raise DiscoveryRefused(f"{name} is not true or false", rule=name, received=type(value).__name__)
    return value


def _names(members: Mapping[str, Json], name: str) -> tuple[str, ...] | None:
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise DiscoveryRefused(f"{name} is not a list of strings", rule=name, received=type(value).__name__)
    return tuple(value)
