"""One request to a verifier, and what comes of it."""

from typing import Any

import pytest

from oidcclient_dpop.server import ProofRefused, ProofVerifier, VerifiedProof
from tests.dpop_server.proofs import ClientKey, prove

NOW = 1_700_000_000.0
URL = "https://api.example.com/v1/things"


def verify(*proofs: str, rules: ProofVerifier | None = None, **changes: Any) -> VerifiedProof:
    request: dict[str, Any] = {"method": "GET", "url": URL, "proof_headers": list(proofs), "now": NOW, **changes}
    return (rules or ProofVerifier()).verify(**request)


def refused(*proofs: str, **changes: Any) -> ProofRefused:
    with pytest.raises(ProofRefused) as caught:
        verify(*proofs, **changes)
    return caught.value


def good(key: ClientKey, token: str | None = None, **changes: Any) -> str:
    return prove(key, "GET", URL, token, **{"iat": NOW, **changes})
