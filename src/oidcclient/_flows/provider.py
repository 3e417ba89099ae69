"""What is known of a provider: its metadata and keys, fetched when needed and kept for a while."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from oidcclient._words.effects import Flow, send
from oidcclient._words.errors import DiscoveryRefused, IDTokenRefused, OidcError
from oidcclient._words.events import EventHandler, KeysFetched, MetadataFetched
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.policy import Policy
from oidcclient._words.record import SessionRecord
from oidcclient._words.value import dataclass, field
from oidcclient._words.values import Json, ProviderMetadata
from oidcclient.protocol import (
    REDIRECTS,
    Expected,
    IDToken,
    KeySet,
    SignedJwt,
    allowed_algorithms,
    build_metadata_request,
    key_set_from,
    metadata_addresses,
    metadata_from,
    parse_id_token,
    parse_key_set,
    parse_metadata,
    redirect_target,
    verify_id_token,
    verify_userinfo,
)

__all__ = ["Provider", "fetch_keys", "fetch_metadata", "verified_id_token", "verified_userinfo"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class Provider:
    """
    What one client knows of its provider. Changed by flows; a lost race costs one more fetch and nothing else.

    Args:
        issuer: The issuer.
        policy: Limits and ages.
        emit: Takes events.
        given: Metadata passed by the program, for providers without discovery; never fetched.
        metadata: The metadata in use.
        metadata_until: When it is to be fetched again, in Unix seconds.
        keys: The keys in use.
        keys_until: When they are to be fetched again, in Unix seconds.
        refetched_at: When keys were last fetched for an unknown `kid`, in Unix seconds.
    """

    issuer: str
    policy: Policy
    emit: EventHandler = field(repr=False)
    given: Mapping[str, Json] | None = field(default=None, repr=False)
    metadata: ProviderMetadata | None = None
    metadata_until: float = 0.0
    keys: KeySet | None = None
    keys_until: float = 0.0
    refetched_at: float = float("-inf")

    def to_record(self) -> dict[str, Any]:
        """Return what a session record keeps of the provider, so that a session works without asking again."""
        given = self.given is not None or self.metadata is None
        return {
            "metadata": None if given or self.metadata is None else dict(self.metadata.raw),
            "metadata_until": 0.0 if given else self.metadata_until,
            "keys": None if self.keys is None else {"keys": [dict(key) for key in self.keys.keys]},
            "keys_until": self.keys_until,
        }

    def learn(self, record: SessionRecord) -> None:
        """Take over what a session record knows of the provider, if it is newer than what is known, and allowed."""
        with suppress(DiscoveryRefused):  # the policy may have become stricter: then it is fetched again
            self._learn(record)

    def _learn(self, record: SessionRecord) -> None:
        if record.metadata is not None and self.given is None and record.metadata_until > self.metadata_until:
            self.metadata = metadata_from(record.metadata, issuer=self.issuer, policy=self.policy)
            self.metadata_until = record.metadata_until
        if record.keys is not None and record.keys_until > self.keys_until:
            self.keys, self.keys_until = key_set_from(record.keys), record.keys_until


def fetch_metadata(provider: Provider, now: float) -> Flow[ProviderMetadata]:
    """
    Return the provider's metadata, fetched if it is not known or too old.

    Raises:
        DiscoveryRefused: There is none, or it cannot be trusted.
        TransportError: The provider cannot be reached.
    """
    if provider.metadata is not None and _is_current(provider, provider.metadata_until, now):
        return provider.metadata
    if provider.given is not None:
        provider.metadata = metadata_from(provider.given, issuer=provider.issuer, policy=provider.policy)
        provider.metadata_until = float("inf")
        return provider.metadata
    for address in metadata_addresses(provider.issuer):
        response = yield from _get(provider, "metadata", address)
        metadata = parse_metadata(response, issuer=provider.issuer, policy=provider.policy)
        if metadata is not None:
            provider.metadata = metadata
            provider.metadata_until = now + lifetime(response, provider.policy.metadata_max_age)
            provider.emit(MetadataFetched(provider.issuer))
            return metadata
    raise DiscoveryRefused(
        "the issuer has no metadata",
        rule="metadata",
        section="OIDC Discovery 4, RFC 8414 section 3",
        received=provider.issuer,
        hint="Check the issuer's spelling; for a provider without discovery pass metadata=.",
    )


def _is_current(provider: Provider, until: float, now: float) -> bool:
    """Whether it is not too old, nor from a time when the clock was wrong: no fetch of today could give such a date."""
    return now < until and (until <= now + provider.policy.metadata_max_age or provider.given is not None)


def fetch_keys(provider: Provider, metadata: ProviderMetadata, now: float) -> Flow[KeySet]:
    """
    Return the provider's keys, fetched if they are not known or too old.

    Raises:
        DiscoveryRefused: They cannot be trusted.
        TransportError: The provider cannot be reached.
    """
    if provider.keys is not None and _is_current(provider, provider.keys_until, now):
        return provider.keys
    return (yield from _fetch_keys(provider, metadata, now))


def _fetch_keys(provider: Provider, metadata: ProviderMetadata, now: float) -> Flow[KeySet]:
    response = yield from _get(provider, "jwks_uri", metadata.jwks_uri or "")
    keys = parse_key_set(response)
    provider.keys, provider.keys_until = keys, now + lifetime(response, provider.policy.metadata_max_age)
    provider.emit(KeysFetched(provider.issuer, len(keys.keys)))
    return keys


def _get(provider: Provider, name: str, address: str) -> Flow[HttpResponse]:
    """Fetch a document, following a few redirects that stay with the scheme. Hooks never see these requests."""
    request: HttpRequest = build_metadata_request(address, provider.policy)
    for _ in range(REDIRECTS + 1):
        response = yield from send(request)
        if response.status not in _REDIRECTS:
            return response
        address = redirect_target(
            name, address, response.header("location"), issuer=provider.issuer, policy=provider.policy
        )
        request = build_metadata_request(address, provider.policy)
    raise DiscoveryRefused(
        f"the provider's {name} redirects too often", rule="redirect", expected=f"at most {REDIRECTS}"
    )


def lifetime(response: HttpResponse, ceiling: float) -> float:
    """
    Return how long an answer may be kept, in seconds: what `Cache-Control: max-age` says, at least a minute.

    Args:
        response: The answer.
        ceiling: The longest, in seconds.
    """
    shortest = 60.0  # seconds: so that a provider that says no-cache is not asked before every step
    for directive in (response.header("cache-control") or "").lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name == "max-age" and value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - 30 years
            return min(max(float(value), shortest), ceiling)
    return ceiling


def verified_id_token(provider: Provider, metadata: ProviderMetadata, token: str, expected: Expected) -> Flow[IDToken]:
    """
    Verify an ID Token; for an unknown `kid` the keys are fetched again, once (OIDC Core 10.1.1).

    Raises:
        IDTokenRefused: A rule is broken.
        DiscoveryRefused: The keys cannot be trusted.
        TransportError: The keys cannot be reached.
    """
    jwt = parse_id_token(token)
    allowed = allowed_algorithms(metadata, provider.policy)
    keys = yield from fetch_keys(provider, metadata, expected.now)
    try:
        return verify_id_token(token, jwt, keys, allowed=allowed, expected=expected)
    except IDTokenRefused as refusal:
        if not _may_refetch(provider, refusal, expected.now):
            raise
    keys = yield from _refetch_keys(provider, metadata, expected.now)
    return verify_id_token(token, jwt, keys, allowed=allowed, expected=expected)


def verified_userinfo(
    provider: Provider, metadata: ProviderMetadata, jwt: SignedJwt, *, client_id: str, now: float
) -> Flow[Mapping[str, Json]]:
    """
    Verify a signed userinfo answer; for an unknown `kid` the keys are fetched again, once.

    Raises:
        ResponseRefused: A rule is broken.
        DiscoveryRefused: The keys cannot be trusted.
        TransportError: The keys cannot be reached.
    """
    allowed = provider.policy.id_token_algorithms
    keys = yield from fetch_keys(provider, metadata, now)
    try:
        return verify_userinfo(jwt, keys, issuer=metadata.issuer, client_id=client_id, allowed=allowed)
    except OidcError as refusal:
        if not _may_refetch(provider, refusal, now):
            raise
    keys = yield from _refetch_keys(provider, metadata, now)
    return verify_userinfo(jwt, keys, issuer=metadata.issuer, client_id=client_id, allowed=allowed)


def _may_refetch(provider: Provider, refusal: OidcError, now: float) -> bool:
    """An unknown `kid` is worth one fetch, but a stream of made-up ones must not become a stream of fetches."""
    return refusal.rule == "kid" and now - provider.refetched_at >= provider.policy.jwks_refetch_interval


def _refetch_keys(provider: Provider, metadata: ProviderMetadata, now: float) -> Flow[KeySet]:
    provider.refetched_at = now
    return (yield from _fetch_keys(provider, metadata, now))
