"""The pages about the command say what it does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from oidcclient.cli import app, config, variables
from tools import command_reference

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "command" / "index.md"


def test_the_reference_is_current() -> None:
    assert command_reference.PAGE.read_text("utf-8") == command_reference.reference(), "run tools/command_reference.py"


def test_every_command_and_option_on_the_page_exists() -> None:
    reference = command_reference.reference()
    for line in re.findall(r"oidcclient ([a-z-]+[^\n`]*)", PAGE.read_text("utf-8")):
        name, *rest = line.split()
        assert name in app.COMMANDS or name.startswith("-"), line
        for option in (word for word in rest if word.startswith("--")):
            assert f"`{option}" in reference or f", {option}" in reference, line


def test_the_configuration_on_the_page_is_one() -> None:
    for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        held = config.Config("config.toml", tomllib.loads(text))
        for name in held.profiles:
            assert set(held.profile(name) or {}) <= set(config.KEYS)


def test_every_variable_in_the_source_is_documented() -> None:
    found = set()
    for source in (ROOT / "src" / "oidcclient").rglob("*.py"):
        found |= set(re.findall(r"\"(OIDCCLIENT_[A-Z_]+)\"", source.read_text("utf-8")))
    assert found <= set(variables.VARIABLES)
    assert {name for name in variables.VARIABLES if name.startswith("OIDCCLIENT_")} <= found | {
        "OIDCCLIENT_CLIENT_SECRET"
    }
