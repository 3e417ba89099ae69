"""
Checking proofs (RFC 9449): for APIs that take DPoP-bound tokens and for authorization servers that issue them.

    verifier = ProofVerifier()
    proof = verifier.verify(method="GET", url=url, proof_headers=values, access_token=token, jkt=cnf["jkt"], now=now)
    replay.use(proof, now=now)

Importing this loads neither an HTTP library nor anything of the client; `cryptography` is loaded with the first key.
"""

from .algorithms import ALGORITHMS, DEFAULT_ALGORITHMS
from .errors import INVALID_DPOP_PROOF, USE_DPOP_NONCE, ProofRefused, ReplayUnavailable, Rule
from .nonces import NonceCheck, NonceIssuer
from .replay import AsyncReplayCache, MemoryReplayCache, ReplayCache, replay_key
from .uris import normal_uri
from .verifier import ProofVerifier, VerifiedProof

__all__ = [
    "ALGORITHMS",
    "DEFAULT_ALGORITHMS",
    "INVALID_DPOP_PROOF",
    "USE_DPOP_NONCE",
    "AsyncReplayCache",
    "MemoryReplayCache",
    "NonceCheck",
    "NonceIssuer",
    "ProofRefused",
    "ProofVerifier",
    "ReplayCache",
    "ReplayUnavailable",
    "Rule",
    "VerifiedProof",
    "normal_uri",
    "replay_key",
]
