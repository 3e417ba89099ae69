"""`status`, `userinfo`, `switch` and `logout`: who is signed in, and who no longer."""

from __future__ import annotations

import json
import time
import tomllib

import pytest

from oidcclient_dpop import DPoP
from tests.cli.calling import Desk, check_shape


def test_status_says_who_is_signed_in_and_asks_nobody(work: Desk) -> None:
    work.provider.requests.clear()
    result = work.call("status")
    assert result.code == 0
    for words in ("work (default)", work.provider.issuer, "ann@example.com (current)", "refreshes by itself"):
        assert words in result.out
    assert not list(work.provider.requests.of("metadata"))
    shape = work.call("status", "--json").json
    check_shape("status", shape)
    assert shape["profiles"][0]["accounts"][0]["usable"] is True


def test_status_holds_no_secret(work: Desk) -> None:
    session = work.sign_in()
    shown = work.call("status").out + work.call("status", "--json").out
    assert session.access_token().value not in shown
    assert not [token for token in work.provider.core.store.refresh_tokens if token in shown]


def test_status_is_exit_code_4_where_nobody_is_signed_in(desk: Desk) -> None:
    empty = desk.call("status")
    assert empty.code == 4
    assert "There is no profile yet" in empty.out
    desk.profile()
    assert desk.call("status").code == desk.call("status", "work").code == desk.call("status", "--json").code == 4
    assert "Nobody is signed in" in desk.call("status").out


def test_a_session_that_has_ended_and_cannot_be_refreshed_is_not_usable(desk: Desk) -> None:
    desk.profile()
    desk.provider.misbehave("token.missing_refresh_token")
    session = desk.sign_in()
    assert desk.call("status").code == 0
    desk.age(session, 301)
    result = desk.call("status")
    assert result.code == 4
    assert "expired, cannot be refreshed" in result.out


def test_a_store_that_cannot_be_read_is_told_and_does_not_hide_the_rest(work: Desk) -> None:
    bad = work.folder / "bad"
    bad.write_text("", "utf-8")
    work.profile("broken", store=f"file:{bad.as_posix()}")
    result = work.call("status")
    assert result.code == 0
    assert "Problem:" in result.out
    assert "ann@example.com" in result.out
    shape = work.call("status", "broken", "--json")
    check_shape("status", shape.json)
    assert shape.code == shape.json["profiles"][0]["problem"]["exit_code"] == 8


def test_status_says_what_a_session_is_bound_by(desk: Desk) -> None:
    keys = f"file:{desk.folder.as_posix()}/keys"
    desk.profile(dpop=True, key_store=keys)
    desk.sign_in(hooks=[DPoP(store=keys)])
    assert "Bound by dpop: " in desk.call("status").out
    desk.profile("plain")
    desk.sign_in("plain", hooks=[DPoP(store=keys)])
    result = desk.call("status", "plain")
    assert result.code == 4
    assert "Bound by dpop, which the profile has not switched on" in result.out


def test_a_token_from_the_environment_is_told(work: Desk) -> None:
    work.set(ACCESS_TOKEN="from-ci")
    assert "OIDCCLIENT_ACCESS_TOKEN is set" in work.call("status").out
    assert work.call("status", "--json").json["token_from_environment"] is True


def test_userinfo_shows_the_claims(work: Desk) -> None:
    result = work.call("userinfo")
    assert "email: ann@example.com" in result.out
    assert "email_verified: true" in result.out
    shape = work.call("userinfo", "work", "--json").json
    check_shape("userinfo", shape)


def test_switch_changes_the_default_profile_and_nothing_else_of_the_file(work: Desk) -> None:
    work.profile("home")
    work.config.write_text("# mine\n" + work.config.read_text("utf-8"), "utf-8")
    before = tomllib.loads(work.config.read_text("utf-8"))
    assert work.call("token").code == 3  # two profiles, and no default
    result = work.call("switch", "home", "--json")
    check_shape("switch", result.json)
    text = work.config.read_text("utf-8")
    assert tomllib.loads(text) == {**before, "default_profile": "home"}
    assert "# mine" in text
    assert work.call("switch", "work").err == "The default profile is work.\n"
    assert tomllib.loads(work.config.read_text("utf-8"))["default_profile"] == "work"
    assert work.call("token").code == 0


def test_switch_to_what_is_not_there_is_exit_code_3(work: Desk) -> None:
    assert work.call("switch").code == 3
    assert work.call("switch", "nowhere").code == 3
    result = work.call("switch", "--account", "nobody")
    assert result.code == 3
    assert "Signed in: ann@example.com." in result.err


@pytest.mark.parametrize("name", ["bob@example.com", "bob"])
def test_switch_changes_the_account_of_a_profile(work: Desk, name: str) -> None:
    work.sign_in(user="bob")
    assert work.call("switch", "--account", "ann@example.com").code == 0
    assert work.call("userinfo").out.count("ann@example.com") == 1
    result = work.call("switch", "--account", name, "--json")
    check_shape("switch", result.json)
    assert result.json["name"] == "bob@example.com"
    assert "bob@example.com (current)" in work.call("status").out


def test_logout_wipes_the_session_and_revokes_it(work: Desk) -> None:
    result = work.call("logout")
    assert (result.code, result.out) == (0, "")
    assert "Signed out: ann@example.com" in result.err
    assert work.provider.count("revoke")
    assert work.call("token").code == 4
    again = work.call("logout", "--json")
    check_shape("logout", again.json)
    assert (again.code, again.json) == (0, {"signed_out": []})


def test_logout_leaves_other_accounts_and_profiles_unless_told_otherwise(work: Desk) -> None:
    work.sign_in(user="bob")
    work.profile("home")
    work.sign_in("home")
    one = work.call("logout", "work", "--json").json
    check_shape("logout", one)
    assert [account["name"] for account in one["signed_out"]] == ["bob@example.com"]
    work.sign_in(user="bob")
    assert len(work.call("logout", "work", "--all", "--json").json["signed_out"]) == 2
    assert work.call("status", "home").code == 0
    assert len(work.call("logout", "--all", "--json").json["signed_out"]) == 1
    assert work.call("status").code == 4


def test_a_provider_that_cannot_be_told_does_not_keep_anybody_signed_in(work: Desk) -> None:
    work.provider.misbehave("revoke.unavailable")
    result = work.call("logout")
    assert result.code == 0
    assert work.call("status").code == 4


def test_logout_with_the_browser_ends_the_session_of_the_provider(work: Desk) -> None:
    work.set(FLOW="browser")
    result = work.call("logout", "--browser")
    assert result.code == 0
    deadline = time.monotonic() + 20
    while not work.provider.count("end_session"):  # the browser has a process of its own
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "Opening your browser to sign out" in result.err


def test_an_error_of_userinfo_is_told(work: Desk) -> None:
    work.provider.misbehave("userinfo.other_sub")
    result = work.call("userinfo", "--json")
    assert (result.code, result.out) == (1, "")
    check_shape("error", json.loads(result.err))
