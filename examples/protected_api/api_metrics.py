"""From events to Prometheus: what was let in, what was refused and why, nonces asked for, proofs remembered."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from oidcclient_dpop.server import MemoryReplayCache, events


class Metrics:
    """
    Counts events; an observer for `ProtectedResource` and `JWTAccessTokens`.

    Args:
        registry: Where the counters are kept.
        replay: The cache whose size is told.
    """

    def __init__(self, registry: CollectorRegistry, replay: MemoryReplayCache) -> None:
        self._requests = Counter(
            "api_requests", "Requests by outcome", ["outcome", "scheme", "error"], registry=registry
        )
        self._proofs = Counter(
            "dpop_proofs", "Proofs by the rule they broke; good ones broke none", ["rule"], registry=registry
        )
        self._tokens = Counter("access_tokens_refused", "Access tokens by their fault", ["reason"], registry=registry)
        self._challenges = Counter("dpop_nonce_challenges", "Proofs sent back for a nonce", registry=registry)
        self._failures = Counter("authorization_server_failures", "No keys, or no answer", registry=registry)
        cached = Gauge("dpop_cached_jtis", "Proofs that are remembered", registry=registry)
        cached.set_function(lambda: len(replay))

    def __call__(self, event: events.Event) -> None:
        """Count one event; keys that were fetched are not counted."""
        match event:
            case events.RequestAccepted(scheme):
                self._requests.labels("accepted", scheme, "").inc()
            case events.RequestRefused(_, error, scheme):
                self._requests.labels("refused", scheme or "", error or "no token").inc()
            case events.RefusedLater(_, error, scheme):
                self._requests.labels("refused later", scheme, error or "").inc()
            case events.ProofVerified():
                self._proofs.labels("").inc()
            case events.ProofRejected(_, rule):
                self._proofs.labels(rule.value).inc()
            case events.ProofUndecided():
                self._proofs.labels("undecided").inc()
            case events.NonceChallenged():
                self._challenges.inc()
            case events.AccessTokenRefused(reason):
                self._tokens.labels(reason).inc()
            case events.AuthorizationServerFailed():
                self._failures.inc()
