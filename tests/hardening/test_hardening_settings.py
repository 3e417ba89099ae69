"""Found in review: clocks, policies and handlers that a session or a sign-in must bear."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import oidcclient
from oidcclient import events
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY, advance
from tests.hardening.within import within
from tests.session.conftest import SCOPES
from tests.session.test_session_refresh import HOUR, advance_core, stored

SignIn = Callable[..., oidcclient.Session]
JSON = {"Content-Type": "application/json"}


def test_a_token_from_a_future_that_never_came_is_not_served(sign_in: SignIn, oidc_provider: Provider) -> None:
    """
    The clock was a year ahead when the token was refreshed (a flat CMOS battery), then it was set right.

    The token looks fresh for a year: `access_token()` serves one that ended long ago, and nothing renews it. A token
    received in the future says nothing about its end, so it has to be renewed.
    """
    session = sign_in()
    ahead = {"access_token": "ahead", "token_type": "Bearer", "expires_in": 300}
    oidc_provider.answer("token", 200, JSON, ahead)  # without an ID Token, whose iat would have told
    advance_core(session, 365 * 24 * HOUR, oidc_provider)
    assert session.refresh().value == "ahead"
    oidc_provider.move_clock(-364 * 24 * HOUR)
    advance_core(session, 24 * HOUR, oidc_provider)  # set right, and the token has ended since
    oidc_provider.move_clock(-24 * HOUR)
    assert session.access_token().value != "ahead"


def test_metadata_from_a_future_that_never_came_is_fetched_again(sign_in: SignIn, oidc_provider: Provider) -> None:
    """Line 40 of the standards: cache with a ceiling. A date that no fetch of today could give is no ceiling."""
    store = oidcclient.MemoryStore()
    session = sign_in(store=store)
    far = time.time() + 365 * 24 * HOUR
    store.save(replace(stored(session), metadata_until=far, keys_until=far))
    client = oidcclient.Client(
        oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
    )
    with client:
        client.session().refresh()
    assert oidc_provider.count("metadata") == 1
    assert stored(session).metadata_until <= time.time() + TEST_POLICY.metadata_max_age


@pytest.fixture
def strict(oidc_provider: Provider, sign_in: SignIn) -> Iterator[oidcclient.Client]:
    """A program whose update demands more of the provider than the metadata in its stored session says."""
    store = oidcclient.MemoryStore()
    session = sign_in(store=store)
    record = stored(session)
    metadata = {k: v for k, v in (record.metadata or {}).items() if k != "pushed_authorization_request_endpoint"}
    store.save(replace(record, metadata=metadata))  # the provider has got it since
    with oidcclient.Client(
        oidc_provider.issuer,
        oidc_provider.client_id,
        scopes=SCOPES,
        policy=replace(TEST_POLICY, require_par=True),
        store=store,
    ) as client:
        yield client


def test_stored_metadata_that_a_new_policy_refuses_is_fetched_again(strict: oidcclient.Client) -> None:
    """
    A stricter `Policy` in an update refuses the metadata kept with the session, though the provider's own would do.

    It is never fetched again: every refresh, for ever, is DiscoveryRefused, which is no LoginRequired.
    """
    assert strict.session().refresh().value


def test_a_session_whose_metadata_is_refused_can_be_signed_out(strict: oidcclient.Client) -> None:
    """Design section 3: logout wipes locally first. With refused metadata it wiped nothing."""
    session = strict.session()
    session.logout()
    with pytest.raises(oidcclient.LoginRequired):
        strict.session()


class Bang(Exception):
    """What the program's handler raises."""


@pytest.mark.parametrize("when", [events.SessionRefreshed])
def test_a_handler_that_raises_does_not_fail_the_refresh(
    sign_in: SignIn,
    oidc_provider: Provider,
    when: type,
) -> None:
    """The token is there and saved; a handler with a bug (a closed log file) is no reason to withhold it."""

    def handler(event: object) -> None:
        if isinstance(event, when):
            raise Bang

    session = sign_in(on_event=handler)
    assert session.refresh().value


