"""`oidcclient.installed_hooks()`: for programs to which installing an add-on is enough."""

from __future__ import annotations

from pathlib import Path

import pytest

import oidcclient
from oidcclient_dpop import DPoP

MODULE = """
class Counts:
    name = "counts"

def no_hook():
    return object()
"""


@pytest.fixture
def add_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package; what its entry point names is written by the test."""
    (tmp_path / "counting_add_on.py").write_text(MODULE, "utf-8")
    information = tmp_path / "counting_add_on-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: counting-add-on\nVersion: 1.0\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return information / "entry_points.txt"


def test_each_installed_add_on_brings_its_hook_in_the_order_of_their_names(add_on: Path) -> None:
    add_on.write_text("[oidcclient.hooks]\ncounts = counting_add_on:Counts\n", "utf-8")
    hooks = oidcclient.installed_hooks()
    assert [hook.name for hook in hooks] == ["counts", "dpop"]
    assert isinstance(hooks[1], DPoP)


def test_each_call_makes_hooks_of_its_own() -> None:
    assert oidcclient.installed_hooks()[0] is not oidcclient.installed_hooks()[0]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("counting_add_on:missing", "cannot be loaded"),
        ("no_such_module:Hook", "cannot be loaded"),
        ("counting_add_on:no_hook", "makes no hook"),
    ],
)
def test_an_add_on_that_does_not_work_is_named(add_on: Path, target: str, message: str) -> None:
    add_on.write_text(f"[oidcclient.hooks]\nbroken = {target}\n", "utf-8")
    with pytest.raises(oidcclient.UsageError, match=f"broken {message}") as refusal:
        oidcclient.installed_hooks()
    assert refusal.value.received == target


def test_a_client_has_no_hook_that_it_was_not_given() -> None:
    with oidcclient.Client("https://login.example.com", "app", store=oidcclient.MemoryStore()) as client:
        assert client._core.hooks == ()
