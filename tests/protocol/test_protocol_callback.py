"""The authorization response: what is believed, and in which order."""

from typing import Any

import pytest

from oidcclient import CallbackRefused, LoginDenied, LoginRequired, OAuthError, OidcError
from oidcclient.protocol import check_state, parse_callback, same_secret
from tests.protocol.examples import (
    CODE,
    ISSUER,
    MARK,
    REDIRECT_URI,
    STATE,
    WITH_ISS,
    metadata,
    refused,
    transaction,
)

GOOD = (("code", CODE), ("state", STATE))
JWT_LIKE = f"eyJ{MARK}"
IDS = ["absent", "empty", "another", "shorter", "longer", "other case", "not ASCII"]
OTHER_STATES = [None, "", "another", STATE[:-1], f"{STATE}x", STATE.upper(), "\N{SNOWMAN}"]


def parse(
    *parameters: tuple[str, str], advertised: bool = False, received_at: str = REDIRECT_URI, require_iss: bool = False
) -> str:
    known = metadata(**WITH_ISS) if advertised else metadata()
    return parse_callback(parameters, transaction(), known, received_at=received_at, require_iss=require_iss)


def with_state(*parameters: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (*parameters, ("state", STATE))


def test_a_good_response_gives_its_code() -> None:
    """RFC 6749 section 4.1.2."""
    assert parse(*GOOD) == CODE
    assert parse(*GOOD, ("iss", ISSUER), advertised=True) == CODE


def test_unknown_parameters_are_ignored_even_when_repeated() -> None:
    """RFC 6749 section 4.1.2."""
    assert parse(*GOOD, ("session_state", "x"), ("session_state", "y"), ("colour", "blue")) == CODE


# -- state


@pytest.mark.parametrize("state", OTHER_STATES, ids=IDS)
def test_a_response_with_another_state_is_refused(state: str | None) -> None:
    """RFC 6749 section 10.12, RFC 8252 section 8.9, RFC 9700 section 4.7.1."""
    given = () if state is None else (("state", state),)
    with refused(CallbackRefused, "state", "RFC 6749 section 10.12"):
        parse(("code", CODE), *given)
    with refused(CallbackRefused, "state"):
        check_state(state, STATE)


@pytest.mark.parametrize("state", OTHER_STATES, ids=IDS)
def test_an_error_is_not_believed_without_our_state(state: str | None) -> None:
    """RFC 6749 sections 4.1.2.1 and 10.14."""
    given = () if state is None else (("state", state),)
    with refused(CallbackRefused, "state"):
        parse(("error", "access_denied"), ("error_description", "call 555-1234"), *given)


def test_secrets_are_compared_as_wholes() -> None:
    assert same_secret("a", "a")
    assert not same_secret(None, "a")
    assert not same_secret(None, "")
    assert not same_secret("a\ud800", "a")


# -- redirect_uri


@pytest.mark.parametrize(
    "received_at",
    [
        "http://127.0.0.1:49153/callback",
        "http://127.0.0.1:49152/callback/",
        "http://127.0.0.1:49152/Callback",
        "http://localhost:49152/callback",
        "https://127.0.0.1:49152/callback",
        f"{REDIRECT_URI}?code={CODE}",
        "",
    ],
)
def test_a_response_at_another_redirect_uri_is_refused(received_at: str) -> None:
    """RFC 8252 section 8.10."""
    with refused(CallbackRefused, "redirect_uri", "RFC 8252 section 8.10"):
        parse(*GOOD, received_at=received_at)


# -- iss


@pytest.mark.parametrize("advertised", [True, False])
@pytest.mark.parametrize(
    "iss",
    [
        "https://evil.example",
        f"{ISSUER}/",
        ISSUER.upper(),
        f"{ISSUER}:443",
        f" {ISSUER}",
        "",
        "https%3A//login.example.com",
    ],
)
def test_a_callback_with_another_issuer_is_refused(iss: str, advertised: bool) -> None:
    """RFC 9207 section 2.4: simple string comparison, also where iss is not advertised."""
    with refused(CallbackRefused, "iss", "RFC 9207 section 2.4"):
        parse(*GOOD, ("iss", iss), advertised=advertised)


def test_a_callback_without_the_issuer_that_is_advertised_is_refused() -> None:
    """RFC 9207 sections 2.4 and 3."""
    with refused(CallbackRefused, "iss", "RFC 9207 section 2.4"):
        parse(*GOOD, advertised=True)


def test_a_callback_without_an_issuer_is_refused_where_the_policy_demands_one() -> None:
    """RFC 9207 section 2.4."""
    with refused(CallbackRefused, "iss"):
        parse(*GOOD, require_iss=True)
    assert parse(*GOOD, ("iss", ISSUER), require_iss=True) == CODE


def test_the_right_issuer_is_accepted_though_not_advertised() -> None:
    """RFC 9207 section 2.4: local policy."""
    assert parse(*GOOD, ("iss", ISSUER)) == CODE


@pytest.mark.parametrize("error", ["access_denied", "login_required", "server_error"])
def test_an_error_of_another_issuer_is_not_believed_nor_shown(error: str) -> None:
    """RFC 9207 section 2.4."""
    with refused(CallbackRefused, "iss") as caught:
        parse(*with_state(("error", error), ("error_description", "gossip"), ("iss", "https://evil.example")))
    assert "gossip" not in str(caught[0])
    with refused(CallbackRefused, "iss"):
        parse(*with_state(("error", error)), advertised=True)


# -- duplicates


@pytest.mark.parametrize("name", ["state", "iss", "code", "error", "error_description", "error_uri", "response"])
@pytest.mark.parametrize("same", [True, False])
def test_a_known_parameter_that_comes_twice_is_refused(name: str, same: bool) -> None:
    """RFC 6749 section 3.1."""
    good: dict[str, str] = {"state": STATE, "code": CODE, "iss": ISSUER}
    first = good.get(name, "x")
    once = [pair for pair in good.items() if pair[0] != name]
    with refused(CallbackRefused, "duplicate", "RFC 6749 section 3.1"):
        parse(*once, (name, first), (name, first if same else f"{MARK}-other"))


# -- what the front channel may not carry


@pytest.mark.parametrize("name", ["access_token", "id_token", "response"])
def test_tokens_that_nobody_asked_for_are_refused(name: str) -> None:
    """RFC 9207 section 4: no second issuer in one response; RFC 9700 section 2.1.2: no token in the front channel."""
    with refused(CallbackRefused, "response_type", "RFC 9700 section 2.1.2"):
        parse(*GOOD, (name, JWT_LIKE))


# -- code


@pytest.mark.parametrize("code", [None, "", "c" * 16_385], ids=["absent", "empty", "endless"])
def test_a_response_without_a_usable_code_is_refused(code: str | None) -> None:
    """RFC 6749 section 4.1.2."""
    with refused(CallbackRefused, "code", "RFC 6749 section 4.1.2"):
        parse(*with_state(*(() if code is None else (("code", code),))))


def test_the_longest_code_is_accepted() -> None:
    assert parse(*with_state(("code", "c" * 16_384))) == "c" * 16_384


# -- errors

ERRORS: list[tuple[str, type[OidcError]]] = [
    ("access_denied", LoginDenied),
    ("invalid_request", OAuthError),
    ("unauthorized_client", OAuthError),
    ("unsupported_response_type", OAuthError),
    ("invalid_scope", OAuthError),
    ("invalid_target", OAuthError),
    ("server_error", OAuthError),
    ("temporarily_unavailable", OAuthError),
    ("unmet_authentication_requirements", OAuthError),
    ("made_up", OAuthError),
    ("", OAuthError),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS)
def test_an_error_with_our_state_keeps_its_fields(error: str, kind: type[OidcError]) -> None:
    """RFC 6749 section 4.1.2.1."""
    said = (("error", error), ("error_description", "Not today"), ("error_uri", "https://a.example"))
    with refused(kind, "error") as caught:
        parse(*with_state(*said, ("code", CODE)))
    refusal = caught[0]
    assert isinstance(refusal, OAuthError)
    assert refusal.error == (error or "invalid_response")
    assert (refusal.error_description, refusal.error_uri) == ("Not today", "https://a.example")


@pytest.mark.parametrize(
    "error", ["login_required", "interaction_required", "account_selection_required", "consent_required"]
)
def test_what_answers_prompt_none_means_that_a_person_must_act(error: str) -> None:
    """OIDC Core section 3.1.2.6: LoginRequired, the code kept."""
    with refused(LoginRequired, error, "OIDC Core 3.1.2.6"):
        parse(*with_state(("error", error)))


CONTROL: list[tuple[str, Any]] = [
    ("\x1b[2Jowned", "\\x1b[2Jowned"),
    ("a\r\nb", "a\\r\\nb"),
    ("\N{RIGHT-TO-LEFT OVERRIDE}txt", "\\u202etxt"),
    ("\x00", "\\x00"),
]


@pytest.mark.parametrize(("sent", "shown"), CONTROL)
def test_an_error_text_cannot_command_a_terminal(sent: str, shown: str) -> None:
    """RFC 6749 section 5.2 limits the characters; a client escapes them anyway."""
    with refused(OAuthError) as caught:
        parse(*with_state(("error", sent), ("error_description", sent), ("error_uri", sent)))
    error = caught[0]
    assert isinstance(error, OAuthError)
    assert (error.error, error.error_description, error.error_uri) == (shown, shown, shown)
    assert sent not in str(error)


def test_an_endless_error_text_is_cut() -> None:
    """RFC 6749 section 5.2."""
    with refused(OAuthError) as caught:
        parse(*with_state(("error", "e" * 10_000), ("error_description", "d" * 10_000)))
    assert len(str(caught[0])) <= 600
