"""`oidcclient keys`: what sessions are bound to, and how a key goes away."""

from __future__ import annotations

from pathlib import Path

import pytest

from oidcclient import addons
from oidcclient_dpop import DPoP
from tests.cli.calling import Desk, check_shape
from tests.cli.terminal import Terminal


def bind(desk: Desk, name: str = "work", user: str = "ann") -> str:
    """Sign somebody in with a bound session, and return the thumbprint of its key."""
    keys = f"file:{desk.folder.as_posix()}/keys"
    if name not in (desk.config.read_text("utf-8") if desk.config.exists() else ""):
        desk.profile(name, dpop=True, key_store=keys)
    desk.sign_in(name, user, hooks=[DPoP(store=keys)])
    first: str = desk.call("keys", name, "--json").json["keys"][0]["thumbprint"]
    return first


def files(desk: Desk) -> list[Path]:
    return [path for path in (desk.folder / "keys").rglob("*") if path.is_file()]


def test_each_key_is_told_with_where_it_is_and_whose(desk: Desk) -> None:
    thumbprint = bind(desk)
    result = desk.call("keys")
    assert (result.code, result.err) == (0, "")
    for words in ("work: ann@example.com", "Protection: file", "Algorithm: ES256", f"Thumbprint: {thumbprint}"):
        assert words in result.out
    shape = desk.call("keys", "--json").json
    check_shape("keys", shape)
    assert shape["keys"][0]["problem"] is None


def test_sessions_without_a_key_have_none(work: Desk) -> None:
    assert work.call("keys").out == "No session is bound to a key.\n"
    assert work.call("keys", *work.identity).out == "No session is bound to a key.\n"
    check_shape("keys", work.call("keys", "--json").json)


def test_keys_of_several_accounts_and_profiles_are_listed(desk: Desk) -> None:
    bind(desk)
    bind(desk, user="bob")
    bind(desk, "home")
    shape = desk.call("keys", "--json").json
    assert [(key["profile"], key["name"]) for key in shape["keys"]] == [
        ("work", "bob@example.com"),
        ("work", "ann@example.com"),
        ("home", "ann@example.com"),
    ]
    assert len(desk.call("keys", "home", "--json").json["keys"]) == 1


def test_a_key_that_is_gone_is_told(desk: Desk) -> None:
    bind(desk)
    for path in files(desk):
        path.unlink()
    result = desk.call("keys")
    assert (result.code, "  Problem: " in result.out) == (0, True)


def test_a_profile_that_cannot_be_read_does_not_hide_the_rest(desk: Desk) -> None:
    bind(desk)
    (desk.folder / "bad").write_text("", "utf-8")
    desk.profile("broken", store=f"file:{desk.folder.as_posix()}/bad")
    result = desk.call("keys")
    assert result.code == 8
    assert "broken: " in result.out
    assert "ann@example.com" in result.out
    check_shape("keys", desk.call("keys", "--json").json)


def test_a_deleted_key_is_gone_and_its_session_with_it(desk: Desk) -> None:
    thumbprint = bind(desk)
    assert files(desk)
    result = desk.call("keys", "--delete", thumbprint[:8], "--yes", "--json")
    check_shape("keys-deleted", result.json)
    assert (result.code, result.json["deleted"]["thumbprint"]) == (0, thumbprint)
    assert not files(desk)
    assert desk.call("token").code in {0, 4}  # a token that is there may still be printed
    assert desk.call("request", f"{desk.provider.api}/hello", "--allow-origin", desk.provider.api).code == 4


@pytest.mark.parametrize("given", ["", "x", "nothing-like-it"])
def test_a_thumbprint_that_names_no_single_key_deletes_none(desk: Desk, given: str) -> None:
    thumbprint = bind(desk)
    for words in (given, thumbprint[:7]):
        result = desk.call("keys", "--delete", words, "--yes")
        assert (result.code, result.out) == (3, "")
    assert files(desk)


def test_without_a_terminal_a_key_is_deleted_only_with_yes(desk: Desk) -> None:
    thumbprint = bind(desk)
    result = desk.run("keys", "--delete", thumbprint)
    assert (result.code, "--yes" in result.err) == (3, True)
    assert files(desk)
    assert desk.run("keys", "--delete", thumbprint, "--yes").code == 0
    assert not files(desk)


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("y", 2), ("", 2)])
def test_at_a_terminal_a_key_is_deleted_after_a_yes(desk: Desk, answer: str, code: int) -> None:
    thumbprint = bind(desk)
    with Terminal("keys", "--delete", thumbprint) as terminal:
        terminal.read_until("Type yes to remove it: ")
        assert "ann@example.com has to sign in again" in terminal.shown
        terminal.type(f"{answer}\n")
        assert terminal.end() == code
    assert bool(files(desk)) is (code != 0)


def test_without_an_add_on_it_is_told_how_to_get_one(work: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addons, "GROUP", "oidcclient.addons.none")
    result = work.call("keys")
    assert (result.code, result.out) == (3, "")
    assert "pip install oidcclient-dpop" in result.err
