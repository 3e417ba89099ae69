"""`oidcclient doctor`: what was found, and what to do about it."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from email.utils import formatdate
from typing import Any

import pytest

from oidcclient import addons
from oidcclient.addons import Check
from oidcclient.cli import checkup
from oidcclient.cli.commands.doctor import lines_of
from oidcclient.cli.config import Config
from oidcclient.cli.documents import Documents
from oidcclient.cli.settings import Settings
from oidcclient.protocol import HttpResponse
from tests.cli.calling import Desk, Result, check_shape
from tests.cli.echoing import Api, api_running


def rows(result: Result) -> dict[str, dict[str, str]]:
    check_shape("doctor", result.json)
    return {row["subject"]: row for row in result.json["checks"]}


def look(desk: Desk, *words: str) -> dict[str, dict[str, str]]:
    return rows(desk.call("doctor", "--json", *words))


@pytest.fixture
def healthy(desk: Desk) -> Desk:
    """A desk at which nothing fails."""
    desk.profile(key_store=f"file:{desk.folder.as_posix()}/keys", dpop=True)
    desk.config.chmod(0o600)
    return desk


def test_where_nothing_fails_the_exit_code_is_0(healthy: Desk) -> None:
    result = healthy.call("doctor", "work")
    assert (result.code, result.err) == (0, "")
    for words in ("Store of sessions: works", "its metadata are good", "Clock: agrees", "DPoP: the provider takes"):
        assert words in result.out
    assert "signs in" in result.out
    shape = healthy.call("doctor", "--json").json
    check_shape("doctor", shape)
    assert shape["healthy"] is True


def test_something_that_fails_is_told_with_what_to_do(healthy: Desk, free_port: int) -> None:
    healthy.profile("away", issuer=f"http://127.0.0.1:{free_port}")
    result = healthy.call("doctor", "away")
    assert result.code == 1
    assert f"failed   Provider http://127.0.0.1:{free_port}" in result.out
    assert "→ Check the network" in result.out
    assert healthy.call("doctor", "away", "--json").json["healthy"] is False


def test_without_a_profile_the_machine_is_looked_at_all_the_same(desk: Desk) -> None:
    seen = look(desk, "--store", f"file:{desk.sessions.as_posix()}")
    assert seen["Configuration"]["state"] == "absent"
    assert (seen["Provider"]["state"], bool(seen["Provider"]["advice"])) == ("absent", True)
    desk.set(ISSUER="")
    assert "Provider" in look(desk)


def test_a_profile_that_is_not_there_is_exit_code_3(desk: Desk) -> None:
    assert desk.call("doctor", "nowhere").code == 3
    desk.profile()
    desk.profile("home")
    assert look(desk)["Provider"]["state"] == "absent"  # two profiles, and none is the default


def test_no_keyring_is_told_with_what_to_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    desk.profile(store="keyring")
    row = look(desk)["Store of sessions"]
    assert row["state"] == "failed"
    assert "--store file" in row["advice"]


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such permissions there")
def test_a_file_that_others_can_change_or_read_is_a_warning(desk: Desk) -> None:
    secret = desk.folder / "secret"
    secret.write_text("x", "utf-8")
    desk.profile(client_secret_file="secret", private_key_file="nowhere")
    secret.chmod(0o644)
    desk.config.chmod(0o666)
    seen = look(desk)
    assert seen["Configuration file"]["state"] == seen["client_secret_file"]["state"] == "warning"
    assert seen["client_secret_file"]["advice"] == f"Run: chmod go-rwx {secret}"
    assert seen["private_key_file"]["state"] == "failed"
    secret.chmod(0o600)
    desk.config.chmod(0o644)
    seen = look(desk)
    assert seen["Configuration file"]["state"] == seen["client_secret_file"]["state"] == "ok"


def test_the_browser_is_told_with_the_reason(healthy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy.set(FLOW="browser")
    assert look(healthy)["Browser"]["state"] == "ok"
    healthy.set(NO_BROWSER="1")
    row = look(healthy)["Browser"]
    assert (row["state"], "OIDCCLIENT_NO_BROWSER" in row["detail"], "--device" in row["advice"]) == (
        "absent",
        True,
        True,
    )
    monkeypatch.delenv("OIDCCLIENT_NO_BROWSER")
    monkeypatch.delenv("OIDCCLIENT_FLOW")
    monkeypatch.setenv("SSH_CONNECTION", "x")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    words = healthy.call("doctor").out
    assert ("ssh: an ssh session without a display" in words, "choice:" in words) == (True, False)
    assert "choice: nothing is chosen" in healthy.call("doctor", "-v").out


def test_ports_of_the_profile_are_tried(desk: Desk, free_port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        desk.profile(ports=[0, busy, free_port])
        seen = look(desk)
    assert seen["Loopback"]["state"] == seen[f"Port {free_port}"]["state"] == "ok"
    assert (seen[f"Port {busy}"]["state"], bool(seen[f"Port {busy}"]["advice"])) == ("warning", True)


def test_where_no_port_can_be_opened_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "LOOPBACK", ((socket.AF_INET, "192.0.2.1"),))  # an address of nobody (RFC 5737)
    (row,) = checkup.ports(Settings(None, {"ports": [8000]}, Config("x", {})))
    assert (row.state, "--device" in row.advice) == ("failed", True)


def test_a_slow_store_is_a_warning(healthy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "SLOW_S", 0.0)
    assert look(healthy)["Store of sessions"]["state"] == "warning"


def metadata(api: Api, **more: Any) -> None:
    """Have an API answer with metadata that name itself."""
    named = {
        "issuer": api.url,
        **dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), f"{api.url}/x"),
    }
    api.headers = {**api.headers, "Content-Type": "application/json"}
    api.body = json.dumps({**named, **more}).encode()


def test_what_a_provider_cannot_do_is_told(desk: Desk) -> None:
    with api_running() as api:
        desk.profile(issuer=api.url)
        metadata(api, keys=[])
        seen = look(desk)
        metadata(api, authorization_response_iss_parameter_supported=True, userinfo_endpoint=f"{api.url}/x")
        more = look(desk)
    assert seen["Pushed requests (RFC 9126)"]["state"] == seen["iss in answers (RFC 9207)"]["state"] == "absent"
    assert seen["Signing keys"]["state"] == "failed"  # there are none
    assert more["Signing keys"]["state"] == "failed"  # it is no key set
    assert more["iss in answers (RFC 9207)"]["state"] == more["Userinfo"]["state"] == "ok"
    assert seen["DPoP"]["state"] == "absent"


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [
        (0.0, "ok", "agrees"),
        (30.0, "warning", "ahead"),
        (-30.0, "warning", "behind"),
        (7200.0, "failed", "2 hours ahead"),
    ],
)
def test_clocks_that_disagree_are_told(desk: Desk, ahead: float, state: str, words: str) -> None:
    with api_running() as api:
        desk.profile(issuer=api.url)
        api.date = formatdate(time.time() + ahead, usegmt=True)
        metadata(api, keys=[])
        row = look(desk)["Clock"]
    assert (row["state"], words in row["detail"]) == (state, True)


def test_a_provider_without_a_clock_is_believed_anything(desk: Desk) -> None:
    desk.profile()
    documents = Documents(Settings(None, {}, Config("x", {})))
    for headers in ((), (("Date", "yesterday"),)):
        documents._compare_clocks(HttpResponse(200, headers, b""), 0.0)
        assert documents.clock_lead is None
    with api_running() as api:
        desk.profile("silent", issuer=api.url)
        api.date = "noon"
        metadata(api, keys=[])
        assert look(desk, "silent")["Clock"]["state"] == "absent"


def test_a_key_store_is_tried_out_step_by_step(desk: Desk) -> None:
    uri = f"file:{desk.folder.as_posix()}/keys"
    result = desk.call("doctor", "--key-store", uri)
    assert result.code == 0
    for words in ("ok       Make a key", "ok       Find it again in a new process", "warning  Take it out"):
        assert words in result.out
    check_shape("doctor", desk.call("doctor", "--key-store", uri, "--json").json)
    assert desk.call("doctor", "--key-store", "tpm2:device=/nowhere").code == 1
    assert desk.call("doctor", "--key-store", "nothing:").code == 3


def test_without_an_add_on_it_is_told_how_to_get_one(healthy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addons, "GROUP", "oidcclient.addons.none")
    healthy.profile("plain")
    row = look(healthy, "plain")["Add-ons"]
    assert (row["state"], "pip install oidcclient-dpop" in row["advice"]) == ("absent", True)
    result = healthy.call("doctor", "--key-store", "tpm2:")
    assert (result.code, "pip install oidcclient-dpop" in result.err) == (3, True)


class Silent:
    """An add-on without anything to say."""

    name, options = "silent", ()

    def make_hook(self, settings: object) -> None:
        return None


SILENT = Silent()
BROKEN = object()


@pytest.mark.parametrize(("named", "subject"), [("SILENT", None), ("BROKEN", "Add-ons")])
def test_other_add_ons_are_taken_as_they_are(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, named: str, subject: str | None
) -> None:
    from importlib.metadata import EntryPoint  # noqa: PLC0415 - here alone

    entry = EntryPoint("other", f"{__name__}:{named}", addons.GROUP)
    monkeypatch.setattr(addons, "entry_points", lambda group: [entry])
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    desk.profile()
    seen = look(desk)
    assert ("Add-ons" in seen) is (subject is not None)
    if subject is None:
        assert desk.call("doctor", "--key-store", "tpm2:").code == 3


def test_rows_fit_the_terminal_and_say_their_state_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    words = "something that is rather long, and goes on and on"
    lines = lines_of(Check(subject="It", state="warning", detail=words, advice=words))
    assert max(map(len, lines)) <= 40
    assert lines[0].startswith("warning  It: ")
    assert any(line.startswith("         → ") for line in lines)


def test_the_program_itself_looks(healthy: Desk) -> None:
    result = healthy.run("doctor", "work", env={"OIDCCLIENT_FLOW": "browser", **os.environ})
    assert (result.code, result.out.count("\nok ") > 8) == (0, True)