def test_a_handler_that_raises_does_not_stop_a_sign_out_half_way(sign_in: SignIn, oidc_provider: Provider) -> None:
    """Wiped from the store, but still usable in this process, never revoked, its hooks' keys never deleted."""

    def handler(event: object) -> None:
        if isinstance(event, events.SignedOut):
            raise Bang

    session = sign_in(on_event=handler)
    with contextlib.suppress(Bang):
        session.logout()
    assert oidc_provider.count("revoke") >= 1
    with pytest.raises(oidcclient.LoginRequired):
        session.access_token()


@pytest.mark.parametrize("when", [events.TokenReceived, events.IDTokenVerified])
def test_a_handler_that_raises_does_not_throw_a_sign_in_away(
    make_client_of: Callable[..., oidcclient.Client], oidc_provider: Provider, when: type
) -> None:
    """The code was exchanged: the tokens are alive at the provider, unknown here, and nobody can revoke them."""

    def handler(event: object) -> None:
        if isinstance(event, when):
            raise Bang

    client = make_client_of(on_event=handler)
    browser = oidc_provider.browser(user="ann")
    with contextlib.suppress(Bang):
        client.login(open_browser=browser, timeout=20)
    browser.join()
    assert client.session().user.sub


@pytest.fixture
def make_client_of(oidc_provider: Provider) -> Iterator[Callable[..., oidcclient.Client]]:
    made: list[oidcclient.Client] = []

    def make(**changes: Any) -> oidcclient.Client:
        settings = {"scopes": SCOPES, "policy": TEST_POLICY, "store": oidcclient.MemoryStore()}
        made.append(oidcclient.Client(oidc_provider.issuer, oidc_provider.client_id, **{**settings, **changes}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
@pytest.mark.parametrize(
    "name", ["http_timeout", "metadata_max_age", "id_token_max_age", "lock_timeout", "jwks_refetch_interval"]
)
def test_a_limit_is_a_number_of_seconds(name: str, seconds: float) -> None:
    """
    `not nan <= 0`, so NaN passes for a limit; infinity switches one off, which no check of `Policy` may.

    `metadata_max_age=inf` is worse: no store can write the record of the sign-in down, after the person has typed.
    """
    with pytest.raises(oidcclient.UsageError):
        oidcclient.Policy(**{name: seconds})  # type: ignore[arg-type] # the names are of numbers


@pytest.mark.parametrize("value", [0, -1])
def test_at_least_one_wrong_callback_is_borne(value: int) -> None:
    """`max_wrong_callbacks=0` ends every sign-in as forged before the browser is back."""
    with pytest.raises(oidcclient.UsageError):
        oidcclient.Policy(max_wrong_callbacks=value)


def test_a_person_has_a_number_of_seconds(make_client_of: Callable[..., oidcclient.Client]) -> None:
    """`timeout=nan` is no deadline: every comparison with it is false."""
    with pytest.raises(oidcclient.UsageError):
        within(5, lambda: make_client_of().start_login(timeout=float("nan")))


def test_the_account_asked_for_is_the_account_returned(
    make_client_of: Callable[..., oidcclient.Client], oidc_provider: Provider
) -> None:
    """
    `session_or_login(account)` falls back on a sign-in, at which anybody may sign in.

    The program asked for ann's session and is handed bob's without a word.
    """
    client, browser = make_client_of(), oidc_provider.browser(user="ann")
    ann = client.login(open_browser=browser, timeout=20).user.sub
    browser.join()
    oidc_provider.revoke_grants()
    advance(client, HOUR)
    oidc_provider.move_clock(HOUR)
    browser = oidc_provider.browser(user="bob")
    try:
        session = client.session_or_login(ann, open_browser=browser, timeout=20)
    except oidcclient.OidcError:
        return
    finally:
        browser.join()
    assert session.user.sub == ann


def test_a_missing_authority_file_is_an_error_of_ours(make_client_of: Callable[..., oidcclient.Client]) -> None:
    """Design section 3: every error is an `OidcError` with a hint."""
    client = make_client_of(http=oidcclient.Http(verify="/nowhere/ca.pem"))
    with pytest.raises(oidcclient.OidcError):
        client.login(open_browser=lambda _: None, timeout=2)
