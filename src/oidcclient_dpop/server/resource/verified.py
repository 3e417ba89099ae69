"""A request that was let in, and whether that is enough for a route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from oidcclient_dpop.server.tokens.token import CheckedToken

from .credentials import Problem, Scheme
from .needs import Needs

__all__ = ["VerifiedRequest", "check_needs"]

CLOCKS_S = 10.0  # seconds a max_age is stretched: clocks differ, and a new token takes a moment to get here


class VerifiedRequest(NamedTuple):
    """
    Who may do what, as the access token says it, after every check.

    Attributes:
        scheme: How the token came, `"DPoP"` or `"Bearer"`.
        token: The token's claims, its scopes and the key it is bound to.
    """

    scheme: Scheme
    token: CheckedToken

    @property
    def claims(self) -> Mapping[str, Any]:
        """The token's claims, or the members of the introspection answer."""
        return self.token.claims

    @property
    def subject(self) -> str | None:
        """Who it is about: the `sub`, unique for its issuer alone; None where there is none."""
        return self.token.claims.get("sub")

    @property
    def scopes(self) -> frozenset[str]:
        """What it is good for."""
        return self.token.scopes

    @property
    def jkt(self) -> str | None:
        """The thumbprint of the key that signed the proof; None for a bearer token."""
        return self.token.jkt


def check_needs(token: CheckedToken, needs: Needs, now: float) -> None:
    """
    Compare a token with what a route needs.

    Raises:
        Problem: It is not enough.
    """
    # Authentication first: the challenge names the scopes too, so that one new sign-in brings both.
    if needs.acr_values or needs.max_age is not None:
        _check_authentication(token.claims, needs, now)
    if not token.scopes.issuperset(needs.scopes):  # RFC 6750 section 3.1
        raise Problem(403, "insufficient_scope", "The access token is not good for this", scope=" ".join(needs.scopes))


def _check_authentication(claims: Mapping[str, Any], needs: Needs, now: float) -> None:
    """RFC 9470 sections 3 and 6: `acr` and `auth_time` are in the token, or in the introspection answer."""
    fresh = needs.max_age is None or _is_fresh(claims.get("auth_time"), needs.max_age, now)
    if fresh and (not needs.acr_values or claims.get("acr") in needs.acr_values):
        return
    wanted = {
        "acr_values": " ".join(needs.acr_values),
        "max_age": "" if needs.max_age is None else str(needs.max_age),
        "scope": " ".join(needs.scopes),
    }
    raise Problem(
        401,
        "insufficient_user_authentication",
        "The user has to sign in again, or in another way",
        **{name: value for name, value in wanted.items() if value},
    )


def _is_fresh(auth_time: object, max_age: int, now: float) -> bool:
    """Tell whether a sign-in was lately; one that is still to come, at infinity or at no number was not."""
    if not isinstance(auth_time, int | float) or isinstance(auth_time, bool):
        return False
    return now - max_age - CLOCKS_S <= auth_time <= now + CLOCKS_S  # no sum of it: an int may be beyond all floats
