"""The device authorization grant (RFC 8628): its endpoint, its polling, its pages; and DPoP with it."""

import re
from typing import Any

import httpx
import pytest

from oidcclient_devkit import Browser, BrowserStopped
from oidcclient_devkit.clients import SHARED_SECRET
from oidcclient_devkit.grant_rules import DEVICE_CODE
from tests.devkit.conftest import App
from tests.devkit.dpop_app import DPoPApp
from tests.dpop_server.proofs import new_key

OFFLINE = "openid profile offline_access"
POST = {"client_id": "devkit-confidential-post", "client_secret": SHARED_SECRET}


def begin(app: App, **form: Any) -> dict[str, Any]:
    answer = app.post("/device-authorization", {"client_id": app.provider.client_id, "scope": OFFLINE} | form)
    assert answer.status_code == 200, answer.text
    codes: dict[str, Any] = answer.json()
    return codes


def poll_form(app: App, codes: dict[str, Any], **form: str) -> dict[str, str]:
    device_code = str(codes["device_code"])
    return {"grant_type": DEVICE_CODE, "client_id": app.provider.client_id, "device_code": device_code} | form


def poll(app: App, codes: dict[str, Any], **form: str) -> httpx.Response:
    return app.post("/token", poll_form(app, codes, **form))


def error_of(answer: httpx.Response) -> str:
    assert answer.status_code == 400
    error: str = answer.json()["error"]
    return error


# The device authorization endpoint


def test_a_device_is_given_two_codes(app: App) -> None:
    """Section 3.2."""
    answer = app.post("/device-authorization", {"client_id": app.provider.client_id, "scope": OFFLINE})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    codes = answer.json()
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", codes["user_code"])  # section 6.1
    assert len(codes["device_code"]) >= 43  # section 5.2
    assert codes["verification_uri"] == f"{app.provider.issuer}/device"
    assert codes["verification_uri_complete"] == f"{codes['verification_uri']}?user_code={codes['user_code']}"
    assert (codes["expires_in"], codes["interval"]) == (600, 5)
    assert begin(app)["user_code"] != codes["user_code"]


def test_the_metadata_tell_of_the_device_grant(app: App) -> None:
    """Section 4."""
    document = app.get("/.well-known/oauth-authorization-server").json()
    assert document["device_authorization_endpoint"] == f"{app.provider.issuer}/device-authorization"
    assert DEVICE_CODE in document["grant_types_supported"]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_client"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"client_id": "devkit-confidential-post"}, "invalid_client"),  # section 3.1: as at the token endpoint
        ({"client_id": ["devkit-desktop", "devkit-desktop"]}, "invalid_request"),
        ({"client_id": "devkit-desktop", "resource": "https://other.example"}, "invalid_target"),
    ],
)
def test_a_bad_device_request_is_refused(app: App, form: dict[str, Any], error: str) -> None:
    assert app.post("/device-authorization", form).json()["error"] == error
    assert not app.provider.core.store.devices


def test_a_client_is_registered_for_the_device_grant(app: App) -> None:
    app.provider.add_client("deviceless")
    answer = app.post("/device-authorization", {"client_id": "deviceless"})
    assert error_of(answer) == "unauthorized_client"
    codes = begin(app)
    assert error_of(poll(app, codes, client_id="deviceless")) == "unauthorized_client"


# Polling


def test_a_device_gets_its_tokens_once_somebody_allowed_it(app: App, claims_of: Any) -> None:
    """Sections 3.4 and 3.5; OIDC Core section 3.1.3.3."""
    codes = begin(app)
    assert error_of(poll(app, codes)) == "authorization_pending"
    app.provider.approve_device(codes["user_code"], "bob")
    tokens = poll(app, codes).json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"] == OFFLINE
    assert claims_of(tokens["id_token"])["sub"] == app.provider.users["bob"].sub
    assert "nonce" not in claims_of(tokens["id_token"])
    assert app.api("/me", tokens["access_token"]).json()["name"] == "Bob Example"
    assert app.refresh(tokens["refresh_token"]).status_code == 200


def test_a_device_code_is_good_once(app: App) -> None:
    codes = begin(app)
    app.provider.approve_device(codes["user_code"])
    assert poll(app, codes).status_code == 200
    assert error_of(poll(app, codes)) == "invalid_grant"
    with pytest.raises(ValueError, match="no device waits"):
        app.provider.approve_device(codes["user_code"])


