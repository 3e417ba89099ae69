"""How a request is refused, as Authlib's errors: they are answers too."""

from __future__ import annotations

from authlib.oauth2 import OAuth2Error

from oidcclient_dpop.server.errors import INVALID_DPOP_PROOF, USE_DPOP_NONCE

__all__ = ["InvalidProofError", "ProofMemoryUnavailableError", "UseNonceError"]


class InvalidProofError(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    """The proof is missing where there must be one, or does not show what it should (RFC 9449 section 5)."""

    error = INVALID_DPOP_PROOF


class UseNonceError(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    """
    The proof has no nonce, or an old one (RFC 9449 section 8).

    Args:
        nonce: The one to use.
        description: What is wrong.
    """

    error = USE_DPOP_NONCE

    def __init__(self, nonce: str, description: str) -> None:
        super().__init__(description)
        self._nonce = nonce

    def get_headers(self) -> list[tuple[str, str]]:
        """Return the headers of the answer."""
        return [*super().get_headers(), ("DPoP-Nonce", self._nonce)]


class ProofMemoryUnavailableError(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    """It cannot be told whether a proof was used before, so nothing is issued (RFC 9449 section 11.1)."""

    error = "temporarily_unavailable"  # the name RFC 6749 section 4.1.2.1 has for it
    status_code = 503
