"""Resource indicators (RFC 8707)."""

from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2 import OAuth2Error

from oidcclient_devkit.core import Core
from oidcclient_devkit.store import Grant


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    """RFC 8707 section 2: the resource is unknown, malformed or was not granted."""

    error = "invalid_target"


def requested_resources(request: Any) -> tuple[str, ...]:
    """Return the resources a request names."""
    return tuple(dict.fromkeys(request.payload.datalist.get("resource", [])))


def covers(base: str, address: str) -> bool:
    """Tell whether an address lies under a base: the same, or below it at a segment boundary."""
    return address == base or address.startswith(f"{base.rstrip('/')}/")


def check_resources(core: Core, request: Any) -> None:
    """Refuse resources this provider does not serve."""
    for resource in requested_resources(request):
        parts = urlsplit(resource)
        if not parts.scheme or not parts.netloc or "#" in resource:
            raise InvalidTargetError("A resource is an absolute URI without a fragment.")
        if not any(covers(known, resource) for known in (core.api, *core.resources)):
            raise InvalidTargetError("This provider issues no tokens for that resource.")


def narrowed_resources(request: Any, grant: Grant) -> tuple[str, ...]:
    """RFC 8707 section 2.2: the token request may name some of what was granted, never more."""
    wanted = requested_resources(request)
    if not set(wanted) <= set(grant.resources):
        raise InvalidTargetError("That resource was not part of the authorization request.")
    return wanted or grant.resources
