"""Why a request was refused, in words for the developer. Never a secret: those are shown as a piece of their hash."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import import_key

from oidcclient_dpop.server import ProofRefused, Rule

from . import jwts
from .answers import Answer, printable
from .exchange import Exchange
from .proof_rules import ProofRules

LONGEST = 300  # characters of anything that came from outside
FIRST_ERROR = 400  # HTTP

_STEPS = {
    Rule.HEADER: "4.3 steps 1 and 2",
    Rule.JWT: "4.3 step 2",
    Rule.CLAIMS: "4.3 step 3",
    Rule.TYP: "4.3 step 4",
    Rule.ALG: "4.3 step 5",
    Rule.JWK: "4.3 step 6",
    Rule.SIGNATURE: "4.3 step 6",
    Rule.PRIVATE_KEY: "4.3 step 7",
    Rule.HTM: "4.3 step 8",
    Rule.HTU: "4.3 step 9",
    Rule.NONCE: "4.3 step 10, sections 8 and 9",
    Rule.IAT: "4.3 step 11",
    Rule.ATH: "4.3 step 12",
    Rule.JKT: "4.3 step 12",
    Rule.REPLAY: "11.1",
}


def error_of(answer: Answer) -> tuple[str, str]:
    """Return the error code of an answer and its description, wherever they are; empty if it is no refusal."""
    if answer.status >= FIRST_ERROR:
        found = json_object(answer.body)
    else:
        query = parse_qs(urlsplit(answer.header("location") or "").query)
        found = {name: values[0] for name, values in query.items()}
    error, description = found.get("error"), found.get("error_description")
    if isinstance(error, str):
        return cut(error), cut(description) if isinstance(description, str) else ""
    return "", ""


def reason(answer: Answer) -> str:
    """Say why an answer is a refusal; empty if it is none."""
    if answer.why:
        return answer.why
    error, description = error_of(answer)
    if error:
        return f"{error}: {description}" if description else error
    if answer.status < FIRST_ERROR:
        return ""
    return HTTPStatus(answer.status).phrase if answer.status in set(HTTPStatus) else str(answer.status)


def cut(text: str) -> str:
    """Keep what a terminal and a page can show, and not too much of it."""
    shown = printable(text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}... ({len(text)} characters)"


def hashed(secret: str) -> str:
    """Show just enough of a secret to tell it from another."""
    return f"({len(secret)} characters, sha256:{hashlib.sha256(secret.encode()).hexdigest()[:6]}...)"


@dataclass(frozen=True, slots=True)
class Proof:
    """A refused proof, read without believing it, and what it was held against."""

    exchange: Exchange
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    rules: ProofRules
    url: str
    now: float
    access_token: str | None
    jkt: str | None


def explain_proof(
    refused: ProofRefused,
    exchange: Exchange,
    rules: ProofRules,
    *,
    url: str,
    now: float,
    access_token: str | None = None,
    jkt: str | None = None,
) -> str:
    """Name the rule that a proof broke, with what was expected and what came."""
    values = [value for name, value in exchange.headers if name.lower() == "dpop"]
    header, claims = _read(values[0]) if len(values) == 1 else ({}, {})
    proof = Proof(exchange, header, claims, rules, url, now, access_token, jkt)
    told = _DETAILS[refused.rule](proof) if refused.rule in _DETAILS else ""
    return f"DPoP proof, rule {refused.rule} (RFC 9449 section {_STEPS[refused.rule]}){': ' if told else ''}{told}"


def _read(value: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        return jwts.read(value)
    except jwts.BadToken:
        return {}, {}


def _against(expected: str, received: object) -> str:
    text = "nothing" if received is None else cut(str(received))
    return f"expected {expected}, received {text}"


def _header(proof: Proof) -> str:
    count = sum(name.lower() == "dpop" for name, _ in proof.exchange.headers)
    return _against("one DPoP header field with one JWT", f"{count} of them")


def _claims(proof: Proof) -> str:
    return _against("jti, htm, htu and iat, of the right types", ", ".join(sorted(proof.claims)) or "no claims")


def _jwk(proof: Proof) -> str:
    jwk = proof.header.get("jwk")
    members = {name: jwk.get(name) for name in ("kty", "crv") if name in jwk} if isinstance(jwk, dict) else jwk
    return _against(f"a public key for {cut(str(proof.header.get('alg')))} that is large enough", members)


def _private(proof: Proof) -> str:
    jwk = proof.header.get("jwk")
    names = sorted(jwk) if isinstance(jwk, dict) else []
    return _against("public members only", ", ".join(names)) + ". This key is no longer secret: make a new one"


def _htu(proof: Proof) -> str:
    received = str(proof.claims.get("htu")).partition("?")  # a query may hold secrets
    return _against(proof.url.partition("?")[0], f"{received[0]}{'?...' if received[1] else ''}")


def _nonce(proof: Proof) -> str:
    nonce = proof.claims.get("nonce")
    received = None if nonce is None else f"another {hashed(str(nonce))}"
    return _against("a nonce that this server gave lately: use the DPoP-Nonce of this answer", received)


def _iat(proof: Proof) -> str:
    rules, off = proof.rules, proof.claims["iat"] - proof.now  # a number: step 3 came before
    more = (rules.with_nonce or 0.0) if "nonce" in proof.claims else 0.0
    window = f"a clock at most {max(rules.past, more):g} s behind and {max(rules.future, more):g} s ahead"
    return _against(window, f"one {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}")


def _ath(proof: Proof) -> str:
    digest = hashlib.sha256((proof.access_token or "").encode()).digest()
    received = proof.claims.get("ath")
    shown = None if received is None else f"{cut(str(received)[:6])}..."
    return _against(f"the hash of the access token, {jwts.b64(digest)[:6]}...", shown)


def _jkt(proof: Proof) -> str:
    return _against(f"the key with the thumbprint {proof.jkt}", proof_thumbprint(proof.exchange))


def proof_thumbprint(exchange: Exchange) -> str | None:
    """Return the thumbprint of the key that a request's proof names (RFC 7638), if it names one."""
    jwk = _read(exchange.header("dpop") or "")[0].get("jwk")
    try:
        return import_key(dict(jwk)).thumbprint() if isinstance(jwk, dict) else None
    except (JoseError, ValueError):
        return None


def _replay(proof: Proof) -> str:
    return f"the jti {cut(str(proof.claims.get('jti')))} was used before: each request needs a proof of its own"


_DETAILS: Mapping[Rule, Callable[[Proof], str]] = {
    Rule.HEADER: _header,
    Rule.CLAIMS: _claims,
    Rule.TYP: lambda proof: _against("dpop+jwt", proof.header.get("typ")),
    Rule.ALG: lambda proof: _against(f"one of {', '.join(proof.rules.algorithms)}", proof.header.get("alg")),
    Rule.JWK: _jwk,
    Rule.PRIVATE_KEY: _private,
    Rule.HTM: lambda proof: _against(proof.exchange.method, proof.claims.get("htm")),
    Rule.HTU: _htu,
    Rule.NONCE: _nonce,
    Rule.IAT: _iat,
    Rule.ATH: _ath,
    Rule.JKT: _jkt,
    Rule.REPLAY: _replay,
}


def json_object(body: bytes) -> dict[str, Any]:
    """Read a body as a JSON object; one that is none is empty."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
