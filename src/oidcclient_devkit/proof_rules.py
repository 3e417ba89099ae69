"""What is asked of DPoP proofs (RFC 9449), and what is remembered of them."""

import secrets
from dataclasses import dataclass, field
from typing import Literal

from oidcclient_dpop.server import ALGORITHMS, MemoryReplayCache, NonceIssuer

NonceMode = Literal["off", "optional", "required"]
NONCE_MODES: tuple[NonceMode, ...] = ("off", "optional", "required")
WINDOW = 30.0  # seconds either way, as Connect2id server has it
REMEMBERED = 100_000  # proofs

# The endpoints that take proofs, by the server whose nonces they ask for. Clients keep nonces by origin
# (RFC 9449 section 9), so userinfo goes with the provider.
SERVER_OF = {"par": "as", "token": "as", "userinfo": "as", "api": "rs"}


@dataclass(slots=True)
class ProofRules:
    """The switches for proofs; `nonces` is by server: `as` the provider, `rs` the API."""

    nonces: dict[str, NonceMode] = field(default_factory=lambda: {"as": "off", "rs": "off"})
    algorithms: tuple[str, ...] = ALGORITHMS
    past: float = WINDOW  # seconds
    future: float = WINDOW  # seconds
    with_nonce: float | None = None  # seconds; as `skew_with_nonce` of ProofVerifier


def _issuers() -> dict[str, NonceIssuer]:
    secret = secrets.token_bytes(32)
    return {server: NonceIssuer(secret, purpose=server) for server in ("as", "rs")}


@dataclass(slots=True)
class ProofMemory:
    """The proofs that were used, and the makers of nonces; neither server takes the other's."""

    replay: MemoryReplayCache = field(default_factory=lambda: MemoryReplayCache(REMEMBERED))
    issuers: dict[str, NonceIssuer] = field(default_factory=_issuers)
