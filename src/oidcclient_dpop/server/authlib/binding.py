"""Which key a code, a refresh token and an access token belong to (RFC 9449 sections 5, 6 and 10)."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError

from oidcclient_dpop.server.errors import USE_DPOP_NONCE, ProofRefused, ReplayUnavailable
from oidcclient_dpop.server.events import (
    BindingRefused,
    Event,
    NonceChallenged,
    Observer,
    ProofRejected,
    ProofUndecided,
    ProofVerified,
)
from oidcclient_dpop.server.jose import same
from oidcclient_dpop.server.nonces import NonceIssuer
from oidcclient_dpop.server.replay import MemoryReplayCache, ReplayCache
from oidcclient_dpop.server.resource.answers import told
from oidcclient_dpop.server.uris import normal_uri
from oidcclient_dpop.server.verifier import ProofVerifier, VerifiedProof

from .errors import InvalidProofError, ProofMemoryUnavailableError, UseNonceError

__all__ = ["TokenBinding", "introspection_members", "proven_jkt", "requested_jkt"]

THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # SHA-256 in base64url
REQUIRED = "dpop_bound_access_tokens"  # RFC 9449 section 5.2
PUBLIC = "none"  # Authlib's name for how a public client authenticates


def requested_jkt(request: Any) -> str | None:
    """
    Return what a server keeps as `dpop_jkt` with a code: the key the client asked for (RFC 9449 section 10), or None.

    Args:
        request: Authlib's `OAuth2Request` at the authorization endpoint.
    """
    asked: str | None = request.payload.data.get("dpop_jkt")
    return asked


def proven_jkt(request: Any) -> str | None:
    """
    Return what a server keeps as `dpop_jkt` with a token: the key of the request's proof, or None.

    Args:
        request: Authlib's `OAuth2Request` at the token endpoint.
    """
    proof: VerifiedProof | None = getattr(request, "dpop_proof", None)
    return None if proof is None else proof.jkt


def introspection_members(dpop_jkt: str | None) -> dict[str, Any]:
    """
    Return what an introspection answer says of an access token's key (RFC 9449 section 6.2).

    Args:
        dpop_jkt: The thumbprint of the key it is bound to; None for a bearer token.
    """
    if dpop_jkt is None:
        return {"token_type": "Bearer"}
    return {"token_type": "DPoP", "cnf": {"jkt": dpop_jkt}}


class TokenBinding:
    """
    Checks proofs at an authorization server's endpoints, and what they are bound to.

    `DPoPServer` asks it at the right moments. A server that keeps things elsewhere overrides `code_key`,
    `token_key`, `must_prove` or `is_public`.

    Args:
        endpoints: The address of each endpoint that takes proofs, as the world knows it, by the name its clients are
            authenticated under: `{"token": "https://login.example.com/token", "par": ...}`. Proofs are compared with
            these, never with what a request says of its host.
        proofs: How proofs are checked; with `nonces`, by default one that demands them.
        replay: What remembers proofs; by default this process alone.
        nonces: Makes the server's nonces (RFC 9449 section 8); None does without.
        observer: Takes events.
        clock: Tells the time, in Unix seconds.

    Raises:
        ValueError: An address is not what it should be.
        TypeError: The replay cache needs an event loop.
    """

    def __init__(
        self,
        endpoints: Mapping[str, str],
        *,
        proofs: ProofVerifier | None = None,
        replay: ReplayCache | None = None,
        nonces: NonceIssuer | None = None,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if "token" not in endpoints:
            raise ValueError("endpoints names at least the token endpoint")
        self._endpoints = {name: _checked(address) for name, address in endpoints.items()}
        self._proofs = proofs or ProofVerifier(nonces=nonces, nonce_required=nonces is not None)
        if nonces is not None and not self._proofs.checks_nonces:
            raise ValueError("nonces are given out that proofs does not check: give them to both")
        self._replay = MemoryReplayCache() if replay is None else replay
        if inspect.iscoroutinefunction(self._replay.use):  # Authlib would not wait for it: no proof was ever used
            raise TypeError("Authlib has no event loop: replay is a ReplayCache, not an AsyncReplayCache")
        self._nonces = nonces
        self._observer = observer
        self._clock = clock

    @property
    def replay(self) -> ReplayCache:
        """What remembers proofs; `len()` of it, where it has one, is the gauge of cached `jti`s."""
        return self._replay

    @property
    def metadata(self) -> dict[str, Any]:
        """The members for the server's metadata (RFC 9449 section 5.1)."""
        return {"dpop_signing_alg_values_supported": list(self._proofs.algorithms)}

    def nonce_headers(self) -> list[tuple[str, str]]:
        """Return what each answer of these endpoints carries, a good one too (RFC 9449 section 8.2)."""
        return [] if self._nonces is None else [("DPoP-Nonce", self._nonces.issue(now=self._clock()))]

    # What a server overrides that keeps things elsewhere

    def code_key(self, code: Any) -> str | None:
        """Return what was kept with a code."""
        jkt: str | None = code.dpop_jkt
        return jkt

    def token_key(self, refresh_token: Any) -> str | None:
        """Return what was kept with a refresh token."""
        jkt: str | None = refresh_token.dpop_jkt
        return jkt

    def must_prove(self, client: Any) -> bool:
        """Tell whether a client is registered with `dpop_bound_access_tokens` (RFC 9449 section 5.2)."""
        metadata = getattr(client, "client_metadata", None) or {}  # where Authlib's SQLAlchemy mixin has it
        return bool(getattr(client, REQUIRED, False) or metadata.get(REQUIRED, False))

    def is_public(self, request: Any) -> bool:
        """Tell whether the client of a request is one that cannot keep a secret (RFC 6749 section 2.1)."""
        return bool(request.auth_method == PUBLIC)

    # Proofs

    def check_endpoint(self, endpoint: str) -> None:
        """
        See to it that an endpoint takes proofs.

        Raises:
            LookupError: It has no address here.
        """
        if endpoint not in self._endpoints:
            raise LookupError(f"endpoints names no address for {endpoint!r}: proofs are not looked at there")

    def check_proof(self, request: Any, client: Any, endpoint: str = "token") -> VerifiedProof | None:
        """
        Check the proof of a request and use it up, once the client is known and before anything else is.

        Returns:
            None where there is no proof and none is needed.

        Raises:
            OAuth2Error: The proof is bad, or missing; the error is the answer.
        """
        if endpoint not in self._endpoints:
            return None
        values = [value for name, value in request.headers.items() if name.lower() == "dpop"]
        if values:
            return self._used(request.method, values, endpoint)
        if endpoint == "token" and self.must_prove(client):
            self._tell(BindingRefused(endpoint, "required"))
            raise InvalidProofError("This client is registered with dpop_bound_access_tokens: it sends a proof.")
        return None

    def _used(self, method: str, values: list[str], endpoint: str) -> VerifiedProof:
        now = self._clock()
        try:
            proof = self._proofs.verify(method=method, url=self._endpoints[endpoint], proof_headers=values, now=now)
            self._replay.use(proof, now=now)
        except ProofRefused as refused:
            raise self._refusal(refused, endpoint, now) from refused
        except ReplayUnavailable as error:
            self._tell(ProofUndecided(endpoint))
            raise ProofMemoryUnavailableError("Whether the proof was used before cannot be told.") from error
        self._tell(ProofVerified(endpoint, proof.jkt))
        return proof

    def _refusal(self, refused: ProofRefused, endpoint: str, now: float) -> OAuth2Error:
        if refused.error == USE_DPOP_NONCE and self._nonces is not None:
            self._tell(NonceChallenged(endpoint))
            return UseNonceError(self._nonces.issue(now=now), told(f"{refused}."))
        self._tell(ProofRejected(endpoint, refused.rule))
        return InvalidProofError(told(f"{refused}."))

    # Binding

    def check_authorization_request(self, request: Any) -> None:
        """
        Refuse a `dpop_jkt` that is no thumbprint (RFC 9449 section 10).

        Raises:
            InvalidRequestError: It is none, or there are two.
        """
        if len(request.payload.datalist.get("dpop_jkt", ())) > 1:  # RFC 6749 section 3.1
            raise InvalidRequestError("The dpop_jkt was sent more than once.")
        asked = requested_jkt(request)
        if asked is not None and not THUMBPRINT.fullmatch(asked):
            raise InvalidRequestError("The dpop_jkt is a SHA-256 thumbprint (RFC 7638): 43 characters of base64url.")

    def pushed_key(self, request: Any) -> str | None:
        """
        Return the key a pushed request is bound to, to be kept as its `dpop_jkt` (RFC 9449 section 10.1).

        The proof of the push and the parameter are both known, and must agree.

        Raises:
            OAuth2Error: They do not, or the parameter is no thumbprint.
        """
        self.check_authorization_request(request)
        asked, proof = requested_jkt(request), request.dpop_proof
        if proof is None or asked is None:
            return asked if proof is None else str(proof.jkt)
        if not same(asked, proof.jkt):
            self._tell(BindingRefused("par", "pushed"))
            raise InvalidProofError("The proof was made by another key than dpop_jkt names.")
        return asked

    def check_code(self, request: Any, code: Any) -> None:
        """
        Refuse a code that is bound to another key, before it is spent (RFC 9449 section 10).

        Raises:
            OAuth2Error: It is.
        """
        bound, proof = self.code_key(code), request.dpop_proof
        if bound is None:
            return
        if proof is None:
            raise self._unfit("code", InvalidProofError("The code is bound to a key: a proof by that key redeems it."))
        if not same(bound, proof.jkt):
            raise self._unfit("code", InvalidGrantError("The proof was made by another key than dpop_jkt named."))

    def check_refresh(self, request: Any, refresh_token: Any) -> None:
        """
        Refuse another key, and a DPoP that starts or stops in the middle, before the token is spent.

        RFC 9449 section 5: the refresh token of a public client is bound to the key; a confidential client is bound by
        its authentication and may change the key.

        Raises:
            OAuth2Error: The proof does not fit.
        """
        bound, proof = self.token_key(refresh_token), request.dpop_proof
        if bound is None and proof is not None:
            raise self._unfit("started", InvalidGrantError("The sign-in was made without DPoP: it cannot start now."))
        if bound is not None and proof is None:
            raise self._unfit("stopped", InvalidProofError("The sign-in is bound to a key: each refresh has a proof."))
        if bound is not None and self.is_public(request) and not same(bound, proof.jkt):
            raise self._unfit("refresh", InvalidGrantError("The refresh token is bound to another key."))

    def _unfit(self, reason: str, error: OAuth2Error) -> OAuth2Error:
        self._tell(BindingRefused("token", reason))
        return error

    def _tell(self, event: Event) -> None:
        if self._observer is not None:
            self._observer(event)


def _checked(address: str) -> str:
    """Refuse an address that no endpoint should have (RFC 6749 section 3.2, RFC 9126 section 2)."""
    try:
        normal_uri(address)
    except ProofRefused as refused:
        raise ValueError(f"an endpoint has an https address: {address}") from refused
    parts = urlsplit(address)
    if parts.fragment or (parts.scheme != "https" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}):
        raise ValueError(f"an endpoint has an https address (http on loopback only) without fragment: {address}")
    return address
