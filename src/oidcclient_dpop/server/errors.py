"""How a proof is refused."""

from __future__ import annotations

import enum

__all__ = ["INVALID_DPOP_PROOF", "USE_DPOP_NONCE", "ProofRefused", "ReplayUnavailable", "Rule"]

INVALID_DPOP_PROOF = "invalid_dpop_proof"  # RFC 9449 sections 5 and 7.1
USE_DPOP_NONCE = "use_dpop_nonce"  # RFC 9449 sections 8 and 9


class Rule(enum.StrEnum):
    """The rule that a proof broke, by its step in RFC 9449 section 4.3; few and fixed, so good as a metric's label."""

    HEADER = "header"
    """Steps 1 and 2: one DPoP header field with one value."""
    JWT = "jwt"
    """Step 2: a well-formed JWT of a sensible size."""
    CLAIMS = "claims"
    """Step 3: jti, htm, htu and iat are there, of the right type."""
    TYP = "typ"
    """Step 4."""
    ALG = "alg"
    """Step 5: asymmetric and allowed here."""
    JWK = "jwk"
    """Step 6: a public key that fits the algorithm and is large enough."""
    SIGNATURE = "signature"
    """Step 6."""
    PRIVATE_KEY = "private_key"
    """Step 7: no private or secret members."""
    HTM = "htm"
    """Step 8."""
    HTU = "htu"
    """Step 9."""
    NONCE = "nonce"
    """Step 10."""
    IAT = "iat"
    """Step 11."""
    ATH = "ath"
    """Step 12: the hash of the access token."""
    JKT = "jkt"
    """Step 12: the key the token is bound to."""
    REPLAY = "replay"
    """Section 11.1: used once."""


class ProofRefused(Exception):
    """
    The proof does not show what it should.

    Attributes:
        rule: What was broken.
        error: The error code for the client: `"invalid_dpop_proof"` or `"use_dpop_nonce"`.
    """

    def __init__(self, rule: Rule, message: str, *, error: str = INVALID_DPOP_PROOF) -> None:
        super().__init__(message)
        self.rule = rule
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self.rule, str(self), self.error)


def _again(rule: Rule, message: str, error: str) -> ProofRefused:
    """Make the error again in another process: keyword arguments do not survive pickling by themselves."""
    return ProofRefused(rule, message, error=error)


class ReplayUnavailable(Exception):
    """It cannot be told whether a proof was used before, so the request must not go on: answer 503."""
