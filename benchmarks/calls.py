"""Many calls of an API that answers at once, in one round: what is measured is what the client does around them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import oidcclient
from benchmarks import signed_in
from benchmarks.benchmark import Sides

CALLS = 200


def token_of_authlib() -> dict[str, Any]:
    """Return the token as Authlib keeps it."""
    token = signed_in.record().tokens[""]
    return {"access_token": token.value, "token_type": token.type, "expires_at": token.expires_at}


def transport(library: Any) -> Any:
    """Return a transport at whose end an empty answer is ready."""
    return library.MockTransport(lambda _request: library.Response(200))


def auth() -> Any:
    """Return a session's auth object."""
    client = oidcclient.Client(signed_in.ISSUER, signed_in.CLIENT_ID, store=signed_in.store())
    return client.session().auth(resource=signed_in.API)


def call_often(client: Any) -> None:
    """Make the calls of one round."""
    for _ in range(CALLS):
        client.get(f"{signed_in.API}/me")


async def call_often_async(client: Any) -> None:
    """Make the calls of one round, one after the other."""
    for _ in range(CALLS):
        await client.get(f"{signed_in.API}/me")


@contextmanager
def in_turn(ours: Callable[[], Any], peer: Callable[[], Any]) -> Iterator[Sides]:
    """
    Compare two sync clients.

    Args:
        ours: Makes the client whose requests our auth object signs.
        peer: Makes the other one.
    """
    with ours() as mine, peer() as other:
        yield Sides(ours=lambda: call_often(mine), peer=lambda: call_often(other))


@contextmanager
def in_turn_async(ours: Callable[[], Any], peer: Callable[[], Any]) -> Iterator[Sides]:
    """
    Compare two async clients, both in the same event loop.

    Args:
        ours: Makes the client whose requests our auth object signs.
        peer: Makes the other one.
    """
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        mine, other = ours(), peer()
        yield Sides(ours=lambda: runner.run(call_often_async(mine)), peer=lambda: runner.run(call_often_async(other)))
        runner.run(mine.aclose())
        runner.run(other.aclose())
