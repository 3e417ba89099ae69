"""How the command starts and ends: what it loads, what it says without its extra, Ctrl-C, a closed pipe."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import oidcclient
from oidcclient.cli import app
from tests.cli.calling import Desk
from tests.cli.terminal import Terminal

LOADED = """
import sys
from oidcclient.cli.main import main
code = main(sys.argv[1:])
sys.stderr.write("\\n".join(sys.modules))
sys.exit(code)
"""


def loaded_by(*words: str) -> set[str]:
    """Return the modules that a call loads; coverage would load more."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOADED, *words], capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split("\n"))


def test_the_version_loads_nothing() -> None:
    assert not loaded_by("--version") & {"click", "rich", "httpx", "tomllib", "platformdirs", "oidcclient.cli.app"}


def test_the_help_loads_no_command() -> None:
    found = loaded_by("--help")
    assert not {name for name in found if name.startswith("oidcclient.cli.commands.")}
    assert not found & {"rich", "httpx", "tomlkit", "keyring", "importlib.metadata"}


def test_a_cached_token_loads_neither_click_nor_httpx(work: Desk) -> None:
    work.call("status")
    found = loaded_by("token", "work")
    assert not found & {"click", "rich", "httpx", "tomlkit", "joserfc", "authlib", "dataclasses", "importlib.metadata"}
    assert "oidcclient.cli.app" not in found


@pytest.mark.parametrize("name", app.COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    module, words = app.COMMANDS[name]
    command = importlib.import_module(f"oidcclient.cli.commands.{module}").command
    assert (command.name, command.short_help) == (name, words)
    assert command.help


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_json_and_a_help_that_fits_40_columns(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    result = desk.call(name, "--help")
    assert result.code == 0
    assert all(len(line) <= 40 for line in result.out.split("\n") if "Usage" not in line and "[" not in line), (
        result.out
    )
    assert name in desk.call("--help").out


def test_version_and_help_are_results(desk: Desk) -> None:
    assert desk.call("--version").out == f"oidcclient {oidcclient.__version__}\n"
    assert desk.call("token", "--help").out.startswith("Usage: oidcclient token")
    assert desk.run("--version").out == f"oidcclient {oidcclient.__version__}\n"
    assert desk.call("-h", "--version").code == 0
    nothing = desk.call()
    assert (nothing.code, nothing.out) == (3, "")
    assert "Commands:" in nothing.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu"], "Did you mean status?"),
        (["qqqq"], "There is no command 'qqqq'."),
        (["--nope"], "No such option"),
        (["token", "--nope"], "No such option"),
        (["token", "a", "b"], "unexpected extra argument"),
        (["request"], "Missing argument"),
    ],
)
def test_wrong_usage_is_exit_code_3(desk: Desk, words: list[str], said: str) -> None:
    result = desk.call(*words)
    assert (result.code, result.out) == (3, "")
    assert said in result.err


WITHOUT_EXTRA = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"click", "rich", "tomlkit"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from oidcclient.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("words", [[], ["--help"], ["status"], ["token", "--json"]])
def test_without_its_extra_the_command_says_what_to_install(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "pip install 'oidcclient[cli]'\n" in done.stderr


def test_without_its_extra_the_shortest_ways_still_work(work: Desk) -> None:
    for words in (["--version"], ["token"]):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_EXTRA, *words], capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0
        assert done.stdout


@pytest.mark.parametrize("words", [["token"], ["status"], ["status", "--json"], ["--version"], ["--help"]])
def test_a_closed_pipe_ends_it_quietly(work: Desk, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "oidcclient", *words],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("words", [["token"], ["token", "--json"]])
def test_ctrl_c_ends_a_refresh_that_hangs_and_a_second_one_does_at_once(work: Desk, words: list[str]) -> None:
    work.age(work.sign_in(), 301)
    work.provider.requests.clear()
    work.provider.delay("token", 30)
    with Terminal(*words) as terminal:
        while not work.provider.count("token"):  # it is in the middle of the refresh
            terminal.wait(0.05)
        terminal.type("\x03")
        terminal.read_until("Stopped.")
        begin = time.monotonic()
        terminal.type("\x03")
        assert terminal.end() == 2
        assert time.monotonic() - begin < 3
        assert "Traceback" not in terminal.shown


def test_colour_is_for_terminals_that_want_it(work: Desk) -> None:
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        with Terminal("status", env=env) as terminal:
            assert terminal.end() == 0
            assert ("\x1b[" in terminal.shown) == coloured
    assert "\x1b" not in work.run("status").out


def test_json_is_laid_out_for_a_person_and_is_one_line_for_a_script(work: Desk) -> None:
    with Terminal("status", "--json") as terminal:
        assert terminal.end() == 0
        assert terminal.shown.count("\n") > 10
    assert work.run("status", "--json").out.count("\n") == 1


def test_an_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    monkeypatch.setattr(app, "COMMANDS", {"token": ("nowhere", "")})
    with pytest.raises(ModuleNotFoundError):
        desk.call("token", "--json")


def test_what_a_stream_cannot_show_is_replaced(work: Desk) -> None:
    result = work.run("login", "--help", env={"PYTHONIOENCODING": "ascii"})
    assert result.code == 0
    broken = work.run("token", "nowhere", env={"PYTHONIOENCODING": "ascii"})
    assert broken.code == 3


def test_the_module_is_the_command(desk: Desk) -> None:
    script = Path(sys.executable).with_name("oidcclient")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == desk.run("--version").out
