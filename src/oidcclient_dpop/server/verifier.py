"""Checking one proof (RFC 9449 section 4.3)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from .algorithms import ALGORITHMS, DEFAULT_ALGORITHMS, ProofKey, read_key
from .errors import USE_DPOP_NONCE, ProofRefused, Rule
from .jose import Claims, Compact, decode, read_claims, read_object, same, split, token_hash
from .nonces import NonceCheck
from .uris import has_query_or_fragment, normal_uri

__all__ = ["ProofVerifier", "VerifiedProof"]

IAT_PAST_S = 60.0  # seconds; FAPI 2.0 section 5.3.2.1: refuse what is older
IAT_FUTURE_S = 10.0  # seconds; the same section: accept a clock that is up to 10 s ahead
KEPT_KEYS = 1_024  # of a few kilobytes each
LONGEST_KEPT_HEADER = 2_048  # characters; an RSA key of 8192 bits has more and is read each time


@dataclass(frozen=True, slots=True)
class VerifiedProof:
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
    nonce: str | None = field(repr=False)
    jwk: Mapping[str, str]
    htu: str
    expires_at: float


class ProofVerifier:
    """
    Checks proofs.

    It does no I/O and may be shared between threads. Whether a proof was used before is for a `ReplayCache` to tell,
    afterwards.

    Args:
        algorithms: What proofs may be signed with, out of `ALGORITHMS`.
        past: How old a proof may be, in seconds.
        future: How far ahead its clock may be, in seconds.
        nonces: Checks the server's nonces (RFC 9449 sections 8 and 9); None leaves a `nonce` claim alone.
        nonce_required: Whether a proof without a nonce is refused; one with a wrong nonce always is.
    """

    def __init__(
        self,
        *,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        past: float = IAT_PAST_S,
        future: float = IAT_FUTURE_S,
        nonces: NonceCheck | None = None,
        nonce_required: bool = False,
    ) -> None:
        if unknown := set(algorithms) - set(ALGORITHMS):
            raise ValueError(f"no such algorithm: {', '.join(sorted(unknown))}; there are {', '.join(ALGORITHMS)}")
        if not algorithms:
            raise ValueError("without an algorithm every proof is refused")
        if past < 0 or future < 0:
            raise ValueError("past and future are seconds")
        if nonce_required and nonces is None:
            raise ValueError("nonce_required needs nonces")
        self.algorithms = tuple(algorithms)
        self._past = past
        self._future = future
        self._nonces = nonces
        self._nonce_required = nonce_required
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
        compact = split(proof_headers)  # steps 1 and 2
        claims = read_claims(compact.payload)  # steps 2 and 3
        key = self._keys.find(compact.header) or self._read_header(compact.header)  # steps 4, 5 and 7
        _check_signature(compact, key)  # step 6
        self._keys.keep(compact.header, key)
        if claims.htm != method:  # step 8; RFC 9110 section 9.1: the case counts
            raise ProofRefused(Rule.HTM, "The htm is not the method of the request")
        htu = _check_htu(claims, url)  # step 9
        self._check_nonce(claims, now)  # step 10
        self._check_iat(claims, now)  # step 11
        _check_binding(claims, key, access_token, jkt)  # step 12
        iat = float(claims.iat)
        return VerifiedProof(key.jkt, claims.jti, iat, claims.nonce, key.jwk, htu, iat + self._past)

    def _read_header(self, segment: str) -> ProofKey:
        header = read_object(segment)
        if "crit" in header:  # RFC 7515 section 4.1.11: none is understood here
            raise ProofRefused(Rule.JWT, "The proof has critical headers")
        if header.get("typ") != "dpop+jwt":  # step 4
            raise ProofRefused(Rule.TYP, "The typ is dpop+jwt")
        alg = header.get("alg")
        if not isinstance(alg, str) or alg not in self.algorithms:  # step 5
            raise ProofRefused(Rule.ALG, f"The alg is one of {', '.join(self.algorithms)}")
        return read_key(alg, header.get("jwk"))

    def _check_nonce(self, claims: Claims, now: float) -> None:
        """Section 4.3 step 10; section 11.3: no proof without a nonce where one is wanted."""
        if self._nonces is None:
            return
        if claims.nonce is not None:
            self._nonces.check(claims.nonce, now=now)
        elif self._nonce_required:
            raise ProofRefused(Rule.NONCE, "The proof needs the server's nonce", error=USE_DPOP_NONCE)

    def _check_iat(self, claims: Claims, now: float) -> None:
        """Section 4.3 step 11 and section 11.1."""
        if claims.iat < now - self._past:
            raise ProofRefused(Rule.IAT, f"The iat is more than {self._past:g} seconds in the past")
        if claims.iat > now + self._future:
            raise ProofRefused(Rule.IAT, f"The iat is more than {self._future:g} seconds in the future")


def _check_signature(compact: Compact, key: ProofKey) -> None:
    """Section 4.3 step 6."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - loaded with the first key

    try:
        signature = decode(compact.signature)
    except ValueError as error:
        raise ProofRefused(Rule.JWT, "The proof is no well-formed JWT") from error
    try:
        key.check(signature, compact.signed)
    except InvalidSignature as error:
        raise ProofRefused(Rule.SIGNATURE, "The signature does not verify") from error


def _check_htu(claims: Claims, url: str) -> str:
    """Section 4.3 step 9; section 4.2 says what an htu is without."""
    if has_query_or_fragment(claims.htu):
        raise ProofRefused(Rule.HTU, "The htu has no query and no fragment")
    htu = normal_uri(claims.htu)
    if claims.htu != url and htu != normal_uri(url):
        raise ProofRefused(Rule.HTU, "The htu is not the address of the request")
    return htu


def _check_binding(claims: Claims, key: ProofKey, access_token: str | None, jkt: str | None) -> None:
    """Section 4.3 step 12."""
    if access_token is not None:
        if not access_token.isascii():
            raise ProofRefused(Rule.ATH, "The access token has characters that no access token has")
        if claims.ath is None or not same(claims.ath, token_hash(access_token)):
            raise ProofRefused(Rule.ATH, "The ath is not the hash of the access token")
        if jkt is None:  # a token that is bound to nothing is nothing to prove
            raise ProofRefused(Rule.JKT, "The access token is bound to no key")
    if jkt is not None and not (isinstance(jkt, str) and same(jkt, key.jkt)):
        raise ProofRefused(Rule.JKT, "The proof was signed by another key")


class _KnownKeys:
    """
    Keys whose proofs verified before, by the very header that brought them.

    Reading a key costs about as much as the signature. A header gets in only after a signature by its key, so that
    nobody can push the others out with keys made up for nothing.
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[str, ProofKey] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, header: str) -> ProofKey | None:
        with self._lock:
            return self._keys.get(header)

    def keep(self, header: str, key: ProofKey) -> None:
        """Remember a key as the one used last."""
        if len(header) > LONGEST_KEPT_HEADER:
            return
        with self._lock:
            self._keys[header] = key
            self._keys.move_to_end(header)
            if len(self._keys) > KEPT_KEYS:
                self._keys.popitem(last=False)
