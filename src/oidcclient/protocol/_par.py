"""Pushed authorization requests (RFC 9126)."""

from __future__ import annotations

from dataclasses import dataclass, field

from oidcclient._words.errors import ResponseRefused, UsageError
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.values import ProviderMetadata

from ._authorization import authorization_address, form_request
from ._parsing import finite, json_object, parse_error, text_member

__all__ = ["PushedRequest", "build_par_request", "parse_par_response", "pushed_address"]

_CREATED, _OK = 201, 200


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """
    A pushed authorization request (RFC 9126 section 2.2).

    Args:
        request_uri: Opaque; good once.
        expires_in: Its lifetime, in seconds.
    """

    request_uri: str = field(repr=False)
    expires_in: float


def build_par_request(metadata: ProviderMetadata, parameters: list[tuple[str, str]], policy: Policy) -> HttpRequest:
    """
    Make the push, without client authentication (RFC 9126 section 2.1).

    Raises:
        UsageError: The provider has no endpoint for it.
    """
    endpoint = metadata.pushed_authorization_request_endpoint
    if endpoint is None:
        raise UsageError("the provider has no pushed authorization requests", rule="par", section="RFC 9126 section 5")
    return form_request(endpoint, parameters, policy)


def parse_par_response(response: HttpResponse) -> PushedRequest:
    """
    Read the answer to a push (RFC 9126 section 2.2).

    Raises:
        OAuthError: The provider refused the request (section 2.3).
        ResponseRefused: The answer lacks what it must hold.
        TransportError: The provider is busy (429, 5xx): nothing is sent unpushed instead.
    """
    what = "the answer to the pushed request"
    if response.status != _CREATED:
        if response.status == _OK:
            raise ResponseRefused(
                f"{what} has a wrong status", rule="status", section="RFC 9126 section 2.2", expected=201, received=200
            )
        raise parse_error(response, what)
    members = json_object(response.body, what)
    request_uri = text_member(members, "request_uri", what, ResponseRefused)
    expires_in = members.get("expires_in")
    if request_uri is None or not finite(expires_in) or expires_in <= 0:
        raise ResponseRefused(
            f"{what} lacks request_uri or expires_in", rule="request_uri", section="RFC 9126 section 2.2"
        )
    return PushedRequest(request_uri, float(expires_in))


def pushed_address(metadata: ProviderMetadata, *, client_id: str, pushed: PushedRequest) -> str:
    """Return the address for the browser: `client_id` and `request_uri` alone (RFC 9126 section 4, FAPI 2.0)."""
    return authorization_address(metadata, [("client_id", client_id), ("request_uri", pushed.request_uri)])
