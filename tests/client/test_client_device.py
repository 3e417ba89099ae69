"""A person signs in on another device, over real sockets, against the devkit's provider (RFC 8628)."""

import io
import logging
import re
import threading
import time
from collections.abc import Callable

import anyio
import pytest
import segno

import oidcclient
from oidcclient import events
from oidcclient._shell.by_device import tell
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY, MakeClient

Shown = Callable[[oidcclient.DeviceCode], object]


@pytest.fixture(autouse=True)
def quick(oidc_provider: Provider) -> None:
    """Let the provider be asked as often as we ask: once in 1.2 seconds."""
    oidc_provider.set_device_codes(interval=0, lifetime=60)


def person(provider: Provider, *, deny: bool = False) -> Shown:
    """Act as somebody who reads the code and goes to the page at once."""

    def go(code: oidcclient.DeviceCode) -> None:
        provider.browser(user="ann", deny=deny, user_code=code.user_code)(code.verification_uri)

    return go


def test_a_person_signs_in_on_another_device(
    make_client: MakeClient, oidc_provider: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    """The page, the poll, the tokens; a program that shows the code itself has stderr for its own."""
    session = make_client().login(via=oidcclient.Device(show=person(oidc_provider)), timeout=20)
    assert session.user.claims["email"] == "ann@example.com"
    assert session.userinfo()["sub"] == session.user.sub
    assert capfd.readouterr() == ("", "")
    polls = [dict(request.form) for request in oidc_provider.requests if request.path == "/token"]
    assert {poll["client_id"] for poll in polls} == {oidc_provider.client_id}


def test_the_code_is_said_on_stderr_beside_the_address_that_brings_it_along(
    make_client: MakeClient, oidc_provider: Provider, capfd: pytest.CaptureFixture[str], seen: list[object]
) -> None:
    """RFC 8628 section 3.3.1: the code MUST be displayed even where the address has it."""
    client = make_client()
    login = threading.Thread(target=lambda: client.login(via=oidcclient.Device(), timeout=20), daemon=True)
    login.start()
    said = ""
    while "There is time" not in said:
        time.sleep(0.02)
        out, err = capfd.readouterr()
        assert out == ""
        said += err
    lines = [line.strip() for line in said.splitlines()]
    address, code = lines[1], lines[3]
    assert address == f"{oidc_provider.issuer}/device"
    assert re.fullmatch(r"[A-Z]{4}-[A-Z]{4}", code)
    assert f"{address}?user_code={code}" in lines
    assert "Go on only if you started this sign-in yourself." in lines
    assert "There is time for 1 minute." in lines
    oidc_provider.approve_device(code)
    login.join(20)
    assert client.session().user.claims["preferred_username"] == "ann"
    shown = next(event for event in seen if isinstance(event, events.DeviceCodeShown))
    assert code not in repr(shown)


def test_where_no_address_brings_the_code_along_there_is_none_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    """Entra never sends it; an empty line would be worse than none."""
    code = oidcclient.DeviceCode(
        user_code="WDJB-MJHT", verification_uri="https://example.com/d", expires_in=900, expires_at=0
    )
    tell(code, "https://login.example.com", 900)
    err = capsys.readouterr().err
    assert "None" not in err
    assert err.count("https://") == 1
    assert "WDJB-MJHT" in err
    assert "15 minutes" in err


def test_a_person_says_no_on_the_other_device(make_client: MakeClient, oidc_provider: Provider) -> None:
    with pytest.raises(oidcclient.LoginDenied):
        make_client().login(via=oidcclient.Device(show=person(oidc_provider, deny=True)), timeout=20)


def test_a_code_that_expires_asks_for_a_new_sign_in(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 8628 section 3.5: the next code is for a person to want."""
    with pytest.raises(oidcclient.LoginTimedOut) as refusal:
        make_client().login(via=oidcclient.Device(show=lambda _code: oidc_provider.move_clock(61)), timeout=20)
    assert refusal.value.rule == "expired_token"
    assert "new code" in refusal.value.hint
    assert oidc_provider.count("device_authorization") == 1


def test_nobody_uses_the_code_and_the_wait_ends(make_client: MakeClient) -> None:
    began = time.monotonic()
    with pytest.raises(oidcclient.LoginTimedOut, match="within 0 seconds"):
        make_client().login(via=oidcclient.Device(show=lambda _code: None), timeout=0.4)
    assert time.monotonic() - began < 3


def test_what_show_raises_reaches_the_caller(make_client: MakeClient) -> None:
    def broken(_code: oidcclient.DeviceCode) -> None:
        raise RuntimeError("no window today")

    with pytest.raises(RuntimeError, match="no window today"):
        make_client().login(via=oidcclient.Device(show=broken))
    with pytest.raises(RuntimeError, match="no window today"):
        make_client().start_login(via=oidcclient.Device(show=broken))


def test_a_gui_gets_the_code_and_waits(
    make_client: MakeClient, oidc_provider: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    pending = make_client().start_login(via=oidcclient.Device(), timeout=20)
    code = pending.device_code
    assert code is not None
    assert code.expires_in == 60
    assert time.time() < code.expires_at < time.time() + 61
    assert pending.url == code.verification_uri_complete
    oidc_provider.browser()(pending.url)
    assert pending.wait().user.claims["preferred_username"] == "ann"
    assert capfd.readouterr() == ("", "")


def test_a_gui_that_waits_for_a_browser_has_no_code(make_client: MakeClient) -> None:
    assert make_client().start_login(timeout=20).device_code is None


def test_cancelling_ends_the_wait_at_once(make_client: MakeClient, oidc_provider: Provider) -> None:
    """The pause between two polls is half a minute here, and is not slept through."""
    oidc_provider.set_device_codes(interval=30, lifetime=600)
    pending = make_client().start_login(via=oidcclient.Device(), timeout=500)
    threading.Timer(0.2, pending.cancel).start()
    began = time.monotonic()
    with pytest.raises(oidcclient.LoginCancelled):
        pending.wait()
    assert time.monotonic() - began < 2
    assert oidc_provider.count("token") == 0


def test_session_or_login_asks_for_a_code_only_when_nobody_is_signed_in(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    """RFC 8628 section 3.1."""
    client = make_client()
    via = oidcclient.Device(show=person(oidc_provider))
    first = client.session_or_login(via=via, timeout=20)
    assert client.session_or_login(via=via, timeout=20).id_token == first.id_token
    assert oidc_provider.count("device_authorization") == 1


def test_an_option_of_another_way_is_refused(make_client: MakeClient, oidc_provider: Provider) -> None:
    with pytest.raises(oidcclient.UsageError) as refusal:
        make_client().login(via=oidcclient.Device(), open_browser=oidc_provider.browser())
    assert refusal.value.rule == "open_browser"
    with pytest.raises(oidcclient.UsageError):
        oidcclient.Device(show=print, qr=True)


def test_a_provider_without_the_grant_says_what_to_do(make_client: MakeClient, oidc_provider: Provider) -> None:
    base = oidc_provider.issuer
    metadata = {
        "issuer": base,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "jwks_uri": f"{base}/jwks",
    }
    with pytest.raises(oidcclient.UsageError) as refusal:
        make_client(metadata=metadata).login(via=oidcclient.Device())
    assert refusal.value.section == "RFC 8628 section 4"


def test_a_confidential_client_signs_a_person_in_on_another_device(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    client_id = "devkit-confidential-private-key-jwt"
    auth = oidcclient.PrivateKeyJwt(key=oidc_provider.keys.client_key.private())
    client = make_client(client_id=client_id, client_auth=auth)
    assert client.login(via=oidcclient.Device(show=person(oidc_provider)), timeout=20).user.sub


def test_nothing_secret_of_a_device_sign_in_is_logged_shown_or_emitted(
    make_client: MakeClient, oidc_provider: Provider, seen: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 8628 sections 3.3 and 5.5."""
    caplog.set_level(logging.DEBUG)
    client = make_client(scopes=["openid", "offline_access"])
    codes: list[oidcclient.DeviceCode] = []

    def go(code: oidcclient.DeviceCode) -> None:
        codes.append(code)
        person(oidc_provider)(code)

    session = client.login(via=oidcclient.Device(show=go), timeout=20)
    record = client._core.store.records("default", oidc_provider.issuer, oidc_provider.client_id)[0]
    polls = [dict(request.form) for request in oidc_provider.requests if request.path == "/token"]
    secrets = {session.id_token, session.access_token().value, record.refresh_token, codes[0].user_code}
    secrets |= {poll["device_code"] for poll in polls}
    logged = [
        line.getMessage() for line in caplog.records if line.name.startswith("oidcclient") and "devkit" not in line.name
    ]
    shown = "\n".join([*logged, *map(repr, (client, session, record, codes[0], *seen))])
    assert logged
    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret is None or secret in shown]


# -- the async twin


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def async_client(provider: Provider) -> oidcclient.AsyncClient:
    return oidcclient.AsyncClient(
        provider.issuer, provider.client_id, policy=TEST_POLICY, store=oidcclient.MemoryStore()
    )


@pytest.mark.anyio
async def test_a_person_signs_in_on_another_device_of_an_async_program(oidc_provider: Provider) -> None:
    async with async_client(oidc_provider) as client:
        session = await client.login(via=oidcclient.Device(show=person(oidc_provider)), timeout=20)
        assert session.user.sub == oidc_provider.users["ann"].sub


@pytest.mark.anyio
async def test_an_async_gui_gets_the_code_and_cancels_at_once(oidc_provider: Provider) -> None:
    oidc_provider.set_device_codes(interval=30, lifetime=600)
    async with async_client(oidc_provider) as client:
        pending = await client.start_login(via=oidcclient.Device(), timeout=500)
        assert pending.device_code is not None
        threading.Timer(0.2, pending.cancel).start()
        with anyio.fail_after(3), pytest.raises(oidcclient.LoginCancelled):
            await pending.wait()


@pytest.mark.anyio
async def test_a_cancelled_task_leaves_no_thread_that_waits(oidc_provider: Provider) -> None:
    oidc_provider.set_device_codes(interval=30, lifetime=600)
    before = threading.active_count()
    async with async_client(oidc_provider) as client:
        with anyio.move_on_after(0.5) as scope:
            await client.login(via=oidcclient.Device(show=lambda _code: None), timeout=500)
        assert scope.cancelled_caught
    assert threading.active_count() <= before + 2  # idle workers of the loop, not one that waits for half a minute


# -- the QR code


def test_a_qr_code_is_drawn_for_the_address_that_brings_the_code_along(
    make_client: MakeClient, oidc_provider: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal there are no colours; what is light is drawn."""
    client = make_client()
    oidc_provider.set_device_codes(interval=0, lifetime=1)
    with pytest.raises(oidcclient.LoginTimedOut):
        client.login(via=oidcclient.Device(qr=True), timeout=20)
    err = capfd.readouterr().err
    address = re.findall(r"http\S+user_code=\S+", err)[0]
    drawn = err.partition("There is time for 1 minute.\n")[2]
    expected = io.StringIO()
    segno.make_qr(address, error="l").terminal(out=expected, border=2, compact=True)
    assert [line.rstrip() for line in drawn.splitlines()] == [
        line.rstrip() for line in expected.getvalue().splitlines()
    ]


def test_without_the_extra_a_qr_code_says_how_to_get_it(
    make_client: MakeClient, oidc_provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a code is asked for."""
    monkeypatch.setattr("oidcclient._shell.qr.find_spec", lambda _name: None)
    with pytest.raises(oidcclient.UsageError) as refusal:
        make_client().login(via=oidcclient.Device(qr=True))
    assert "pip install 'oidcclient[qr]'" in refusal.value.hint
    assert oidc_provider.count("device_authorization") == 0
