"""The refresh grant (RFC 6749 section 6) and what an ID Token from it must keep (OIDC Core 12)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from oidcclient._words.errors import IDTokenRefused
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.values import Json, ProviderMetadata

from ._authorization import form_request

__all__ = ["build_refresh_request", "check_continuity", "rotated_token"]

_OK = 200


def build_refresh_request(
    metadata: ProviderMetadata, refresh_token: str, resource: str | None, policy: Policy
) -> HttpRequest:
    """
    Make the refresh, without client authentication. The scope is not named: it stays what was granted.

    Args:
        metadata: The provider.
        refresh_token: Good once, at providers that rotate.
        resource: The resource indicator the new access token is for, if any was asked for at the sign-in (RFC 8707
            section 2.2).
        policy: Limits.
    """
    form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)]
    if resource:
        form.append(("resource", resource))
    return form_request(metadata.token_endpoint or "", form, policy)


def check_continuity(new: Mapping[str, Json], old: Mapping[str, Json]) -> None:
    """
    Refuse an ID Token from a refresh that is about another sign-in (OIDC Core 12.2).

    `iss`, `sub` and `aud` are the same; `auth_time` is that of the first sign-in; a nonce, if there is one, is equal.

    Args:
        new: The claims of the new ID Token, verified.
        old: The claims of the one from the sign-in.

    Raises:
        IDTokenRefused: One of them differs.
    """
    for name in ("iss", "sub", "aud"):
        if _audience(new.get(name)) != _audience(old.get(name)):
            raise _differs(name, old, new)
    for name in ("auth_time", "nonce", "azp"):
        if name in new and name in old and new[name] != old[name]:
            raise _differs(name, old, new)


def _audience(value: Json) -> Json:
    """One audience may come as a string or as a list of one (RFC 7519 section 4.1.3)."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _differs(name: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> IDTokenRefused:
    shown = name != "nonce"
    return IDTokenRefused(
        f"the refreshed ID Token has another {name} than the one of the sign-in",
        rule=name,
        section="OIDC Core 12.2",
        expected=old.get(name) if shown else None,
        received=new.get(name) if shown else None,
    )


def rotated_token(response: HttpResponse) -> str | None:
    """
    Return the new refresh token in an answer, whatever else is wrong with that answer.

    A provider that answers 200 has spent the old token (RFC 9700 section 4.14.2): the new one must be kept before the
    answer is judged, or the session is lost with an answer that is refused.
    """
    if response.status != _OK:
        return None
    try:
        token = json.loads(response.body)["refresh_token"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return token if isinstance(token, str) and token.isascii() and token.isprintable() and token else None
