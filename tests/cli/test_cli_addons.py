"""Add-ons at the command: their options, their keys in a profile, and what is said where one is missing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from typing import Any

import pytest

import oidcclient
from oidcclient import addons
from oidcclient.cli import addon_options, clients, config, settings
from oidcclient.hooks import ProviderMetadata
from oidcclient_dpop import DPoP
from oidcclient_dpop.command import ADDON
from tests.cli.calling import Desk


def test_the_add_on_keeps_the_port() -> None:
    assert isinstance(ADDON, addons.Checks)
    assert isinstance(ADDON, addons.HoldsKeys)
    assert [addon.name for addon in addons.installed_addons()] == ["dpop"]


def test_a_bound_login_becomes_a_profile_that_says_so(desk: Desk) -> None:
    desk.provider.sign_in_as("ann")
    desk.set(FLOW="browser")
    keys = f"file:{desk.folder.as_posix()}/keys"
    words = ["login", *desk.identity, "--dpop", "--key-store", keys, "--min-protection", "file", "--save-as", "work"]
    assert desk.call(*words).code == 0
    saved = tomllib.loads(desk.config.read_text("utf-8"))["profiles"]["work"]
    assert saved == {**desk.values, "dpop": True, "key_store": keys, "min_protection": "file"}
    assert desk.call("token", "--json").json["token_type"] == "DPoP"
    assert desk.call("logout").code == 0
    assert not [name for name in (desk.folder / "keys").iterdir() if name.suffix != ".lock"]


def test_too_little_protection_is_exit_code_8_before_anything_is_opened(desk: Desk) -> None:
    desk.set(FLOW="browser")
    desk.profile()
    keys = f"file:{desk.folder.as_posix()}/keys"
    result = desk.call("login", "work", "--dpop", "--key-store", keys, "--min-protection", "hardware")
    assert result.code == 8
    assert not desk.provider.count("par")


WITHOUT_ADDON = """
import importlib.metadata, sys
real = importlib.metadata.entry_points
importlib.metadata.entry_points = lambda **wanted: real(**{**wanted, "group": "none"}) if "group" in wanted else real()
from oidcclient.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "words", [["--dpop"], ["--key-store", "tpm2:"], ["--min-protection", "hardware"], ["--dpop", "--json"]]
)
def test_without_the_add_on_its_options_say_what_to_install(desk: Desk, words: list[str]) -> None:
    desk.profile()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ADDON, "login", "work", *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert "pip install oidcclient-dpop" in done.stderr
    assert not desk.provider.count("metadata")


def test_without_the_add_on_a_profile_that_wants_it_is_not_used(desk: Desk) -> None:
    desk.profile(dpop=True)
    desk.sign_in()
    for words in (["token"], ["login"], ["status", "work"]):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_ADDON, *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 3
        assert "pip install oidcclient-dpop" in done.stdout + done.stderr


def test_without_the_add_on_the_help_does_not_speak_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ADDON, "login", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "dpop" not in done.stdout


def made(**values: Any) -> settings.Settings:
    return settings.Settings("work", values, config.Config("config.toml", {}))


def test_no_add_on_is_looked_for_where_none_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise AssertionError("it was")

    monkeypatch.setattr(addons, "entry_points", fail)
    assert clients.hooks_of(made(issuer="https://a.example", store="file")) == []


def test_dpop_that_is_switched_off_makes_no_hook() -> None:
    assert clients.hooks_of(made(dpop=False)) == []
    assert [type(hook) for hook in clients.hooks_of(made(dpop=True, min_protection="Keyring"))] == [DPoP]


@pytest.mark.parametrize(
    "values",
    [
        {"dpop": "yes"},
        {"key_store": "tpm2:"},
        {"dpop": False, "min_protection": "file"},
        {"dpop": True, "min_protection": "steel"},
        {"dpop": True, "min_protection": 3},
        {"dpop": True, "key_store": 1},
        {"dpop": True, "surprise": 1},
        {"isuer": "x"},
    ],
)
def test_a_value_that_does_not_fit_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(oidcclient.UsageError):
        clients.hooks_of(made(**values))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """An add-on of somebody else that is of no use."""
    entry = EntryPoint("broken", request.param, addons.GROUP)
    monkeypatch.setattr(addons, "entry_points", lambda **_: [entry])


