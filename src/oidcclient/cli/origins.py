"""Where a token may be sent: where the profile or the command line says, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

from oidcclient import UsageError
from oidcclient.protocol import TokenBase

from .settings import Settings

__all__ = ["base_for"]


def base_for(url: str, settings: Settings, allowed: Sequence[str]) -> str:
    """
    Return the base address that lets a token go to a URL.

    Args:
        url: Where the request goes.
        settings: The profile; its `origins` and `resources` count.
        allowed: What the command line allows on top.

    Raises:
        UsageError: Nothing lets it go there.
    """
    bases = [*allowed, *settings.texts("origins"), *settings.texts("resources")]
    for base in bases:
        if _parsed(base).covers(url):
            return base
    origin = _origin(url)
    raise UsageError(
        f"the token may not be sent to {origin}{_path(url)}",
        rule="origin",
        expected=", ".join(bases) or None,
        hint=f"If it should go there: --allow-origin {origin}, or put that into the profile's origins.",
    )


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def _path(url: str) -> str:
    rest = url.partition("?")[0].partition("://")[2]
    return "".join(rest.partition("/")[1:])


def _parsed(base: str) -> TokenBase:
    try:
        return TokenBase.parse(base)
    except UsageError as refusal:
        raise UsageError(
            "what a token may be sent to is the https address of an API, without query or fragment",
            rule="origin",
            received=refusal.received,
            hint="Correct --allow-origin, or origins in the profile; http is accepted on loopback alone.",
        ) from None
