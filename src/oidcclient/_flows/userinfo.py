"""Asking the provider about the user (OIDC Core 5.3)."""

from __future__ import annotations

from collections.abc import Mapping

from oidcclient._words.effects import Flow
from oidcclient._words.values import AccessToken, Json
from oidcclient.hooks import ExchangeKind
from oidcclient.protocol import (
    SignedJwt,
    build_userinfo_request,
    check_userinfo_sub,
    parse_userinfo_response,
)

from .exchange import BoundHooks, with_aliases
from .provider import Provider, fetch_metadata, verified_userinfo

__all__ = ["userinfo"]


def userinfo(
    provider: Provider, hooks: BoundHooks, token: AccessToken, *, client_id: str, sub: str, now: float
) -> Flow[Mapping[str, Json]]:
    """
    Fetch claims about the user and check that they are about this user.

    Args:
        provider: The provider.
        hooks: The session's hooks.
        token: The access token.
        client_id: The client, the audience of a signed answer.
        sub: The `sub` of the verified ID Token.
        now: Unix seconds.

    Raises:
        OAuthError: The provider refused.
        ResponseRefused: The answer breaks a rule.
        TransportError: The provider cannot be reached.
    """
    metadata = with_aliases((yield from fetch_metadata(provider, now)), hooks, provider.policy)
    response = yield from hooks.exchange(
        ExchangeKind.USERINFO,
        build_userinfo_request(metadata, token, provider.policy),
        access_token=token.value,
        token_type=token.type,
    )
    answer = parse_userinfo_response(response)
    if isinstance(answer, SignedJwt):
        answer = yield from verified_userinfo(provider, metadata, answer, client_id=client_id, now=now)
    check_userinfo_sub(answer, sub)
    return answer
