"""The decision on one request to a protected resource."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from oidcclient_dpop.server.errors import ProofRefused, Rule
from oidcclient_dpop.server.events import Observer, ProofVerified, RequestAccepted
from oidcclient_dpop.server.nonces import NonceIssuer
from oidcclient_dpop.server.replay import AsyncReplayCache, MemoryReplayCache, ReplayCache
from oidcclient_dpop.server.tokens.token import AccessTokens, CheckedToken, InvalidAccessToken
from oidcclient_dpop.server.uris import normal_uri
from oidcclient_dpop.server.verifier import ProofVerifier, VerifiedProof

from .answers import NO_STORE, Answer, Headers, json_answer
from .cors import Cors
from .credentials import ApiRequest, Problem, Scheme, presented, tried_scheme
from .metadata import metadata_members, metadata_url
from .needs import ANY_TOKEN, Needs, Route, needs_of
from .refusing import AT, CAUSES, Refuser
from .verified import VerifiedRequest, check_needs

__all__ = ["ProtectedResource"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class ProtectedResource:
    """
    Decides on requests to an API: each check of the access token, of the proof, and of what the route needs.

    One object serves all threads and event loops; there is no I/O but that of `access_tokens` and `replay`.

    Args:
        public_url: What comes before the path of a request when the world sees it, for example
            `https://api.example.com`. Proofs are compared with this, never with what a request says of its host. Where
            a proxy takes a prefix off the path, the prefix belongs here.
        access_tokens: `JWTAccessTokens`, `IntrospectedTokens` or one of your own.
        mode: `"dpop_only"` takes bound tokens with a proof and nothing else; `"dpop_and_bearer"` takes unbound ones as
            Bearer too, and a bound one never without its proof.
        proofs: How proofs are checked; with `nonces`, by default one that demands them.
        replay: What remembers proofs; by default this process alone.
        nonces: Makes the server's nonces (RFC 9449 section 9); None does without. `proofs` checks them.
        resource: The resource identifier (RFC 9728 section 1.2); `public_url` by default. Like it, it is an https
            address without query and fragment.
        metadata: Further members for the resource's metadata, for example `scopes_supported`.
        cors: Which pages may call; none by default.
        observer: Takes events.
        clock: Tells the time, in Unix seconds.

    Attributes:
        metadata_url: Where the resource's metadata is (RFC 9728 section 3).
        schemes: How tokens may come: `"DPoP"`, and `"Bearer"` where the mode takes it.
        needs_event_loop: Whether only `check_async` works, because `replay` is an `AsyncReplayCache`.

    Raises:
        ValueError: An argument is not what it should be.
    """

    def __init__(
        self,
        public_url: str,
        access_tokens: AccessTokens,
        *,
        mode: Literal["dpop_only", "dpop_and_bearer"] = "dpop_only",
        proofs: ProofVerifier | None = None,
        replay: ReplayCache | AsyncReplayCache | None = None,
        nonces: NonceIssuer | None = None,
        resource: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        cors: Cors | None = None,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if mode not in {"dpop_only", "dpop_and_bearer"}:
            raise ValueError("mode is dpop_only or dpop_and_bearer")
        identifier = public_url if resource is None else resource
        self._base, _ = _public_base(public_url), _public_base(identifier)
        self._tokens = access_tokens
        self._bearer = mode == "dpop_and_bearer"
        self._proofs = proofs or ProofVerifier(nonces=nonces, nonce_required=nonces is not None)
        if self._proofs.checks_nonces != (nonces is not None):
            raise ValueError("nonces are made here and checked by proofs: give them to both, or to none")
        self._replay: ReplayCache | AsyncReplayCache = MemoryReplayCache() if replay is None else replay
        self._waits = getattr(self._replay, "blocks", False)
        self.needs_event_loop = inspect.iscoroutinefunction(self._replay.use)
        self._nonces = nonces
        self._cors = cors
        self._observed = observer is not None
        self._clock = clock
        algorithms = self._proofs.algorithms
        self.metadata_url = metadata_url(identifier)
        self._metadata_path = urlsplit(self.metadata_url).path
        self._metadata = metadata_members(
            identifier, access_tokens.issuer, algorithms, metadata or {}, bearer=self._bearer
        )
        schemes: dict[Scheme, Mapping[str, str]] = {"Bearer": {}} if self._bearer else {}
        schemes["DPoP"] = {"algs": " ".join(algorithms)}  # RFC 9449 section 7.1
        self.schemes = frozenset(schemes)
        self._refuser = Refuser(schemes, self.metadata_url, nonces, observer)

    @property
    def replay(self) -> ReplayCache | AsyncReplayCache:
        """What remembers proofs; `len()` of it, where it has one, is the gauge of cached `jti`s."""
        return self._replay

    @property
    def challenge(self) -> str:
        """The `WWW-Authenticate` for a request without a token, in one field (RFC 9110 section 11.6.1)."""
        return ", ".join(value for _, value in self._refuser.challenges({}, None))

    def check(self, request: ApiRequest, needs: Needs = ANY_TOKEN) -> VerifiedRequest:
        """
        Let a request in; its proof is used up.

        Raises:
            AccessRefused: It may not go on; `answer` is what the client gets.
        """
        now = self._clock()
        try:
            sent = presented(request, bearer=self._bearer)
            token = self._tokens.check(sent[1], now=now)
            proof = self._examine(request, sent, token, needs, now)
            if proof is not None:
                self._replay_sync.use(proof, now=now)
        except CAUSES as cause:
            raise self._refuser.refused(cause, tried_scheme(request), now) from cause
        return self._accepted(sent[0], token, proof)

    async def check_async(self, request: ApiRequest, needs: Needs = ANY_TOKEN) -> VerifiedRequest:
        """
        Let a request in; its proof is used up. Whatever blocks is called in a thread.

        Raises:
            AccessRefused: It may not go on; `answer` is what the client gets.
        """
        now = self._clock()
        try:
            sent = presented(request, bearer=self._bearer)
            token = await self._tokens.check_async(sent[1], now=now)
            proof = self._examine(request, sent, token, needs, now)
            if proof is not None and (used := self._use_async(proof, now)) is not None:
                await used
        except CAUSES as cause:
            raise self._refuser.refused(cause, tried_scheme(request), now) from cause
        return self._accepted(sent[0], token, proof)

    def check_needs(self, verified: VerifiedRequest, needs: Needs) -> None:
        """
        Ask more of a request that was let in. The observer sees a `RefusedLater` if it does not bring that.

        Raises:
            AccessRefused: It does not bring that.
        """
        now = self._clock()
        try:
            check_needs(verified.token, needs, now)
        except Problem as problem:
            raise self._refuser.answer_later(problem, verified.scheme, now) from problem

    def needs_of(self, request: ApiRequest, path: str, routes: Sequence[Route], default: Needs | None) -> Needs | None:
        """
        Return what the first route that covers a request needs, else the default.

        Args:
            request: The request.
            path: Its path as the application sees it.
            routes: What requests need, by path.
            default: What all others need.

        Raises:
            AccessRefused: The path can be read in two ways that need different things.
        """
        try:
            return needs_of(routes, default, request.method, path)
        except Problem as problem:
            raise self._refuser.answer_to(problem, tried_scheme(request), self._clock()) from problem

    def own_answer(self, request: ApiRequest, *, origin: str | None, preflight: bool) -> Answer | None:
        """
        Return the answer to a request that needs no token: for the metadata (RFC 9728), or a browser's preflight.

        Args:
            request: The request.
            origin: Its `Origin`.
            preflight: Whether it has `Access-Control-Request-Method`.
        """
        if self._cors is not None and preflight and origin is not None and request.method == "OPTIONS":
            return self._cors.preflight(origin)
        if request.raw_path == self._metadata_path and request.method in {"GET", "HEAD"}:
            return json_answer(200, self._metadata, ())
        return None

    def page_headers(self, origin: str | None) -> Headers:
        """Return what every answer to a page of another origin needs, a refusal too."""
        return () if self._cors is None else self._cors.headers(origin)

    def nonce_headers(self) -> Headers:
        """Return what a good answer carries: the nonce, and that it is not to be stored (RFC 9449 section 8.2)."""
        if self._nonces is None:
            return ()
        return ("DPoP-Nonce", self._nonces.issue(now=self._clock())), NO_STORE

    def _examine(
        self, request: ApiRequest, sent: tuple[Scheme, str], token: CheckedToken, needs: Needs, now: float
    ) -> VerifiedProof | None:
        """Do every check of a good token but the last, whether its proof was used before."""
        proof, (scheme, presented_token) = None, sent
        if scheme == "DPoP":
            if token.jkt is None:
                raise InvalidAccessToken("unbound", "The access token is bound to no key: it is no DPoP token")
            proof = self._proofs.verify(
                method=request.method,
                url=self._base + _path_of(request),
                proof_headers=request.proofs,
                access_token=presented_token,
                jkt=token.jkt,
                now=now,
            )
        elif token.bound:  # RFC 9449 section 7.2
            raise InvalidAccessToken("bound", "The access token is bound to a key: it is no Bearer token")
        try:
            check_needs(token, needs, now)
        except Problem:
            self._tell_of(proof)
            raise
        return proof

    @property
    def _replay_sync(self) -> ReplayCache:
        if self.needs_event_loop:
            raise TypeError("this replay cache needs an event loop: use check_async, or another cache")
        return self._replay  # type: ignore[return-value] # just looked at

    def _use_async(self, proof: VerifiedProof, now: float) -> Awaitable[None] | None:
        replay = self._replay
        if not self._waits:
            return replay.use(proof, now=now)
        from anyio import to_thread  # noqa: PLC0415 - only where something blocks

        use: Callable[[], None] = partial(replay.use, proof, now=now)  # type: ignore[assignment] # the sync kind
        return to_thread.run_sync(use)

    def _accepted(self, scheme: Scheme, token: CheckedToken, proof: VerifiedProof | None) -> VerifiedRequest:
        if self._observed:
            self._tell_of(proof)
            self._refuser.tell(RequestAccepted(scheme))
        return VerifiedRequest(scheme, token)

    def _tell_of(self, proof: VerifiedProof | None) -> None:
        if proof is not None:
            self._refuser.tell(ProofVerified(AT, proof.jkt))


def _path_of(request: ApiRequest) -> str:
    """Return the path, if it is one: what has no slash in front would belong to the host (RFC 9112 section 3.2)."""
    path = request.raw_path
    if not path.startswith("/") or "#" in path:  # a target has no fragment; behind one, the proof would see nothing
        raise ProofRefused(Rule.HTU, "The target of the request is no path")
    return path


def _public_base(public_url: str) -> str:
    try:
        normal_uri(public_url)
    except ProofRefused as refused:
        raise ValueError(
            "public_url is the https address that the world knows the API by; resource is one too"
        ) from refused
    parts = urlsplit(public_url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    if parts.query or parts.fragment or (parts.scheme != "https" and host.lower() not in _LOOPBACK):
        raise ValueError("public_url and resource are https (http on loopback only), without query and fragment")
    return public_url.removesuffix("/")
