"""Asking an authorization server: documents, errors, and what runs a flow with and without an event loop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import oidcclient
from oidcclient.hooks import Flow, send
from oidcclient.protocol import HttpResponse, build_metadata_request, check_endpoint, metadata_addresses
from oidcclient.transport import AsyncWire, Wire, drive, drive_async
from oidcclient_dpop.server.events import AuthorizationServerFailed, Observer

from .token import AuthorizationServerUnavailable

__all__ = ["Remote", "discover", "read_document", "translated"]

T = TypeVar("T")
_OK, _BUSY, _SERVER_ERRORS = 200, 429, 500


def translated(flow: Flow[T]) -> Flow[T]:
    """
    Run a flow that talks to the authorization server.

    Raises:
        AuthorizationServerUnavailable: In place of any error of the client's layers.
    """
    try:
        return (yield from flow)
    except oidcclient.OidcError as error:
        raise AuthorizationServerUnavailable(str(error)) from error


def read_document(response: HttpResponse, what: str) -> dict[str, Any]:
    """
    Read a JSON object.

    Raises:
        AuthorizationServerUnavailable: It is anything else.
    """
    if response.status != _OK or response.media_type != "application/json":
        raise AuthorizationServerUnavailable(
            f"{what}: the server answered {response.status} {response.media_type[:60]!a}"
        )
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise AuthorizationServerUnavailable(f"{what} is no JSON object")
    return value


def discover(issuer: str, name: str, policy: oidcclient.Policy) -> Flow[tuple[str, Mapping[str, Any]]]:
    """
    Find one endpoint of an authorization server, with all its metadata (RFC 8414, OpenID Connect Discovery).

    The metadata is read here and not by the client's reader: an API needs neither PKCE nor an authorization endpoint.

    Raises:
        AuthorizationServerUnavailable: There is no metadata, it is another's, or it has no such endpoint.
    """
    for address in metadata_addresses(issuer):
        response = yield from send(build_metadata_request(address, policy))
        if response.status not in {_OK, _BUSY} and response.status < _SERVER_ERRORS:
            continue  # not at this address
        members = read_document(response, "the metadata")
        if members.get("issuer") != issuer:  # RFC 8414 section 3.3
            raise AuthorizationServerUnavailable("the metadata is for another issuer")
        return check_endpoint(name, members.get(name), issuer=issuer, policy=policy), members
    raise AuthorizationServerUnavailable("the authorization server has no metadata")


class Remote:
    """
    Runs flows over the network, and tells what fails.

    Args:
        issuer: The authorization server, for events.
        policy: Limits.
        http: How the network is reached.
        observer: Takes events.
        keeps: Whether connections are kept for the next flow; else nothing has to be closed in the end.
    """

    def __init__(
        self,
        issuer: str,
        policy: oidcclient.Policy,
        http: oidcclient.Http,
        observer: Observer | None,
        *,
        keeps: bool,
    ) -> None:
        self._issuer = issuer
        self._observer = observer
        self._keeps = keeps or http.transport is not None  # a transport of the program's own is not ours to close
        self._wire = Wire(http, policy.http_timeout)
        self._async_wire = AsyncWire(http, policy.http_timeout)

    def run(self, flow: Flow[T]) -> T:
        """Run a flow in this thread."""
        try:
            return drive(flow, lambda: self._wire)
        except AuthorizationServerUnavailable as failure:
            self._tell(failure)
            raise

    async def run_async(self, flow: Flow[T]) -> T:
        """Run a flow in this task."""
        used = False

        def wire() -> AsyncWire:
            nonlocal used
            used = True
            return self._async_wire

        try:
            return await drive_async(flow, wire)
        except AuthorizationServerUnavailable as failure:
            self._tell(failure)
            raise
        finally:
            if used and not self._keeps:
                await self._async_wire.close()

    def _tell(self, failure: AuthorizationServerUnavailable) -> None:
        if self._observer is not None:
            self._observer(AuthorizationServerFailed(self._issuer, str(failure)))

    def close(self) -> None:
        """Close the connections of `run`."""
        self._wire.close()

    async def close_async(self) -> None:
        """Close the connections of `run_async`, on its event loop."""
        await self._async_wire.close()
