"""The headers of one request: for programs that send it themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx

import oidcclient

__all__ = ["headers_for"]

NAMES = ("Authorization", "DPoP")


def headers_for(session: oidcclient.Session, base: str, method: str, url: str) -> dict[str, str]:
    """
    Return the headers that make one request good: the token, and a proof where it is bound.

    Args:
        session: The session.
        base: Where the token may go.
        method: The method.
        url: The address.
    """
    request = httpx.Request(method, url)
    flow: Iterator[httpx.Request] = session.auth(base).sync_auth_flow(request)
    with closing(flow):  # type: ignore[type-var] # it is a generator
        signed = next(flow)
        return {name: signed.headers[name] for name in NAMES if name in signed.headers}
