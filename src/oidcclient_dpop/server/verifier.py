"""Checking one proof (RFC 9449 section 4.3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from .algorithms import ALGORITHMS, DEFAULT_ALGORITHMS
from .errors import USE_DPOP_NONCE, ProofRefused, Rule
from .jose import read_claims, read_object, same, split, token_hash
from .nonces import NonceCheck
from .uris import normal_uri

if TYPE_CHECKING:
    from .keys import ProofKey

__all__ = ["ProofVerifier", "VerifiedProof"]

IAT_PAST_S = 60.0  # seconds; FAPI 2.0 section 5.3.2.1: refuse what is older
IAT_FUTURE_S = 10.0  # seconds; the same section: accept a clock that is up to 10 s ahead
SERVER_SKEW_S = 5.0  # seconds
LAST_IAT = 2.0**53  # seconds; no clock shows more, and no float that is a time counts further
KEPT_KEYS = 1_024  # of a few kilobytes each
LONGEST_KEPT_HEADER = 2_048  # characters; an RSA key of 8192 bits has more and is read each time


class VerifiedProof(NamedTuple):
    """
    What a proof showed.

    Attributes:
        jkt: The thumbprint of the key that signed it (RFC 7638, SHA-256): what a token is bound to.
        jti: Its identifier, unique for the key and the address while the proof is fresh.
        iat: When it says it was made, in Unix seconds.
        nonce: Its nonce, if it has one; it was checked only if the verifier knows nonces.
        jwk: The public key, its required members alone.
        htu: The address it is for, in its normal form.
        expires_at: Until when the proof could be accepted again and so must be remembered, in Unix seconds.
    """

    jkt: str
    jti: str
    iat: float
    nonce: str | None
    jwk: Mapping[str, str]
    htu: str
    expires_at: float

    def __repr__(self) -> str:
        return f"VerifiedProof(jkt={self.jkt!r}, jti={self.jti!r}, iat={self.iat!r}, htu={self.htu!r})"


class ProofVerifier:
    """
    Checks proofs.

    It does no I/O and may be shared between threads. Whether a proof was used before is for a `ReplayCache` to tell,
    afterwards.

    Args:
        algorithms: What proofs may be signed with, out of `ALGORITHMS`.
        past: How old a proof may be by its `iat`, in seconds: the way of the request, and a client's clock that is
            behind.
        future: How far a client's clock may be ahead, in seconds.
        nonces: Checks the server's nonces (RFC 9449 sections 8 and 9); None leaves a `nonce` claim alone.
        nonce_required: Whether a proof without a nonce is refused; one with a wrong nonce always is.
        skew_with_nonce: How far a client's clock may be off, either way, in a proof with a nonce of the server, in
            seconds; such a nonce shows by itself that the proof is new (section 11.1). None: no further than without
            one. `math.inf`: the nonce alone counts.
        server_skew: How far the clocks of the servers that share a `ReplayCache` may be apart, in seconds. A proof is
            remembered so much longer than it is accepted here.

    Attributes:
        algorithms: What proofs may be signed with.
        checks_nonces: Whether there are nonces.
    """

    def __init__(
        self,
        *,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        past: float = IAT_PAST_S,
        future: float = IAT_FUTURE_S,
        nonces: NonceCheck | None = None,
        nonce_required: bool = False,
        skew_with_nonce: float | None = None,
        server_skew: float = SERVER_SKEW_S,
    ) -> None:
        if unknown := set(algorithms) - set(ALGORITHMS):
            raise ValueError(f"no such algorithm: {', '.join(sorted(unknown))}; there are {', '.join(ALGORITHMS)}")
        if not algorithms:
            raise ValueError("without an algorithm every proof is refused")
        if nonces is None and (nonce_required or skew_with_nonce is not None):
            raise ValueError("nonce_required and skew_with_nonce need nonces")
        skew = 0.0 if skew_with_nonce is None else skew_with_nonce
        if not (0 <= past < math.inf and 0 <= future < math.inf and 0 <= server_skew < math.inf and skew >= 0):
            raise ValueError("past, future and the skews are seconds")  # and no NaN: it compares as neither
        self.algorithms = tuple(algorithms)
        self.checks_nonces = nonces is not None
        self._nonces = nonces
        self._nonce_required = nonce_required
        self._window = past, future
        self._window_with_nonce = max(past, skew), max(future, skew)
        self._server_skew = server_skew
        self._keys = _KnownKeys()

    def verify(
        self,
        *,
        method: str,
        url: str,
        proof_headers: Sequence[str],
        access_token: str | None = None,
        jkt: str | None = None,
        now: float,
    ) -> VerifiedProof:
        """
        Check the proof of one request.

        Args:
            method: The method of the request.
            url: Its public address: scheme, host and port from the configuration, never from the request; the path
                as it came, still encoded. A query does no harm.
            proof_headers: The values of all its `DPoP` header fields.
            access_token: The token it came with; None at an authorization server's own endpoints.
            jkt: The thumbprint the proof's key must have: with an access token always its `cnf.jkt`.
            now: Unix seconds.

        Raises:
            ProofRefused: The proof does not show what it should.
        """
        header, payload, signature, signed = split(proof_headers)  # steps 1 and 2
        jti, htm, htu, iat, nonce, ath = read_claims(payload)  # steps 2 and 3
        key = self._keys.find(header) or self._read_header(header)  # steps 4, 5 and 7
        key.verify(signature, signed)  # step 6
        self._keys.keep(header, key)
        if htm != method:  # step 8; RFC 9110 section 9.1: the case counts
            raise ProofRefused(Rule.HTM, "The htm is not the method of the request")
        htu = _check_htu(htu, url)  # step 9
        until = self._check_freshness(iat, nonce, now)  # steps 10 and 11
        _check_binding(ath, key.jkt, access_token, jkt)  # step 12
        return VerifiedProof(key.jkt, jti, float(iat), nonce, key.jwk, htu, until + self._server_skew)

    def _read_header(self, segment: bytes) -> ProofKey:
        header = read_object(segment)
        if "crit" in header:  # RFC 7515 section 4.1.11: none is understood here
            raise ProofRefused(Rule.JWT, "The proof has critical headers")
        if header.get("typ") != "dpop+jwt":  # step 4
            raise ProofRefused(Rule.TYP, "The typ is dpop+jwt")
        alg = header.get("alg")
        if alg not in self.algorithms:  # step 5
            raise ProofRefused(Rule.ALG, f"The alg is one of {', '.join(self.algorithms)}")
        return _key_reader()(alg, header.get("jwk"))

    def _check_freshness(self, iat: float, nonce: str | None, now: float) -> float:
        """Section 4.3 steps 10 and 11; return until when the proof would be accepted, in Unix seconds."""
        nonce_until, (past, future) = math.inf, self._window
        if self._nonces is not None:
            if nonce is not None:
                nonce_until, (past, future) = self._nonces.check(nonce, now=now), self._window_with_nonce
            elif self._nonce_required:  # section 11.3
                raise ProofRefused(Rule.NONCE, "The proof needs the server's nonce", error=USE_DPOP_NONCE)
        if not (-LAST_IAT < iat < LAST_IAT and now - past <= iat <= now + future):  # section 11.1
            raise _untimely(iat, now, past, future)
        return min(iat + past, nonce_until)


@cache
def _key_reader() -> Callable[[str, object], ProofKey]:
    from .keys import read_key  # noqa: PLC0415 - it loads cryptography

    return read_key


def _untimely(iat: float, now: float, past: float, future: float) -> ProofRefused:
    if not -LAST_IAT < iat < LAST_IAT:
        return ProofRefused(Rule.IAT, "The iat is no time")
    if iat < now:
        return ProofRefused(Rule.IAT, f"The iat is more than {past:g} seconds in the past")
    return ProofRefused(Rule.IAT, f"The iat is more than {future:g} seconds in the future")


def _check_htu(htu: str, url: str) -> str:
    """Section 4.3 step 9; section 4.2 says what an htu is without."""
    if "?" in htu or "#" in htu:
        raise ProofRefused(Rule.HTU, "The htu has no query and no fragment")
    normal = normal_uri(htu)
    if htu != url and normal != normal_uri(url):
        raise ProofRefused(Rule.HTU, "The htu is not the address of the request")
    return normal


def _check_binding(ath: str | None, signed_by: str, access_token: str | None, jkt: str | None) -> None:
    """Section 4.3 step 12."""
    if access_token is not None:
        if not access_token.isascii():
            raise ProofRefused(Rule.ATH, "The access token has characters that no access token has")
        if ath is None or not same(ath, token_hash(access_token)):
            raise ProofRefused(Rule.ATH, "The ath is not the hash of the access token")
        if jkt is None:  # a token that is bound to nothing is nothing to prove
            raise ProofRefused(Rule.JKT, "The access token is bound to no key")
    if jkt is not None and not (isinstance(jkt, str) and same(jkt, signed_by)):
        raise ProofRefused(Rule.JKT, "The proof was signed by another key")


class _KnownKeys:
    """
    Keys whose proofs verified before, by the very header that brought them.

    Reading a key costs a quarter of the signature. A header gets in only after a signature by its key, so that
    nobody can push the others out with keys made up for nothing.

    There are two halves. When the new one is full the old one is dropped, and with it what was not used since the
    last time: nearly what a list in order of use would drop, without keeping an order or a lock. Each step is one
    operation of a dictionary; two threads at once can at worst drop a key too early.
    """

    def __init__(self) -> None:
        self._new: dict[bytes, ProofKey] = {}
        self._old: dict[bytes, ProofKey] = {}

    def find(self, header: bytes) -> ProofKey | None:
        return self._new.get(header) or self._old.get(header)

    def keep(self, header: bytes, key: ProofKey) -> None:
        """Remember a key as one used lately."""
        if header in self._new or len(header) > LONGEST_KEPT_HEADER:
            return
        if len(self._new) >= KEPT_KEYS // 2:
            self._old, self._new = self._new, {}
        self._new[header] = key
