"""Which sign-in is good enough for a request."""

import math
from typing import Any

from authlib.oauth2 import OAuth2Error

from .core import Core
from .grants.id_token import read_id_token_hint
from .store import SignedIn

# What the pages can pretend a person did, weakest first, with the amr each goes with (RFC 8176).
ACR_VALUES: dict[str, tuple[str, ...]] = {
    "pwd": ("pwd",),
    "mfa": ("pwd", "otp", "mfa"),
    "phr": ("hwk", "user"),  # the name is from the OpenID EAP ACR values
}


class UnmetRequirementsError(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    """No way of signing in here reaches the acr that was asked for (OpenID Connect Core Unmet Authentication)."""

    error = "unmet_authentication_requirements"


def wanted_acrs(request: Any) -> list[str]:
    """Return the acceptable acr values, best liked first: from acr_values, or the `claims` parameter."""
    claim = request.claims.get("id_token", {}).get("acr")
    listed = [*claim.get("values", []), *([claim["value"]] if "value" in claim else [])] if claim else []
    return [*map(str, listed)] or (request.payload.data.get("acr_values") or "").split()


def choose_acr(request: Any) -> str:
    """Pick the acr that a sign-in for this request will have.

    RFC 9470 section 5: fail if none can be reached, so that no client loops.
    """
    wanted = wanted_acrs(request)
    if not wanted:
        return "pwd"
    for acr in wanted:
        if acr in ACR_VALUES:
            return acr
    raise UnmetRequirementsError("None of the requested acr values can be reached here.")


def suits(core: Core, request: Any, signed_in: SignedIn) -> bool:
    """Tell whether an earlier sign-in answers this request without asking again."""
    data = request.payload.data
    prompts = data.get("prompt", "").split()
    if {"login", "select_account"} & set(prompts):
        return False
    max_age = float(data.get("max_age", math.inf))  # seconds
    if core.clock.now() - signed_in.auth_time > max_age or max_age == 0:
        return False
    wanted = wanted_acrs(request)
    if wanted and signed_in.acr not in wanted:
        return False
    return not _about_somebody_else(core, request, core.users[signed_in.username].sub)


def _about_somebody_else(core: Core, request: Any, sub: str) -> bool:
    """Tell whether the request names another person: OIDC Core sections 3.1.2.1 (id_token_hint) and 5.5.1."""
    asked = request.claims.get("id_token", {}).get("sub") or {}
    if asked.get("value", sub) != sub:
        return True
    hint = request.payload.data.get("id_token_hint")
    claims = read_id_token_hint(core, hint) if hint is not None else {"sub": sub}
    return claims is None or claims.get("sub") != sub


def sign_in(core: Core, username: str, acr: str) -> SignedIn:
    """Note that a person signed in now."""
    return SignedIn(username, core.clock.now(), acr, ACR_VALUES[acr])
