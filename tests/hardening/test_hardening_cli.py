"""The command against odd input: servers, files and streams that are not as they should be."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from oidcclient import UsageError
from oidcclient.cli import options, redaction, settings
from oidcclient.cli.config import read_config
from oidcclient_devkit import Provider
from tests.cli.calling import Desk, check_shape
from tests.cli.echoing import Api, api_running
from tests.cli.terminal import Terminal

ESC = "\x1b"


@pytest.fixture
def desk(oidc_provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(oidc_provider, tmp_path, monkeypatch)


@pytest.fixture
def api() -> Iterator[Api]:
    with api_running() as running:
        yield running


@pytest.fixture
def ready(desk: Desk, api: Api) -> Desk:
    """A desk whose token comes from a variable and may go to the API."""
    desk.profile(origins=[api.url])
    desk.set(ACCESS_TOKEN="secret-token")
    return desk


@pytest.mark.parametrize("location", ["javascript:alert(1)", "http://[", "http://x:99999/", "mailto:a@b.example"])
def test_a_redirect_to_what_is_no_address_is_an_answer_that_cannot_be_used(
    ready: Desk, api: Api, location: str
) -> None:
    api.status, api.headers = 302, {"Location": location}
    for words in ([], ["-L"], ["-vv"]):
        assert ready.call("request", f"{api.url}/x", *words).code in {0, 7}


def test_a_trace_shows_a_redirect_within_the_server_by_its_path(ready: Desk, api: Api) -> None:
    api.status, api.headers = 302, {"Location": "/elsewhere?code=0123456789abcdef0"}
    traced = ready.call("request", f"{api.url}/x", "-vv").err
    assert "Location: /elsewhere  (code = «17 chars" in traced
    assert "None" not in traced


def test_an_address_that_is_none_is_hidden_whole() -> None:
    assert redaction.shown_address("http://[") == "«8 chars»"


@pytest.mark.parametrize(
    "words",
    [
        ["{url}/x\r\nA: b"],
        ["{url}/\x1b[31m"],
        ["{url}/\udcff"],
        ["{url}/x", "-H", "X: ä"],
        ["{url}/x", "-H", "X-Api-Key: s3cret\nB: c"],
        ["{url}/x", "-H", "X\r\nY: b"],
        ["{url}/x", "-X", "GET /y HTTP/1.1\r\nA: b\r\n\r\n"],
    ],
)
def test_what_http_cannot_carry_is_a_usage_error_that_repeats_no_header(
    ready: Desk, api: Api, words: list[str]
) -> None:
    refused = ready.call("request", *(word.format(url=api.url) for word in words))
    assert (refused.code, api.seen) == (3, [])
    assert "s3cret" not in refused.err


def test_a_body_of_bytes_that_are_no_text_is_sent_as_it_was_typed(ready: Desk, api: Api) -> None:
    assert ready.call("request", f"{api.url}/x", "-d", "a\udcff").code == 0
    assert api.seen[0].body == b"a\xff"


def test_the_whole_answer_in_json_leaves_nothing_for_a_file(ready: Desk, api: Api) -> None:
    out = ready.folder / "out"
    for words in (["-o", str(out)], ["-i"]):
        assert ready.call("request", f"{api.url}/x", "--json", *words).code == 3
    assert not out.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_private_file_stays_private_when_it_is_replaced(ready: Desk, api: Api) -> None:
    out = ready.folder / "out"
    out.write_text("old", "utf-8")
    out.chmod(0o600)
    assert ready.call("request", f"{api.url}/x", "-o", str(out)).code == 0
    assert out.read_bytes() == api.body
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_link_to_a_file_stays_a_link_when_an_answer_is_written(ready: Desk, api: Api) -> None:
    link, out = ready.folder / "link", ready.folder / "out"
    link.symlink_to(out)
    for _ in range(2):
        assert ready.call("request", f"{api.url}/x", "-o", str(link)).code == 0
    assert link.is_symlink()
    assert out.read_bytes() == api.body


@pytest.mark.parametrize("base", ["*", "", "http://", "http://api.example.com", "https://a@api.example.com"])
def test_an_origin_that_is_none_is_refused_by_its_own_name(ready: Desk, api: Api, base: str) -> None:
    refused = ready.call("request", f"{api.url}/x", "--allow-origin", base)
    assert refused.code == 3
    assert "--allow-origin" in refused.err
    assert api.seen == []


def test_a_password_in_an_address_is_not_repeated(desk: Desk) -> None:
    desk.profile()
    refused = desk.call("request", "https://ann:s3cret@api.example.com/x?k=s3cret")
    assert refused.code == 3
    assert "api.example.com/x" in refused.err
    assert "s3cret" not in refused.err


def test_a_message_does_not_change_names(ready: Desk, api: Api) -> None:
    assert "Error: The file nope cannot be read" in ready.call("request", f"{api.url}/x", "-d", "@nope").err
    api.headers = {"Content-Encoding": "gzip"}
    assert f"Error: {api.url}/x: " in ready.call("request", f"{api.url}/x").err


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX is needed")
@pytest.mark.parametrize(
    ("words", "where"),
    [
        *((words, ">&-") for words in ("token", "status", "token --json")),
        *((words, ">/dev/full") for words in ("token", "status", "token --json", "--help", "--version")),
    ],
)
def test_a_result_that_cannot_be_written_is_a_message_and_no_success(ready: Desk, words: str, where: str) -> None:
    if not Path("/dev/full").exists():  # macOS has none
        words, where = "status", ">&-"
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m oidcclient {words} {where}', sys.executable],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (8, False), done.stderr
    assert "could not be written" in done.stderr


def test_an_empty_name_is_no_profile(ready: Desk) -> None:
    ready.set(ACCESS_TOKEN="")
    for words in (["token", ""], ["token", "", "--json"], ["logout", ""]):
        assert ready.call(*words).code == 3


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000])
def test_toml_that_its_reader_chokes_on_is_no_toml(desk: Desk, text: str) -> None:
    desk.config.write_text(text, "utf-8")
    refused = desk.call("token")
    assert refused.code == 3
    assert "no TOML" in refused.err


def test_a_file_from_an_editor_of_windows_is_read_and_written(desk: Desk) -> None:
    desk.profile()
    desk.profile("home")
    desk.config.write_bytes(b"\xef\xbb\xbf" + desk.config.read_bytes().replace(b"\n", b"\r\n"))
    assert list(read_config().profiles) == ["work", "home"]
    assert desk.call("switch", "home").code == 0
    assert read_config().choose() == "home"


def test_names_of_the_file_do_not_reach_the_terminal_raw(desk: Desk) -> None:
    desk.config.write_text('[profiles."\\u001b[31mx"]\nissuer = "y"\n', "utf-8")
    refused = desk.call("token", "work")
    assert refused.code == 3
    assert ESC not in refused.err
    assert ESC not in desk.call("token", "work", "--json").err.encode().decode("unicode_escape")


def test_with_several_profiles_and_no_default_the_advice_is_to_name_one(desk: Desk) -> None:
    desk.profile("one")
    desk.profile("two")
    refused = desk.call("token")
    assert refused.code == 3
    assert "Name a profile" in refused.err


def test_an_option_for_an_issuer_goes_before_the_variable_for_a_profile(desk: Desk) -> None:
    desk.profile()
    desk.set(PROFILE="work")
    found = settings.resolve(None, {"issuer": "https://elsewhere.example.com", "client_id": "x"})
    assert (found.name, found.values) == (None, {"issuer": "https://elsewhere.example.com", "client_id": "x"})
    desk.set(ISSUER="https://elsewhere.example.com")
    with pytest.raises(UsageError, match="another issuer"):
        settings.resolve(None, {})


def test_a_profile_that_is_saved_under_another_name_keeps_what_it_needs(desk: Desk) -> None:
    secret = desk.folder / "secret"
    secret.write_text("x", "utf-8")
    desk.profile(client_secret_file=str(secret), origins=["https://api.example.com"], redirect_path="/callback")
    desk.provider.sign_in_as("ann")
    signed_in = desk.call("login", "work", "--browser", "--save-as", "copy", "--timeout", "30")
    assert signed_in.code == 0, signed_in.err
    held = read_config().profiles
    assert held["copy"] == {**held["work"], "flow": "browser", "timeout": 30}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_the_question_before_secrets_is_talk_and_no_result(ready: Desk) -> None:
    with Terminal("token", "--json", "--trace-unsafe", stdout=False) as terminal:
        terminal.read_until("Type yes to go on")
        terminal.type("yes\n")
        assert terminal.process.stdout is not None
        assert json.loads(terminal.process.stdout.read())["access_token"] == "secret-token"
        assert terminal.end() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_ctrl_d_is_no_yes(ready: Desk) -> None:
    with Terminal("token", "--trace-unsafe") as terminal:
        terminal.read_until("Type yes to go on")
        terminal.type("\x04")
        assert terminal.end() == 2
    assert "Traceback" not in terminal.shown
    assert os.environ["OIDCCLIENT_ACCESS_TOKEN"] not in terminal.shown


def test_what_kubectl_says_may_be_nested_too_deep(ready: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_EXEC_INFO", "[" * 100_000)
    assert ready.call("kubectl-credential", "work").code == 3


def test_git_may_say_what_is_no_text(ready: Desk) -> None:
    silent = ready.call("git-credential", "work", "get", stdin=b"protocol=https\nhost=\xff\xfe\n\n")
    assert (silent.code, silent.out) == (0, "")


@pytest.mark.parametrize(
    "words", [["token", "--json", "--nonsense"], ["nonsense", "--json"], ["request", "--json", "x"]]
)
def test_a_wrong_option_is_told_in_json_to_those_who_want_json(desk: Desk, words: list[str]) -> None:
    refused = desk.call(*words)
    assert (refused.code, refused.out) == (3, "")
    shape = json.loads(refused.err)
    check_shape("error", shape)
    assert shape["error"]["exit_code"] == 3
    assert "--help" in shape["error"]["advice"]


def test_a_shell_is_given_names_alone_that_it_reads_as_names(desk: Desk) -> None:
    names = ["good", "$(touch x)", "two words", "-x", "a;b"]
    desk.config.write_text("".join(f"[profiles.{json.dumps(name)}]\n" for name in names), "utf-8")
    assert options.profiles_beginning(None, None, "") == ["good"]  # type: ignore[arg-type] # neither is looked at


def test_a_provider_without_codes_is_left_for_another_way(desk: Desk) -> None:
    with urllib.request.urlopen(f"{desk.provider.issuer}/.well-known/openid-configuration") as answer:  # noqa: S310 - on loopback
        metadata = json.load(answer)
    del metadata["device_authorization_endpoint"]
    (desk.folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    desk.profile(metadata_file="metadata.json")
    refused = desk.call("login", "work", "--device")
    assert refused.code == 3
    assert "--browser or --paste" in refused.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize("charset", ["undefined", "base64", "idna", "rot13", "punycode", "unicode_escape", "none-such"])
def test_a_charset_that_is_none_is_read_as_utf_8_at_a_terminal(ready: Desk, api: Api, charset: str) -> None:
    api.headers, api.body = (
        {"Content-Type": f"text/plain; charset={charset}"},
        "\\x1b[31m é\udcff".encode("utf-8", "surrogateescape"),
    )
    with Terminal("request", f"{api.url}/x") as terminal:
        assert terminal.end() == 0
    assert "\\x1b[31m é\ufffd" in terminal.shown


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_a_charset_that_is_one_is_read_as_such_at_a_terminal(ready: Desk, api: Api) -> None:
    api.headers, api.body = {"Content-Type": "text/plain; charset=ISO-8859-1"}, b"\xe9\x9b31m"
    with Terminal("request", f"{api.url}/x") as terminal:
        assert terminal.end() == 0
    assert "é\\x9b31m" in terminal.shown


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX is needed")
@pytest.mark.parametrize(
    ("words", "code"),
    [("git-credential work get", 0), ("decode -", 3), ("request work {url}/x -d -", 0), ("token --trace-unsafe", 3)],
)
def test_a_closed_stdin_has_nothing_to_read(ready: Desk, api: Api, words: str, code: int) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m oidcclient {words.format(url=api.url)} <&-', sys.executable],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr


def test_a_session_is_found_from_every_folder(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "here").mkdir()
    (desk.folder / "there").mkdir()
    desk.profile(store="file:sessions")
    desk.sign_in()
    monkeypatch.chdir(desk.folder / "there")
    assert desk.call("token", "work").code == 0
    monkeypatch.chdir(desk.folder / "here")
    desk.provider.sign_in_as("ann")
    signed_in = desk.call("login", "work", "--browser", "--store", "file:own", "--save-as", "other")
    assert signed_in.code == 0, signed_in.err
    monkeypatch.chdir(desk.folder / "there")
    assert desk.call("token", "other").code == 0
    assert read_config().profiles["other"]["store"] == f"file:{desk.folder / 'here' / 'own'}"
