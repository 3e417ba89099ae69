"""The async twin, on asyncio and on trio."""

import inspect
from collections.abc import AsyncIterator

import anyio
import pytest

import oidcclient
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY

TWINS = [
    (oidcclient.Client, oidcclient.AsyncClient),
    (oidcclient.Session, oidcclient.AsyncSession),
    (oidcclient.PendingLogin, oidcclient.AsyncPendingLogin),
]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def client(oidc_provider: Provider, anyio_backend: str) -> AsyncIterator[oidcclient.AsyncClient]:
    async with oidcclient.AsyncClient(
        oidc_provider.issuer,
        oidc_provider.client_id,
        scopes=["openid", "email"],
        policy=TEST_POLICY,
        store=oidcclient.MemoryStore(),
    ) as client:
        yield client


@pytest.mark.parametrize(("sync", "twin"), TWINS)
def test_the_async_twin_has_the_same_methods_with_the_same_arguments(sync: type, twin: type) -> None:
    def public(kind: type) -> dict[str, object]:
        return {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_")}

    assert public(sync).keys() == public(twin).keys()
    for name, method in {**public(sync), "__init__": sync.__init__}.items():  # type: ignore[misc] # looked at, not called
        other = getattr(twin, name)
        if not callable(method):
            continue
        ours, theirs = inspect.signature(method), inspect.signature(other)
        if name != "__init__":
            assert list(ours.parameters.values()) == list(theirs.parameters.values()), name
        else:
            assert list(ours.parameters) == list(theirs.parameters)


@pytest.mark.anyio
async def test_a_person_signs_in(client: oidcclient.AsyncClient, oidc_provider: Provider) -> None:
    session = await client.login(open_browser=oidc_provider.browser(), timeout=20)
    assert session.user.claims["email"] == "ann@example.com"
    assert (await session.userinfo())["sub"] == session.user.sub
    assert (await session.access_token()).type == "Bearer"
    assert (await client.session()).user.sub == session.user.sub
    assert [user.sub for user in await client.accounts()] == [session.user.sub]
    assert (await client.session_or_login()).id_token == session.id_token
    assert "Async" in repr(client)
    assert "Async" in repr(session)


@pytest.mark.anyio
async def test_a_gui_gets_the_address_and_waits(client: oidcclient.AsyncClient, oidc_provider: Provider) -> None:
    pending = await client.start_login(timeout=20)
    oidc_provider.browser()(pending.url)
    assert (await pending.wait()).user.claims["email"] == "ann@example.com"


@pytest.mark.anyio
async def test_a_cancelled_task_stops_listening_at_once(
    client: oidcclient.AsyncClient, oidc_provider: Provider
) -> None:
    """Cancelling runs the flow's cleanup; the thread that waits for the browser ends."""
    addresses: list[str] = []
    with anyio.move_on_after(1) as scope:
        await client.login(open_browser=addresses.append, timeout=60)
    assert scope.cancelled_caught
    with pytest.raises(OSError, match=r".*"):
        await anyio.connect_tcp("127.0.0.1", int(addresses[0].split(":")[2].split("/")[0]))


@pytest.mark.anyio
async def test_sixty_sign_ins_wait_at_once_and_starve_nothing(
    client: oidcclient.AsyncClient, oidc_provider: Provider
) -> None:
    """Design section 4: a wait for a person must not use up the threads that everything else needs."""
    oidc_provider.sign_in_as("ann")
    pending = [await client.start_login(timeout=30) for _ in range(60)]
    done: list[str] = []

    async def wait(one: oidcclient.AsyncPendingLogin) -> None:
        done.append((await one.wait()).user.sub)

    async with anyio.create_task_group() as group:
        for one in pending:
            group.start_soon(wait, one)
        with anyio.fail_after(5):
            await anyio.to_thread.run_sync(lambda: None)  # the common pool is free
        for one in pending:
            oidc_provider.browser()(one.url)
    assert len(done) == 60


def test_a_client_serves_one_event_loop_after_another(oidc_provider: Provider) -> None:
    client = oidcclient.AsyncClient(
        oidc_provider.issuer,
        oidc_provider.client_id,
        scopes=["openid", "email"],
        policy=TEST_POLICY,
        store=oidcclient.MemoryStore(),
    )

    async def sign_in() -> str:
        async with client:
            return (await client.login(open_browser=oidc_provider.browser(), timeout=20)).user.sub

    assert anyio.run(sign_in) == anyio.run(sign_in)
