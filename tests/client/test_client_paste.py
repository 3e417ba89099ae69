"""A person pastes the address that the browser ended at, against the devkit's provider."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import oidcclient
from oidcclient import events
from oidcclient_devkit import Browser, Provider
from tests.client.conftest import TEST_POLICY, MakeClient
from tests.client.screen import Screen
from tests.client.test_client_opening import NOWHERE, Attempt, wait_for_address


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what detection looks at."""
    for name in (*NOWHERE, "OIDCCLIENT_NO_BROWSER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    with Screen(monkeypatch) as screen:
        yield screen


def final_address(browser: Browser, address: str) -> str:
    """Sign in elsewhere, and copy what the address bar shows in the end: a page that did not load."""
    browser(address)
    browser.join()
    assert isinstance(browser.error, OSError)
    final = browser.pages[-1].header("location")
    assert final is not None
    return final


class Person:
    """Reads one address from a program, and pastes what it is told to: each call one answer."""

    def __init__(self, provider: Provider, *before: str, deny: bool = False) -> None:
        self._browser = provider.browser(deny=deny)
        self._before = list(before)
        self._address = threading.Event()
        self.seen: list[str] = []

    def take(self, address: str) -> None:
        self.seen.append(address)
        self._address.set()

    def read(self) -> str:
        assert self._address.wait(10)
        return self._before.pop(0) if self._before else final_address(self._browser, self.seen[-1])


def test_a_person_pastes_the_final_address_at_the_terminal(
    make_client: MakeClient, oidc_provider: Provider, screen: Screen, seen: list[object]
) -> None:
    """The provider's own address is printed, never one of ours, which would lead nowhere from another machine."""
    screen.sit_down()
    attempt = Attempt(make_client(), via=oidcclient.Paste(), timeout=20)
    address = wait_for_address(seen)
    assert address.startswith(f"{oidc_provider.issuer}/authorize?")
    screen.read_until("It is not shown.")
    assert f"  {address}" in screen.shown
    final = final_address(oidc_provider.browser(), address)
    assert final.startswith("http://127.0.0.1:")
    screen.wait_until_read()
    screen.type(f"{final}\n")
    attempt.join(20)
    assert attempt.session is not None
    assert attempt.session.user.claims["preferred_username"] == "ann"
    assert final not in screen.read()
    assert "code=" not in screen.shown
    assert screen.edits_lines


def test_a_wrong_paste_is_told_and_another_one_taken(
    make_client: MakeClient, oidc_provider: Provider, screen: Screen, seen: list[object]
) -> None:
    screen.sit_down()
    attempt = Attempt(make_client(), via=oidcclient.Paste(), timeout=20)
    final = final_address(oidc_provider.browser(), wait_for_address(seen))
    screen.wait_until_read()
    screen.type("s3cr3t-code-alone\n")
    screen.read_until("That is no address.")
    screen.type(final.replace("state=", "state=x") + "\n")
    screen.read_until("belongs to another sign-in")
    screen.type(f"{final}\n")
    attempt.join(20)
    assert attempt.session is not None
    assert "s3cr3t" not in screen.read()
    assert "code=" not in screen.shown


def test_too_many_wrong_pastes_end_the_sign_in(make_client: MakeClient, screen: Screen) -> None:
    screen.sit_down()
    policy = oidcclient.Policy(allow_http_loopback=True, max_wrong_callbacks=2)
    attempt = Attempt(make_client(policy=policy), via=oidcclient.Paste(), timeout=20)
    screen.wait_until_read()
    screen.type("one\ntwo\nthree\n")
    attempt.join(20)
    assert isinstance(attempt.error, oidcclient.CallbackRefused)
    assert screen.edits_lines


def test_ctrl_d_stops_a_sign_in_that_only_waits_for_a_paste(make_client: MakeClient, screen: Screen) -> None:
    screen.sit_down()
    attempt = Attempt(make_client(), via=oidcclient.Paste(), timeout=20)
    screen.wait_until_read()
    screen.type("\x04")
    attempt.join(20)
    assert isinstance(attempt.error, oidcclient.LoginCancelled)
    assert screen.edits_lines


def test_where_nobody_can_paste_it_fails_at_once(make_client: MakeClient, oidc_provider: Provider) -> None:
    with pytest.raises(oidcclient.BrowserUnavailable) as refusal:
        make_client().login(via=oidcclient.Paste())
    assert refusal.value.rule == "terminal"
    assert "Paste(read=...)" in refusal.value.hint
    assert not oidc_provider.requests


def test_a_program_asks_in_its_own_way(make_client: MakeClient, oidc_provider: Provider, capfd: Any) -> None:
    """`open_browser` takes the provider's address, `read` brings the final one; wrong ones are told on stderr."""
    person = Person(oidc_provider, "nonsense")
    session = make_client().login(via=oidcclient.Paste(read=person.read), open_browser=person.take, timeout=20)
    assert session.user.claims["preferred_username"] == "ann"
    assert "That is no address" in capfd.readouterr().err


def test_a_program_with_a_window_hears_of_wrong_pastes_by_events(
    make_client: MakeClient, oidc_provider: Provider, capfd: Any, seen: list[object]
) -> None:
    person = Person(oidc_provider, "nonsense")
    pending = make_client().start_login(via=oidcclient.Paste(read=person.read), timeout=20)
    person.take(pending.url)
    assert pending.wait().user.sub
    assert capfd.readouterr() == ("", "")
    assert any(isinstance(event, events.Notice) and "no address" in event.text for event in seen)


def test_what_a_programs_question_raises_reaches_the_caller(make_client: MakeClient) -> None:
    def broken() -> str:
        raise RuntimeError("no window today")

    with pytest.raises(RuntimeError, match="no window today"):
        make_client().login(via=oidcclient.Paste(read=broken), timeout=20)


def test_the_registered_redirect_uri_is_used_byte_for_byte(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 6749 section 4.1.3; for providers that allow no free port."""
    redirect_uri = "https://app.invalid/signed-in"
    oidc_provider.add_client("fixed", redirect_uris=[redirect_uri])
    finals: list[str] = []

    def read() -> str:
        browser = oidc_provider.browser()
        browser(addresses[-1])
        browser.join(20)
        finals.append(browser.pages[-1].header("location") or "")
        return finals[-1]

    addresses: list[str] = []
    client = make_client(client_id="fixed")
    pending = client.start_login(via=oidcclient.Paste(redirect_uri=redirect_uri, read=read), timeout=20)
    addresses.append(pending.url)
    assert pending.wait().user.sub
    assert finals[0].startswith(f"{redirect_uri}?")
    sent = [dict(request.form).get("redirect_uri") for request in oidc_provider.requests if request.method == "POST"]
    assert {uri for uri in sent if uri} == {redirect_uri}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda final: final.replace("iss=http", "iss=https"), "iss"),
        (lambda final: f"{final}&code=another", "duplicate"),
        (lambda final: f"{final}&access_token=x", "response_type"),
    ],
)
def test_a_pasted_answer_is_checked_as_a_callback_is(
    make_client: MakeClient, oidc_provider: Provider, change: Callable[[str], str], rule: str
) -> None:
    """RFC 9207 section 2.4, RFC 6749 section 3.1: with our state, and yet not the answer."""
    person = Person(oidc_provider)
    via = oidcclient.Paste(read=lambda: change(person.read()))
    with pytest.raises(oidcclient.CallbackRefused) as refusal:
        make_client().login(via=via, open_browser=person.take, timeout=20)
    assert refusal.value.rule == rule
    assert oidc_provider.count("token") == 0


def test_a_pasted_no_is_a_no(make_client: MakeClient, oidc_provider: Provider) -> None:
    person = Person(oidc_provider, deny=True)
    with pytest.raises(oidcclient.LoginDenied):
        make_client().login(via=oidcclient.Paste(read=person.read), open_browser=person.take, timeout=20)


def test_cancelling_a_paste_ends_at_once(make_client: MakeClient) -> None:
    pending = make_client().start_login(via=oidcclient.Paste(read=threading.Event().wait), timeout=60)  # type: ignore[arg-type] # never answers
    threading.Timer(0.1, pending.cancel).start()
    with pytest.raises(oidcclient.LoginCancelled):
        pending.wait()


def test_nothing_of_a_paste_is_logged_or_emitted(
    make_client: MakeClient, oidc_provider: Provider, seen: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = Person(oidc_provider, "http://127.0.0.1:1/callback?code=s3cr3t&state=x")
    client = make_client()
    client.login(via=oidcclient.Paste(read=person.read), open_browser=person.take, timeout=20)
    exchanged = next(dict(request.form) for request in oidc_provider.requests if request.path == "/token")
    told = [event for event in seen if not isinstance(event, events.SignInAddress)]
    ours = [
        line.getMessage() for line in caplog.records if line.name.startswith("oidcclient") and "devkit" not in line.name
    ]
    shown = "\n".join([*ours, *map(repr, told)])
    assert exchanged["code"] not in shown
    assert "s3cr3t" not in shown


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_an_async_program_takes_a_paste(oidc_provider: Provider, anyio_backend: str) -> None:
    person = Person(oidc_provider, "nonsense")
    async with oidcclient.AsyncClient(
        oidc_provider.issuer, oidc_provider.client_id, policy=TEST_POLICY, store=oidcclient.MemoryStore()
    ) as client:
        via = oidcclient.Paste(read=person.read)
        session = await client.login(via=via, open_browser=person.take, timeout=20)
    assert session.user.sub == oidc_provider.users["ann"].sub


# -- beside the listener


@pytest.mark.parametrize("flow", ["browser", "paste"])
def test_a_paste_is_taken_while_the_listener_waits(
    make_client: MakeClient,
    oidc_provider: Provider,
    screen: Screen,
    seen: list[object],
    monkeypatch: pytest.MonkeyPatch,
    flow: str,
) -> None:
    """The person's browser is on another machine, whether we know it (an address is shown) or not (one is opened)."""
    screen.sit_down()
    monkeypatch.setenv("OIDCCLIENT_FLOW", flow)
    monkeypatch.setenv("BROWSER", "true")
    attempt = Attempt(make_client(), timeout=20)
    address = wait_for_address(seen)
    screen.read_until("paste its address here")
    final = _elsewhere(oidc_provider, address)
    screen.wait_until_read()
    screen.type(f"{final}\n")
    attempt.join(20)
    assert attempt.session is not None
    assert "code=" not in screen.read()
    assert screen.edits_lines
    assert oidc_provider.count("token") == 1


def _elsewhere(provider: Provider, address: str) -> str:
    """Sign in on a machine from which our listener cannot be reached: the last step is not taken."""
    browser = provider.browser()
    take = browser._take

    def stay(step: Any) -> Any:
        if "code=" in step.url:
            raise ConnectionRefusedError
        return take(step)

    browser._take = stay  # type: ignore[method-assign] # only the network differs
    return final_address(browser, address)


def test_the_browser_comes_back_and_the_terminal_is_given_back(
    make_client: MakeClient,
    oidc_provider: Provider,
    screen: Screen,
    seen: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen.sit_down()
    monkeypatch.setenv("OIDCCLIENT_FLOW", "browser")
    monkeypatch.setenv("BROWSER", "true")
    attempt = Attempt(make_client(), timeout=20)
    address = wait_for_address(seen)
    screen.wait_until_read()
    browser = oidc_provider.browser()
    browser(address)
    attempt.join(20)
    browser.join()
    assert attempt.session is not None
    assert "signed in" in browser.page.text
    assert screen.edits_lines


@pytest.mark.parametrize("via", [oidcclient.Loopback(paste=False), oidcclient.Loopback(form_post=True)])
def test_where_pasting_is_unwanted_or_of_no_use_the_terminal_is_left_alone(
    make_client: MakeClient,
    oidc_provider: Provider,
    screen: Screen,
    seen: list[object],
    monkeypatch: pytest.MonkeyPatch,
    via: oidcclient.Loopback,
) -> None:
    """With form_post the answer is in no address."""
    screen.sit_down()
    monkeypatch.setenv("OIDCCLIENT_FLOW", "paste")
    attempt = Attempt(make_client(), via=via, timeout=20)
    address = wait_for_address(seen)
    screen.read_until(address)
    assert screen.edits_lines
    oidc_provider.browser()(address)
    attempt.join(20)
    assert attempt.session is not None
    assert "paste" not in screen.read()
