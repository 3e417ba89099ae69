"""`oidcclient git-credential`, by git's protocol and with a real git."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient.cli.commands.git_credential import attributes
from oidcclient_dpop import DPoP
from tests.cli.calling import Desk, check_shape
from tests.cli.secure_server import SecureServer, secure_server

HOST = "git.example.com"
ASKED = b"protocol=https\nhost=git.example.com\npath=team/app.git\nwwwauth[]=Basic realm=git\n\n"


@pytest.fixture
def hub(desk: Desk) -> Desk:
    """A desk whose profile lists a host of git, and ann is signed in."""
    desk.profile(git_hosts=[HOST, "Other.example.com:8443"])
    desk.sign_in()
    return desk


def test_git_gets_the_access_token_and_its_end(hub: Desk) -> None:
    result = hub.call("git-credential", "work", "get", stdin=ASKED)
    token = hub.call("token").out.strip()
    lines = dict(line.split("=", 1) for line in result.out.splitlines())
    assert (result.code, result.err) == (0, "")
    assert lines.keys() == {"username", "password", "password_expiry_utc"}
    assert (lines["username"], lines["password"]) == ("oauth2", token)
    assert time.time() < int(lines["password_expiry_utc"]) <= time.time() + 300
    shape = hub.call("git-credential", "--json", "get", stdin=ASKED).json
    check_shape("git-credential", shape)


def test_a_token_without_a_known_end_has_none(desk: Desk) -> None:
    desk.profile(git_hosts=[HOST])
    desk.provider.misbehave("token.expires_in_missing")
    desk.sign_in()
    assert "password_expiry_utc" not in desk.call("git-credential", "get", stdin=ASKED).out


@pytest.mark.parametrize(
    "asked",
    [
        "protocol=http\nhost=git.example.com\n",
        "protocol=HTTPS\nhost=git.example.com\n",
        "protocol=https\nhost=git.example.com.evil.example\n",
        "protocol=https\nhost=evil-git.example.com\n",
        "protocol=https\nhost=sub.git.example.com\n",
        "protocol=https\nhost=git.example.com:8443\n",
        "protocol=https\nhost=git.example.com@evil.example\n",
        "protocol=https\nhost=other.example.com\n",
        "protocol=https\nhost=\n",
        "protocol=https\n",
        "host=git.example.com\n",
        "protocol=https\nhost=git.example.com\nusername=somebody\n",
        "protocol=https\n\nhost=git.example.com\n",
        "protocol=https\nhost=evil.example.com\rhost=git.example.com\n",
        "protocol=https\nhost=git.example.com\r\n",
        "protocol=https\nhost=evil.example.com\nhost=git.example.com\n",
        "protocol=https\nhost=git.example.com\nhost=evil.example.com\n",
        "protocol=http\nhost=git.example.com\nprotocol=https\n",
        "protocol=https\nhost=git.example.com\0.evil.example.com\n",
        "protocol=https\nhost=\xff\n",
        "",
    ],
)
def test_nobody_else_gets_anything(hub: Desk, asked: str) -> None:
    hub.profile("empty", git_hosts=[""])
    for name in ("work", "empty"):
        result = hub.call("git-credential", name, "get", stdin=asked.encode())
        assert (result.code, result.out) == (0, "")


@pytest.mark.parametrize(
    "asked",
    [
        "protocol=https\nhost=GIT.example.com\n",
        "protocol=https\nhost=git.example.com:443\n",
        "protocol=https\nhost=other.example.com:8443\n",
        "protocol=https\nhost=git.example.com\nusername=oauth2\n",
    ],
)
def test_a_listed_host_is_known_however_it_is_written(hub: Desk, asked: str) -> None:
    assert "password=" in hub.call("git-credential", "work", "get", stdin=asked.encode()).out


def test_a_profile_that_lists_no_host_answers_nobody(work: Desk) -> None:
    result = work.call("git-credential", "work", "get", stdin=ASKED)
    assert (result.code, result.out, result.err) == (0, "", "")
    traced = work.call("git-credential", "-v", "work", "get", stdin=ASKED)
    assert "git_hosts" in traced.err


@pytest.mark.parametrize("operation", ["store", "erase", "capability", "whatever"])
def test_other_operations_do_nothing(hub: Desk, operation: str) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in hub.folder.rglob("*"))
    hub.provider.requests.clear()
    result = hub.call("git-credential", "work", operation, stdin=ASKED + b"password=x\n")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert sorted((path, path.stat().st_mtime_ns) for path in hub.folder.rglob("*")) == before
    assert not hub.provider.count("token")


def test_the_user_name_can_be_chosen(desk: Desk) -> None:
    desk.profile(git_hosts=[HOST], git_username="x-token")
    desk.sign_in()
    assert "username=x-token\n" in desk.call("git-credential", "get", stdin=ASKED).out
    assert not desk.call("git-credential", "get", stdin=ASKED[:-1] + b"username=oauth2\n").out


def test_nobody_signed_in_is_exit_code_4_and_nothing_for_git(desk: Desk) -> None:
    desk.profile(git_hosts=[HOST])
    result = desk.call("git-credential", "get", stdin=ASKED)
    assert (result.code, result.out) == (4, "")


def test_a_bound_token_is_not_given_to_git(desk: Desk) -> None:
    keys = f"file:{desk.folder.as_posix()}/keys"
    desk.profile(dpop=True, key_store=keys, git_hosts=[HOST])
    desk.sign_in(hooks=[DPoP(store=keys)])
    result = desk.call("git-credential", "get", stdin=ASKED)
    assert (result.code, result.out) == (3, "")
    assert "without DPoP" in result.err


def test_a_token_from_the_environment_goes_only_to_listed_hosts(hub: Desk) -> None:
    hub.set(ACCESS_TOKEN="from-ci")
    assert hub.call("git-credential", "get", stdin=ASKED).out == "username=oauth2\npassword=from-ci\n"
    assert not hub.call("git-credential", "get", stdin=b"protocol=https\nhost=evil.example\n").out
    hub.set(ACCESS_TOKEN="two\nhost=evil.example")
    assert hub.call("git-credential", "get", stdin=ASKED).code == 3


def test_too_many_words_are_exit_code_3(desk: Desk) -> None:
    assert desk.call("git-credential", "a", "b", "get").code == 3


@given(st.text())
def test_any_text_has_attributes(text: str) -> None:
    for name, value in attributes(text.encode()).items():
        assert f"{name}={value}" in text or (name in text and not value)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SecureServer]:
    """A repository of one commit behind https and a password."""
    source, served = tmp_path / "source", tmp_path / "served"
    served.mkdir()
    for words in (
        ["init", "--quiet", "--initial-branch=main", str(source)],
        ["-C", str(source), "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet",
         "--allow-empty", "--message=first"],
        ["clone", "--quiet", "--bare", str(source), str(served / "app.git")],
        ["-C", str(served / "app.git"), "update-server-info"],
    ):  # fmt: skip
        git(tmp_path, *words).check_returncode()
    with secure_server(served) as running:
        yield running


def git(folder: Path, *words: str, **config: str) -> subprocess.CompletedProcess[str]:
    """Run git with no configuration but this."""
    names = {name.replace("__", "."): value for name, value in config.items()}
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "NO_PROXY": "127.0.0.1",
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(names)),
        **{f"GIT_CONFIG_KEY_{number}": name for number, name in enumerate(names)},
        **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(names.values())},
    }
    return subprocess.run(["git", *words], env=env, capture_output=True, text=True, timeout=120, check=False)


def clone(desk: Desk, server: SecureServer) -> subprocess.CompletedProcess[str]:
    return git(
        desk.folder,
        "clone",
        f"{server.url}/app.git",
        str(desk.folder / "cloned"),
        credential__helper=f"!'{sys.executable}' -m oidcclient git-credential work",
        http__sslCAInfo=str(server.certificate),
    )


def test_a_real_git_clones_with_the_token(desk: Desk, server: SecureServer) -> None:
    desk.profile(git_hosts=[server.host])
    token = desk.sign_in().access_token().value
    server.accepted = "Basic " + base64.b64encode(f"oauth2:{token}".encode()).decode()
    done = clone(desk, server)
    assert done.returncode == 0, done.stderr
    assert git(desk.folder, "-C", str(desk.folder / "cloned"), "log", "--format=%s").stdout == "first\n"
    assert server.credentials
    assert token not in done.stdout + done.stderr


def test_a_real_git_gets_nothing_for_a_host_that_is_not_listed(desk: Desk, server: SecureServer) -> None:
    desk.profile(git_hosts=[HOST])
    desk.sign_in()
    done = clone(desk, server)
    assert done.returncode != 0
    assert server.asked
    assert not server.credentials


def test_a_real_git_that_is_refused_leaves_the_session(desk: Desk, server: SecureServer) -> None:
    desk.profile(git_hosts=[server.host])
    token = desk.sign_in().access_token().value
    server.accepted = "Basic never"
    assert clone(desk, server).returncode != 0  # git has told the helper to erase it
    assert server.credentials
    assert desk.call("token").out.strip() == token
