"""Checking DPoP proofs where tokens are used (RFC 9449 section 7), and what all endpoints have in common.

Where tokens are issued, `grants.binding` does it.
"""

from oidcclient_dpop.server import NonceIssuer, ProofRefused, ProofVerifier

from .answers import Answer
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


def nonces_of(core: Core, server: str) -> NonceIssuer | None:
    """Return the maker of a server's nonces, None if it asks for none."""
    return core.proofs.issuers[server] if core.controls.proofs.nonces[server] != "off" else None


def verifier_of(core: Core, server: str) -> ProofVerifier:
    """Return what checks proofs as the controls say now."""
    rules, nonces = core.controls.proofs, nonces_of(core, server)
    return ProofVerifier(
        algorithms=rules.algorithms,
        past=rules.past,
        future=rules.future,
        nonces=nonces,
        nonce_required=rules.nonces[server] == "required",
        skew_with_nonce=None if nonces is None else rules.with_nonce,
    )


def address_of(core: Core, endpoint: str, exchange: Exchange) -> str:
    """Return the address that a proof is for."""
    return f"{core.issuer if SERVER_OF[endpoint] == 'as' else core.api}{exchange.raw_path}"


def check_proof(core: Core, exchange: Exchange, endpoint: str, *, access_token: str, jkt: str) -> None:
    """Check the proof that comes with a token, and use it up (RFC 9449 sections 4.3 and 11.1).

    Raises:
        ProofRefused: if it does not show what it should.
        ReplayUnavailable: if too many proofs are remembered.
    """
    now = proof_time(core)
    try:
        proof = verifier_of(core, SERVER_OF[endpoint]).verify(
            method=exchange.method,
            url=address_of(core, endpoint, exchange),
            proof_headers=proof_headers(exchange),
            access_token=access_token,
            jkt=jkt,
            now=now,
        )
        core.proofs.replay.use(proof, now=now)
    except ProofRefused as refused:
        tell_refused(core, exchange, endpoint, refused, access_token=access_token, jkt=jkt)
        raise
    core.metrics.proof_verified(endpoint)


def tell_refused(
    core: Core,
    exchange: Exchange,
    endpoint: str,
    refused: ProofRefused,
    *,
    access_token: str | None = None,
    jkt: str | None = None,
) -> None:
    """Count a bad proof, and tell the developer what is wrong with it."""
    core.metrics.proof_refused(endpoint, refused)
    url, now = address_of(core, endpoint, exchange), proof_time(core)
    why = explain_proof(refused, exchange, core.controls.proofs, url=url, now=now, access_token=access_token, jkt=jkt)
    exchange.note(why)


def add_nonce(core: Core, endpoint: str, answer: Answer) -> None:
    """Give out the nonce, on success too (RFC 9449 section 8.2)."""
    nonces = nonces_of(core, SERVER_OF[endpoint]) if endpoint in SERVER_OF else None
    if nonces is not None:
        answer.replace_header("DPoP-Nonce", nonces.issue(now=proof_time(core)))
