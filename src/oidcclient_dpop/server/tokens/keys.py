"""The keys that an authorization server signs its access tokens with, found by discovery and kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import oidcclient
from oidcclient.hooks import Flow, run, send
from oidcclient.protocol import KeySet, build_metadata_request, check_endpoint, key_set_from, keys_for, parse_key_set
from oidcclient_dpop.server.errors import ProofRefused
from oidcclient_dpop.server.events import KeysFetched, Observer
from oidcclient_dpop.server.keys import ProofKey, read_key

from .remote import discover, translated
from .token import AuthorizationServerUnavailable

__all__ = ["FixedKeys", "FoundKeys", "KnownKeys"]

FRESH_S = 3_600.0  # seconds; then the keys are fetched again, so that one that was withdrawn is not used for long
PAUSE_S = 1.0  # seconds between two attempts where there are no keys at all
KEPT_HEADERS = 256  # a server signs with a handful of them
MOST_WAITING = 128  # requests for one fetch; on an event loop each has a thread


@dataclass(slots=True)
class KnownKeys:
    """
    One key set, with what was read of it.

    Attributes:
        key_set: As it was published.
        fetched_at: Unix seconds.
        by_header: The keys whose signatures verified before, by the token's very header. It gets there only after a
            signature, so that nobody fills it with headers made up for nothing.
    """

    key_set: KeySet
    fetched_at: float
    by_header: dict[bytes, ProofKey] = field(default_factory=dict)

    def candidates(self, kid: str | None, algorithm: str) -> tuple[ProofKey, ...]:
        """Return the keys that a header may mean."""
        found = (_read(jwk, algorithm) for jwk in keys_for(self.key_set, kid=kid, algorithm=algorithm))
        return tuple(key for key in found if key is not None)

    def keep(self, header: bytes, key: ProofKey) -> None:
        """Remember which key a header meant."""
        if len(self.by_header) < KEPT_HEADERS:
            self.by_header[header] = key


def _read(jwk: Mapping[str, Any], algorithm: str) -> ProofKey | None:
    try:
        return read_key(algorithm, dict(jwk))
    except ProofRefused:  # one that cannot be read verifies nothing
        return None


class FixedKeys:
    """Keys that a program gives itself."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        self._known = KnownKeys(key_set_from(jwks), 0.0)

    def at_once(self, header: bytes, now: float) -> ProofKey | None:
        """Return the key that a header meant before."""
        del now
        return self._known.by_header.get(header)

    def current(self, now: float) -> Flow[KnownKeys]:
        """Return the keys."""
        del now
        return self._known
        yield  # type: ignore[unreachable] # what makes it a flow

    def again(self, now: float) -> Flow[KnownKeys]:
        """Return the keys: there are no others."""
        return self.current(now)


class _Flight(Future[bool]):
    """One fetch, with those who wait for it; true if it ended, false if it was cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = 0

    def take_one_more(self) -> None:
        """
        Count one who waits.

        Raises:
            AuthorizationServerUnavailable: There are too many: anybody can send a token with an unknown key.
        """
        self._waiting += 1
        if self._waiting > MOST_WAITING:
            raise AuthorizationServerUnavailable("too many requests wait for the authorization server's keys")


class FoundKeys:
    """
    Keys that are fetched when they are needed, once for all requests that wait for them.

    Args:
        issuer: The authorization server.
        jwks_uri: Where its keys are; None to read it in the metadata.
        policy: Limits: `metadata_max_age` is the ceiling beyond which keys that cannot be renewed are not used,
            `jwks_refetch_interval` the shortest time between two fetches for unknown keys.
        observer: Takes events.
    """

    def __init__(self, issuer: str, jwks_uri: str | None, policy: oidcclient.Policy, observer: Observer | None) -> None:
        self._issuer = issuer
        self._jwks_uri = jwks_uri
        self._policy = policy
        self._observer = observer
        self._known: KnownKeys | None = None
        self._tried_at: float | None = None
        self._flight: _Flight | None = None
        self._lock = threading.Lock()

    def at_once(self, header: bytes, now: float) -> ProofKey | None:
        """Return the key that a header meant before, if the keys are fresh: no network is needed then."""
        known = self._known
        return known.by_header.get(header) if known is not None and 0 <= now - known.fetched_at < FRESH_S else None

    def current(self, now: float) -> Flow[KnownKeys]:
        """
        Return the keys, fetched if there are none or if they are old.

        Raises:
            AuthorizationServerUnavailable: There are none.
        """
        known = self._known
        if known is not None and 0 <= now - known.fetched_at < FRESH_S:
            return known
        usable = known is not None and 0 <= now - known.fetched_at < self._policy.metadata_max_age
        if not usable:
            yield from self._fetched(now, pause=PAUSE_S, wait=True)
        else:
            # Whoever comes first fetches, the others go on with what there is. If the server is away for a while, the
            # keys are good until the ceiling.
            with suppress(AuthorizationServerUnavailable):
                yield from self._fetched(now, pause=self._policy.jwks_refetch_interval, wait=False)
        if self._known is None or (self._known is known and not usable):
            raise AuthorizationServerUnavailable("the authorization server's keys could not be fetched")
        return self._known

    def again(self, now: float) -> Flow[KnownKeys]:
        """
        Return the keys after one more fetch for a key that is unknown, unless there was one lately.

        Raises:
            AuthorizationServerUnavailable: The fetch failed.
        """
        yield from self._fetched(now, pause=self._policy.jwks_refetch_interval, wait=True)
        return (yield from self.current(now))

    def _fetched(self, now: float, *, pause: float, wait: bool) -> Flow[None]:
        """Fetch the keys, or wait for whoever is at it."""
        with self._lock:
            flight = self._flight
            if flight is None:
                if self._tried_at is not None and 0 <= now - self._tried_at < pause:
                    return
                self._tried_at = now
                mine = self._flight = _Flight()
            elif wait:
                flight.take_one_more()
        if flight is None:
            yield from self._lead(mine, now)
        elif wait and not (yield from run(lambda: self._follow(flight), waits=True)):
            yield from self._fetched(now, pause=pause, wait=wait)

    def _lead(self, flight: _Flight, now: float) -> Flow[None]:
        ended = False
        try:
            yield from translated(self._fetch(now))
            ended = True
        except AuthorizationServerUnavailable:
            ended = True
            raise
        finally:  # if it was cancelled, one of those who wait does it in its place
            with self._lock:
                self._flight = None
                self._tried_at = self._tried_at if ended else None
            flight.set_result(ended)

    def _follow(self, flight: _Flight) -> bool:
        try:
            return flight.result(2 * self._policy.http_timeout)  # metadata and keys
        except WaitedTooLong:
            raise AuthorizationServerUnavailable("the authorization server's keys are not there yet") from None

    def _fetch(self, now: float) -> Flow[None]:
        address = self._jwks_uri
        if address is None:
            address, _ = yield from discover(self._issuer, "jwks_uri", self._policy)
        check_endpoint("jwks_uri", address, issuer=self._issuer, policy=self._policy)
        response = yield from send(build_metadata_request(address, self._policy))
        key_set = parse_key_set(response)
        self._known = KnownKeys(key_set, now)
        if self._observer is not None:
            self._observer(KeysFetched(self._issuer, len(key_set.keys)))
