"""Making tokens."""

from collections.abc import Mapping
from typing import Any

from oidcclient_devkit import jwts
from oidcclient_devkit.clients import Client
from oidcclient_devkit.core import Core
from oidcclient_devkit.store import (
    REFRESH_TOKEN_LIFETIME,
    AccessToken,
    Grant,
    RefreshToken,
    new_handle,
)

TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068 section 2.1, the typ header


class TokenAnswer(dict[str, Any]):
    """A token answer that does not show its tokens in a log: Authlib logs it at debug level."""

    def __repr__(self) -> str:
        return f"<token answer with {', '.join(self)}>"


def issue_tokens(
    core: Core,
    client: Client,
    grant: Grant,
    *,
    scope: str,
    resources: tuple[str, ...],
    refreshable: bool,
    confirmation: Mapping[str, str] | None,
) -> TokenAnswer:
    """Make an access token and, if asked, a refresh token."""
    answer = TokenAnswer(
        access_token=new_access_token(core, client, grant, scope=scope, resources=resources, confirmation=confirmation),
        token_type="DPoP" if "jkt" in (confirmation or {}) else "Bearer",  # RFC 9449 section 5, RFC 6750
        expires_in=core.controls.access_token_lifetime,
        scope=scope,
    )
    if refreshable:
        token = RefreshToken(new_handle(), grant, core.now() + REFRESH_TOKEN_LIFETIME)
        core.store.refresh_tokens[token.value] = token
        answer["refresh_token"] = token.value
    return answer


def new_access_token(
    core: Core,
    client: Client,
    grant: Grant,
    *,
    scope: str,
    resources: tuple[str, ...],
    confirmation: Mapping[str, str] | None,
) -> str:
    """Make a JWT access token (RFC 9068 section 2.2), bound to a key if there is a confirmation (RFC 7800)."""
    now = core.now()
    record = AccessToken(new_handle(), grant)
    core.store.access_tokens[record.jti] = record
    audience = resources or (core.api,)  # RFC 9068 section 3: a default where no resource was asked for
    claims: dict[str, Any] = {
        "iss": core.issuer,
        "sub": core.subject_of(grant),
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "exp": now + core.controls.access_token_lifetime,
        "iat": now,
        "jti": record.jti,
        "client_id": client.client_id,
        "scope": scope,
    }
    if grant.signed_in is not None:
        claims |= {"auth_time": int(grant.signed_in.auth_time), "acr": grant.signed_in.acr}
    if confirmation is not None:
        claims["cnf"] = dict(confirmation)
    key = core.keys.signing(core.controls.access_token_algorithm)
    return jwts.sign(jwts.header_for(key, TOKEN_TYPE), claims, key)
