"""Every rule of the detection, and their order."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from oidcclient._shell.browser.environment import Surroundings, Verdict, detect, read_surroundings
from oidcclient._words.errors import UsageError

DESK = Surroundings(platform="linux", environ={"DISPLAY": ":0"}, stderr_is_tty=True, kernel_release="6.1.0-1-amd64")
WSL = replace(DESK, environ={}, kernel_release="5.15.167.4-microsoft-standard-WSL2")
VSCODE = {"VSCODE_IPC_HOOK_CLI": "/run/user/1000/vscode-ipc.sock", "BROWSER": "/srv/helpers/browser.sh"}
SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
SSH_TTY = {**SSH, "SSH_TTY": "/dev/pts/0"}
DOCKER = frozenset({"/.dockerenv"})

YES, NO, FAIL = Verdict.BROWSER, Verdict.NO_BROWSER, Verdict.FAIL

RULES = [
    # what is chosen goes before everything
    ("choice", NO, replace(DESK, environ={"DISPLAY": ":0", "OIDCCLIENT_NO_BROWSER": "1"})),
    ("choice", NO, replace(DESK, environ={"OIDCCLIENT_FLOW": "browser", "OIDCCLIENT_NO_BROWSER": "1"})),
    ("choice", NO, replace(DESK, environ={"DISPLAY": ":0", "OIDCCLIENT_FLOW": "device"})),
    ("choice", NO, replace(DESK, environ={"DISPLAY": ":0", "OIDCCLIENT_FLOW": "paste"})),
    ("choice", YES, replace(DESK, environ={"OIDCCLIENT_FLOW": "browser"}, stderr_is_tty=False, marker_files=DOCKER)),
    ("choice", NO, replace(WSL, environ={"OIDCCLIENT_NO_BROWSER": "yes"})),
    # WSL
    ("wsl", YES, WSL),
    ("wsl", YES, replace(WSL, stderr_is_tty=False, windows_session_0=False)),
    ("wsl", YES, replace(WSL, environ=VSCODE)),
    ("wsl", NO, replace(WSL, windows_session_0=True)),
    ("wsl", NO, replace(WSL, windows_session_0=True, environ={**VSCODE, "DISPLAY": ":0"})),
    ("ssh", NO, replace(WSL, environ=SSH_TTY)),
    ("container", NO, replace(WSL, marker_files=DOCKER)),
    # VS Code
    ("vscode", YES, replace(DESK, environ={**VSCODE, **SSH}, stderr_is_tty=False)),
    ("vscode", YES, replace(DESK, environ={**VSCODE, "REMOTE_CONTAINERS": "true"}, marker_files=DOCKER)),
    ("vscode", NO, replace(DESK, environ=VSCODE)),
    ("vscode", NO, replace(DESK, environ={**VSCODE, "DISPLAY": ":0"})),
    ("ssh", NO, replace(DESK, environ={**VSCODE, **SSH_TTY})),
    ("codespaces", NO, replace(DESK, environ={**VSCODE, "CODESPACES": "true"})),
    # Codespaces
    ("codespaces", NO, replace(DESK, environ={"DISPLAY": ":0", "CODESPACES": "true"})),
    ("codespaces", NO, replace(DESK, environ={"CODESPACES": "false", "CODESPACE_NAME": "fuzzy-disco"})),
    # ssh
    ("ssh", NO, replace(DESK, environ=SSH)),
    ("ssh", NO, replace(DESK, environ={"SSH_TTY": "/dev/pts/3"})),
    ("ssh", NO, replace(DESK, environ=SSH, stderr_is_tty=False)),
    ("ssh", NO, replace(DESK, platform="darwin", environ={**SSH, "DISPLAY": ":0"})),
    ("ssh", NO, replace(DESK, platform="win32", environ=SSH)),
    ("browser", YES, replace(DESK, environ={**SSH_TTY, "DISPLAY": "localhost:10.0"})),
    # a daemon
    ("daemon", FAIL, replace(DESK, environ={}, stderr_is_tty=False)),
    ("daemon", FAIL, replace(DESK, environ={}, stderr_is_tty=False, marker_files=DOCKER)),
    ("browser", YES, replace(DESK, platform="win32", environ={}, stderr_is_tty=False)),
    ("browser", YES, replace(DESK, platform="darwin", environ={}, stderr_is_tty=False)),
    ("browser", YES, replace(DESK, stderr_is_tty=False)),
    # a container
    ("container", NO, replace(DESK, marker_files=DOCKER)),
    ("container", NO, replace(DESK, environ={}, marker_files=frozenset({"/run/.containerenv"}))),
    # a screen
    ("display", NO, replace(DESK, environ={})),
    ("display", NO, replace(DESK, environ={"DISPLAY": ""})),
    ("browser", YES, replace(DESK, environ={"WAYLAND_DISPLAY": "wayland-0"})),
    ("browser", YES, DESK),
]


@pytest.mark.parametrize(("rule", "kind", "surroundings"), RULES)
def test_the_first_rule_that_fits_decides(rule: str, kind: Verdict, surroundings: Surroundings) -> None:
    detection = detect(surroundings)
    assert (detection.reasons[-1].split(": ")[0], detection.kind) == (rule, kind)


def test_the_rules_are_looked_at_in_this_order() -> None:
    names = [reason.split(": ")[0] for reason in detect(DESK).reasons]
    assert names == ["choice", "wsl", "vscode", "codespaces", "ssh", "daemon", "container", "display", "browser"]


def test_what_is_configured_counts_where_the_environment_says_nothing() -> None:
    assert detect(DESK, configured="device").kind is NO
    chosen = replace(DESK, environ={"OIDCCLIENT_FLOW": "browser"})
    assert detect(chosen, configured="device").kind is YES


@pytest.mark.parametrize("value", ["0", "false", "no", ""])
def test_a_no_to_no_browser_is_no_choice(value: str) -> None:
    assert detect(replace(DESK, environ={"DISPLAY": ":0", "OIDCCLIENT_NO_BROWSER": value})).kind is YES


@pytest.mark.parametrize("flow", ["device", "paste"])
def test_a_flow_without_a_browser_is_kept_where_browsers_are_ruled_out(flow: str) -> None:
    ruled_out = {"DISPLAY": ":0", "OIDCCLIENT_NO_BROWSER": "1"}
    assert detect(replace(DESK, environ={**ruled_out, "OIDCCLIENT_FLOW": flow})).chosen == flow
    configured = detect(replace(DESK, environ=ruled_out), configured=flow)
    assert (configured.kind, configured.chosen) == (NO, flow)
    assert detect(replace(DESK, environ=ruled_out), configured="browser").chosen is None


def test_a_flow_that_does_not_exist_is_the_callers_mistake() -> None:
    with pytest.raises(UsageError, match="OIDCCLIENT_FLOW") as caught:
        detect(replace(DESK, environ={"OIDCCLIENT_FLOW": "telepathy"}))
    assert caught.value.received == "telepathy"


def test_the_environment_is_not_shown() -> None:
    assert "hunter2" not in repr(replace(DESK, environ={"OIDCCLIENT_CLIENT_SECRET": "hunter2"}))


def test_a_strange_kernel_name_reaches_no_terminal_as_it_is() -> None:
    reasons = detect(replace(WSL, kernel_release="microsoft\x1b[31m")).reasons
    assert all(reason.isprintable() for reason in reasons)


def test_reading_the_surroundings_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDCCLIENT_FLOW", "paste")
    surroundings = read_surroundings()
    assert surroundings.platform == sys.platform
    assert surroundings.environ["OIDCCLIENT_FLOW"] == "paste"
    assert surroundings.windows_session_0 is None
    assert detect(surroundings).kind is NO


@pytest.mark.parametrize("gone", [True, False])
def test_a_program_without_stderr_has_no_terminal(monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    with open("/dev/null", "w", encoding="ascii") as closed:  # noqa: PTH123 - the closed stream itself is the case
        pass
    monkeypatch.setattr(sys, "stderr", None if gone else closed)
    assert not read_surroundings().stderr_is_tty
