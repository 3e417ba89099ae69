"""Which key a code, a refresh token and an access token belong to (RFC 9449 sections 5 and 10).

The rules are the add-on's; here is what is the devkit's own about them.
"""

from collections.abc import Mapping
from typing import Any

from authlib.oauth2 import OAuth2Error

from oidcclient_devkit.core import Core
from oidcclient_devkit.proofs import IGNORED_AT, nonces_of, proof_time, tell_refused, verifier_of
from oidcclient_devkit.store import AuthorizationCode, Grant, RefreshToken
from oidcclient_dpop.server import ProofRefused, VerifiedProof
from oidcclient_dpop.server.authlib import TokenBinding, proven_jkt

ENDPOINTS = ("token", "par")


class DevkitBinding(TokenBinding):
    """The rules as the controls are now; a misbehaviour can make the provider know nothing of DPoP."""

    def __init__(self, core: Core) -> None:
        super().__init__(
            {name: core.address(f"/{name}") for name in ENDPOINTS},
            proofs=verifier_of(core, "as"),
            replay=core.proofs.replay,
            nonces=nonces_of(core, "as"),
            clock=lambda: proof_time(core),
        )
        self._core = core

    def token_key(self, refresh_token: RefreshToken) -> str | None:
        """Return the key that all tokens of a sign-in are bound to."""
        return (refresh_token.grant.confirmation or {}).get("jkt")

    def check_proof(self, request: Any, client: Any, endpoint: str = "token") -> VerifiedProof | None:
        """Check the proof, and tell the developer what is wrong with a bad one."""
        if self._ignores(request):
            return None
        try:
            proof = super().check_proof(request, client, endpoint)
        except OAuth2Error as error:
            if isinstance(error.__cause__, ProofRefused):
                tell_refused(self._core, request.exchange, endpoint, error.__cause__)
            raise
        if proof is not None:
            self._core.metrics.proof_verified(endpoint)
        return proof

    def check_code(self, request: Any, code: AuthorizationCode) -> None:
        """Refuse a code that is bound to another key."""
        if not self._ignores(request):
            super().check_code(request, code)

    def check_refresh(self, request: Any, refresh_token: RefreshToken) -> None:
        """Refuse another key, and a DPoP that starts or stops in the middle."""
        if not self._ignores(request):
            super().check_refresh(request, refresh_token)

    def confirm(self, request: Any, grant: Grant) -> Mapping[str, str] | None:
        """Return the `cnf` of the next access token (RFC 9449 section 6), and keep it with the sign-in."""
        if self._ignores(request):
            return None
        jkt = proven_jkt(request)
        if jkt is not None:
            grant.confirmation = {"jkt": jkt}
        return grant.confirmation

    def _ignores(self, request: Any) -> bool:
        return IGNORED_AT.get(request.form.get("grant_type", "")) in self._core.controls.active
