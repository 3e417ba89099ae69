"""
What performs flows: for add-ons that speak with a server outside of a session.

`drive` and `drive_async` run a flow (see `oidcclient.hooks`) to its end; a `Wire` or an `AsyncWire` performs its
requests, with a limit for the size and the time of every answer. httpx is loaded with the first request.
"""

from __future__ import annotations

from ._shell.drivers import drive, drive_async
from ._shell.http import AsyncWire, Wire

__all__ = ["AsyncWire", "Wire", "drive", "drive_async"]