@pytest.mark.parametrize("broken", ["no_such_module:x", "os:no_such_name", "os:path"], indirect=True)
def test_an_add_on_that_cannot_be_used_is_named(broken: None, desk: Desk) -> None:
    with pytest.raises(oidcclient.UsageError, match="the add-on broken"):
        addons.installed_addons()
    desk.profile(surprise=1)
    assert desk.call("token").code == 3


def test_options_of_an_add_on_become_options_of_login() -> None:
    import click  # noqa: PLC0415 - the command's extra

    command = click.Command("x")
    addon_options.add_options(command)
    shown = {parameter.name: parameter.opts for parameter in command.params}
    assert shown == {"dpop": ["--dpop"], "key_store": ["--key-store"], "min_protection": ["--min-protection"]}


def test_the_checks_of_dpop_tell_of_the_provider_and_of_each_store(tmp_path: Any) -> None:
    metadata = ProviderMetadata("https://a.example", raw={"dpop_signing_alg_values_supported": ["ES256"]})
    found = list(ADDON.checks({"key_store": f"file:{tmp_path.as_posix()}"}, metadata))
    assert [check.state for check in found] == ["ok", "ok"]
    assert "ES256" in found[0].detail
    assert "signs in" in found[1].detail
    assert not [name for name in tmp_path.iterdir() if name.suffix != ".lock"]
    without = ProviderMetadata("https://a.example")
    assert next(iter(ADDON.checks({}, without))).state == "absent"
    assert {check.state for check in ADDON.checks({}, None)} <= {"ok", "absent", "failed"}


def test_a_store_that_cannot_be_used_is_told_with_what_to_do(tmp_path: Any) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    found = list(ADDON.checks({"key_store": f"file:{tmp_path.as_posix()}/file"}, None))
    assert found[0].state in {"absent", "failed"}


def test_the_key_of_a_session_is_told_and_removed(desk: Desk) -> None:
    keys = f"file:{desk.folder.as_posix()}/keys"
    session = desk.sign_in(hooks=[DPoP(store=keys)])
    record = oidcclient.FileStore(desk.sessions).load(session.key)
    assert record is not None
    state = record.hook_state["dpop"]
    held = ADDON.held_key(state)
    assert held is not None
    assert (held.store, held.protection, held.algorithm, held.problem) == (keys, "file", "ES256", None)
    assert held.thumbprint == state["jkt"]
    ADDON.delete_key(state)
    ADDON.delete_key(state)
    gone = ADDON.held_key(state)
    assert gone is not None
    assert gone.problem
    assert desk.provider.count("token") == 1


def test_a_session_that_names_no_key_has_none() -> None:
    assert ADDON.held_key({}) is None
    own = ADDON.held_key({"jkt": "x", "alg": "ES256", "protection": 0})
    assert own is not None
    assert own.problem is None
    ADDON.delete_key({"jkt": "x"})


def test_a_key_in_whose_place_another_one_is_cannot_be_used(desk: Desk) -> None:
    keys = f"file:{desk.folder.as_posix()}/keys"
    states = []
    for user in ("ann", "bob"):
        record = oidcclient.FileStore(desk.sessions).load(desk.sign_in(user=user, hooks=[DPoP(store=keys)]).key)
        assert record is not None
        states.append(record.hook_state["dpop"])
    held = ADDON.held_key({**states[0], "handle": states[1]["handle"]})
    assert held is not None
    assert held.problem == "another key is in its place"
    unknown = ADDON.held_key({"jkt": "x", "protection": 99})
    assert unknown is not None
    assert unknown.protection == "unknown"


def test_a_store_that_fails_as_a_key_is_made_is_told(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o500)
    folder.chmod(0o577)  # others may write there: the store refuses it
    found = list(ADDON.checks({"key_store": f"file:{folder.as_posix()}"}, None))
    assert [check.state for check in found] in (["failed"], ["absent"])
    assert found[0].detail
