"""The algorithms a proof may be signed with (RFC 7518, RFC 8812, RFC 9864)."""

from __future__ import annotations

__all__ = ["ALGORITHMS", "DEFAULT_ALGORITHMS"]

ED25519 = ("Ed25519", "EdDSA")  # RFC 9864 section 2.2: the second is the old name
PSS = ("PS256", "PS384", "PS512")
PKCS1 = ("RS256", "RS384", "RS512")

DEFAULT_ALGORITHMS = ("ES256", "ES384", "ES512", *ED25519, *PSS)
ALGORITHMS = (*DEFAULT_ALGORITHMS, "ES256K", *PKCS1)
"""All that can be allowed: asymmetric ones, as RFC 9449 section 4.2 wants, and no other will ever be."""
