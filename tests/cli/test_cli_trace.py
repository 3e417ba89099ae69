"""`-v` and `-vv`: what happens is told, and no secret with it."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient import events
from oidcclient.cli import redaction, trace
from oidcclient_dpop import DPoP
from tests.cli.calling import Desk
from tests.cli.echoing import api_running
from tests.cli.terminal import Terminal

NAMES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=20)
SECRETS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=60)


def secrets_of(desk: Desk) -> list[str]:
    """Return every secret that the provider gave out or was sent."""
    store = desk.provider.core.store
    found = [*store.access_tokens, *store.refresh_tokens, *store.codes]
    for name in ("code", "code_verifier", "state", "nonce", "refresh_token", "request_uri", "device_code"):
        for endpoint in ("par", "token", "authorize", "device_authorization"):
            found += [value for seen in desk.provider.requests.of(endpoint) if (value := seen.value(name))]
    return [secret for secret in found if len(secret) > 8]


def test_every_event_has_words() -> None:
    kinds = {kind for _, kind in inspect.getmembers(events, inspect.isclass) if kind.__module__ == events.__name__}
    assert kinds == set(trace.STEPS)


def test_the_steps_of_a_login_are_told(desk: Desk) -> None:
    desk.provider.sign_in_as("ann")
    desk.set(FLOW="browser")
    desk.profile()
    result = desk.call("login", "work", "-v")
    for words in ("- The way to sign in: loopback", "- The request was pushed", "- The ID Token is verified (RS256)"):
        assert words in result.err
    assert "HTTP" not in result.err
    assert not [secret for secret in secrets_of(desk) if secret in result.err]


@pytest.mark.parametrize("bound", [False, True])
def test_no_secret_is_in_the_trace_of_a_login_a_refresh_a_request_and_a_logout(desk: Desk, *, bound: bool) -> None:
    desk.provider.sign_in_as("ann")
    desk.set(FLOW="browser")
    keys = f"file:{desk.folder.as_posix()}/keys"
    desk.profile(origins=[desk.provider.api], dpop=bound or None, key_store=keys if bound else None)
    desk.provider.dpop_nonces(as_="required", rs="required")
    outputs = [desk.call("login", "work", "-vv", "--json")]
    session = desk.sign_in(hooks=[DPoP(store=keys)] if bound else [])
    desk.age(session, 301)
    outputs += [
        desk.call("request", f"{desk.provider.api}/me?secret=query-secret-value", "-vv"),
        desk.call("userinfo", "-vv"),
    ]
    held = secrets_of(desk)
    outputs.append(desk.call("logout", "-vv"))
    assert [result.code for result in outputs] == [0] * 4
    shown = "".join(result.err for result in outputs)
    assert len(held) > 6
    assert not [secret for secret in [*held, "query-secret-value", session.id_token] if secret in shown]
    assert "> POST " in shown
    assert re.search(r"refresh_token = «43 chars, sha256:[0-9a-f]{4}…»", shown)
    assert "grant_type = refresh_token" in shown
    assert ("DPoP: «" in shown) == bound


def test_the_body_of_an_api_is_nobodys_business(desk: Desk) -> None:
    with api_running() as api:
        desk.profile(origins=[api.url])
        desk.sign_in()
        api.body = b'{"scope": "my private diary"}'
        result = desk.call("request", f"{api.url}/", "-d", '{"error": "a private word"}', "-vv")
        assert result.out == api.body.decode()
        assert "private" not in result.err


def test_no_secret_is_an_argument_of_any_process(desk: Desk) -> None:
    desk.provider.sign_in_as("ann")
    desk.set(FLOW="browser")
    desk.profile()
    log = desk.folder / "argv"
    visitor = desk.folder / "visit.py"
    visitor.write_text(
        f"import sys; open({str(log)!r}, 'w').write(' '.join(sys.argv))\n" + visitor.read_text("utf-8"), "utf-8"
    )
    assert desk.call("login", "work").code == 0
    assert "/start/" in log.read_text("utf-8")
    assert not [secret for secret in secrets_of(desk) if secret in log.read_text("utf-8")]


def test_all_is_shown_only_to_somebody_who_said_yes(work: Desk) -> None:
    refused = work.call("userinfo", "--trace-unsafe")
    assert refused.code == 3
    with Terminal("userinfo", "--trace-unsafe") as terminal:
        terminal.read_until("Type yes")
        terminal.type("y\n")
        assert terminal.end() == 2
        assert "authorization" not in terminal.shown.lower()
    with Terminal("userinfo", "--trace-unsafe") as terminal:
        terminal.read_until("Type yes")
        terminal.type("yes\n")
        assert terminal.end() == 0
        token = work.call("token").out.strip()
        assert token in terminal.shown.replace("\r\n", "")


@given(NAMES, SECRETS)
def test_a_member_that_is_not_known_is_never_shown(name: str, secret: str) -> None:
    if name in redaction.MEMBERS or secret in name:
        return
    shown = redaction.shown_body(json.dumps({name: secret}).encode(), "application/json")
    assert secret not in "".join(shown)
    assert secret not in redaction.shown_member(name, {"inside": [secret]})


@given(NAMES, SECRETS)
def test_a_header_that_is_not_known_is_never_shown(name: str, secret: str) -> None:
    known = redaction.HEADERS | {"location", "www-authenticate", "authorization"}
    if name.lower() not in known and secret not in name:
        assert secret not in "".join(redaction.shown_headers([(name, secret)]))
    assert secret not in redaction.shown_header("authorization", f"Bearer {secret}")
    assert secret not in redaction.shown_header("authorization", secret)
    assert secret not in redaction.shown_header("www-authenticate", f'DPoP nonce="{secret}", error="use_dpop_nonce"')
    assert secret not in redaction.shown_header(
        "location", f"https://a.example/cb?code={secret}&state={secret}#{secret}"
    )


@given(SECRETS, st.sampled_from(["text/html", "application/octet-stream", "application/jwt", "", "application/json"]))
def test_a_body_that_cannot_be_taken_apart_is_only_counted(secret: str, kind: str) -> None:
    assert redaction.shown_body(secret.encode(), kind) == [f"«{len(secret)} bytes»"]
    assert redaction.shown_body(json.dumps([secret]).encode(), kind)[0].endswith(" bytes»")


def test_two_values_can_be_compared_and_a_short_one_cannot_be_guessed() -> None:
    assert redaction.hidden("a" * 43) == redaction.hidden("a" * 43) != redaction.hidden("b" * 43)
    assert redaction.hidden("1234") == "«4 chars»"


def test_what_is_shown_is_harmless_for_a_terminal() -> None:
    assert redaction.shown_member("scope", "a\x1b[31m") == "scope = a\\x1b[31m"
    assert redaction.shown_member("\x1b]0;x\x07", "y" * 20).startswith("\\x1b]0;x\\x07 = «20")
    assert redaction.shown("x" * 500).endswith("…")
    assert redaction.shown_address("https://u:p@a.example:8443/x?scope=a&code=b") == (
        "https://a.example:8443/x  (scope = a, code = «1 chars»)"
    )


def test_the_whole_command_keeps_its_result_apart_from_the_trace(work: Desk) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "oidcclient", "userinfo", "-vv", "--json"], capture_output=True, timeout=60, check=True
    )
    assert json.loads(done.stdout)["email"] == "ann@example.com"
    assert b"> GET" in done.stderr
