"""Many requests at once while the authorization server's keys are on their way."""

from __future__ import annotations

import asyncio
import threading
import time

import oidcclient
from oidcclient_dpop.server import AuthorizationServerUnavailable, CheckedToken, JWTAccessTokens
from tests.dpop_server.proofs import new_key
from tests.resource_server.lab import API, access_token, jwks
from tests.resource_server.server import Server

REQUESTS = 400
THREADS = 200


def test_a_flood_of_requests_that_wait_for_keys_makes_no_flood_of_threads() -> None:
    """Anybody can send a token with a `kid` that nobody knows; each that waits has a thread on an event loop."""
    signer = new_key()
    with Server() as server:
        server.publish(jwks(signer))
        server.gate.clear()
        tokens = JWTAccessTokens(server.url, API, policy=oidcclient.Policy(allow_http_loopback=True, http_timeout=20))
        token = access_token(signer, iss=server.url)

        async def main() -> tuple[int, list[object]]:
            checks = [asyncio.ensure_future(tokens.check_async(token, now=time.time())) for _ in range(REQUESTS)]
            done, _ = await asyncio.wait(checks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            assert done
            threads = threading.active_count()
            server.gate.set()
            return threads, list(await asyncio.gather(*checks, return_exceptions=True))

        threads, ended = asyncio.run(asyncio.wait_for(main(), 10))
        assert threads < THREADS
        assert {type(one) for one in ended} == {CheckedToken, AuthorizationServerUnavailable}
        assert server.asked["/jwks"] == 1
        assert tokens.check(token, now=time.time()).claims["sub"] == "ann"
