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
        if TokenBase.parse(base).covers(url):
            return base
    shown, origin = url.partition("?")[0], _origin(url)
    raise UsageError(
        f"the token may not be sent to {shown}",
        rule="origin",
        expected=", ".join(bases) or None,
        hint=f"If it should go there: --allow-origin {origin}, or put that into the profile's origins.",
    )


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
