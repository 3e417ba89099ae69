"""A refresh under way holds up those who need its token, and nobody else."""

from __future__ import annotations

import time
from dataclasses import replace

import anyio
import httpx
import pytest

import oidcclient
from oidcclient_devkit import Provider
from tests.processes.conftest import Shared
from tests.processes.worker import set_ahead, settings

REFRESH_S = 1.0  # how long the provider takes
LIFETIME = 300.0  # seconds, as the devkit has it
BACKENDS = ["asyncio", "trio"]


async def answer_soon(_request: httpx.Request) -> httpx.Response:
    """Be an API that takes 100 ms."""
    await anyio.sleep(0.1)
    return httpx.Response(200)


def run(shared: Shared, backend: str, ahead: float, resources: dict[str, float]) -> dict[str, float]:
    """
    Ask APIs for something, ten times each and all at once.

    Args:
        shared: The session.
        backend: Of the event loop.
        ahead: By how many seconds the client's clock is ahead.
        resources: The APIs' addresses, and how many seconds more than usual their tokens are good.

    Returns:
        How many seconds passed until all requests to one API were answered, for each of them.
    """
    record = shared.record()
    token = record.tokens[""]
    assert token.expires_at is not None
    tokens = {name: replace(token, expires_at=token.expires_at + more) for name, more in resources.items()}
    shared.store.save(replace(record, tokens=tokens, resources=tuple(resources)))
    shared.provider.resources.extend(resources)
    for refresh_token in shared.provider.core.store.refresh_tokens.values():
        refresh_token.grant.resources = tuple(resources)
    shared.provider.delay("token", REFRESH_S)
    took: dict[str, float] = {}

    async def ask_ten(client: oidcclient.AsyncClient, base: str) -> None:
        session = await client.session()
        began = time.monotonic()
        async with (
            httpx.AsyncClient(auth=session.auth(base), transport=httpx.MockTransport(answer_soon)) as api,
            anyio.create_task_group() as group,
        ):
            for number in range(10):
                group.start_soon(api.get, f"{base}/{number}")
        took[base] = time.monotonic() - began

    async def main() -> None:
        async with oidcclient.AsyncClient(**settings(shared.options)) as client:
            set_ahead(client, ahead)
            async with anyio.create_task_group() as group:
                for base in resources:
                    group.start_soon(ask_ten, client, base)

    anyio.run(main, backend=backend)
    return took


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_token_that_is_renewed_early_holds_nobody_up(shared: Shared, oidc_provider: Provider, backend: str) -> None:
    """Design section 6: old access tokens keep being served while they are valid."""
    (took,) = run(shared, backend, LIFETIME - 30, {"https://api.example.com": 0}).values()
    assert took < REFRESH_S
    assert oidc_provider.count("token") == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_those_who_need_the_new_token_wait(shared: Shared, oidc_provider: Provider, backend: str) -> None:
    """Two APIs: the token of one has ended, that of the other is good for an hour."""
    took = run(shared, backend, LIFETIME - 1, {"https://a.example.com": 0, "https://b.example.com": 3600})
    assert took["https://a.example.com"] >= REFRESH_S
    assert took["https://b.example.com"] < REFRESH_S
    assert oidc_provider.count("token") == 1
