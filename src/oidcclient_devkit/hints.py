"""More than the client is told: what was expected and what came, where an error code says little."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import unquote_plus

from . import jwts
from .answers import Answer
from .core import Core
from .exchange import Exchange
from .store import CODE_LIFETIME, AuthorizationCode
from .why import cut, error_of, proof_thumbprint


def hint(core: Core, exchange: Exchange, answer: Answer) -> str:
    """Return what a developer wants to know about a refusal; empty if there is nothing to add."""
    error, _ = error_of(answer)
    return _HINTS[error](core, exchange) if error in _HINTS else ""


def _grant_hint(core: Core, exchange: Exchange) -> str:
    grant_type = exchange.value("grant_type")
    if grant_type == "authorization_code":
        return _code_hint(core, exchange)
    return _refresh_hint(core, exchange) if grant_type == "refresh_token" else ""


def _refresh_hint(core: Core, exchange: Exchange) -> str:
    """Say whose a refresh token is, and which key it is bound to."""
    record = core.store.refresh_tokens.get(exchange.value("refresh_token") or "")
    if record is None:
        return ""
    if exchange.value("client_id") not in {None, record.grant.client_id}:
        return f"The refresh token was issued to {record.grant.client_id}."
    return _key_hint((record.grant.confirmation or {}).get("jkt"), exchange)


def _key_hint(bound: str | None, exchange: Exchange) -> str:
    """Say which key it should have been (RFC 9449 sections 5 and 10)."""
    made_by = proof_thumbprint(exchange)
    if bound is None or made_by in {None, bound}:
        return ""
    return f"It is bound to the key with the thumbprint {bound}, the proof was made by {made_by}"


def _code_hint(core: Core, exchange: Exchange) -> str:
    """Say what is wrong with a code."""
    record = core.store.codes.get(exchange.value("code") or "")
    if record is None:
        return "This provider never issued such a code; codes do not outlive the provider."
    if exchange.value("client_id") not in {None, record.grant.client_id}:
        return f"The code was issued to {record.grant.client_id}."
    if not record.used:
        return _key_hint(record.dpop_jkt, exchange)  # the code is still good
    return _spent_code_hint(core, exchange, record)


def _spent_code_hint(core: Core, exchange: Exchange, record: AuthorizationCode) -> str:
    redirect_uri = exchange.value("redirect_uri")
    if redirect_uri != record.redirect_uri:
        came = "nothing" if redirect_uri is None else cut(redirect_uri)
        return f"RFC 6749 section 4.1.3: expected the redirect_uri {cut(record.redirect_uri)}, received {came}"
    if not _verified(record, exchange.value("code_verifier")):
        return (
            "RFC 7636 section 4.6: the SHA-256 of the code_verifier is not the code_challenge that was sent. "
            "A wrong verifier spends the code."
        )
    if core.clock.now() >= record.expires_at:
        return f"The code has expired: it is good for {CODE_LIFETIME} seconds."
    return "RFC 6749 section 4.1.2: a code is used once. The tokens it gave are revoked now."


def _verified(record: AuthorizationCode, verifier: str | None) -> bool:
    if record.code_challenge is None:
        return verifier is None
    digest = jwts.b64(hashlib.sha256((verifier or "").encode()).digest())
    return hmac.compare_digest(digest.encode(), record.code_challenge.encode())


def _client_hint(core: Core, exchange: Exchange) -> str:
    """Say how the client should have authenticated, and how it did (RFC 6749 section 2.3)."""
    client_id, used = _named_client(exchange)
    if client_id is None:
        return "The request names no client."
    client = core.clients.get(client_id)
    if client is None:
        return f"No client has the client_id {cut(client_id)}; there are {', '.join(core.clients)}"
    registered = client.token_endpoint_auth_method
    if used not in registered:
        return f"{client_id} is registered with {registered}, the request used {used}"
    return f"{client_id} did authenticate with {registered}, but not with what is registered" if used != "none" else ""


def _named_client(exchange: Exchange) -> tuple[str | None, str]:
    """Return whom a request names, and by what method, as far as can be told."""
    scheme, _, value = (exchange.header("authorization") or "").partition(" ")
    if scheme.lower() == "basic":
        return _basic_user(value), "client_secret_basic"
    assertion = exchange.value("client_assertion")
    if assertion is not None:
        try:
            return str(jwts.read(assertion)[1].get("sub")), "_jwt"
        except jwts.BadToken:
            return exchange.value("client_id"), "_jwt"
    used = "none" if exchange.value("client_secret") is None else "client_secret_post"
    return exchange.value("client_id"), used


def _basic_user(value: str) -> str | None:
    try:
        return unquote_plus(base64.b64decode(value.strip(), validate=True).decode().partition(":")[0])
    except (binascii.Error, UnicodeDecodeError):
        return None


_HINTS: Mapping[str, Callable[[Core, Exchange], str]] = {
    "invalid_grant": _grant_hint,
    "invalid_client": _client_hint,
}
