"""Whether a stored session will do, and what a new sign-in does to an old one."""

import base64
import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient import hooks
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY, advance
from tests.session.conftest import SCOPES, SignIn


def again(provider: Provider, session: oidcclient.Session, **changes: Any) -> oidcclient.Client:
    """Start the program again, over the same store."""
    settings: dict[str, Any] = {"scopes": SCOPES, "policy": TEST_POLICY, "store": session._core.store}
    return oidcclient.Client(provider.issuer, provider.client_id, **{**settings, **changes})


def audience(token: oidcclient.AccessToken) -> object:
    payload = token.value.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["aud"]


def test_a_stored_session_that_fits_opens_nothing(sign_in: SignIn, oidc_provider: Provider) -> None:
    first = sign_in(login={"resource": oidc_provider.api})
    opened: list[str] = []
    with again(oidc_provider, first) as client:
        session = client.session_or_login(first.user.sub, resource=oidc_provider.api, open_browser=opened.append)
    assert session.key == first.key
    assert not opened


@pytest.mark.parametrize("wanted", ["resource", "scope", "max_age"])
def test_a_stored_session_that_lacks_what_is_wanted_leads_to_a_sign_in(
    sign_in: SignIn, oidc_provider: Provider, wanted: str
) -> None:
    first = sign_in(scopes=["openid", "offline_access"])
    scopes = SCOPES if wanted == "scope" else ["openid", "offline_access"]
    options: dict[str, Any] = {"resource": oidc_provider.api} if wanted == "resource" else {}
    with again(oidc_provider, first, scopes=scopes) as client:
        if wanted == "max_age":
            advance(client, 120)
            options["max_age"] = 60
            oidc_provider.move_clock(120)
        client.session_or_login(open_browser=oidc_provider.browser(), timeout=20, **options)
    assert oidc_provider.count("authorize") >= 1


def test_only_the_account_asked_for_may_sign_in(sign_in: SignIn, oidc_provider: Provider) -> None:
    ann = sign_in()
    ann.logout()
    with again(oidc_provider, ann) as client:
        with pytest.raises(oidcclient.IDTokenRefused) as refusal:
            client.session_or_login(ann.user.sub, open_browser=oidc_provider.browser(user="bob"), timeout=20)
        assert refusal.value.rule == "account"
        assert client.accounts() == ()
        session = client.session_or_login(ann.user.sub, open_browser=oidc_provider.browser(), timeout=20)
        assert session.user.sub == ann.user.sub


def test_the_first_token_is_for_one_api_and_no_other_can_use_it(sign_in: SignIn, oidc_provider: Provider) -> None:
    """RFC 9700 section 2.3, RFC 8707 section 2.2."""
    one, two = oidc_provider.api, f"{oidc_provider.api}/second"
    oidc_provider.resources.append(two)
    session = sign_in(login={"resource": [one, two]})
    assert audience(session.access_token(one)) == one
    assert audience(session.access_token(two)) == two
    assert session.access_token().value == session.access_token(one).value
    assert oidc_provider.count("token") == 1


def test_without_a_refresh_token_to_come_the_one_token_is_for_all(sign_in: SignIn, oidc_provider: Provider) -> None:
    one, two = oidc_provider.api, f"{oidc_provider.api}/second"
    oidc_provider.resources.append(two)
    session = sign_in(scopes=["openid"], login={"resource": [one, two]})
    assert session.access_token(one).value == session.access_token(two).value


def test_a_tokens_lifetime_survives_the_program(sign_in: SignIn, oidc_provider: Provider, tmp_path: Path) -> None:
    """A token of two minutes must not look due from its first second."""
    oidc_provider.set_token_lifetime(100)
    session = sign_in(store=oidcclient.FileStore(tmp_path))
    with again(oidc_provider, session, store=oidcclient.FileStore(tmp_path)) as client:
        token = client.session().access_token()
        assert token.issued_at is not None
        assert token == session.access_token()
        time.sleep(0.2)
    assert oidc_provider.count("token") == 0


class Keeps:
    """A hook with a key for each session."""

    name = "keeps"

    def __init__(self) -> None:
        self.made = 0
        self.gone: list[object] = []

    def prepare(self, context: hooks.HookContext) -> hooks.Flow[None]:
        self.made += 1
        context.state["key"] = f"key-{self.made}"
        yield from hooks.sleep(0)

    def describe(self, state: Mapping[str, object]) -> str:
        return f"keeps {state['key']}"

    def forget(self, state: Mapping[str, object]) -> hooks.Flow[None]:
        yield from hooks.run(lambda: self.gone.append(state["key"]))


def test_a_new_sign_in_removes_the_old_key_once_the_new_session_is_safe(
    sign_in: SignIn, oidc_provider: Provider
) -> None:
    keeps = Keeps()
    session = sign_in(hooks=[keeps])
    with again(oidc_provider, session, hooks=[keeps]) as client:
        newer = client.login(open_browser=oidc_provider.browser(), timeout=20)
    assert keeps.gone == ["key-1"]
    assert newer.describe() == ("keeps key-2",)


@pytest.mark.parametrize("way", ["refused", "denied", "cancelled", "par"])
def test_a_sign_in_that_fails_leaves_no_key_behind(sign_in: SignIn, oidc_provider: Provider, way: str) -> None:
    keeps = Keeps()
    first = sign_in()
    with again(oidc_provider, first, hooks=[keeps], store=oidcclient.MemoryStore()) as client:
        if way == "cancelled":
            pending = client.start_login(timeout=20)
            pending.cancel()
            with pytest.raises(oidcclient.LoginCancelled):
                pending.wait()
        else:
            if way != "denied":
                oidc_provider.misbehave("id_token.wrong_key" if way == "refused" else "par.error")
            browser = oidc_provider.browser(deny=way == "denied")
            with pytest.raises(oidcclient.OidcError):
                client.login(open_browser=browser, timeout=20)
    assert keeps.gone == ["key-1"]


def test_a_refresh_of_an_older_session_cannot_win_over_a_new_sign_in(sign_in: SignIn, oidc_provider: Provider) -> None:
    """The sign-in takes the session's lock to save, and the refresh reads again under it."""
    session = sign_in()
    oidc_provider.delay("token", 0.4)
    flight = session._source(None).fly(None)
    time.sleep(0.1)
    with again(oidc_provider, session) as client:
        oidc_provider.sign_in_as("ann")
        results: list[oidcclient.Session] = []
        thread = threading.Thread(
            target=lambda: results.append(client.login(open_browser=oidc_provider.browser(), timeout=20))
        )
        thread.start()
        flight.exception(10)
        thread.join(20)
        stored = session._core.store.load(session.key)
        assert stored is not None
        assert stored.id_token == results[0].id_token
        assert stored.tokens[""].value == results[0].access_token().value
