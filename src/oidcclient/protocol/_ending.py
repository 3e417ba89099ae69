"""Ending a session: token revocation (RFC 7009) and RP-initiated logout (OIDC RP-Initiated Logout 1.0)."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, urlencode

from oidcclient._words.errors import UsageError
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.values import ProviderMetadata

from ._addresses import check_endpoint
from ._authorization import form_request
from ._parsing import parse_error

__all__ = [
    "build_revocation_request",
    "check_post_logout_redirect_uri",
    "end_session_address",
    "parse_revocation_response",
]

_OK = 200


def build_revocation_request(
    metadata: ProviderMetadata, token: str, hint: Literal["refresh_token", "access_token"], policy: Policy
) -> HttpRequest | None:
    """
    Make the revocation of a token, without client authentication (RFC 7009 section 2.1), or None without an endpoint.

    Args:
        metadata: The provider.
        token: The token.
        hint: Which kind it is.
        policy: Limits.

    Raises:
        DiscoveryRefused: The endpoint is not https (section 2).
    """
    endpoint = metadata.raw.get("revocation_endpoint")
    if endpoint is None:
        return None
    address = check_endpoint("revocation_endpoint", endpoint, issuer=metadata.issuer, policy=policy)
    return form_request(address, [("token", token), ("token_type_hint", hint)], policy)


def parse_revocation_response(response: HttpResponse) -> None:
    """
    Read the answer: 200 is success, for unknown tokens too, and its body is ignored (RFC 7009 section 2.2).

    Raises:
        OAuthError: The provider refused, for example with `unsupported_token_type` (section 2.2.1).
        ResponseRefused: The answer is none of RFC 7009.
        TransportError: 503: the token is still alive, try later (section 2.2.1).
    """
    if response.status != _OK:
        raise parse_error(response, "the revocation answer")


def end_session_address(
    metadata: ProviderMetadata,
    *,
    client_id: str,
    id_token: str,
    post_logout_redirect_uri: str | None,
    policy: Policy,
) -> str | None:
    """
    Return the address at which the provider's own session ends, or None if it has none (RP-Initiated Logout 2).

    Args:
        metadata: The provider.
        client_id: The client.
        id_token: The ID Token of the session, as the hint.
        post_logout_redirect_uri: A registered page to end at. Never a loopback address by default: it would have to be
            registered with its port (section 3).
        policy: Exceptions.

    Raises:
        DiscoveryRefused: The endpoint is not https (section 2.1).
        UsageError: The redirect URI is on plain http, which is for confidential clients only.
    """
    endpoint = metadata.raw.get("end_session_endpoint")
    if endpoint is None:
        return None
    address = check_endpoint("end_session_endpoint", endpoint, issuer=metadata.issuer, policy=policy)
    parameters = {"id_token_hint": id_token, "client_id": client_id}
    if post_logout_redirect_uri is not None:
        check_post_logout_redirect_uri(post_logout_redirect_uri)
        parameters["post_logout_redirect_uri"] = post_logout_redirect_uri
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters, quote_via=quote)}"


def check_post_logout_redirect_uri(uri: str) -> None:
    """
    Refuse a page to end at that is on plain http: those are for confidential clients (RP-Initiated Logout 2).

    Raises:
        UsageError: It is, or it is no absolute URI.
    """
    scheme, colon, _ = uri.partition(":")
    if not colon or scheme.lower() == "http" or not scheme.isascii():
        raise UsageError(
            "post_logout_redirect_uri must be https or a scheme of the app's own",
            rule="post_logout_redirect_uri",
            section="RP-Initiated Logout 2",
            received=uri.partition("?")[0],
        )
