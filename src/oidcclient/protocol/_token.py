"""The token endpoint (RFC 6749 sections 4.1.3, 5.1 and 5.2)."""

from __future__ import annotations

import re
from types import MappingProxyType

from oidcclient._words.errors import ResponseRefused
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.values import Json, ProviderMetadata, TokenResponse

from ._authorization import AuthorizationRequest, Transaction, form_request
from ._parsing import finite, json_object, parse_error, text_member

__all__ = [
    "build_code_request",
    "check_token_type",
    "granted_scope",
    "missing_scopes",
    "parse_token_response",
    "resources_of_code",
]

_OK = 200
_WHAT = "the token response"
_TYPE = re.compile(r"[\x21-\x7e]+")  # appendix A.13: a name or a URI; no space, for it begins a header
_VSCHAR = re.compile(r"[\x20-\x7e]+")  # RFC 6749 appendices A.12 and A.17


def build_code_request(metadata: ProviderMetadata, transaction: Transaction, code: str, policy: Policy) -> HttpRequest:
    """
    Make the code exchange, without client authentication (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

    Args:
        metadata: The provider.
        transaction: The sign-in; its `redirect_uri` is repeated byte for byte.
        code: The authorization code. Good once: the request is never sent again after a timeout.
        policy: Limits.
    """
    form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", transaction.redirect_uri),
        ("code_verifier", transaction.code_verifier),
        *(("resource", uri) for uri in resources_of_code(transaction.request)),
    ]
    return form_request(metadata.token_endpoint or "", form, policy)


def resources_of_code(request: AuthorizationRequest) -> tuple[str, ...]:
    """
    Return the resources that the first access token is for.

    One API should not be able to use a token at another one (RFC 9700 section 2.3). With a refresh token to come, the
    first token is for the first resource alone and the others get tokens of their own (RFC 8707 section 2.2); without
    one there will be no second token, so the first one is for all.
    """
    return request.resources[:1] if "offline_access" in request.scopes else request.resources


def parse_token_response(response: HttpResponse) -> TokenResponse:
    """
    Read an answer of the token endpoint.

    Raises:
        OAuthError: The provider refused (RFC 6749 section 5.2).
        ResponseRefused: The answer is malformed (section 5.1).
        TransportError: The provider is busy or broken.
    """
    if response.status != _OK:
        raise parse_error(response, _WHAT)
    members = json_object(response.body, _WHAT)
    access_token = _token(members, "access_token")
    token_type = text_member(members, "token_type", _WHAT, ResponseRefused)
    if access_token is None or token_type is None:
        absent = "access_token" if access_token is None else "token_type"
        raise ResponseRefused(f"{_WHAT} has no {absent}", rule=absent, section="RFC 6749 section 5.1")
    if not _TYPE.fullmatch(token_type):
        raise ResponseRefused(
            "token_type holds characters that no type has", rule="token_type", section="RFC 6749 appendix A.13"
        )
    return TokenResponse(
        access_token=access_token,
        token_type=token_type,
        expires_in=_lifetime(members.get("expires_in")),
        refresh_token=_token(members, "refresh_token"),
        scope=_scope(members.get("scope")),
        id_token=text_member(members, "id_token", _WHAT, ResponseRefused),
        raw=MappingProxyType(members),
    )


def _token(members: dict[str, Json], name: str) -> str | None:
    """A token goes into a header: control characters in it could end the header."""
    token = text_member(members, name, _WHAT, ResponseRefused)
    if token is not None and not _VSCHAR.fullmatch(token):
        raise ResponseRefused(f"{name} holds characters that no token has", rule=name, section="RFC 6749 appendix A")
    return token


def _lifetime(value: Json) -> float | None:
    """Seconds; some providers send the number as a string, which is harmless and accepted."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:  # noqa: PLR2004 - 3,000 years
        value = int(value)
    if value is None:
        return None
    if not finite(value) or value < 0:
        raise ResponseRefused("expires_in is no number of seconds", rule="expires_in", section="RFC 6749 section 5.1")
    return float(value)


def _scope(value: Json) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ResponseRefused("scope is not a string", rule="scope", section="RFC 6749 section 5.1")


def check_token_type(response: TokenResponse, *, known: bool) -> None:
    """
    Refuse a token of a type nobody here knows how to use (RFC 6749 section 7.1). Types are compared without case.

    Args:
        response: The token response.
        known: Whether a hook knows this type.

    Raises:
        ResponseRefused: Nobody does.
    """
    if not known and response.token_type.lower() != "bearer":
        raise ResponseRefused(
            "the access token is of a type that is not understood",
            rule="token_type",
            section="RFC 6749 section 7.1",
            expected="Bearer",
            received=response.token_type,
            hint="If it is DPoP: install oidcclient-dpop and pass hooks=[DPoP()].",
        )


def granted_scope(response: TokenResponse, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Return the scopes granted: an omitted `scope` means "as asked" (RFC 6749 section 5.1)."""
    return asked if response.scope is None else tuple(response.scope.split())


def missing_scopes(response: TokenResponse, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Return what was asked for and not granted, for people to see (RFC 6749 section 3.3)."""
    granted = granted_scope(response, asked)
    return tuple(
        scope
        for scope in asked
        if scope not in granted and not (scope == "offline_access" and response.refresh_token is not None)
    )
