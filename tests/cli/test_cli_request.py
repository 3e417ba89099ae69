"""`oidcclient request`: the token goes where it may and nowhere else; bodies of any size, both ways."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oidcclient_dpop import DPoP
from tests.cli.calling import Desk, check_shape
from tests.cli.echoing import Api, api_running
from tests.cli.terminal import Terminal

MEGABYTES = 20


@pytest.fixture
def api(desk: Desk) -> Iterator[Api]:
    """An API that the profile `work` may send its token to; ann is signed in."""
    with api_running() as running:
        desk.profile(origins=[running.url])
        desk.sign_in()
        yield running


def test_the_token_goes_along_and_the_body_comes_to_stdout(desk: Desk, api: Api) -> None:
    result = desk.call("request", "work", f"{api.url}/me?x=1")
    assert (result.code, result.out, result.err) == (0, '{"ok": true}', "")
    seen = api.seen[0]
    assert (seen.method, seen.path) == ("GET", "/me?x=1")
    assert seen.headers["authorization"] == f"Bearer {desk.call('token').out.strip()}"


def test_the_default_profile_is_used_where_none_is_named(desk: Desk, api: Api) -> None:
    assert desk.call("request", f"{api.url}/").code == 0


def test_the_token_goes_nowhere_else(desk: Desk, api: Api) -> None:
    with api_running() as other:
        result = desk.call("request", f"{other.url}/me")
        assert (result.code, result.out) == (3, "")
        assert f"--allow-origin {other.url}" in result.err
        assert not other.seen
        assert desk.call("request", f"{other.url}/me", "--allow-origin", other.url).code == 0
        assert other.seen[0].headers["authorization"].startswith("Bearer ")


def test_an_origin_may_be_narrowed_to_a_path(desk: Desk) -> None:
    with api_running() as api:
        desk.profile(origins=[f"{api.url}/v1"])
        desk.sign_in()
        assert desk.call("request", f"{api.url}/v1/me").code == 0
        assert desk.call("request", f"{api.url}/v2/me").code == 3
        assert desk.call("request", f"{api.url}/v1/../v2").code == 3


@pytest.mark.parametrize("words", [[], ["--json"], ["-i"]])
def test_a_redirect_to_another_place_goes_without_the_token(desk: Desk, api: Api, words: list[str]) -> None:
    with api_running() as other:
        api.status, api.headers = 302, {"Location": f"{other.url}/there"}
        assert desk.call("request", f"{api.url}/", *words).code == 0
        assert not other.seen
        assert desk.call("request", f"{api.url}/", "-L", *words).code == 0
        assert "authorization" not in other.seen[0].headers


def test_a_token_from_the_environment_keeps_to_the_same_fence(desk: Desk, api: Api) -> None:
    desk.set(ACCESS_TOKEN="from-ci")
    with api_running() as other:
        api.status, api.headers = 302, {"Location": f"{other.url}/there"}
        assert desk.call("request", f"{api.url}/", "-L").code == 0
        assert api.seen[0].headers["authorization"] == "Bearer from-ci"
        assert "authorization" not in other.seen[0].headers
        assert desk.call("request", f"{other.url}/").code == 3


def test_a_bound_session_sends_a_proof(desk: Desk) -> None:
    keys = f"file:{desk.folder.as_posix()}/keys"
    desk.profile(dpop=True, key_store=keys, origins=[desk.provider.api])
    desk.sign_in(hooks=[DPoP(store=keys)])
    desk.provider.dpop_nonces(rs="required")
    result = desk.call("request", f"{desk.provider.api}/me", "--json")
    check_shape("request", result.json)
    assert result.json["status"] == 200
    assert json.loads(result.json["body"])["name"] == "Ann Example"


@pytest.mark.parametrize(
    ("words", "method", "content_type", "body"),
    [
        (["-d", "a=1"], "POST", "application/x-www-form-urlencoded", b"a=1"),
        (["-d", '{"a": 1}'], "POST", "application/json", b'{"a": 1}'),
        (["-d", "{a}"], "POST", "application/x-www-form-urlencoded", b"{a}"),
        (["-d", "@{folder}/body.json"], "POST", "application/json", b'{"b": 2}\n'),
        (["-d", "@{folder}/body.bin"], "POST", "application/octet-stream", b"\0\1"),
        (["-d", "-"], "POST", "application/octet-stream", b"typed\n"),
        (["-d", "@-", "-X", "PUT"], "PUT", "application/octet-stream", b"typed\n"),
        (["-d", "x", "-H", "Content-Type: text/plain"], "POST", "text/plain", b"x"),
        (["-X", "DELETE"], "DELETE", None, b""),
    ],
)
def test_the_body_is_a_text_a_file_or_stdin(
    desk: Desk, api: Api, words: list[str], method: str, content_type: str | None, body: bytes
) -> None:
    (desk.folder / "body.json").write_bytes(b'{"b": 2}\n')
    (desk.folder / "body.bin").write_bytes(b"\0\1")
    told = [word.format(folder=desk.folder) if word.startswith("@{") else word for word in words]
    assert desk.call("request", f"{api.url}/", *told, stdin=b"typed\n").code == 0
    seen = api.seen[0]
    assert (seen.method, seen.headers.get("content-type"), seen.body) == (method, content_type, body)


def test_headers_are_sent_and_those_of_the_command_are_not_replaced(desk: Desk, api: Api) -> None:
    assert desk.call("request", f"{api.url}/", "-H", "X-One: 1", "-H", "Accept:text/plain").code == 0
    assert (api.seen[0].headers["x-one"], api.seen[0].headers["accept"]) == ("1", "text/plain")
    for line in ("Authorization: Basic x", "dpop: x"):
        assert desk.call("request", f"{api.url}/", "-H", line).code == 3
    assert desk.call("request", f"{api.url}/", "-H", "nothing").code == 3
    assert len(api.seen) == 1


def test_the_headers_of_the_answer_come_first_on_demand(desk: Desk, api: Api) -> None:
    api.headers = {"X-Two": "2"}
    result = desk.call("request", f"{api.url}/", "-i")
    head, _, body = result.out.replace("\r\n", "\n").partition("\n\n")
    assert head.startswith("HTTP/1.1 200 OK\n")
    assert "x-two: 2" in head.lower()
    assert body == '{"ok": true}'


def test_an_answer_in_json_may_be_no_text(desk: Desk, api: Api) -> None:
    api.body = b"\xff\xfe"
    result = desk.call("request", f"{api.url}/", "--json")
    check_shape("request", result.json)
    assert result.json["body_base64"] == "//4="


@pytest.mark.parametrize(
    ("status", "code"), [(200, 0), (302, 0), (401, 6), (403, 6), (404, 1), (429, 7), (500, 1), (503, 7)]
)
def test_the_status_counts_only_with_fail(desk: Desk, api: Api, status: int, code: int) -> None:
    api.status = status
    assert desk.call("request", f"{api.url}/").code == 0
    result = desk.call("request", f"{api.url}/", "--fail")
    assert result.code == code
    assert (str(status) in result.err) == (code != 0)


def test_a_server_that_is_not_there_is_exit_code_7(desk: Desk, free_port: int) -> None:
    desk.profile(origins=[f"http://127.0.0.1:{free_port}"])
    desk.sign_in()
    result = desk.call("request", f"http://127.0.0.1:{free_port}/secret?token=abc")
    assert result.code == 7
    assert "abc" not in result.err


def test_an_answer_goes_to_a_file_whole_or_not_at_all(desk: Desk, api: Api) -> None:
    target = desk.folder / "answer"
    target.write_text("old", "utf-8")
    assert desk.call("request", f"{api.url}/", "-o", str(target)).code == 0
    assert target.read_bytes() == api.body
    assert desk.call("request", f"{api.url}/", "-o", str(desk.folder / "no" / "folder")).code == 8
    assert sorted(path.name for path in desk.folder.iterdir() if path.name.startswith(".")) == []
    assert desk.call("request", f"{api.url}/", "-o", os.devnull).code == 0
    assert desk.call("request", f"{api.url}/", "-o", "-").out == '{"ok": true}'


def test_a_file_that_is_not_there_is_exit_code_3(desk: Desk, api: Api) -> None:
    assert desk.call("request", f"{api.url}/", "-d", "@nowhere").code == 3
    assert desk.call("request", "work").code == 3
    assert desk.call("request", "a", "b", f"{api.url}/").code == 3
    assert not api.seen


def test_large_bodies_go_up_and_down_without_being_held(desk: Desk, api: Api, tmp_path: Path) -> None:
    big = tmp_path / "big"
    piece = bytes(range(256)) * 4096
    with big.open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(piece)
    api.body = piece * MEGABYTES
    down = tmp_path / "down"
    code = (
        "import resource, sys; from oidcclient.cli.main import main; code = main(sys.argv[1:]); "
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "request", f"{api.url}/", "-o", str(down)]
    small = subprocess.run([*command, "-X", "HEAD"], capture_output=True, timeout=60, check=True)
    large = subprocess.run([*command, "-d", f"@{big}"], capture_output=True, timeout=60, check=True)
    assert api.seen[-1].size == big.stat().st_size == down.stat().st_size == MEGABYTES << 20
    assert int(large.stderr) - int(small.stderr) < (MEGABYTES << 10) / 2  # kibibytes


@pytest.mark.parametrize("size", [0, 10, (1 << 20) - 1, 1 << 20, (1 << 20) + 70_000])
def test_stdin_of_any_size_arrives_whole(desk: Desk, api: Api, size: int) -> None:
    assert desk.call("request", f"{api.url}/", "-d", "-", stdin=b"x" * size).code == 0
    assert api.seen[0].size == size


def test_what_a_terminal_would_obey_is_not_shown_to_it(desk: Desk, api: Api) -> None:
    api.body = "line\n\ttab \x1b]0;title\x07 \N{SNOWMAN}".encode()
    with Terminal("request", f"{api.url}/") as terminal:
        assert terminal.end() == 0
        assert "\x1b" not in terminal.shown
        assert "\\x1b]0;title\\x07 \N{SNOWMAN}" in terminal.shown
    assert desk.run("request", f"{api.url}/").out.encode() == api.body


def test_what_is_no_text_is_not_shown_to_a_terminal(desk: Desk, api: Api) -> None:
    api.body = b"\0\1\2"
    with Terminal("request", f"{api.url}/") as terminal:
        assert terminal.end() == 3
        assert "-o FILE" in terminal.shown


def test_progress_is_shown_at_a_terminal_alone(desk: Desk, api: Api, tmp_path: Path) -> None:
    api.body = b"x" * (4 << 20)
    words = ["request", f"{api.url}/", "-o", str(tmp_path / "down")]
    with Terminal(*words, env={"COLUMNS": "40"}) as terminal:
        assert terminal.end() == 0
        assert "Receiving" in terminal.shown
    assert desk.run(*words).err == ""
