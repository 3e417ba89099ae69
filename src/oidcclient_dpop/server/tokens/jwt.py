"""JWT access tokens (RFC 9068)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import oidcclient
from oidcclient.hooks import Flow
from oidcclient.protocol import check_issuer
from oidcclient_dpop.server.algorithms import ALGORITHMS
from oidcclient_dpop.server.errors import ProofRefused
from oidcclient_dpop.server.events import Observer
from oidcclient_dpop.server.jose import decode_segment, take_apart
from oidcclient_dpop.server.keys import ProofKey

from .cache import TokenCache
from .keys import FixedKeys, FoundKeys, KnownKeys
from .remote import Remote
from .token import CheckedToken, InvalidAccessToken, TokenRules, checked_token

__all__ = ["JWT_ALGORITHMS", "JWTAccessTokens"]

JWT_ALGORITHMS = tuple(alg for alg in ALGORITHMS if alg != "ES256K")
"""All that an access token may be signed with: asymmetric ones (RFC 9068 section 2.1), never `none`, never a MAC."""

LONGEST_TOKEN = 16_384  # characters; servers take no longer header fields by far
_REQUIRED = ("iss", "exp", "aud", "sub")  # RFC 9068 section 2.2, those that mean something here
_Keys = tuple[KnownKeys, tuple[ProofKey, ...]]  # a key set, and those in it that a token may be signed with
_JSON = json.JSONDecoder()
_WHITESPACE = " \t\n\r"  # RFC 8259 section 2
_TYPES = ("at+jwt", "application/at+jwt")  # RFC 9068 section 4, and nothing else


class JWTAccessTokens:
    """
    Checks access tokens that are JWTs (RFC 9068), with the authorization server's keys. Thread-safe.

    Args:
        issuer: The authorization server, as its metadata spells it.
        audience: The name or names this API goes by in `aud`.
        algorithms: What tokens may be signed with, out of `JWT_ALGORITHMS`.
        untyped: Accept tokens whose `typ` is missing or just `JWT`, from servers that do not follow RFC 9068. Breaks
            its section 4, knowingly: any other JWT of that issuer for this audience is then an access token too.
        jwks_uri: Where the keys are, for a server without metadata.
        jwks: The keys themselves, for a server that publishes none.
        policy: Limits and named exceptions: `clock_skew`, `allow_http_loopback`, `http_timeout`,
            `max_response_bytes`, `metadata_max_age`, `jwks_refetch_interval`.
        http: How the authorization server is reached.
        cached: How many good tokens are remembered; 0 checks every signature anew.
        cached_for: How long at most, in seconds, and never beyond `exp`.
        observer: Takes events.

    Raises:
        oidcclient.UsageError: The issuer is no https address.
        ValueError: Another argument is not what it should be.
    """

    def __init__(
        self,
        issuer: str,
        audience: str | Collection[str],
        *,
        algorithms: Collection[str] = JWT_ALGORITHMS,
        untyped: bool = False,
        jwks_uri: str | None = None,
        jwks: Mapping[str, Any] | None = None,
        policy: oidcclient.Policy | None = None,
        http: oidcclient.Http | None = None,
        cached: int = 10_000,
        cached_for: float = 60.0,
        observer: Observer | None = None,
    ) -> None:
        policy = policy or oidcclient.Policy()
        check_issuer(issuer, policy)
        if not set(algorithms) <= set(JWT_ALGORITHMS) or not algorithms:
            raise ValueError(f"algorithms are out of {', '.join(JWT_ALGORITHMS)}")
        if jwks is not None and jwks_uri is not None:
            raise ValueError("give jwks or jwks_uri, not both")
        self.issuer = issuer
        self._algorithms = frozenset(algorithms)
        self._untyped = untyped
        required = tuple(name for name in _REQUIRED if name != "sub" or not untyped)
        self._rules = TokenRules(issuer, audiences_of(audience), policy.clock_skew, required)
        self._keys = FoundKeys(issuer, jwks_uri, policy, observer) if jwks is None else FixedKeys(jwks)
        self._cache = TokenCache(cached, cached_for)
        self._remote = Remote(issuer, policy, http or oidcclient.Http(), observer, keeps=False)

    def check(self, token: str, *, now: float) -> CheckedToken:
        """
        Check a token.

        Raises:
            InvalidAccessToken: It may not be used here.
            AuthorizationServerUnavailable: The keys could not be fetched.
        """
        if (known := self._cache.find(token, now)) is not None:
            return known
        header, payload, signature, signed = _parts(token)
        if (key := self._keys.at_once(header, now)) is not None:
            _check_signature(key, signature, signed)
        else:
            keys = self._remote.run(self._candidates(header, now))
            _find_key(keys, header, signature, signed)
        return self._checked(token, payload, now)

    async def check_async(self, token: str, *, now: float) -> CheckedToken:
        """
        Check a token on an event loop.

        Raises:
            InvalidAccessToken: It may not be used here.
            AuthorizationServerUnavailable: The keys could not be fetched.
        """
        if (known := self._cache.find(token, now)) is not None:
            return known
        header, payload, signature, signed = _parts(token)
        if (key := self._keys.at_once(header, now)) is not None:
            _check_signature(key, signature, signed)
        else:
            keys = await self._remote.run_async(self._candidates(header, now))
            _find_key(keys, header, signature, signed)
        return self._checked(token, payload, now)

    def _checked(self, token: str, payload: bytes, now: float) -> CheckedToken:
        checked = checked_token(_object(payload), self._rules, now)
        self._cache.keep(token, checked, now)
        return checked

    def _candidates(self, header: bytes, now: float) -> Flow[_Keys]:
        """Find the keys that a header may mean, which was not seen before or not lately."""
        algorithm, kid = self._header(header)
        known = yield from self._keys.current(now)
        if not (found := known.candidates(kid, algorithm)):  # OIDC Core 10.1.1: the keys may have changed
            known = yield from self._keys.again(now)
            found = known.candidates(kid, algorithm)
        if not found:
            raise InvalidAccessToken("kid", "The access token is signed with no key of its issuer")
        return known, found

    def _header(self, segment: bytes) -> tuple[str, str | None]:
        header = _object(segment)
        typ, algorithm, kid = header.get("typ"), header.get("alg"), header.get("kid")
        untyped = self._untyped and (typ is None or (isinstance(typ, str) and typ.lower() == "jwt"))
        # RFC 7515 section 4.1.9: a media type, so without case
        if not untyped and not (isinstance(typ, str) and typ.lower() in _TYPES):
            raise InvalidAccessToken("typ", "The access token is not of type at+jwt")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:  # RFC 8725 section 3.1
            raise InvalidAccessToken("alg", "The access token is signed with an algorithm that is not allowed")
        if "crit" in header or not isinstance(kid, str | None):  # RFC 7515 section 4.1.11: none is understood here
            raise InvalidAccessToken("format", "The access token has a header that is not understood")
        return algorithm, kid


def audiences_of(audience: str | Collection[str]) -> frozenset[str]:
    """Return the names an API goes by, at least one."""
    names = frozenset([audience] if isinstance(audience, str) else audience)
    if not names or not all(names):
        raise ValueError("audience names this API; without it, tokens for others would do")
    return names


def _parts(token: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Return header, payload, signature and what that is over."""
    if len(token) > LONGEST_TOKEN:
        raise _malformed()
    try:
        return take_apart(token)
    except ValueError:
        raise _malformed() from None


def _object(segment: bytes) -> dict[str, Any]:
    try:
        text = decode_segment(segment).decode("utf-8").strip(_WHITESPACE)
        # Of a member that comes twice the last counts, which is one of the two ways of RFC 7519 section 4.
        value, end = _JSON.raw_decode(text)  # decode costs twice as much
    except (ValueError, RecursionError):
        raise _malformed() from None
    if end != len(text) or not isinstance(value, dict):
        raise _malformed()
    return value


def _malformed() -> InvalidAccessToken:
    return InvalidAccessToken("format", "The access token is no well-formed JWT")


def _check_signature(key: ProofKey, signature: bytes, signed: bytes) -> None:
    try:
        key.verify(signature, signed)
    except ProofRefused:
        raise InvalidAccessToken("signature", "The access token's signature does not verify") from None


def _find_key(keys: _Keys, header: bytes, signature: bytes, signed: bytes) -> None:
    """Try the keys that a header may mean, and remember the one it does mean, if there is no other of its name."""
    known, candidates = keys
    for key in candidates[:-1]:
        with suppress(InvalidAccessToken):
            _check_signature(key, signature, signed)
            return
    _check_signature(candidates[-1], signature, signed)
    if len(candidates) == 1:
        known.keep(header, candidates[-1])