def test_a_device_that_asks_too_often_slows_down_for_good(app: App) -> None:
    """Section 3.5: five seconds more, for this and all subsequent requests."""
    codes = begin(app)
    assert error_of(poll(app, codes)) == "authorization_pending"
    app.provider.move_clock(5)
    assert error_of(poll(app, codes)) == "authorization_pending"
    app.provider.move_clock(3)
    assert error_of(poll(app, codes)) == "slow_down"
    app.provider.move_clock(7)
    assert error_of(poll(app, codes)) == "slow_down"  # it had to wait ten seconds, and now fifteen
    app.provider.move_clock(11)
    assert error_of(poll(app, codes)) == "slow_down"
    app.provider.move_clock(20)
    assert error_of(poll(app, codes)) == "authorization_pending"
    app.provider.approve_device(codes["user_code"])
    assert poll(app, codes).status_code == 200  # nobody who may go on is held up


def test_the_wait_begins_when_the_last_answer_was_given(app: App) -> None:
    app.provider.set_device_codes(interval=0, lifetime=7)
    codes = begin(app)
    assert (codes["interval"], codes["expires_in"]) == (0, 7)
    assert [error_of(poll(app, codes)) for _ in range(3)] == ["authorization_pending"] * 3


def test_a_device_code_grows_old(app: App) -> None:
    """Section 3.5."""
    codes = begin(app)
    app.provider.move_clock(600)
    assert error_of(poll(app, codes)) == "expired_token"
    with pytest.raises(ValueError, match="no device waits"):
        app.provider.approve_device(codes["user_code"])


def test_an_approval_that_nobody_fetches_grows_old_too(app: App) -> None:
    codes = begin(app)
    app.provider.approve_device(codes["user_code"])
    app.provider.move_clock(600)
    assert error_of(poll(app, codes)) == "expired_token"


def test_a_person_may_say_no(app: App) -> None:
    """Section 3.5."""
    codes = begin(app)
    app.provider.deny_device(codes["user_code"])
    assert error_of(poll(app, codes)) == "access_denied"
    assert error_of(poll(app, codes)) == "access_denied"


def test_a_device_code_of_another_client_is_refused(app: App) -> None:
    """RFC 6749 section 5.2."""
    codes = begin(app)
    app.provider.approve_device(codes["user_code"])
    assert error_of(poll(app, codes, **POST)) == "invalid_grant"
    assert error_of(poll(app, {"device_code": "unknown"})) == "invalid_grant"
    assert error_of(app.post("/token", {"grant_type": DEVICE_CODE})) == "invalid_request"
    assert poll(app, codes).status_code == 200


