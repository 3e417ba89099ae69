"""The ASGI middleware at its edges: handshakes and prefixes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oidcclient_dpop.server import NonceIssuer, ProofVerifier, Route
from oidcclient_dpop.server.asgi import DPoPMiddleware, verified_request
from tests.dpop_server.proofs import new_key
from tests.resource_server.lab import Lab
from tests.resource_server.test_resource_asgi import call, credentials, echo, feed, handshake, scope_of


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(new_key(), new_key())


def test_a_handshake_is_received_before_it_is_refused(lab: Lab) -> None:
    """ASGI: a WebSocket is answered after its `websocket.connect`, which nobody but the middleware takes here."""
    steps: list[str] = []

    async def receive() -> dict[str, Any]:
        steps.append("websocket.connect")
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        steps.append(message["type"])

    asyncio.run(DPoPMiddleware(feed, lab.resource())(handshake([]), receive, send))
    assert steps == ["websocket.connect", "websocket.close"]


def test_a_handshake_that_is_closed_has_no_headers_to_add_to(lab: Lab) -> None:
    async def closes(scope: Any, receive: Any, send: Any) -> None:
        assert verified_request(scope).subject == "ann"
        await receive()
        await send({"type": "websocket.close", "code": 4000})

    nonces = NonceIssuer(b"s" * 32)
    app = DPoPMiddleware(closes, lab.resource(nonces=nonces, proofs=ProofVerifier(nonces=nonces)))
    assert call(app, handshake(credentials(lab, "/feed"))) == [{"type": "websocket.close", "code": 4000}]


@pytest.mark.parametrize(
    ("path", "root", "status"),
    [("/v1/open", "/v1", 200), ("/v1x/open", "/v1", 200), ("/open", "/v1", 200), ("/v1", "/v1", 401)],
)
def test_a_prefix_ends_at_a_slash(lab: Lab, path: str, root: str, status: int) -> None:
    routes = [Route("/open", None), Route("/v1x/open", None)]
    app = DPoPMiddleware(echo, lab.resource(), routes=routes)
    assert call(app, scope_of(path, root_path=root))[0]["status"] == status
