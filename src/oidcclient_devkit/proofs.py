"""Checking DPoP proofs at every endpoint that takes them (RFC 9449)."""

from authlib.oauth2 import OAuth2Error

from oidcclient_dpop.server import ProofRefused, ProofVerifier, VerifiedProof

from .answers import Answer
from .clients import Client
from .core import Core
from .exchange import Exchange
from .proof_rules import SERVER_OF
from .why import explain_proof

CLOCK_AHEAD = 120.0  # seconds; for the misbehaviour of that name
IGNORED_AT = {"authorization_code": "dpop.ignored_at_code", "refresh_token": "dpop.ignored_at_refresh"}


def proof_headers(exchange: Exchange) -> list[str]:
    """Return the values of all DPoP header fields."""
    return [value for name, value in exchange.headers if name.lower() == "dpop"]


def proof_time(core: Core) -> float:
    """Return the time that proofs are checked with: the provider's, unless it was told to have another."""
    active = core.controls.active.get("dpop.clock_ahead")
    return core.clock.now() + (float(active.options.get("seconds", CLOCK_AHEAD)) if active else 0.0)


def check_proof(
    core: Core, exchange: Exchange, endpoint: str, *, access_token: str | None = None, jkt: str | None = None
) -> VerifiedProof:
    """Check the proof of a request, and use it up (RFC 9449 sections 4.3 and 11.1).

    Raises:
        ProofRefused: if it does not show what it should.
        ReplayUnavailable: if too many proofs are remembered.
    """
    server = SERVER_OF[endpoint]
    rules, now = core.controls.proofs, proof_time(core)
    mode = rules.nonces[server]
    verifier = ProofVerifier(
        algorithms=rules.algorithms,
        past=rules.past,
        future=rules.future,
        nonces=core.proofs.issuers[server] if mode != "off" else None,
        nonce_required=mode == "required",
    )
    url = f"{core.issuer if server == 'as' else core.api}{exchange.raw_path}"
    try:
        proof = verifier.verify(
            method=exchange.method,
            url=url,
            proof_headers=proof_headers(exchange),
            access_token=access_token,
            jkt=jkt,
            now=now,
        )
        core.proofs.replay.use(proof, now=now)
    except ProofRefused as refused:
        core.metrics.proof_refused(endpoint, refused)
        exchange.note(explain_proof(refused, exchange, rules, url=url, now=now, access_token=access_token, jkt=jkt))
        raise
    core.metrics.proof_verified(endpoint)
    return proof


def add_nonce(core: Core, endpoint: str, answer: Answer) -> None:
    """Give out the nonce, on success too (RFC 9449 section 8.2)."""
    server = SERVER_OF.get(endpoint)
    if server is not None and core.controls.proofs.nonces[server] != "off":
        answer.replace_header("DPoP-Nonce", core.proofs.issuers[server].issue(now=proof_time(core)))


def ignores_proof(core: Core, grant_type: str | None) -> bool:
    """Tell whether the provider was told to know nothing of DPoP."""
    return IGNORED_AT.get(grant_type or "") in core.controls.active


def client_proof(core: Core, exchange: Exchange, endpoint: str, client: Client) -> VerifiedProof | None:
    """Return the checked proof of a request to the token or PAR endpoint, None if it brings none.

    Raises:
        OAuth2Error: for a bad proof, or if this client must bring one (RFC 9449 sections 5 and 5.2).
    """
    if not proof_headers(exchange):
        if endpoint == "token" and client.dpop_bound_access_tokens:
            raise invalid_proof("This client is registered with dpop_bound_access_tokens: it sends a proof.")
        return None
    try:
        return check_proof(core, exchange, endpoint)
    except ProofRefused as refused:
        raise OAuth2Error(error=refused.error, description=f"{refused}.") from refused


def invalid_proof(description: str) -> OAuth2Error:
    """Return the error for a proof that is missing or does not fit (RFC 9449 section 5)."""
    return OAuth2Error(error="invalid_dpop_proof", description=description)
