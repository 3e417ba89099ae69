"""From settings to a way to sign in."""

from __future__ import annotations

import oidcclient

from .settings import Settings

__all__ = ["way_of"]


def way_of(settings: Settings) -> oidcclient.Loopback:
    """
    Return the way to sign in.

    Raises:
        UsageError: A setting does not fit.
    """
    return oidcclient.Loopback(
        host=settings.text("host"),  # type: ignore[arg-type] # checked by Loopback
        ports=tuple(settings.values.get("ports", (0,))),
        path=settings.text("redirect_path"),
        form_post=settings.switch("form_post"),
        app_name="oidcclient",
    )
