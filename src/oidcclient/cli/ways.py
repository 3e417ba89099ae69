"""From settings to a way to sign in."""

from __future__ import annotations

from typing import Literal

import oidcclient
from oidcclient import UsageError

from .settings import Settings

__all__ = ["FLOWS", "Way", "way_of"]

Way = oidcclient.Loopback | oidcclient.Device | oidcclient.Paste | oidcclient.Auto

FLOWS = ("browser", "device", "paste")


def way_of(settings: Settings, flow: str | None) -> Way:
    """
    Return the way to sign in.

    Args:
        settings: The profile's settings; what its `flow` says, `OIDCCLIENT_FLOW` may change.
        flow: The way that the command line names.

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
    if flow is not None:
        chosen: dict[str, Way] = {"browser": loopback, "device": device, "paste": paste}
        return chosen[flow]
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
