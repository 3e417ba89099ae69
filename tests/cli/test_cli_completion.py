"""`oidcclient completion`: scripts that real shells read, and what comes at the Tab key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from oidcclient.cli.app import COMMANDS
from tests.cli.calling import Desk, check_shape

SHELLS = ("bash", "zsh", "fish")
# What each shell does at the Tab key, for the words in "$@" of which the last is not finished.
ASK = {
    "bash": """
        eval "$(oidcclient completion bash)"
        complete -p oidcclient >&2
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _oidcclient_completion oidcclient
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        compdef() { print -r -- "compdef $*" >&2 }
        compadd() { print -rl -- $completions }
        _describe() { print -rl -- ${completions_with_descriptions%%:*} }
        eval "$(oidcclient completion zsh)"
        words=("$@"); CURRENT=$#
        _oidcclient_completion
    """,
    "fish": """
        oidcclient completion fish | source
        complete --do-complete "$argv" | string replace --regex '\\t.*' ''
        true
    """,
}


def tab(shell: str, *words: str) -> list[str]:
    """Return what a real shell would offer."""
    program = shutil.which(shell)
    assert program is not None, f"{shell} is not installed: tools/parts.py"
    options = {"bash": ["--norc", "-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"]}[shell]
    first = [] if shell == "fish" else [shell]
    scripts = sysconfig.get_path("scripts")
    done = subprocess.run(
        [program, *options, ASK[shell], *first, *words],
        env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "HOME": os.environ["OIDCCLIENT_HOME"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes_commands_options_and_profiles(desk: Desk, shell: str) -> None:
    desk.profile("work")
    desk.profile("home")
    assert tab(shell, "oidcclient", "st") == ["status"]
    assert tab(shell, "oidcclient", "login", "--dev") == ["--device"]
    assert sorted(tab(shell, "oidcclient", "token", "")) == ["home", "work"]
    assert set(tab(shell, "oidcclient", "")) == set(COMMANDS)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_finds_no_mistake_in_its_script(desk: Desk, shell: str) -> None:
    script = desk.call("completion", shell).out
    done = subprocess.run([shutil.which(shell) or "", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shell_is_the_persons_own_unless_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert desk.call("completion").out == desk.call("completion", "zsh").out
    shape = desk.call("completion", "--json").json
    check_shape("completion", shape)
    assert shape["shell"] == "zsh"
    monkeypatch.setenv("SHELL", "/usr/bin/nu")
    for words in (["completion"], ["completion", "nu"]):
        result = desk.call(*words)
        assert (result.code, result.out) == (3, "")


def test_a_configuration_that_cannot_be_read_offers_nothing(desk: Desk) -> None:
    desk.config.write_text("[", "utf-8")
    env = {"_OIDCCLIENT_COMPLETE": "bash_complete", "COMP_WORDS": "oidcclient token ", "COMP_CWORD": "2"}
    assert desk.run(env=env).out.strip() == ""


def test_command_names_are_offered_without_loading_the_commands(desk: Desk) -> None:
    env = {"_OIDCCLIENT_COMPLETE": "bash_complete", "COMP_WORDS": "oidcclient re", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "oidcclient"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "plain,request\n"
    assert "httpx" not in done.stderr
    assert "oidcclient.cli.commands" not in done.stderr
