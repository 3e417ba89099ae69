"""What happens seldom: odd profiles, streams that are not there, disks and proxies that are in the way."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import oidcclient
from oidcclient.cli import answers, main, output, people, progress, redaction, routes, saving, ways
from oidcclient.cli.config import Config
from oidcclient.cli.settings import Settings
from tests.cli.calling import Desk
from tests.cli.echoing import api_running


def made(**values: Any) -> Settings:
    return Settings("work", values, Config("config.toml", {}))


@pytest.mark.parametrize(
    ("flow", "chosen"), [(None, None), ("auto", None), ("browser", "browser"), ("device", "device"), ("paste", "paste")]
)
def test_the_way_of_a_profile_is_its_flow(flow: str | None, chosen: str | None) -> None:
    way = ways.way_of(made(flow=flow, ports=[8400, 0], host="::1", redirect_path="/cb", form_post=True))
    assert way.flow == chosen
    assert (way.loopback.ports, way.loopback.host, way.loopback.path) == ((8400, 0), "::1", "/cb")
    assert way.loopback.form_post


@pytest.mark.parametrize("values", [{"flow": "pigeon"}, {"host": "0.0.0.0"}, {"redirect_uri": "ftp://a/b"}])  # noqa: S104 - it is refused
def test_a_way_that_there_is_not_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(oidcclient.UsageError):
        ways.way_of(made(**values))


def record(tokens: dict[str, oidcclient.AccessToken], refresh_token: str | None = None) -> oidcclient.SessionRecord:
    return oidcclient.SessionRecord(
        profile="work", issuer="https://a.example", client_id="c", account="ann", claims={}, id_token="i",
        tokens=tokens, refresh_token=refresh_token, scopes=("openid",), signed_in_at=0.0,
    )  # fmt: skip


def test_sessions_are_told_whatever_is_known_of_their_tokens() -> None:
    endless = oidcclient.AccessToken("t", "Bearer", None, ())
    assert people.access_words(record({})) == "none yet, cannot be refreshed"
    assert people.access_words(record({}, "r")) == "none yet, refreshes by itself"
    assert people.access_words(record({"": endless})) == "no end known, cannot be refreshed"
    assert people.is_usable(record({"": endless}))
    assert not people.is_usable(record({}))
    assert people.name_of({"email": 3, "sub": "ann\x1b"}) == "ann\\x1b"
    assert people.name_of({}) == "?"
    assert people.store_words("file:/x") == "encrypted, key in a file beside, in /x"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (299, "5 minutes"), (3600, "1 hour"),
        (7100, "2 hours"), (86_400, "1 day"), (200_000, "2 days"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert output.duration(seconds) == words


def test_a_program_without_streams_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    output.say("anything")
    assert not output.is_terminal(None)
    closed = io.StringIO()
    closed.close()
    assert not output.is_terminal(closed)


def test_what_a_stream_cannot_encode_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    output.result("snow \N{SNOWMAN}")
    assert stream.buffer.getvalue() == b"snow ?\n"


def test_another_missing_module_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    monkeypatch.delitem(sys.modules, "oidcclient.cli.app", raising=False)
    monkeypatch.setitem(sys.modules, "oidcclient.cli.exits", None)
    with pytest.raises(ModuleNotFoundError):
        main.with_click(["status"])


def test_a_disk_that_is_full_leaves_the_configuration_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("a = 1\n", "utf-8")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(oidcclient.StoreError, match="No space left"):
        saving.save_default(str(path), "work")
    assert path.read_text("utf-8") == "a = 1\n"
    assert {name.name for name in tmp_path.iterdir()} <= {"config.toml", "config.toml.lock"}


def test_an_answer_that_breaks_off_leaves_the_file_as_it_was(work: Desk) -> None:
    target = work.folder / "answer"
    target.write_text("old", "utf-8")

    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            yield b"half"
            raise httpx.ReadError("gone")

    response = httpx.Response(200, stream=Broken())
    with pytest.raises(httpx.ReadError):
        answers.write_body(response, str(target), progress.Meter("Receiving"), [])
    assert target.read_text("utf-8") == "old"
    assert not [name for name in work.folder.iterdir() if name.name.startswith(".answer")]


def test_a_proxy_of_the_environment_is_used_but_never_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    with api_running() as proxy, api_running() as api:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with httpx.Client(transport=routes.Routes(None)) as client:
            assert client.get(api.url).status_code == 200
            assert not proxy.seen
            assert client.get("http://api.example.com/x").status_code == 200
            assert proxy.seen[0].path == "http://api.example.com/x"


def test_a_ca_bundle_is_what_certificates_are_checked_with(tmp_path: Path) -> None:
    assert routes.context_for(None) is True
    bundle = tmp_path / "ca.pem"
    bundle.write_text("", "utf-8")
    for path in (bundle, tmp_path / "nowhere.pem"):
        with pytest.raises(oidcclient.UsageError):
            routes.context_for(str(path))


def test_a_ca_bundle_that_cannot_be_read_is_exit_code_3(desk: Desk) -> None:
    desk.profile(ca_bundle="nowhere.pem", origins=[desk.provider.api])
    desk.sign_in()
    for words in (["request", f"{desk.provider.api}/me"], ["request", f"{desk.provider.api}/me", "-vv"]):
        result = desk.call(*words)
        assert result.code == 3
        assert "nowhere.pem" in result.err


def test_a_broken_query_or_challenge_is_still_no_secret_shown() -> None:
    assert redaction.shown_challenges("nonsense") == "nonsense"
    assert redaction.shown_body(b"", "application/json") == []
    assert redaction.shown_body(b"{", "application/json") == ["«1 bytes»"]
    assert redaction.shown_body(b"\xff", "application/x-www-form-urlencoded") == ["«1 bytes»"]
    shown = redaction.shown_body(b'{"issuer": "https://a.example", "secret": "x"}', "application/json", metadata=True)
    assert shown == ["issuer = https://a.example"]


def test_a_command_line_that_names_no_command_gets_the_help(desk: Desk) -> None:
    assert desk.call("--").code == 3
    assert desk.call("").code == 3
