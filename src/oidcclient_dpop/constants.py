"""The names that RFC 9449 defines."""

from __future__ import annotations

__all__ = [
    "AUTHORIZATION_SCHEME",
    "INVALID_DPOP_PROOF",
    "JKT_PARAMETER",
    "NONCE_HEADER",
    "PROOF_HEADER",
    "PROOF_TYPE",
    "SIGNING_ALGORITHMS",
    "TOKEN_TYPE",
    "USE_DPOP_NONCE",
]

PROOF_HEADER = "DPoP"  # section 4.1
PROOF_TYPE = "dpop+jwt"  # section 4.2
NONCE_HEADER = "DPoP-Nonce"  # section 8
TOKEN_TYPE = "DPoP"  # noqa: S105 - section 5, the name of a type
AUTHORIZATION_SCHEME = "DPoP"  # section 7.1
JKT_PARAMETER = "dpop_jkt"  # section 10
USE_DPOP_NONCE = "use_dpop_nonce"  # sections 8 and 9
INVALID_DPOP_PROOF = "invalid_dpop_proof"  # section 5
SIGNING_ALGORITHMS = "dpop_signing_alg_values_supported"  # section 5.1
