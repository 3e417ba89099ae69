"""What is kept of a pushed authorization request (RFC 9126), and how it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload
from authlib.oauth2.rfc9101.errors import InvalidRequestUriError, RequestNotSupportedError

__all__ = ["REQUEST_URI", "Parameters", "PushedPayload", "found", "to_keep"]

REQUEST_URI = "urn:ietf:params:oauth:request_uri:"  # RFC 9126 section 2.2
AUTHENTICATION = frozenset({"client_secret", "client_assertion", "client_assertion_type"})  # no part of the request

Parameters = dict[str, list[str]]
"""What a server keeps of a push: each parameter with its values."""


class PushedPayload(OAuth2Payload):  # type: ignore[misc]  # Authlib has no types
    """The parameters of a pushed request, for Authlib."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    @property
    def data(self) -> dict[str, str]:
        """Return one value of each."""
        return {name: values[0] for name, values in self._parameters.items()}

    @property
    def datalist(self) -> Parameters:
        """Return all values of each."""
        return self._parameters


def to_keep(request: Any, client: Any) -> Parameters:
    """
    Return what there is to keep of a push (RFC 9126 section 2.1).

    Raises:
        OAuth2Error: It speaks of another request, or for another client.
    """
    given = request.payload.datalist
    if "request_uri" in given:
        raise InvalidRequestError("A pushed request has no request_uri.")
    if "request" in given:  # its parameters would take the place of these, and the key be lost
        raise RequestNotSupportedError("Request objects are not taken here.")
    parameters = {name: list(values) for name, values in given.items() if name not in AUTHENTICATION}
    client_id = client.get_client_id()
    if parameters.setdefault("client_id", [client_id]) != [client_id]:
        raise InvalidRequestError("The client_id is that of another client.")
    return parameters


def found(payload: Any, find: Callable[[str], Parameters | None]) -> Any:
    """
    Return the payload that the `request_uri` of an authorization request stands for, or the same one if it has none.

    Raises:
        InvalidRequestUriError: What it stands for is not there, or was pushed by another client.
    """
    request_uri = payload.data.get("request_uri") or ""
    if not request_uri.startswith(REQUEST_URI):
        return payload
    parameters = find(request_uri)
    if parameters is None or parameters["client_id"] != [payload.client_id]:
        raise InvalidRequestUriError("The request_uri is unknown or over, or not for this client.")
    return PushedPayload(parameters)
