"""What an error says, and what it never says."""

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import oidcclient
from oidcclient import OAuthError, OidcError, Policy, TransportError, UsageError
from oidcclient._words import errors
from oidcclient._words.errors import printable
from oidcclient._words.values import AccessToken
from oidcclient.protocol import (
    AuthorizationRequest,
    PrivateKeyJwt,
    authorization_parameters,
    build_par_request,
    check_state,
    check_token_type,
    check_userinfo_sub,
    parse_callback,
    parse_id_token,
    parse_key_set,
    parse_metadata,
    parse_par_response,
    parse_token_response,
    parse_userinfo_response,
    verify_id_token,
)
from tests.protocol.examples import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    CODE,
    ISSUER,
    JSON,
    METADATA,
    NONCE,
    POLICY,
    REDIRECT_URI,
    REFRESH_TOKEN,
    REQUEST_URI,
    STATE,
    TOKENS,
    answer,
    assert_no_secret,
    changed,
    claims,
    expected,
    keys,
    metadata,
    raw,
    shown_by,
    transaction,
)
from tests.protocol.signing import signer

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, OidcError)]


def callback(*parameters: tuple[str, str], received_at: str = REDIRECT_URI, require_iss: bool = False) -> object:
    return parse_callback(parameters, transaction(), metadata(), received_at=received_at, require_iss=require_iss)


def id_token(changes: dict[str, Any], header: dict[str, Any] | None = None, **wanted: Any) -> object:
    token = signer().sign(claims(**changes), **(header or {}))
    return verify_id_token(token, parse_id_token(token), keys(), allowed=("ES256",), expected=expected(**wanted))


def tokens(**changes: Any) -> object:
    return parse_token_response(answer(changed(TOKENS, changes)))


BROKEN_BODIES = [
    ACCESS_TOKEN.encode(),
    f'{{"access_token": "{ACCESS_TOKEN}"'.encode(),
    f'{{"access_token": "{ACCESS_TOKEN}'.encode() + b'\xff"}',
    f'{{"access_token": "{ACCESS_TOKEN}\\ud800"}}'.encode(),
    f'{{"access_token": "{ACCESS_TOKEN}", "access_token": "{REFRESH_TOKEN}"}}'.encode(),
    f'["{ACCESS_TOKEN}"]'.encode(),
    f'{{"access_token": "{ACCESS_TOKEN}", "expires_in": NaN}}'.encode(),
]
PARSERS: list[Callable[[Any], object]] = [
    parse_token_response,
    parse_userinfo_response,
    parse_key_set,
    lambda response: parse_metadata(response, issuer=ISSUER, policy=POLICY),
]
BAD_ADDRESSES = ("http://login.example.com", "https://[", "", 5)
BAD_CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://evil.example"},
    {"aud": "other"},
    {"aud": [CLIENT_ID, "other"]},
    {"azp": "other"},
    {"exp": 0},
    {"iat": 0},
    {"nonce": f"{NONCE}x"},
    {"nonce": ...},
    {"sub": ...},
    {"at_hash": ACCESS_TOKEN},
]

