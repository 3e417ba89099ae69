"""Checking an access token: for userinfo and for the protected API (RFC 6750, RFC 9449, RFC 9068 section 4)."""

from collections.abc import Callable, Mapping
from typing import Any

from joserfc.jwk import Key

from oidcclient_dpop.server import ProofRefused, Rule
from oidcclient_dpop.server.resource.credentials import several

from . import jwts
from .answers import NO_STORE, Answer, json_answer
from .core import Core
from .exchange import Exchange
from .grants.issue import TOKEN_TYPE
from .keys import SIGNING_ALGS
from .proofs import check_proof
from .store import AccessToken


class TokenRefused(Exception):
    """The request may not go on; `error` is None if it brought no token."""

    def __init__(self, status: int, error: str | None, description: str, scope: str | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description
        self.scope = scope

    def answer(self, core: Core, exchange: Exchange, **parameters: str) -> Answer:
        """Return the answer, with a challenge for each scheme (RFC 6750 section 3, RFC 9449 section 7.1).

        RFC 9449 section 7.2: the error goes with the scheme that was tried, and there is none for a request without a
        token (RFC 6750 section 3.1). The scheme that was tried comes first: some clients look no further.
        """
        body = {} if self.error is None else {"error": self.error, "error_description": self.description}
        told = {**body, **({} if self.scope is None else {"scope": self.scope})}
        bearer, dpop = {"realm": "devkit"}, {"algs": " ".join(core.controls.proofs.algorithms)}
        if tries_dpop(exchange):
            dpop = {**told, **dpop}
        else:
            bearer |= told
        challenges = [challenge("Bearer", bearer | parameters), challenge("DPoP", dpop | parameters)]
        if tries_dpop(exchange):
            challenges.reverse()
        answer = json_answer(body, self.status, [*(("WWW-Authenticate", one) for one in challenges), *NO_STORE])
        answer.why = f"{self.error}: {self.description}" if self.error else self.description
        return answer


def challenge(scheme: str, parameters: Mapping[str, str]) -> str:
    """Return a WWW-Authenticate header."""
    return f"{scheme} " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())


def tries_dpop(exchange: Exchange) -> bool:
    """Tell whether a request sends its token with the DPoP scheme (RFC 9449 section 7.1)."""
    return (exchange.header("authorization") or "").partition(" ")[0].lower() == "dpop"


def presented_token(exchange: Exchange) -> str:
    """Return the token a request brings, in the one way it may (RFC 6750 section 2, RFC 9449 section 7.1).

    Raises:
        TokenRefused: if there is none, or more than one.
    """
    headers = [value for name, value in exchange.headers if name.lower() == "authorization"]
    in_form = [value for name, value in exchange.form if name == "access_token"]
    in_query = [value for name, value in exchange.query if name == "access_token"]
    sent = ",".join(headers)
    both = "," in sent and several(sent, bearer=True)  # RFC 9110 section 5.3: two fields may arrive joined
    if in_query or both or len(headers) + len(in_form) > 1:
        raise TokenRefused(400, "invalid_request", "One token, in the Authorization header")
    if in_form:
        return in_form[0]
    scheme, _, value = sent.partition(" ")
    if scheme.lower() not in {"bearer", "dpop"} or not value.strip():
        raise TokenRefused(401, None, "No access token was sent")
    return value.strip()


def read_access_token(core: Core, value: str) -> tuple[AccessToken, dict[str, Any]]:
    """Return what is known of a token this provider signed, be it expired or revoked.

    Raises:
        TokenRefused: if this provider did not sign it as an access token.
    """

    def keys(header: dict[str, Any]) -> list[Key]:
        key = core.keys.find(str(header.get("kid")))
        return [key.key] if key is not None and key.alg == header.get("alg") else []

    try:
        header, claims = jwts.verify(value, keys, SIGNING_ALGS)
    except jwts.BadToken as error:
        raise TokenRefused(401, "invalid_token", f"The access token was refused: {error}") from error
    record = core.store.access_tokens.get(str(claims.get("jti")))
    if header.get("typ") != TOKEN_TYPE or claims.get("iss") != core.issuer or record is None:
        raise TokenRefused(401, "invalid_token", "This is no access token of this provider")
    return record, claims


def check_binding(core: Core, exchange: Exchange, endpoint: str, token: str, claims: Mapping[str, Any]) -> None:
    """Let a bound token in only with a proof by its key, and any other only as Bearer (RFC 9449 sections 7.1, 7.2)."""
    jkt = claims.get("cnf", {}).get("jkt")
    if not tries_dpop(exchange):
        if jkt is not None:
            raise TokenRefused(401, "invalid_token", "The access token is bound to a key: it goes with the DPoP scheme")
        return
    if jkt is None:
        raise TokenRefused(401, "invalid_token", "The access token is bound to no key: it goes with the Bearer scheme")
    try:
        check_proof(core, exchange, endpoint, access_token=token, jkt=jkt)
    except ProofRefused as refused:
        # Section 7.1: a token of another key is an invalid token.
        error = "invalid_token" if refused.rule is Rule.JKT else refused.error
        raise TokenRefused(401, error, str(refused)) from refused


def check_access_token(
    core: Core, exchange: Exchange, endpoint: str, *, scope: str, meant_for: Callable[[list[str]], bool]
) -> tuple[AccessToken, Mapping[str, Any]]:
    """Return the token and claims of a request that may go on.

    Raises:
        TokenRefused: with the answer for any other.
    """
    token = presented_token(exchange)
    record, claims = read_access_token(core, token)
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not meant_for(audience):
        raise TokenRefused(401, "invalid_token", "The access token is meant for somebody else")
    if record.expired or core.clock.now() >= claims["exp"]:
        raise TokenRefused(401, "invalid_token", "The access token has expired")
    if record.revoked or record.grant.revoked:
        raise TokenRefused(401, "invalid_token", "The access token was revoked")
    check_binding(core, exchange, endpoint, token, claims)
    if missing := set(scope.split()) - set(claims["scope"].split()):
        raise TokenRefused(403, "insufficient_scope", f"Missing scope: {' '.join(sorted(missing))}", scope)
    return record, claims
