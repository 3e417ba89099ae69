"""
An API that takes DPoP-bound tokens, and tells Prometheus what it lets in and what it refuses.

    PUBLIC_URL=http://127.0.0.1:8000 ISSUER=... uvicorn --factory --app-dir examples/protected_api api:create_app
"""

from __future__ import annotations

import os
import secrets

from api_metrics import Metrics
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

import oidcclient
from oidcclient_dpop.server import (
    JWTAccessTokens,
    MemoryReplayCache,
    Needs,
    NonceIssuer,
    ProtectedResource,
    Route,
)
from oidcclient_dpop.server.asgi import DPoPMiddleware, verified_request


def create_app() -> FastAPI:
    """Make the API; where it is and whom it trusts comes from the environment."""
    public_url, issuer = os.environ["PUBLIC_URL"], os.environ["ISSUER"]
    registry = CollectorRegistry()
    replay = MemoryReplayCache()
    metrics = Metrics(registry, replay)
    policy = oidcclient.Policy(allow_http_loopback=True)  # for the devkit's provider; leave it out for a real one
    resource = ProtectedResource(
        public_url,
        JWTAccessTokens(issuer, public_url, policy=policy, observer=metrics),
        nonces=NonceIssuer(secrets.token_bytes(32)),
        replay=replay,
        metadata={"scopes_supported": ["profile"], "resource_name": "Example API"},
        observer=metrics,
    )
    app = FastAPI()
    routes = [Route("/metrics", None), Route("/me", Needs(("profile",)))]
    app.add_middleware(DPoPMiddleware, resource=resource, routes=routes)

    @app.get("/me")
    async def me(request: Request) -> dict[str, str | None]:
        return {"sub": verified_request(request.scope).subject}

    @app.get("/metrics")
    async def prometheus() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app
