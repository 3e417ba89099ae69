"""`oidcclient token`: the token alone, and never more than was asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64decode

import pytest

from oidcclient_dpop import DPoP
from oidcclient_dpop.stores import generate
from tests.cli.calling import Desk, check_shape


def claims_of(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    found: dict[str, object] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.mark.parametrize("words", [["token"], ["token", "work"], ["token", "--store", "file:{sessions}", "work"]])
def test_stdout_has_the_access_token_and_nothing_else(work: Desk, words: list[str]) -> None:
    session = work.sign_in()
    result = work.call(*(word.format(sessions=work.sessions.as_posix()) for word in words))
    assert (result.code, result.out, result.err) == (0, session.access_token().value + "\n", "")


def test_a_token_that_has_expired_is_refreshed(work: Desk) -> None:
    session = work.sign_in()
    old = session.access_token()
    work.age(session, 300)
    result = work.call("token")
    assert result.code == 0
    assert result.out.strip() != old.value
    assert work.provider.requests.of("token")[-1].value("grant_type") == "refresh_token"


def test_json_has_the_documented_shape_and_no_refresh_token(work: Desk) -> None:
    result = work.call("token", "--json")
    check_shape("token", result.json)
    assert "refresh_token" not in result.json
    assert result.json["expires_at"] > time.time()


def test_a_refresh_token_is_printed_only_on_demand(work: Desk) -> None:
    result = work.call("token", "--json", "--include-refresh-token")
    check_shape("token", result.json)
    assert result.json["refresh_token"] in work.provider.core.store.refresh_tokens
    assert work.call("token", "--include-refresh-token").code == 3


def test_the_id_token_is_printed_on_demand(work: Desk) -> None:
    result = work.call("token", "--id-token")
    assert claims_of(result.out.strip())["email"] == "ann@example.com"
    check_shape("id-token", work.call("token", "--id-token", "--json").json)


def test_an_id_token_that_has_expired_is_renewed(work: Desk) -> None:
    session = work.sign_in()
    assert work.call("token", "--id-token").out.strip() == session.id_token
    work.age(session, 301)
    renewed = work.call("token", "--id-token")
    assert renewed.out.strip() != session.id_token
    assert renewed.err == ""


def test_an_expired_id_token_that_cannot_be_renewed_comes_with_a_warning(work: Desk) -> None:
    session = work.sign_in()
    work.age(session, 301)
    work.provider.misbehave("id_token.absent")
    result = work.call("token", "--id-token")
    assert (result.code, result.out.strip()) == (0, session.id_token)
    assert "expired" in result.err


def test_nobody_signed_in_is_exit_code_4_with_what_to_do(desk: Desk) -> None:
    desk.profile()
    for words in (["token"], ["token", "work"], ["token", "--id-token", "work"]):
        result = desk.call(*words)
        assert (result.code, result.out) == (4, "")
        assert "oidcclient login" in result.err


def test_an_error_in_json_goes_to_stderr(desk: Desk) -> None:
    desk.profile()
    result = desk.call("token", "--json")
    assert result.out == ""
    check_shape("error", json.loads(result.err))
    assert json.loads(result.err)["error"]["exit_code"] == result.code == 4


def test_the_end_of_the_session_is_exit_code_4(work: Desk) -> None:
    work.age(work.sign_in(), 300)
    work.provider.revoke_grants()
    result = work.call("token")
    assert (result.code, result.out) == (4, "")
    assert "ended" in result.err


def test_a_token_from_the_environment_goes_first(work: Desk) -> None:
    work.set(ACCESS_TOKEN="from-ci")
    assert work.call("token").out == "from-ci\n"
    result = work.call("token", "--json")
    check_shape("token", result.json)
    assert result.json["access_token"] == "from-ci"


def test_the_headers_are_for_where_the_token_may_go(work: Desk) -> None:
    url = f"{work.provider.api}/hello"
    refused = work.call("token", "--header", url)
    assert (refused.code, refused.out) == (3, "")
    assert "--allow-origin" in refused.err
    result = work.call("token", "--header", url, "--allow-origin", work.provider.api)
    assert result.out == f"Authorization: Bearer {work.call('token').out}"
    shape = work.call("token", "--header", url, "--allow-origin", work.provider.api, "--json").json
    check_shape("headers", shape)


@pytest.mark.parametrize(
    "words",
    [["-X", "POST"], ["--allow-origin", "https://api.example.com"], ["--header", "https://a.example", "--id-token"]],
)
def test_options_that_would_do_nothing_are_refused(work: Desk, words: list[str]) -> None:
    shown = work.call("token", *words)
    assert shown.code == 3
    assert "--header" in shown.err
    assert not shown.out


def test_a_token_from_the_environment_goes_into_headers_only_where_it_may(work: Desk) -> None:
    work.set(ACCESS_TOKEN="from-ci")
    url = f"{work.provider.api}/hello"
    assert work.call("token", "--header", url).code == 3
    allowed = work.call("token", "--header", url, "--allow-origin", work.provider.api)
    assert allowed.out == "Authorization: Bearer from-ci\n"


def test_a_bound_token_comes_with_a_warning_and_headers_with_a_proof(desk: Desk) -> None:
    desk.profile(dpop=True, key_store=f"file:{desk.folder.as_posix()}/keys", origins=[desk.provider.api])
    desk.sign_in(hooks=[DPoP(store=f"file:{desk.folder.as_posix()}/keys")])
    plain = desk.call("token")
    assert plain.code == 0
    assert "bound to a key" in plain.err
    assert "bound to a key" not in plain.out
    assert "bound to a key" in desk.call("token", "--json").err
    result = desk.call("token", "--header", f"{desk.provider.api}/hello", "-X", "POST", "--json").json
    check_shape("headers", result)
    assert result["headers"]["Authorization"] == f"DPoP {plain.out.strip()}"
    proof = claims_of(result["headers"]["DPoP"])
    assert (proof["htm"], proof["htu"]) == ("POST", f"{desk.provider.api}/hello")


def test_a_session_is_never_used_without_the_hook_that_binds_it(desk: Desk) -> None:
    desk.profile()
    desk.sign_in(hooks=[DPoP(key=generate("ES256"))])
    assert desk.call("token").code == 4


def test_twenty_processes_at_the_moment_of_expiry_make_one_request(work: Desk) -> None:
    session = work.sign_in()
    old = session.access_token().value
    work.age(session, 300)
    work.provider.requests.clear()
    work.provider.delay("token", 0.3)  # so that all of them meet at it
    command = [sys.executable, "-m", "oidcclient", "token", "work"]
    programs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))
        for _ in range(20)
    ]
    answers = [program.communicate(timeout=120) for program in programs]
    assert [program.returncode for program in programs] == [0] * 20, answers
    assert work.provider.count("token") == 1
    tokens = {out.decode() for out, _ in answers}
    assert len(tokens) == 1
    assert old not in tokens.pop()
