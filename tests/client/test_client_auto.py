"""`Auto()` chooses by what is there, and says why."""

import sys
from collections.abc import Iterator

import pytest

import oidcclient
from oidcclient import events
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY, MakeClient
from tests.client.screen import Screen
from tests.client.test_client_opening import NOWHERE, Attempt, wait_for_address
from tests.client.test_client_paste import final_address

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the rules tried are those for Linux")

AUTO = oidcclient.Auto()


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, oidc_provider: Provider) -> None:
    """Take away what detection looks at; what remains is a terminal without a display, or nothing."""
    for name in (*NOWHERE, "OIDCCLIENT_NO_BROWSER", "VSCODE_IPC_HOOK_CLI", "CODESPACE_NAME"):
        monkeypatch.delenv(name, raising=False)
    oidc_provider.set_device_codes(interval=0, lifetime=60)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    with Screen(monkeypatch) as screen:
        yield screen


def chosen(seen: list[object]) -> events.WayChosen:
    return [event for event in seen if isinstance(event, events.WayChosen)][-1]


def without_device(provider: Provider) -> dict[str, str]:
    base = provider.issuer
    return {
        "issuer": base,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "jwks_uri": f"{base}/jwks",
    }


def person(provider: Provider) -> oidcclient.Device:
    return oidcclient.Device(show=lambda code: provider.approve_device(code.user_code))


