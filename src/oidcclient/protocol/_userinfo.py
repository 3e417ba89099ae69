"""The UserInfo endpoint (OIDC Core 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from oidcclient._words.errors import OAuthError, OidcError, ResponseRefused, UsageError
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.values import AccessToken, Json, ProviderMetadata

from ._callback import same_secret
from ._challenges import parse_challenges
from ._jws import SignedJwt, check_typ, parse_jwt, verify_jwt
from ._keys import KeySet
from ._parsing import JSON_TYPES, json_object, parse_error

__all__ = ["build_userinfo_request", "check_userinfo_sub", "parse_userinfo_response", "verify_userinfo"]

_OK = 200
_WHAT = "the userinfo answer"


def build_userinfo_request(metadata: ProviderMetadata, token: AccessToken, policy: Policy) -> HttpRequest:
    """
    Make the request, the token in the Authorization header alone (OIDC Core 5.3.1, RFC 6750 section 2.1).

    Raises:
        UsageError: The provider has no UserInfo endpoint.
    """
    if metadata.userinfo_endpoint is None:
        raise UsageError("the provider has no userinfo endpoint", rule="userinfo_endpoint", section="OIDC Core 5.3")
    headers = (("Accept", "application/json, application/jwt"), ("Authorization", f"{_scheme(token)} {token.value}"))
    return HttpRequest("GET", metadata.userinfo_endpoint, headers, max_bytes=policy.max_response_bytes)


def _scheme(token: AccessToken) -> str:
    return "Bearer" if token.type.lower() == "bearer" else token.type


def parse_userinfo_response(response: HttpResponse) -> Mapping[str, Json] | SignedJwt:
    """
    Read the answer: claims, or a signed JWT that is still to be verified (OIDC Core 5.3.2).

    Raises:
        OAuthError: The provider refused.
        ResponseRefused: It is neither JSON nor a signed JWT.
        TransportError: The provider is busy or broken.
    """
    if response.status != _OK:
        raise _refusal(response)
    if response.media_type == "application/jwt":
        if not response.body.isascii():
            raise ResponseRefused(f"{_WHAT} is no JWT", rule="format", section="OIDC Core 5.3.2")
        return parse_jwt(response.body.decode("ascii").strip(), _WHAT, ResponseRefused)
    if response.media_type not in JSON_TYPES:
        raise ResponseRefused(
            f"{_WHAT} is neither JSON nor a JWT",
            rule="content-type",
            section="OIDC Core 5.3.2",
            received=response.media_type,
        )
    return MappingProxyType(json_object(response.body, _WHAT))


def _refusal(response: HttpResponse) -> OidcError:
    """Make the error of a refusal: in the challenge (RFC 6750 section 3, OIDC Core 5.3.3), or in the body."""
    error = parse_error(response, _WHAT)
    for challenge in parse_challenges(response) if isinstance(error, ResponseRefused) else ():
        said = challenge.parameters
        if said.get("error"):
            return OAuthError(
                said["error"],
                error_description=said.get("error_description"),
                error_uri=said.get("error_uri"),
                status=response.status,
            )
    return error


def verify_userinfo(
    jwt: SignedJwt, keys: KeySet, *, issuer: str, client_id: str, allowed: tuple[str, ...]
) -> Mapping[str, Json]:
    """
    Verify a signed userinfo answer: signature, then `iss` and `aud` (OIDC Core 5.3.2 and 5.3.4).

    Raises:
        ResponseRefused: A check failed; `rule` is `"kid"` where no key fits.
    """
    verify_jwt(jwt, keys, allowed=allowed, what=_WHAT, error=ResponseRefused)
    check_typ(jwt, _WHAT, ResponseRefused)
    audience = jwt.claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    for rule, holds, expected in (
        ("iss", jwt.claims.get("iss") == issuer, issuer),
        ("aud", client_id in audiences, client_id),
    ):
        if not holds:
            raise ResponseRefused(
                f"{_WHAT} is signed for somebody else",
                rule=rule,
                section="OIDC Core 5.3.2",
                expected=expected,
                received=jwt.claims.get(rule),
            )
    return MappingProxyType(dict(jwt.claims))


def check_userinfo_sub(claims: Mapping[str, Json], sub: str) -> None:
    """
    Refuse claims about somebody else: `sub` is there and equals the ID Token's (OIDC Core 5.3.2).

    Raises:
        ResponseRefused: It does not.
    """
    received = claims.get("sub")
    if not isinstance(received, str) or not same_secret(received, sub):
        raise ResponseRefused(
            f"{_WHAT} is about somebody else",
            rule="sub",
            section="OIDC Core 5.3.2",
            expected=sub,
            received=received,
        )
