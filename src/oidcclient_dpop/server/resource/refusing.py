"""From what is wrong with a request to the answer that its client gets (RFC 6750 section 3, RFC 9449 section 7)."""

from __future__ import annotations

from collections.abc import Mapping

from oidcclient_dpop.server.errors import USE_DPOP_NONCE, ProofRefused, ReplayUnavailable, Rule
from oidcclient_dpop.server.events import (
    AccessTokenRefused,
    Event,
    NonceChallenged,
    Observer,
    ProofRejected,
    ProofUndecided,
    RefusedLater,
    RequestRefused,
)
from oidcclient_dpop.server.nonces import NonceIssuer
from oidcclient_dpop.server.tokens.token import AuthorizationServerUnavailable, InvalidAccessToken

from .answers import NO_STORE, AccessRefused, Headers, challenge, json_answer, told
from .credentials import Problem, Scheme

__all__ = ["AT", "CAUSES", "Refuser"]

AT = "resource"  # the endpoint's name in events
CAUSES = (Problem, InvalidAccessToken, ProofRefused, ReplayUnavailable, AuthorizationServerUnavailable)
"""All that makes a check fail."""


class Refuser:
    """
    Makes answers, and tells of them.

    Args:
        schemes: Each scheme that is taken here, with what its challenge always says.
        metadata_url: Where the resource's metadata is.
        nonces: Makes the server's nonces, if there are any.
        observer: Takes events.
    """

    def __init__(
        self,
        schemes: Mapping[Scheme, Mapping[str, str]],
        metadata_url: str,
        nonces: NonceIssuer | None,
        observer: Observer | None,
    ) -> None:
        self._schemes = schemes
        self._where = {"resource_metadata": metadata_url}  # RFC 9728 section 5.1
        self._nonces = nonces
        self._observer = observer

    def tell(self, event: Event) -> None:
        """Hand an event to the observer."""
        if self._observer is not None:
            self._observer(event)

    def refused(self, cause: Exception, scheme: Scheme | None, now: float) -> AccessRefused:
        """Return the error for whatever made a check fail."""
        if isinstance(cause, InvalidAccessToken):
            self.tell(AccessTokenRefused(cause.reason))
        elif isinstance(cause, ProofRefused):
            challenged = cause.error == USE_DPOP_NONCE
            self.tell(NonceChallenged(AT) if challenged else ProofRejected(AT, cause.rule))
        elif isinstance(cause, ReplayUnavailable):
            self.tell(ProofUndecided(AT))
        return self.answer_to(_problem(cause), scheme, now)

    def answer_to(self, problem: Problem, scheme: Scheme | None, now: float) -> AccessRefused:
        """Return the error for a problem, with the whole answer."""
        self.tell(RequestRefused(problem.status, problem.error, scheme))
        return self._answered(problem, scheme, now)

    def answer_later(self, problem: Problem, scheme: Scheme, now: float) -> AccessRefused:
        """Return the same for a request that was accepted before."""
        self.tell(RefusedLater(problem.status, problem.error, scheme))
        return self._answered(problem, scheme, now)

    def _answered(self, problem: Problem, scheme: Scheme | None, now: float) -> AccessRefused:
        said = {} if problem.error is None else {"error": problem.error, "error_description": told(str(problem))}
        headers = [NO_STORE]
        if problem.status == 503:  # noqa: PLR2004 - HTTP: nothing to challenge
            headers.append(("Retry-After", "1"))
        else:
            headers += self.challenges({**said, **problem.parameters}, scheme)
        if self._nonces is not None:
            headers.append(("DPoP-Nonce", self._nonces.issue(now=now)))
        return AccessRefused(str(problem), json_answer(problem.status, said, tuple(headers)), problem.error)

    def challenges(self, said: Mapping[str, str], scheme: Scheme | None) -> Headers:
        """
        Return one challenge for each scheme taken here, that of the scheme that was tried first.

        The error is on that one (RFC 9449 section 7.2), or on all if it was none or both. Some clients look no further
        than the first challenge.
        """
        return tuple(
            challenge(one, {**(said if scheme in {one, None} else {}), **more, **self._where})
            for one, more in sorted(self._schemes.items(), key=lambda item: item[0] != scheme)
        )


def _problem(cause: Exception) -> Problem:
    match cause:
        case Problem():
            return cause
        case InvalidAccessToken():
            return Problem(401, "invalid_token", str(cause))
        case ProofRefused():  # RFC 9449 section 7.1: a token of another key is an invalid token
            return Problem(401, "invalid_token" if cause.rule is Rule.JKT else cause.error, str(cause))
        case _:
            return Problem(
                503, "temporarily_unavailable", "It cannot be told at the moment whether this request is good"
            )
