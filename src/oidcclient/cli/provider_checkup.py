"""What `doctor` looks at on the provider's side: its documents, its clock, and what it can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oidcclient import OidcError
from oidcclient.addons import Check, Checks, installed_addons
from oidcclient.protocol import ProviderMetadata

from .checkup import failure
from .clients import PACKAGES
from .documents import Documents
from .output import duration
from .settings import Settings

__all__ = ["addons", "provider"]

TOLERATED_S, NOTICED_S = 60.0, 5.0  # how far clocks may be apart: what Policy.clock_skew allows, and what `Date` shows
# What else a provider may have: the member, what it is, why one would want it.
ABILITIES = (
    ("pushed_authorization_request_endpoint", "Pushed requests (RFC 9126)", "requests go by way of the browser"),
    ("device_authorization_endpoint", "Codes for other devices (RFC 8628)", "there is no --device here"),
    ("revocation_endpoint", "Revocation (RFC 7009)", "signing out wipes this machine alone"),
    ("end_session_endpoint", "Sign-out in the browser", "logout --browser does nothing here"),
    ("userinfo_endpoint", "Userinfo", "there is no `oidcclient userinfo` here"),
)


def provider(settings: Settings, documents: Documents) -> Iterator[Check | ProviderMetadata]:
    """Look at the provider; its metadata come last, if they can be had."""
    subject = f"Provider {settings.issuer}"
    try:
        metadata = documents.metadata()
    except OidcError as error:
        yield failure(subject, error)
        return
    yield Check(subject=subject, state="ok", detail="its metadata are good")
    yield from _keys(documents, metadata)
    yield from _clock(documents.clock_lead)
    yield from _abilities(metadata)
    yield metadata


def _keys(documents: Documents, metadata: ProviderMetadata) -> Iterator[Check]:
    try:
        count = len(documents.keys(metadata).keys)
    except OidcError as error:
        yield failure("Signing keys", error)
        return
    advice = "Tell whoever runs the provider: no ID Token can be verified."
    if count:
        yield Check(subject="Signing keys", state="ok", detail=f"{count}")
    else:
        yield Check(subject="Signing keys", state="failed", detail="there are none", advice=advice)


def _clock(lead: float | None) -> Iterator[Check]:
    if lead is None:
        yield Check(subject="Clock", state="absent", detail="the provider does not tell the time")
    elif abs(lead) <= NOTICED_S:
        yield Check(subject="Clock", state="ok", detail="agrees with the provider's")
    else:
        words = f"the provider's is {duration(abs(lead))} {'ahead' if lead > 0 else 'behind'}"
        state: Any = "warning" if abs(lead) <= TOLERATED_S else "failed"
        advice = "Set this machine's clock by the network; tokens seem expired or not yet good otherwise."
        yield Check(subject="Clock", state=state, detail=words, advice=advice)


def _abilities(metadata: ProviderMetadata) -> Iterator[Check]:
    for member, subject, otherwise in ABILITIES:
        if metadata.raw.get(member):
            yield Check(subject=subject, state="ok", detail="supported")
        else:
            yield Check(subject=subject, state="absent", detail=f"not supported: {otherwise}")
    if metadata.authorization_response_iss_parameter_supported:
        yield Check(subject="iss in answers (RFC 9207)", state="ok", detail="supported")
    else:
        detail = "not supported: one client must not be used with several providers"
        yield Check(subject="iss in answers (RFC 9207)", state="absent", detail=detail)


def addons(settings: Settings | None, metadata: ProviderMetadata | None) -> Iterator[Check]:
    """Let each add-on look at what it needs."""
    try:
        found = installed_addons()
    except OidcError as error:
        yield failure("Add-ons", error)
        return
    if not found:
        advice = f"If tokens should be bound to a key of this machine: pip install {PACKAGES['dpop']}"
        yield Check(subject="Add-ons", state="absent", detail="none is installed", advice=advice)
    values = settings.addon_values if settings else {}
    for addon in found:
        if isinstance(addon, Checks):
            yield from addon.checks({key.key: values[key.key] for key in addon.options if key.key in values}, metadata)
