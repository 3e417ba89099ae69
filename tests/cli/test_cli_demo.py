"""`oidcclient demo`: the whole thing, on a provider of its own."""

from __future__ import annotations

import sys

import pytest

from oidcclient import addons
from oidcclient.cli.commands import demo
from tests.cli.calling import Desk, check_shape


def test_the_demo_goes_through_it_all(desk: Desk) -> None:
    result = desk.call("demo", "--scripted", "--json")
    assert result.code == 0, result.err
    check_shape("demo", result.json)
    assert result.json["claims"]["email"] == "ann@example.com"
    assert result.json["api"]["sub"] == result.json["claims"]["sub"]
    assert result.json["status_without_key"] == 401
    for words in ("The ID Token is verified", "The session was refreshed", "wiped from this machine"):
        assert words in result.err


def test_the_demo_leaves_nothing_behind(desk: Desk) -> None:
    before = sorted(desk.folder.rglob("*"))
    result = desk.run("demo", "--scripted")
    assert (result.code, result.out) == (0, "That was all. Nothing is left of it.\n")
    assert sorted(desk.folder.rglob("*")) == before


def test_without_the_add_on_the_token_is_not_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addons, "GROUP", "oidcclient.addons.none")
    result = desk.call("demo", "--scripted", "--json")
    check_shape("demo", result.json)
    assert result.json["status_without_key"] is None


def test_without_the_devkit_it_is_told_how_to_get_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, demo.DEVKIT, None)
    result = desk.call("demo")
    assert (result.code, "pip install oidcclient-devkit" in result.err) == (3, True)


def test_a_person_with_a_browser_signs_in_with_it(desk: Desk) -> None:
    desk.set(FLOW="browser")
    assert demo.browser_for(desk.provider, scripted=False) is None
    assert demo.browser_for(desk.provider, scripted=True) is not None
    desk.set(FLOW="paste")
    assert demo.browser_for(desk.provider, scripted=False) is not None
