"""`oidcclient login`: each way to sign in, what is kept, and what is said."""

from __future__ import annotations

import re
import threading
import time
import tomllib
from collections.abc import Callable

import pytest

from oidcclient_devkit.web import Cookies, fetch
from tests.cli.calling import Desk, Result, check_shape
from tests.cli.terminal import Terminal


def browser_desk(desk: Desk) -> Desk:
    """Let a browser on this machine sign ann in without a page."""
    desk.provider.sign_in_as("ann")
    desk.set(FLOW="browser")
    return desk


def test_a_login_with_the_browser_becomes_a_session_and_a_profile(desk: Desk) -> None:
    result = browser_desk(desk).call("login", *desk.identity, "--save-as", "work", "--scope", "openid email")
    assert (result.code, result.out) == (0, "")
    assert "Signed in as ann@example.com" in result.err
    assert "Saved as the profile work" in result.err
    saved = tomllib.loads(desk.config.read_text("utf-8"))
    assert saved == {"default_profile": "work", "profiles": {"work": {**desk.values, "scopes": ["openid", "email"]}}}
    assert desk.call("token").code == 0


def test_the_whole_command_signs_in(desk: Desk) -> None:
    browser_desk(desk)
    desk.profile()
    result = desk.run("login", "work", "--json")
    assert result.code == 0, result.err
    check_shape("login", result.json)
    assert result.json["name"] == "ann@example.com"
    assert desk.run("token", "work").out.count("\n") == 1


def test_a_login_without_save_as_leaves_the_configuration_alone(desk: Desk) -> None:
    assert browser_desk(desk).call("login", *desk.identity).code == 0
    assert not desk.config.exists()
    assert desk.call("token", *desk.identity).code == 0


def test_a_second_profile_leaves_the_default_alone(desk: Desk) -> None:
    desk.config.write_text(
        '# mine\ndefault_profile = "old"  # as always\n[profiles.old]\nissuer = "https://o.example"\n'
    )
    assert browser_desk(desk).call("login", *desk.identity, "--save-as", "new").code == 0
    text = desk.config.read_text("utf-8")
    assert text.startswith('# mine\ndefault_profile = "old"  # as always\n')
    assert set(tomllib.loads(text)["profiles"]) == {"old", "new"}


def test_saving_a_profile_again_changes_what_is_given_and_no_more(desk: Desk) -> None:
    desk.profile(origins=["https://api.example.com"])
    assert browser_desk(desk).call("login", "--save-as", "work", "--login-hint", "ann").code == 0
    saved = tomllib.loads(desk.config.read_text("utf-8"))["profiles"]["work"]
    assert saved == {**desk.values, "origins": ["https://api.example.com"], "login_hint": "ann"}


def test_the_options_of_the_sign_in_reach_the_provider(desk: Desk) -> None:
    desk.profile(scopes=["openid"])
    browser_desk(desk)
    words = [
        "--login-hint",
        "ann",
        "--prompt",
        "login",
        "--max-age",
        "60",
        "--acr-values",
        "pwd mfa",
        "--scope",
        "email",
    ]
    assert desk.call("login", "work", *words, "--scope", "openid").code == 0
    pushed = desk.provider.requests.of("par")[-1]
    names = ("login_hint", "prompt", "max_age", "acr_values", "scope")
    assert [pushed.value(name) for name in names] == ["ann", "login", "60", "pwd mfa", "email openid"]


def test_a_port_that_is_registered_is_used(desk: Desk, free_port: int) -> None:
    desk.profile()
    assert browser_desk(desk).call("login", "work", "--port", str(free_port)).code == 0
    assert f":{free_port}/" in (desk.provider.requests.of("par")[-1].value("redirect_uri") or "")


def test_a_resource_is_asked_for_and_its_token_printed(desk: Desk) -> None:
    files = "https://files.example.com"
    desk.provider.resources.append(files)
    desk.profile()
    assert browser_desk(desk).call("login", "work", "--resource", files).code == 0
    assert desk.call("token", "--resource", files).code == 0


def test_a_denied_login_is_exit_code_6(desk: Desk) -> None:
    desk.profile()
    browser_desk(desk).provider.misbehave("callback.error", error="access_denied")
    result = desk.call("login", "work")
    assert result.code == 6
    assert "refused" in result.err


def test_a_login_that_nobody_finishes_is_exit_code_5(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "true")
    desk.set(FLOW="browser")
    desk.profile()
    result = desk.call("login", "work", "--timeout", "1")
    assert result.code == 5
    assert "oidcclient login" in result.err