# One call for every place that refuses something, each with secrets wherever they could be.
CALLS: list[Callable[[], object]] = [
    *(lambda body=body, parse=parse: parse(raw(body)) for body in BROKEN_BODIES for parse in PARSERS),
    *(lambda body=body: parse_par_response(raw(body, 201)) for body in BROKEN_BODIES),
    *(
        lambda status=status: parse_token_response(raw(ACCESS_TOKEN.encode(), status))
        for status in (302, 400, 429, 500)
    ),
    *(lambda changes=changes: id_token(changes) for changes in BAD_CLAIMS),
    lambda: id_token({}, {"alg": "none"}),
    lambda: id_token({}, {"kid": "other"}),
    lambda: id_token({}, {"kid": 5}),
    lambda: id_token({}, {"crit": ["x"]}),
    lambda: id_token({}, {"typ": "at+jwt"}),
    lambda: id_token({"iat": 5}, {"kid": signer("RS256").kid}),
    lambda: id_token({}, max_age=5),
    lambda: id_token({}, essential_acr=("strong",)),
    lambda: parse_id_token(f"{NONCE}.{NONCE}.*"),
    lambda: parse_id_token(signer().sign_bytes(b'{"alg": "ES256"', NONCE.encode())),
    lambda: parse_id_token(signer().sign_bytes(b'{"alg": "ES256"}', b"\xff" + NONCE.encode())),
    lambda: callback(("code", CODE), ("state", f"{STATE}x")),
    lambda: callback(("code", CODE)),
    lambda: callback(("code", CODE), ("code", CODE), ("state", STATE)),
    lambda: callback(("code", CODE), ("state", STATE), ("state", STATE)),
    lambda: callback(("code", CODE), ("state", STATE), ("iss", "https://evil.example")),
    lambda: callback(("code", CODE), ("state", STATE), require_iss=True),
    lambda: callback(("code", CODE), ("state", STATE), ("access_token", ACCESS_TOKEN)),
    lambda: callback(("code", CODE), ("state", STATE), received_at=f"{REDIRECT_URI}?code={CODE}"),
    lambda: callback(("code", CODE * 5000), ("state", STATE)),
    lambda: callback(("error", "access_denied"), ("code", CODE), ("state", STATE)),
    lambda: callback(("error", "login_required"), ("code", CODE), ("state", STATE)),
    lambda: check_state(None, STATE),
    lambda: tokens(token_type="mac\n"),
    lambda: tokens(access_token=f"{ACCESS_TOKEN}\n"),
    lambda: tokens(access_token=[ACCESS_TOKEN]),
    lambda: tokens(refresh_token={REFRESH_TOKEN: 1}),
    lambda: tokens(id_token=[signer().sign({})]),
    lambda: tokens(expires_in=ACCESS_TOKEN),
    lambda: tokens(scope=[ACCESS_TOKEN]),
    lambda: check_token_type(parse_token_response(answer({**TOKENS, "token_type": "mac"})), known=False),
    lambda: check_userinfo_sub({"sub": "bob", "token": ACCESS_TOKEN}, "ann"),
    lambda: parse_par_response(answer({"request_uri": REQUEST_URI, "expires_in": 0}, 201)),
    lambda: parse_par_response(answer({"request_uri": [REQUEST_URI], "expires_in": 5}, 201)),
    lambda: parse_par_response(answer({"request_uri": REQUEST_URI, "expires_in": 5}, 200)),
    lambda: build_par_request(metadata(), [("state", STATE)], POLICY),
    lambda: authorization_parameters(transaction(), client_id=CLIENT_ID, form_post=False, added={"state": STATE}),
    lambda: AuthorizationRequest(extra={"client_secret": CLIENT_SECRET}),
    lambda: PrivateKeyJwt(key=CLIENT_SECRET).authenticate(
        build_par_request(metadata(pushed_authorization_request_endpoint=f"{ISSUER}/par"), [("state", STATE)], POLICY),
        client_id=CLIENT_ID,
        issuer=ISSUER,
        token_endpoint=ISSUER,
        now=0,
    ),
    *(lambda address=address: metadata(token_endpoint=address) for address in BAD_ADDRESSES),
    lambda: parse_metadata(answer({**METADATA, "issuer": "x"}, 200, *JSON), issuer=ISSUER, policy=POLICY),
]


def test_no_error_ever_shows_a_secret() -> None:
    """RFC 6749 sections 10.3 and 10.5: not in its text, fields, arguments or traceback, nor in what is behind it."""
    for call in CALLS:
        with pytest.raises(OidcError) as raised:
            call()
        assert_no_secret(raised.value)
        assert raised.value.hint


