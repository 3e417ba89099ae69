"""From settings to a way to sign in."""

from __future__ import annotations

from typing import Literal

import oidcclient
from oidcclient import UsageError

from .settings import Settings

__all__ = ["way_of"]

FLOWS = ("browser", "device", "paste")


def way_of(settings: Settings) -> oidcclient.Auto:
    """
    Return the ways to sign in, to choose from by what is there.

    Raises:
        UsageError: A setting does not fit.
    """
    loopback = oidcclient.Loopback(
        host=settings.text("host"),  # type: ignore[arg-type] # checked by Loopback
        ports=tuple(settings.values.get("ports", (0,))),
        path=settings.text("redirect_path"),
        form_post=settings.switch("form_post"),
        app_name="oidcclient",
    )
    device = oidcclient.Device(qr=settings.switch("qr"))
    paste = oidcclient.Paste(redirect_uri=settings.text("redirect_uri"))
    return oidcclient.Auto(loopback=loopback, device=device, paste=paste, flow=_flow(settings))


def _flow(settings: Settings) -> Literal["browser", "device", "paste"] | None:
    match settings.text("flow"):
        case None | "auto":
            return None
        case "browser" | "device" | "paste" as flow:
            return flow
        case other:
            expected = f"auto or {' or '.join(FLOWS)}"
            raise UsageError("there is no such way to sign in", rule="flow", expected=expected, received=other)