def test_a_browser_that_reaches_the_person_is_opened(
    make_client: MakeClient,
    oidc_provider: Provider,
    screen: Screen,
    seen: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen.sit_down()
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setenv("BROWSER", "true")
    monkeypatch.setattr("oidcclient._shell.browser.environment.CONTAINER_MARKERS", ())
    attempt = Attempt(make_client(), via=AUTO, timeout=20)
    address = wait_for_address(seen)
    assert address.startswith("http://127.0.0.1:")
    screen.read_until("paste its address here")
    oidc_provider.browser()(address)
    attempt.join(20)
    assert attempt.session is not None
    assert chosen(seen).way == "loopback"
    assert chosen(seen).reasons[-1] == "browser: nothing speaks against it"


@pytest.mark.parametrize("flow", ["browser", "paste"])
@pytest.mark.parametrize("typed", ["d", "d\n"])
def test_a_person_who_presses_d_gets_a_code_instead(
    make_client: MakeClient,
    oidc_provider: Provider,
    screen: Screen,
    seen: list[object],
    monkeypatch: pytest.MonkeyPatch,
    flow: str,
    typed: str,
) -> None:
    """The browser that opened is of no use to them, on another machine or another profile."""
    screen.sit_down()
    monkeypatch.setenv("OIDCCLIENT_FLOW", flow)
    monkeypatch.setenv("BROWSER", "true")
    attempt = Attempt(make_client(), via=AUTO, timeout=20)
    screen.read_until("press d for a code")
    screen.wait_until_read()
    screen.type(typed)
    said = screen.read_until("There is time")
    lines = [line.strip() for line in said.splitlines()]
    oidc_provider.approve_device(lines[lines.index("and enter this code:") + 1])
    attempt.join(20)
    assert attempt.session is not None
    assert chosen(seen).way == "device"
    assert screen.edits_lines


def test_where_the_provider_has_no_codes_none_is_offered(
    make_client: MakeClient,
    oidc_provider: Provider,
    screen: Screen,
    seen: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen.sit_down()
    monkeypatch.setenv("OIDCCLIENT_FLOW", "paste")
    client = make_client(metadata=without_device(oidc_provider))
    attempt = Attempt(client, via=AUTO, timeout=20)
    said = screen.read_until("It is not shown.")
    assert "press d" not in said
    address = wait_for_address(seen)
    screen.wait_until_read()
    screen.type(f"{final_address(oidc_provider.browser(), address)}\n")
    attempt.join(20)
    assert attempt.session is not None


def test_without_a_browser_a_person_at_a_terminal_is_shown_a_code(
    make_client: MakeClient, oidc_provider: Provider, screen: Screen, seen: list[object]
) -> None:
    screen.sit_down()
    attempt = Attempt(make_client(), via=AUTO, timeout=20)
    said = screen.read_until("There is time")
    lines = [line.strip() for line in said.splitlines()]
    oidc_provider.approve_device(lines[lines.index("and enter this code:") + 1])
    attempt.join(20)
    assert attempt.session is not None
    assert chosen(seen).way == "device"
    assert chosen(seen).reasons[-1] == "provider: it has a device authorization endpoint"


def test_without_a_browser_and_a_device_endpoint_the_address_is_pasted(
    make_client: MakeClient, oidc_provider: Provider, screen: Screen, seen: list[object]
) -> None:
    screen.sit_down()
    attempt = Attempt(make_client(metadata=without_device(oidc_provider)), via=AUTO, timeout=20)
    final = final_address(oidc_provider.browser(), wait_for_address(seen))
    screen.wait_until_read()
    screen.type(f"{final}\n")
    attempt.join(20)
    assert attempt.session is not None
    assert chosen(seen).way == "paste"
    assert "provider: it has no device authorization endpoint" in chosen(seen).reasons


def test_a_client_that_may_not_use_the_device_grant_pastes(
    make_client: MakeClient, oidc_provider: Provider, screen: Screen, seen: list[object]
) -> None:
    """Providers list the endpoint, and allow it to some clients only."""
    screen.sit_down()
    oidc_provider.add_client("deviceless", redirect_uris=["http://127.0.0.1/callback"])
    attempt = Attempt(make_client(client_id="deviceless"), via=AUTO, timeout=20)
    final = final_address(oidc_provider.browser(), wait_for_address(seen))
    screen.wait_until_read()
    screen.type(f"{final}\n")
    attempt.join(20)
    assert attempt.session is not None
    assert [event.way for event in seen if isinstance(event, events.WayChosen)] == ["device", "paste"]
    assert any("unauthorized_client" in reason for reason in chosen(seen).reasons)


def test_where_nobody_is_nothing_is_chosen(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 8628 section 3.1: a daemon must not ask for codes."""
    with pytest.raises(oidcclient.BrowserUnavailable):
        make_client().login(via=AUTO)
    assert not oidc_provider.requests


@pytest.mark.parametrize("offered", [True, False])
def test_a_remote_command_without_a_terminal_asks_for_nothing(
    make_client: MakeClient, oidc_provider: Provider, monkeypatch: pytest.MonkeyPatch, offered: bool
) -> None:
    """`ssh host command`: no browser, and nobody who would see a code."""
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
    client = make_client() if offered else make_client(metadata=without_device(oidc_provider))
    with pytest.raises(oidcclient.BrowserUnavailable) as refusal:
        client.login(via=AUTO)
    assert "terminal: nobody could paste" in str(refusal.value)
    assert oidc_provider.count("device_authorization") == 0


@pytest.mark.parametrize("by", ["environment", "configuration"])
@pytest.mark.parametrize("flow", ["browser", "device", "paste"])
def test_what_the_person_chose_decides_first(
    make_client: MakeClient,
    oidc_provider: Provider,
    screen: Screen,
    seen: list[object],
    monkeypatch: pytest.MonkeyPatch,
    flow: str,
    by: str,
) -> None:
    screen.sit_down()
    monkeypatch.setenv("BROWSER", "true")
    auto = oidcclient.Auto(device=person(oidc_provider))
    if by == "environment":
        monkeypatch.setenv("OIDCCLIENT_FLOW", flow)
    else:
        auto = oidcclient.Auto(device=person(oidc_provider), flow=flow)  # type: ignore[arg-type] # the three words
    attempt = Attempt(make_client(), via=auto, timeout=20)
    if flow == "browser":
        oidc_provider.browser()(wait_for_address(seen))
    if flow == "paste":
        final = final_address(oidc_provider.browser(), wait_for_address(seen))
        screen.wait_until_read()
        screen.type(f"{final}\n")
    attempt.join(20)
    assert attempt.session is not None
    place = "OIDCCLIENT_FLOW" if by == "environment" else "the configuration"
    assert chosen(seen) == events.WayChosen(
        "loopback" if flow == "browser" else flow, (f"choice: {place} says {flow}",)
    )


def test_a_device_code_that_was_chosen_by_hand_gives_way_to_nothing(
    make_client: MakeClient, oidc_provider: Provider, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen.sit_down()
    oidc_provider.add_client("deviceless", redirect_uris=["http://127.0.0.1/callback"])
    monkeypatch.setenv("OIDCCLIENT_FLOW", "device")
    with pytest.raises(oidcclient.OAuthError) as refusal:
        make_client(client_id="deviceless").login(via=AUTO)
    assert refusal.value.error == "unauthorized_client"
    assert "device authorization grant" in refusal.value.hint


def test_another_refusal_of_the_codes_is_no_reason_to_paste(
    make_client: MakeClient, oidc_provider: Provider, screen: Screen
) -> None:
    screen.sit_down()
    with pytest.raises(oidcclient.OAuthError) as refusal:
        make_client(client_id="unknown").login(via=AUTO)
    assert refusal.value.error == "invalid_client"


def test_a_program_that_opens_addresses_itself_is_its_own_browser(
    make_client: MakeClient, oidc_provider: Provider, seen: list[object]
) -> None:
    session = make_client().login(via=AUTO, open_browser=oidc_provider.browser(), timeout=20)
    assert session.user.claims["preferred_username"] == "ann"
    assert chosen(seen) == events.WayChosen("loopback", ("choice: the program opens the address itself",))


def test_a_flow_that_does_not_exist_is_refused(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDCCLIENT_FLOW", "telepathy")
    with pytest.raises(oidcclient.UsageError):
        make_client().login(via=AUTO)


def test_a_stored_session_chooses_nothing(
    make_client: MakeClient, oidc_provider: Provider, screen: Screen, seen: list[object]
) -> None:
    """RFC 8628 section 3.1: only `login()` may ask for a code, and `session()` never does."""
    screen.sit_down()
    client = make_client()
    with pytest.raises(oidcclient.LoginRequired):
        client.session()
    auto = oidcclient.Auto(device=person(oidc_provider))
    client.session_or_login(via=auto, timeout=20)
    client.session_or_login(via=auto, timeout=20)
    assert len([event for event in seen if isinstance(event, events.WayChosen)]) == 1
    assert oidc_provider.count("device_authorization") == 1


def test_a_gui_asks_what_was_chosen(make_client: MakeClient, oidc_provider: Provider, screen: Screen) -> None:
    screen.sit_down()
    pending = make_client().start_login(via=AUTO, timeout=20)
    assert pending.device_code is not None
    oidc_provider.approve_device(pending.device_code.user_code)
    assert pending.wait().user.sub
    assert screen.read() == ""


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_an_async_program_chooses_too(oidc_provider: Provider, screen: Screen, anyio_backend: str) -> None:
    screen.sit_down()
    async with oidcclient.AsyncClient(
        oidc_provider.issuer, oidc_provider.client_id, policy=TEST_POLICY, store=oidcclient.MemoryStore()
    ) as client:
        session = await client.login(via=oidcclient.Auto(device=person(oidc_provider)), timeout=20)
    assert session.user.sub == oidc_provider.users["ann"].sub