def test_a_confidential_client_authenticates_at_each_poll(app: App) -> None:
    codes = begin(app, **POST)
    app.provider.approve_device(codes["user_code"])
    answer = poll(app, codes, client_id=POST["client_id"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert poll(app, codes, **POST).status_code == 200


def test_resources_are_asked_for_with_the_device(app: App, claims_of: Any) -> None:
    """RFC 8707 section 2."""
    resource = f"{app.provider.api}/files"
    codes = begin(app, resource=resource)
    app.provider.approve_device(codes["user_code"])
    assert error_of(poll(app, codes, resource=f"{app.provider.api}/me")) == "invalid_target"
    assert claims_of(poll(app, codes).json()["access_token"])["aud"] == resource


def test_without_offline_access_there_is_no_refresh_token(app: App) -> None:
    codes = begin(app, scope="openid")
    app.provider.approve_device(codes["user_code"])
    assert "refresh_token" not in poll(app, codes).json()
    plain = begin(app, scope="profile")
    app.provider.approve_device(plain["user_code"])
    assert "id_token" not in poll(app, plain).json()


# The pages


def test_a_person_types_the_code_signs_in_and_allows(app: App) -> None:
    """Section 3.3."""
    codes = begin(app)
    person = app.provider.browser("bob", user_code=codes["user_code"].lower().replace("-", " "))  # section 6.1
    page = person.visit(codes["verification_uri"])
    titles = [re.search(r"<title>(.*?) ·", one.text) for one in person.pages if one.text]
    assert [found[1] for found in titles if found] == [
        "Connect a device",
        "Sign in",
        "Connect Devkit desktop app?",
        "Device connected",
    ]
    assert page.status == 200
    assert poll(app, codes).json()["scope"] == OFFLINE


def test_a_link_brings_the_code_along_and_it_is_shown_to_compare(app: App) -> None:
    """Sections 3.3.1 and 5.4."""
    codes = begin(app, resource=app.provider.api)
    person = app.provider.browser()
    person.visit(codes["verification_uri_complete"])
    confirm = next(page.text for page in person.pages if "on another device?" in page.text)
    assert codes["user_code"] in confirm
    assert "a device of your own" in confirm
    assert "Keep access while you are away" in confirm
    assert app.provider.api in confirm
    assert poll(app, codes).status_code == 200


def test_who_is_signed_in_already_is_asked_all_the_same(app: App) -> None:
    person = app.provider.browser()
    person.visit(begin(app)["verification_uri_complete"])
    steps = len(person.pages)
    second = begin(app)
    person.visit(second["verification_uri_complete"])
    assert "Your device is connected" in person.page.text
    assert not any("Password" in page.text for page in person.pages[steps:])
    assert poll(app, second).status_code == 200


def test_a_person_denies_on_the_page(app: App) -> None:
    codes = begin(app)
    person = app.provider.browser(deny=True)
    assert "got nothing" in person.visit(codes["verification_uri_complete"]).text
    assert error_of(poll(app, codes)) == "access_denied"


class PageReader(Browser):
    """Sends one form by hand, with the cookie and the token of the page."""

    def send(self, url: str, **fields: str) -> httpx.Response:
        cookie = self._cookies.header("127.0.0.1") or ""
        found = re.search(r'name="csrf" value="([^"]+)"', self.page.text)
        form = {"csrf": found[1] if found else ""} | fields
        return httpx.post(url, data=form, headers={"Cookie": cookie}, trust_env=False)


@pytest.fixture
def reader(app: App) -> PageReader:
    return PageReader("ann", "ann-password")


def _open(reader: PageReader, url: str) -> str:
    """Open a page and do nothing there."""
    reader._next = lambda *_: None  # type: ignore[method-assign]  # its other half is not tried here
    return reader.visit(url).text


def _signed_in(reader: PageReader, url: str) -> PageReader:
    _open(reader, url)
    answer = reader.send(url, username="ann", password="ann-password")
    assert answer.status_code == 303
    reader._cookies.keep("127.0.0.1", tuple(answer.headers.items()))
    _open(reader, url)
    return reader


def test_cancelling_the_sign_in_denies(app: App, reader: PageReader) -> None:
    codes = begin(app)
    _open(reader, codes["verification_uri_complete"])
    assert "got nothing" in reader.send(codes["verification_uri_complete"], decision="deny").text
    assert error_of(poll(app, codes)) == "access_denied"


def test_a_wrong_password_is_asked_for_again(app: App, reader: PageReader) -> None:
    codes = begin(app)
    _open(reader, codes["verification_uri_complete"])
    answer = reader.send(codes["verification_uri_complete"], username="ann", password="wrong")
    assert answer.status_code == 400
    assert "do not go together" in answer.text
    assert error_of(poll(app, codes)) == "authorization_pending"


def test_another_account_may_be_used(app: App, reader: PageReader) -> None:
    url = begin(app)["verification_uri_complete"]
    answer = _signed_in(reader, url).send(url, decision="switch")
    assert (answer.status_code, answer.headers["location"]) == (303, url)
    assert "Password" in _open(reader, url)


def test_a_session_gets_a_new_id_when_somebody_signs_in(app: App, reader: PageReader) -> None:
    url = begin(app)["verification_uri_complete"]
    _open(reader, url)
    before = reader._cookies.header("127.0.0.1")
    assert _signed_in(reader, url)._cookies.header("127.0.0.1") != before


def test_a_form_of_another_site_decides_nothing(app: App, reader: PageReader) -> None:
    codes = begin(app)
    url = codes["verification_uri_complete"]
    _signed_in(reader, url)
    assert reader.send(url, decision="allow", csrf="wrong").status_code == 403
    assert httpx.post(url, data={"decision": "allow"}, trust_env=False).status_code == 403
    assert reader.send(url, decision="nonsense").status_code == 200  # the page again
    assert error_of(poll(app, codes)) == "authorization_pending"
    assert reader.send(url, decision="allow").status_code == 200
    assert poll(app, codes).status_code == 200


def test_a_device_page_cannot_be_framed_and_tells_no_other_site_the_code(app: App, reader: PageReader) -> None:
    _open(reader, begin(app)["verification_uri_complete"])
    assert "frame-ancestors 'none'" in (reader.page.header("content-security-policy") or "")
    assert reader.page.header("referrer-policy") == "no-referrer"


@pytest.mark.parametrize("when", ["unknown", "old", "decided"])
def test_a_code_that_nothing_waits_for_is_asked_for_again(app: App, when: str) -> None:
    codes = begin(app)
    person = app.provider.browser(user_code="XXXX-XXXX" if when == "unknown" else codes["user_code"])
    if when == "old":
        app.provider.move_clock(600)
    if when == "decided":
        app.provider.deny_device(codes["user_code"])
    with pytest.raises(BrowserStopped, match="400 at /device"):
        person.visit(codes["verification_uri"])
    assert "No device waits with this code" in person.page.text


def test_codes_cannot_be_found_by_guessing(app: App) -> None:
    """Section 5.1."""
    codes = begin(app)
    answers = [app.get(f"/device?user_code=guess{number}").status_code for number in range(12)]
    assert answers == [400] * 10 + [429] * 2
    assert app.http.get(codes["verification_uri_complete"]).status_code == 429
    app.provider.move_clock(61)
    assert app.http.get(codes["verification_uri_complete"]).status_code == 200


def test_without_pages_the_link_is_enough(app: App) -> None:
    app.provider.sign_in_as("ann")
    codes = begin(app)
    assert "Your device is connected" in app.http.get(codes["verification_uri_complete"]).text
    assert poll(app, codes).status_code == 200


# DPoP


def test_a_proof_with_the_poll_binds_the_tokens(dpop: DPoPApp, claims_of: Any) -> None:
    """RFC 9449 section 5: with every kind of grant."""
    codes = begin(dpop.app)
    form = poll_form(dpop.app, codes)
    assert error_of(dpop.post("/token", form)) == "authorization_pending"
    dpop.provider.approve_device(codes["user_code"])
    tokens = dpop.post("/token", form).json()
    assert tokens["token_type"] == "DPoP"
    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": dpop.key.jkt}
    assert dpop.api("/me", tokens["access_token"]).status_code == 200
    assert dpop.refresh(tokens["refresh_token"], new_key()).json()["error"] == "invalid_grant"
    assert dpop.refresh(tokens["refresh_token"]).json()["token_type"] == "DPoP"


def test_a_bad_proof_neither_spends_the_device_code_nor_counts_as_a_poll(dpop: DPoPApp) -> None:
    codes = begin(dpop.app)
    form = poll_form(dpop.app, codes)
    assert error_of(dpop.post("/token", form, iat=1)) == "invalid_dpop_proof"
    assert error_of(dpop.post("/token", form)) == "authorization_pending"
    dpop.provider.approve_device(codes["user_code"])
    assert error_of(dpop.post("/token", form, htm="GET")) == "invalid_dpop_proof"
    assert dpop.post("/token", form).json()["token_type"] == "DPoP"


def test_a_nonce_may_be_asked_for_between_polls(dpop: DPoPApp) -> None:
    """RFC 9449 section 8: the same code goes again with the nonce, and that is no second poll."""
    dpop.provider.dpop_nonces(as_="required")
    codes = begin(dpop.app)
    form = poll_form(dpop.app, codes)
    asked = dpop.post("/token", form)
    assert error_of(asked) == "use_dpop_nonce"
    pending = dpop.post("/token", form, nonce=asked.headers["dpop-nonce"])
    assert error_of(pending) == "authorization_pending"
    dpop.provider.approve_device(codes["user_code"])
    assert dpop.post("/token", form, nonce=pending.headers["dpop-nonce"]).json()["token_type"] == "DPoP"


def test_a_client_may_be_held_to_proofs_at_each_poll(dpop: DPoPApp) -> None:
    """RFC 9449 section 5.2."""
    dpop.provider.add_client("bound", grant_types=[DEVICE_CODE], dpop_bound_access_tokens=True)
    codes = begin(dpop.app, client_id="bound")
    dpop.provider.approve_device(codes["user_code"])
    assert error_of(poll(dpop.app, codes, client_id="bound")) == "invalid_dpop_proof"
    assert dpop.post("/token", poll_form(dpop.app, codes, client_id="bound")).json()["token_type"] == "DPoP"
