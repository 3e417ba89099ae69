"""
A small API behind uvicorn, one worker of several, that takes each proof once.

Started as a module with the socket of a Redis and the thumbprint its one token is bound to; it prints its port.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import redis.asyncio
import uvicorn
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from oidcclient_dpop.server import AsyncRedisReplayCache, ProofRefused, ProofVerifier, ReplayUnavailable

PUBLIC_URL = "https://api.example.com"
TOKEN = "an-access-token"
PATIENCE_S = 15.0  # the machine may be busy, and these tests are about a Redis that is there or is not


class Api:
    """The ASGI application."""

    def __init__(self, path: str, jkt: str) -> None:
        client = redis.asyncio.Redis(unix_socket_path=path, socket_timeout=PATIENCE_S, retry=Retry(NoBackoff(), 0))
        self._replay = AsyncRedisReplayCache(client, timeout=PATIENCE_S)
        self._verifier = ProofVerifier()
        self._jkt = jkt

    async def __call__(self, scope: Any, _receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        status, found = await self._check(scope)
        body = json.dumps({"worker": os.getpid(), "found": found}).encode()
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(body))]}
        )
        await send({"type": "http.response.body", "body": body})

    async def _check(self, scope: MutableMapping[str, Any]) -> tuple[int, str]:
        now = time.time()
        try:
            proof = self._verifier.verify(
                method=scope["method"],
                url=PUBLIC_URL + scope["raw_path"].decode(),
                proof_headers=[value.decode() for name, value in scope["headers"] if name == b"dpop"],
                access_token=TOKEN,
                jkt=self._jkt,
                now=now,
            )
            await self._replay.use(proof, now=now)
        except ProofRefused as error:
            return 401, error.rule
        except ReplayUnavailable:
            return 503, "unavailable"
        return 200, "accepted"


def main(path: str, jkt: str) -> None:
    """Serve until it is told to end."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - whoever started it reads this
    config = uvicorn.Config(Api(path, jkt), lifespan="off", log_level="warning", http="httptools")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