def test_the_search_for_secrets_finds_what_is_chained() -> None:
    """Or the test above would prove nothing."""
    hidden = OidcError("nothing to see")
    hidden.__context__ = ValueError(ACCESS_TOKEN)
    hidden.__suppress_context__ = True
    for error in (OidcError(ACCESS_TOKEN), OidcError("a", received=ACCESS_TOKEN), OidcError("a", rule=STATE), hidden):
        with pytest.raises(AssertionError):
            assert_no_secret(error)
    assert_no_secret(OidcError("nothing to see"))


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_in_the_tree_has_a_hint_and_is_public(kind: type[OidcError]) -> None:
    error = kind("text")
    assert getattr(oidcclient, kind.__name__) is kind
    assert error.hint.endswith(".")
    assert kind.__name__ in errors.__all__


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_pickling_and_copying(kind: type[OidcError]) -> None:
    error = kind("text")
    error.hint = "Try this."
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - our own bytes
        assert type(twin) is kind
        assert (str(twin), vars(twin)) == (str(error), vars(error))


def test_fields_are_kept() -> None:
    error = OidcError("text", hint="Do.", rule="r", section="s", expected=5, received=["x"])
    assert (error.hint, error.rule, error.section, error.expected, error.received) == ("Do.", "r", "s", "5", "['x']")
    assert OidcError("text").expected is None
    wire = TransportError("text", retry_after=5.0, status=503)
    assert (wire.retry_after, wire.status) == (5.0, 503)
    assert OAuthError("invalid_client").hint.startswith("Check client_id")
    assert OAuthError("unheard_of").hint == OAuthError.default_hint
    assert OAuthError("x", hint="Mine.").hint == "Mine."


TEXTS: list[tuple[object, str]] = [
    ("plain text", "plain text"),
    ("\N{LATIN SMALL LETTER E WITH ACUTE}\N{SNOWMAN}", "\N{LATIN SMALL LETTER E WITH ACUTE}\N{SNOWMAN}"),
    ("a\nb\tc\r", "a\\nb\\tc\\r"),
    ("\x1b]8;;https://evil.example\x07", "\\x1b]8;;https://evil.example\\x07"),
    ("\x9b2J", "\\x9b2J"),
    ("\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH SPACE}\N{LINE SEPARATOR}", "\\u202e\\u200b\\u2028"),
    ("\ud800", "\\ud800"),
    (5, "5"),
    (None, "None"),
    (b"x", "b'x'"),
]


@pytest.mark.parametrize(("text", "shown"), TEXTS)
def test_text_from_the_network_is_made_fit_for_a_terminal(text: object, shown: str) -> None:
    """RFC 6749 section 5.2 allows printable ASCII; whatever comes is escaped."""
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["x" * 1000, "\x00" * 1000, "\N{SNOWMAN}" * 1000, "x" * 301])
def test_text_from_the_network_is_cut(text: str) -> None:
    assert len(printable(text)) == 300
    assert printable(text).endswith("...")
    assert len(printable(text, 10)) == 10


def test_text_of_just_the_right_length_is_not_cut() -> None:
    assert printable("x" * 300) == "x" * 300


POLICIES: list[tuple[str, dict[str, Any]]] = [
    ("id_token_algorithms", {"id_token_algorithms": ()}),
    ("id_token_algorithms", {"id_token_algorithms": ("none",)}),
    ("id_token_algorithms", {"id_token_algorithms": ("ES256", "HS256")}),
    ("clock_skew", {"clock_skew": -1}),
    ("clock_skew", {"clock_skew": 601}),
    ("clock_skew", {"clock_skew": float("nan")}),
    ("http_timeout", {"http_timeout": 0}),
    ("max_response_bytes", {"max_response_bytes": 0}),
    ("metadata_max_age", {"metadata_max_age": -5}),
    ("id_token_max_age", {"id_token_max_age": 0}),
]


@pytest.mark.parametrize(("rule", "settings"), POLICIES)
def test_a_policy_that_would_switch_a_check_off_is_refused(rule: str, settings: dict[str, Any]) -> None:
    """OIDC Core section 10.1, RFC 8725 section 3.1."""
    with pytest.raises(UsageError) as caught:
        Policy(**settings)
    assert caught.value.rule == rule


def test_an_access_token_shows_its_type_alone() -> None:
    assert ACCESS_TOKEN not in repr(AccessToken(ACCESS_TOKEN, "Bearer", None, ()))
    assert shown_by(OidcError("a"))
