"""How the address gets to the person: the system browser, an address to open elsewhere, or an error at once."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import oidcclient
from oidcclient import events
from oidcclient_devkit import Provider
from tests.client.conftest import MakeClient

NOWHERE = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY", "BROWSER", "CODESPACES", "OIDCCLIENT_FLOW")


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set what detection looks at."""
    for name in NOWHERE:
        monkeypatch.delenv(name, raising=False)

    def put(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


class Attempt(threading.Thread):
    def __init__(self, client: oidcclient.Client, **options: object) -> None:
        super().__init__(daemon=True)
        self.client, self.options = client, options
        self.session: oidcclient.Session | None = None
        self.error: oidcclient.OidcError | None = None
        self.start()

    def run(self) -> None:
        try:
            self.session = self.client.login(**self.options)  # type: ignore[arg-type] # varies by test
        except oidcclient.OidcError as error:
            self.error = error


def wait_for_address(seen: list[object], count: int = 1) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        addresses = [event.address for event in seen if isinstance(event, events.SignInAddress)]
        if len(addresses) >= count:
            return addresses[-1]
        time.sleep(0.01)
    raise AssertionError("no address was shown")


def test_the_system_browser_is_started_and_the_address_shown_all_the_same(
    make_client: MakeClient,
    oidc_provider: Provider,
    surroundings: Callable[..., None],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    seen: list[object],
) -> None:
    """`native-login` part 1, item 2: never trust the launcher, always print the address; stdout stays clean."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho noise\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    surroundings(OIDCCLIENT_FLOW="browser", BROWSER=f"{browser} %s")
    attempt = Attempt(make_client(), timeout=20)
    address = wait_for_address(seen)
    oidc_provider.browser()(address)
    attempt.join(20)
    assert attempt.session is not None
    assert (tmp_path / "opened").read_text().strip() == address
    out, err = capfd.readouterr()
    assert out == ""
    assert f"If nothing opens, visit:  {address}" in err
    assert any(isinstance(event, events.BrowserOpened) and event.started for event in seen)


def test_a_browser_that_cannot_be_started_is_said_and_the_wait_goes_on(
    make_client: MakeClient,
    oidc_provider: Provider,
    surroundings: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    seen: list[object],
) -> None:
    surroundings(OIDCCLIENT_FLOW="browser")
    monkeypatch.setenv("PATH", str(tmp_path))
    attempt = Attempt(make_client(), timeout=20)
    oidc_provider.browser()(wait_for_address(seen))
    attempt.join(20)
    assert attempt.session is not None
    assert "No browser could be started here" in capfd.readouterr().err


def test_a_remote_person_is_shown_the_providers_address_itself(
    make_client: MakeClient,
    oidc_provider: Provider,
    surroundings: Callable[..., None],
    capfd: pytest.CaptureFixture[str],
    seen: list[object],
) -> None:
    """`native-login` part 1: our own start address is useless on another machine."""
    surroundings(OIDCCLIENT_NO_BROWSER="1")
    attempt = Attempt(make_client(), timeout=20)
    address = wait_for_address(seen)
    assert address.startswith(f"{oidc_provider.issuer}/authorize?client_id=devkit-desktop&request_uri=")
    oidc_provider.browser()(address)
    attempt.join(20)
    assert attempt.session is not None
    assert address in capfd.readouterr().err


def test_an_expired_address_is_replaced_by_a_fresh_one(
    make_client: MakeClient,
    oidc_provider: Provider,
    surroundings: Callable[..., None],
    capfd: pytest.CaptureFixture[str],
    seen: list[object],
) -> None:
    """RFC 9126 section 4: the request is pushed again when the `request_uri` has expired."""
    surroundings(OIDCCLIENT_NO_BROWSER="1")
    oidc_provider.answer(
        "par",
        201,
        {"Content-Type": "application/json"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:short", "expires_in": 1},
    )
    attempt = Attempt(make_client(), timeout=20)
    first = wait_for_address(seen)
    second = wait_for_address(seen, 2)
    assert first != second
    oidc_provider.browser()(second)
    attempt.join(20)
    assert attempt.session is not None
    assert "it has expired" in capfd.readouterr().err
    pushed = [dict(request.form) for request in oidc_provider.requests if request.path == "/par"]
    assert pushed[0]["state"] == pushed[1]["state"]


@pytest.mark.skipif(sys.platform != "linux", reason="the rule is for Linux")
def test_where_nobody_can_sign_in_it_fails_at_once(make_client: MakeClient, surroundings: Callable[..., None]) -> None:
    """A daemon must not wait five minutes for nobody."""
    surroundings()
    with pytest.raises(oidcclient.BrowserUnavailable) as refusal:
        make_client().login(timeout=20)
    assert "open_browser=" in refusal.value.hint


PROGRAM = """
import sys, oidcclient
client = oidcclient.Client(sys.argv[1], sys.argv[2], policy=oidcclient.Policy(allow_http_loopback=True),
                           store=oidcclient.MemoryStore())
print("ready", flush=True)
client.login(open_browser=lambda address: print(address, flush=True), timeout=60)
"""


def test_ctrl_c_ends_a_sign_in_at_once_and_nothing_listens_any_more(oidc_provider: Provider) -> None:
    """`native-login` row "Ctrl-C and Windows"."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, oidc_provider.issuer, oidc_provider.client_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    address = process.stdout.readline()
    assert re.match(r"http://127\.0\.0\.1:\d+/start/", address)
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert "KeyboardInterrupt" in err
    assert process.returncode in {-signal.SIGINT, 1, 130}
