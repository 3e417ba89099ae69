"""Ten requests at once through one session: none waits for another.

An API that takes 100 ms for each request is played by a transport that sleeps.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

import oidcclient
from benchmarks import signed_in
from benchmarks.benchmark import Benchmark, Sides

REQUESTS = 10
API_S = 0.1


async def slow_api(_request: httpx.Request) -> httpx.Response:
    """Answer after a while."""
    await asyncio.sleep(API_S)
    return httpx.Response(200)


@contextmanager
def one_session() -> Iterator[Sides]:
    """Sign in once; both sides run in the same event loop."""
    client = oidcclient.AsyncClient(signed_in.ISSUER, signed_in.CLIENT_ID, store=signed_in.store())

    async def ten() -> None:
        session = await client.session()
        auth = session.auth(resource=signed_in.API)
        async with httpx.AsyncClient(auth=auth, transport=httpx.MockTransport(slow_api)) as api:
            await asyncio.gather(*(api.get(f"{signed_in.API}/{number}") for number in range(REQUESTS)))

    async def one() -> None:
        await asyncio.sleep(API_S)

    with asyncio.Runner() as runner:
        yield Sides(ours=lambda: runner.run(ten()), peer=lambda: runner.run(one()))
        runner.run(client.close())


BENCHMARK = Benchmark(
    ours="ten concurrent 100 ms requests through one `AsyncClient` session",
    peer="100 ms",
    bar=1.3,
    prepare=one_session,
)
