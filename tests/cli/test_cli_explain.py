"""`oidcclient explain`: a real sign-in, told step by step, and no secret in it."""

from __future__ import annotations

import os
import re

import httpx
import pytest

from oidcclient import events
from oidcclient.cli.lessons import LESSONS, ORDER
from oidcclient.cli.overhearing import Overhearing
from tests.cli.calling import Desk, Result, check_shape
from tests.cli.echoing import api_running

SECTION = re.compile(r"RFC \d{4} section \d|RFC 9700 section|OIDC (Core|Discovery) ")


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A desk with a profile, and a browser that signs ann in."""
    desk.profile()
    desk.provider.sign_in_as("ann")
    desk.set(FLOW="browser")
    return desk


def secrets_of(desk: Desk) -> set[str]:
    """Return every secret that the provider was sent or gave out."""
    store = desk.provider.core.store
    names = ("state", "nonce", "code", "code_verifier", "code_challenge", "request_uri", "refresh_token", "token")
    requests = [
        request for endpoint in ("par", "authorize", "token") for request in desk.provider.requests.of(endpoint)
    ]
    sent = {request.value(name) for request in requests for name in names}
    return {secret for secret in {*sent, *store.refresh_tokens, *store.access_tokens} if secret}


def test_each_step_of_a_sign_in_is_told_in_order(ready: Desk) -> None:
    result = ready.call("explain")
    assert result.code == 0
    titles = re.findall(r"^\d+\. (.*)$", result.out, re.MULTILINE)
    assert set(titles) == {LESSONS[kind].title for kind in ORDER}
    late = [LESSONS[kind].title for kind in ORDER[6:]]
    assert [title for title in titles if title in late] == late


def test_nothing_secret_is_told(ready: Desk) -> None:
    for words in (["explain"], ["explain", "--json"]):
        result = ready.call(*words)
        found = [secret for secret in secrets_of(ready) if secret in result.out]
        assert (result.code, found) == (0, [])
    assert secrets_of(ready)


def test_what_went_over_the_wire_stands_with_its_step(ready: Desk) -> None:
    shape = ready.call("explain", "work", "--json").json
    check_shape("explain", shape)
    requests = {step["title"]: [message["request"] for message in step["messages"]] for step in shape["steps"]}
    for kind, path in (
        (events.MetadataFetched, "/.well-known/openid-configuration"),
        (events.RequestPushed, "/par"),
        (events.KeysFetched, "/jwks"),
        (events.TokenReceived, "/token"),
        (events.SessionRefreshed, "/token"),
        (events.SignedOut, "/revoke"),
    ):
        assert requests[LESSONS[kind].title][0].endswith(ready.provider.issuer + path)


def test_nothing_is_left_behind(ready: Desk) -> None:
    assert ready.call("explain").code == 0
    assert ready.call("status").code == 4
    assert not ready.sessions.exists()
    assert ready.provider.count("revoke")


def test_a_code_for_another_device_is_explained_too(ready: Desk) -> None:
    del os.environ["OIDCCLIENT_FLOW"]
    ready.provider.misbehave("device_authorization.unavailable")
    result = ready.call("explain", "--flow", "device")
    assert (result.code, "Then it failed" in result.out) == (7, True)


def test_a_sign_in_that_fails_is_told_up_to_there(ready: Desk) -> None:
    ready.provider.misbehave("token.invalid_grant")
    result = ready.call("explain")
    assert result.code == 6
    assert "Then it failed" in result.out
    assert "Error:" in result.err
    assert "Error:" not in result.out


def test_a_sign_in_that_never_begins_leaves_nothing_to_tell(desk: Desk, free_port: int) -> None:
    desk.profile(issuer=f"http://127.0.0.1:{free_port}")
    desk.set(FLOW="browser")
    result = desk.call("explain")
    assert (result.code, "Then it failed" in result.out) == (7, False)


def test_a_session_that_cannot_be_refreshed_is_signed_out_all_the_same(ready: Desk) -> None:
    ready.provider.misbehave("token.missing_refresh_token")
    result = ready.call("explain")
    assert (result.code, "There is no refresh token" in result.out) == (0, True)
    assert LESSONS[events.SessionRefreshed].title not in result.out
    assert LESSONS[events.SignedOut].title in result.out


def test_without_pushed_requests_the_browser_still_gets_a_short_address() -> None:
    tell = LESSONS[events.SignInAddress].facts
    assert "secret" not in " ".join(tell(events.SignInAddress("http://127.0.0.1:1/start/secret")))
    words = " ".join(tell(events.SignInAddress("https://login.example.com/authorize?client_id=cli&state=secret")))
    assert "https://login.example.com/authorize" in words
    assert "client_id = cli" in words
    assert "secret" not in words


def test_the_steps_can_be_read_without_signing_in(desk: Desk) -> None:
    result = desk.call("explain", "--steps")
    assert result.code == 0
    assert len(re.findall(r"^\d+\. ", result.out, re.MULTILINE)) == len(ORDER)
    check_shape("explain", desk.call("explain", "--steps", "--json").json)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_lines_fit_the_terminal(desk: Desk, columns: int) -> None:
    result = desk.run("explain", "--steps", env={"COLUMNS": str(columns)})
    assert max(map(len, result.out.splitlines())) <= min(columns, 100)


def test_every_check_names_its_section() -> None:
    for lesson in LESSONS.values():
        assert all(SECTION.match(section) for _, section in lesson.checks)
        assert not any("{" in says for says in lesson.says)


def test_the_program_itself_explains(ready: Desk) -> None:
    result: Result = ready.run("explain", "work")
    assert (result.code, "12. The session is ended" in result.out) == (0, True)
    assert "Opening your browser" in result.err


def test_proofs_are_told_without_their_text(desk: Desk) -> None:
    desk.profile(dpop=True, key_store=f"file:{desk.folder.as_posix()}/keys")
    desk.provider.sign_in_as("ann")
    desk.set(FLOW="browser")
    result = desk.call("explain")
    assert (result.code, "dpop: «" in result.out) == (0, True)


def test_metadata_by_hand_names_the_endpoints_too(ready: Desk) -> None:
    body = httpx.get(f"{ready.provider.issuer}/.well-known/openid-configuration").content
    (ready.folder / "metadata.json").write_bytes(body)
    ready.profile("byhand", metadata_file=str(ready.folder / "metadata.json"))
    shape = ready.call("explain", "byhand", "--json").json
    steps = {step["title"]: step for step in shape["steps"]}
    assert LESSONS[events.MetadataFetched].title not in steps
    assert steps[LESSONS[events.TokenReceived].title]["messages"]


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_metadata_that_are_none_are_overheard_as_they_are(body: bytes) -> None:
    with api_running() as api:
        api.body = body
        wire = Overhearing(None)
        with httpx.Client(transport=wire) as client:
            client.get(f"{api.url}/.well-known/openid-configuration")
            client.get(f"{api.url}/other")
        assert [message.endpoint for message in wire.take()] == ["metadata", ""]
        assert wire.take() == []