def test_where_nobody_is_here_a_login_is_exit_code_4(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY", "CODESPACES", "VSCODE_IPC_HOOK_CLI"):
        monkeypatch.delenv(name, raising=False)
    desk.profile()
    result = desk.run("login", "work")
    assert result.code == 4
    assert "terminal" in result.err


def approve(desk: Desk, act: Callable[[str], None]) -> None:
    """Do something with the code of a device as soon as there is one."""
    for _ in range(1000):
        waiting = list(desk.provider.core.store.devices.values())
        if waiting:
            act(waiting[-1].user_code)
            return
        time.sleep(0.01)


def with_device(desk: Desk, act: Callable[[str], None], *words: str) -> Result:
    """Sign in with a code while somebody does something with it."""
    desk.provider.set_device_codes(interval=1)
    desk.profile()
    person = threading.Thread(target=approve, args=(desk, act))
    person.start()
    result = desk.call("login", "work", "--device", *words)
    person.join()
    return result


def test_a_device_login_shows_the_code_and_signs_in(desk: Desk) -> None:
    codes: list[str] = []

    def act(code: str) -> None:
        codes.append(code)
        desk.provider.approve_device(code)

    result = with_device(desk, act, "--qr")
    assert result.code == 0, result.err
    assert codes[0] in result.err.replace("-", "") or codes[0] in result.err
    assert "\N{FULL BLOCK}" in result.err or "\N{UPPER HALF BLOCK}" in result.err
    assert "Signed in as ann@example.com" in result.err


def test_a_device_login_that_is_refused_is_exit_code_6(desk: Desk) -> None:
    assert with_device(desk, desk.provider.deny_device).code == 6


def land(address: str) -> str:
    """Sign in with a browser of another machine and return the address at which it ends."""
    cookies = Cookies()
    for _ in range(10):
        page = fetch("GET", address, body=None, referrer=None, origin=None, cookies=cookies)
        address = page.header("location") or ""
        if re.match(r"http://127\.0\.0\.1:\d+/callback\?", address):
            return address
    raise AssertionError(address)


def test_a_pasted_address_signs_in_and_is_not_shown(desk: Desk) -> None:
    desk.provider.sign_in_as("ann")
    desk.profile()
    with Terminal("login", "work", "--paste") as terminal:
        shown = terminal.read_until("press Enter")
        address = re.search(rf"{re.escape(desk.provider.issuer)}/\S+", shown)
        assert address is not None
        pasted = land(address[0])
        terminal.wait_until_read()
        terminal.type(f"{pasted}\n")
        terminal.read_until("Signed in as")
        assert terminal.end() == 0
        assert pasted not in terminal.shown


def test_the_time_left_is_shown_at_a_terminal_alone(desk: Desk) -> None:
    desk.profile()
    with Terminal("login", "work", "--browser", env={"BROWSER": "true"}) as terminal:
        terminal.read_until("Waiting: 4:5")
        terminal.type("\x03")
        assert terminal.end() == 2
    with Terminal("login", "work", "--browser", "--timeout", "2", env={"BROWSER": "true", "TERM": "dumb"}) as dumb:
        assert dumb.end() == 5
        assert "Waiting" not in dumb.shown
        assert "\x1b" not in dumb.shown


def test_ctrl_c_ends_a_login_at_once_with_exit_code_2(desk: Desk) -> None:
    desk.profile()
    with Terminal("login", "work", "--browser", env={"BROWSER": "true"}) as terminal:
        terminal.read_until("If nothing opens")
        begin = time.monotonic()
        terminal.type("\x03")
        assert terminal.end() == 2
        assert time.monotonic() - begin < 5
        assert "Stopped." in terminal.shown
        assert "Traceback" not in terminal.shown


def test_no_browser_is_opened_where_none_is_wanted(desk: Desk) -> None:
    desk.provider.set_device_codes(interval=1)
    desk.profile()
    with Terminal("login", "work", "--no-browser") as terminal:
        terminal.read_until("enter this code")
        approve(desk, desk.provider.approve_device)
        assert terminal.end() == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--save-as", "not a name"], "letters, digits"),
        (["--issuer", "https://other.example.com"], "has another issuer"),
        (["--client-id", "another"], "has another client_id"),
        (["--store", "nowhere"], "no store nowhere"),
        (["--client-auth", "telepathy"], "no client_auth telepathy"),
        (["--port", "70000"], "--port"),
        (["--timeout", "0"], "--timeout"),
        (["--client-secret", "s3cret"], "No such option"),
    ],
)
def test_a_wrong_option_is_exit_code_3_before_anything_is_opened(desk: Desk, words: list[str], said: str) -> None:
    desk.profile()
    result = browser_desk(desk).call("login", "work", *words)
    assert result.code == 3
    assert said in result.err
    assert not desk.provider.count("metadata")
