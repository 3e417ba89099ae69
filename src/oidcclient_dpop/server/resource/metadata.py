"""What an API says of itself (RFC 9728)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["WELL_KNOWN", "metadata_members", "metadata_url"]

WELL_KNOWN = "/.well-known/oauth-protected-resource"  # RFC 9728 section 3


def metadata_url(resource: str) -> str:
    """Return where a resource's metadata is: the well-known path goes between host and path (section 3.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.removesuffix('/')}"


def metadata_members(
    resource: str, issuer: str, algorithms: tuple[str, ...], extra: Mapping[str, Any], *, bearer: bool
) -> dict[str, Any]:
    """Return the metadata (section 2); what the program says of itself comes on top."""
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"] if bearer else [],
        "dpop_signing_alg_values_supported": list(algorithms),
        "dpop_bound_access_tokens_required": not bearer,
        **extra,
    }
