"""Registering a client that is held to proofs (RFC 9449 section 5.2, RFC 7591)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.claims import BaseClaims
from joserfc.errors import InvalidClaimError

from .binding import REQUIRED

__all__ = ["ClientMetadataClaims"]


class ClientMetadataClaims(BaseClaims):  # type: ignore[misc]  # Authlib has no types
    """
    The member `dpop_bound_access_tokens` of a registration.

        ClientRegistrationEndpoint(claims_classes=[rfc7591.ClientMetadataClaims, ClientMetadataClaims])
    """

    REGISTERED_CLAIMS = [REQUIRED]  # noqa: RUF012 - Authlib reads a list

    def validate(self, now: Any = None, leeway: int = 0) -> None:
        """
        Take a JSON boolean, false by default.

        Raises:
            InvalidClaimError: It is something else; Authlib answers with `invalid_client_metadata`.
        """
        super().validate(now, leeway)
        self.setdefault(REQUIRED, False)
        if not isinstance(self[REQUIRED], bool):
            raise InvalidClaimError(REQUIRED)
