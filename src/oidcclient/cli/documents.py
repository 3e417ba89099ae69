"""What a provider publishes, its metadata and its keys, for commands that look at it without a session."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

import oidcclient
from oidcclient import DiscoveryRefused
from oidcclient.protocol import (
    REDIRECTS,
    HttpResponse,
    KeySet,
    ProviderMetadata,
    build_metadata_request,
    metadata_addresses,
    metadata_from,
    parse_key_set,
    parse_metadata,
    redirect_target,
)
from oidcclient.transport import Wire

from .clients import given_metadata
from .settings import Settings

__all__ = ["Documents"]

MOVED = frozenset({301, 302, 303, 307, 308})


class Documents:
    """
    Fetch what a provider publishes.

    Args:
        settings: Which provider, and how it is reached.
        transport: An httpx transport in place of the usual one, for a trace.
    """

    def __init__(self, settings: Settings, transport: Any = None) -> None:
        self._settings = settings
        self.policy = oidcclient.Policy(allow_http_loopback=settings.switch("allow_http_loopback"))
        http = oidcclient.Http(verify=settings.path("ca_bundle") or True, transport=transport)
        self._wire = Wire(http, self.policy.http_timeout)
        self.clock_lead: float | None = None  # seconds that the provider's clock is ahead of ours; None is unknown

    def metadata(self) -> ProviderMetadata:
        """
        Return the provider's metadata.

        Raises:
            DiscoveryRefused: There is none, or it cannot be trusted.
            TransportError: The provider cannot be reached.
        """
        issuer = self._settings.issuer
        if self._settings.text("metadata_file"):
            return metadata_from(given_metadata(self._settings), issuer=issuer, policy=self.policy)
        for address in metadata_addresses(issuer):
            found = parse_metadata(self._get("metadata", address), issuer=issuer, policy=self.policy)
            if found is not None:
                return found
        raise DiscoveryRefused("the issuer has no metadata", rule="metadata", section="OIDC Discovery 4")

    def keys(self, metadata: ProviderMetadata) -> KeySet:
        """
        Return the provider's signing keys.

        Raises:
            DiscoveryRefused: They cannot be trusted.
            TransportError: The provider cannot be reached.
        """
        return parse_key_set(self._get("jwks_uri", metadata.jwks_uri or ""))

    def _get(self, name: str, address: str) -> HttpResponse:
        issuer = self._settings.issuer
        for _ in range(REDIRECTS + 1):
            begin = time.time()
            response = self._wire.perform(build_metadata_request(address, self.policy))
            self._compare_clocks(response, (begin + time.time()) / 2)
            if response.status not in MOVED:
                return response
            address = redirect_target(name, address, response.header("location"), issuer=issuer, policy=self.policy)
        raise DiscoveryRefused(
            f"the provider's {name} redirects too often", rule="redirect", expected=f"at most {REDIRECTS}"
        )

    def _compare_clocks(self, response: HttpResponse, now: float) -> None:
        """Read the `Date` of an answer (RFC 9110 section 6.6.1); it has whole seconds, so half of one is added."""
        try:
            self.clock_lead = parsedate_to_datetime(response.header("date") or "").timestamp() + 0.5 - now
        except ValueError:
            return
