"""`oidcclient decode`: what is in a token, and whether anybody vouches for it."""

from __future__ import annotations

import json
import time
import urllib.request
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient.cli.commands.decode import as_text, shape_of
from oidcclient.cli.jwts import TIMES, Taken, claim_words, kind_words, take_apart, time_words
from tests.cli.calling import Desk, Result, check_shape
from tests.cli.echoing import api_running
from tests.cli.terminal import Terminal

NOW = 1_900_000_000.0
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def made(claims: dict[str, Any], **header: Any) -> str:
    return f"{part({'alg': 'ES256', **header})}.{part(claims)}.c2lnbmF0dXJl"


def decoded(desk: Desk, *words: str) -> Result:
    """Decode the last word with the others as options."""
    *options, token = words
    return desk.call("decode", *options, "-", stdin=token.encode())


@pytest.fixture
def id_token(work: Desk) -> str:
    """The ID Token of ann."""
    return work.call("token", "--id-token").out.strip()


@pytest.fixture
def verify(work: Desk) -> list[str]:
    """The options that verify with the desk's provider."""
    return ["--issuer", work.provider.issuer, "--allow-http-loopback"]


def test_a_token_that_nobody_vouches_for_is_shown_as_not_verified(desk: Desk) -> None:
    result = decoded(desk, made({"iss": "https://login.example.com", "exp": time.time() + 300.5}))
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("NOT VERIFIED")
    assert "It expires in 5 minutes" in result.out
    assert "  iss: https://login.example.com" in result.out


def test_the_token_comes_from_stdin_or_from_a_file(desk: Desk) -> None:
    token = made({"sub": "ann"})
    (desk.folder / "token").write_text(f"{token}\n", "utf-8")
    expected = decoded(desk, token)
    assert "sub: ann" in expected.out
    for words, stdin in ([], token), (["-"], f"Bearer {token}\n"), ([f"@{desk.folder / 'token'}"], ""):
        assert desk.call("decode", *words, stdin=stdin.encode()) == expected


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_token_is_no_argument_where_other_programs_see_it(desk: Desk, words: list[str]) -> None:
    token = made({"sub": "ann"})
    for argument in (token, f"Bearer {token}", "", "opaque"):
        refused = desk.call("decode", *words, argument)
        assert (refused.code, refused.out) == (3, "")
        assert token not in refused.err


def test_no_token_is_printed_again(desk: Desk) -> None:
    token = made({"sub": "ann"})
    for words in ([], ["--json"]):
        result = decoded(desk, *words, token)
        assert not any(piece in result.out + result.err for piece in token.split("."))
    for words in ([token + "x.y"], ["--issuer", "https://127.0.0.1:1", token]):
        result = decoded(desk, *words)
        assert token not in result.out + result.err


@pytest.mark.parametrize("text", ["", "  \n", "two words", "x" * (1 << 20) + "x"])
def test_what_is_no_word_is_no_token(desk: Desk, text: str) -> None:
    result = desk.call("decode", "-", stdin=text.encode())
    assert (result.code, result.out) == (3, "")


def test_a_file_that_cannot_be_read_is_exit_code_3(desk: Desk) -> None:
    (desk.folder / "bytes").write_bytes(b"\xff\xfe")
    for name in ("nowhere", "bytes"):
        assert desk.call("decode", f"@{desk.folder / name}").code == 3


def test_encrypted_and_opaque_tokens_are_said_to_be_so(desk: Desk) -> None:
    encrypted = decoded(desk, f"{part({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a.b.c.d")
    assert (encrypted.code, "encrypted" in encrypted.out, "enc: A256GCM" in encrypted.out) == (0, True, True)
    for text in ("mfa_8s7d", "a.b.c", f"{part({})}.x.y", f"{part([])}.{part({})}.x", f"{part({})}.{part({})}"):
        opaque = decoded(desk, text)
        assert (opaque.code, "no JWT" in opaque.out) == (1, True)


def test_json_has_the_documented_shape(desk: Desk) -> None:
    for token in (made({"exp": 1}), made({"exp": "soon"}), "opaque", f"{part({'alg': 'dir'})}.a.b.c.d"):
        check_shape("decode", decoded(desk, "--json", token).json)


def test_a_token_without_a_signature_is_said_to_have_none(desk: Desk) -> None:
    assert "not signed at all" in decoded(desk, made({}, alg="none")).out
    assert "names no algorithm" in decoded(desk, made({}, alg=None)).out


@pytest.mark.parametrize(
    ("typ", "claims", "words"),
    [
        ("at+jwt", {}, "an access token (RFC 9068)"),
        ("application/logout+jwt", {}, "a logout token (OIDC Back-Channel Logout)"),
        (None, dict.fromkeys(("iss", "sub", "aud", "exp", "iat", "nonce"), 1), "an ID Token by its looks"),
        (None, dict.fromkeys(("iss", "sub", "aud", "exp", "iat"), 1), "a JWT"),
        (7, {}, "a JWT"),
    ],
)
def test_the_kind_of_a_token_is_told(typ: object, claims: dict[str, Any], words: str) -> None:
    assert f"This is {words}, " in as_text(take_apart(made(claims, typ=typ)), None)


def test_nothing_in_a_token_is_obeyed_by_a_terminal(desk: Desk) -> None:
    result = decoded(desk, made({"name": "\x1b[31m\u202e", "\x1b]0;x\x07": 1}))
    assert not {"\x1b", "\x07", "\u202e"} & set(result.out)


def test_an_id_token_is_verified_with_the_keys_of_its_issuer(work: Desk, id_token: str, verify: list[str]) -> None:
    result = work.call("decode", *verify, "--client-id", work.provider.client_id, "-", stdin=id_token.encode())
    assert result.code == 0
    assert result.out.startswith("Verified:")
    for words in ("the signature is good", f"for the client {work.provider.client_id}", "it expires in"):
        assert words in result.out
    shape = work.call("decode", "--profile", "work", "--json", "-", stdin=id_token.encode()).json
    check_shape("decode", shape)
    assert shape["verified"] is True
    assert shape["claims"]["email"] == "ann@example.com"


def test_an_id_token_for_another_client_is_refused(work: Desk, id_token: str, verify: list[str]) -> None:
    result = work.call("decode", *verify, "--client-id", "another", "-", stdin=id_token.encode())
    assert (result.code, result.out) == (1, "")
    assert "another client" in result.err
    assert "Do not believe" in result.err


def test_an_access_token_is_verified_for_its_api(work: Desk, verify: list[str]) -> None:
    work.sign_in(resource=work.provider.api)
    token = work.call("token", "--resource", work.provider.api).out.encode()
    result = work.call("decode", *verify, "--audience", work.provider.api, "-", stdin=token)
    assert (result.code, f"it is for {work.provider.api}" in result.out) == (0, True)
    assert work.call("decode", *verify, "-", stdin=token).code == 0
    other = work.call("decode", *verify, "--audience", "https://other.example.com", "-", stdin=token)
    assert (other.code, other.out) == (1, "")


def test_a_token_that_was_changed_is_refused(work: Desk, id_token: str, verify: list[str]) -> None:
    header, claims, signature = id_token.split(".")
    changed = f"{header}.{part({**take_apart(id_token).claims, 'sub': 'bob'})}.{signature}"  # type: ignore[dict-item] # it has claims
    assert changed.split(".")[1] != claims
    result = decoded(work, *verify, changed)
    assert (result.code, result.out) == (1, "")
    assert "signature" in result.err


def test_what_is_no_signed_jwt_is_never_verified(work: Desk, verify: list[str]) -> None:
    for token in ("opaque", f"{part({})}.a.b.c.d", made({}, alg="none"), made({}, alg="HS256")):
        result = decoded(work, *verify, token)
        assert (result.code, result.out) == (1, "")


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"iss": "https://other.example.com"}, "another issuer"),
        ({"exp": 1_000_000_000}, "has expired"),
        ({"exp": "later"}, "has expired"),
        ({"nbf": 4_000_000_000}, "not good yet"),
        ({"nbf": "soon"}, "not good yet"),
        ({}, None),
    ],
)
def test_each_claim_of_an_access_token_is_checked(
    work: Desk, verify: list[str], claims: dict[str, Any], rule: str | None
) -> None:
    signing = work.provider.keys.signing("ES256")
    from joserfc import jwt  # noqa: PLC0415 - here alone

    header = {"alg": "ES256", "typ": "at+jwt", "kid": signing.kid}
    token = jwt.encode(header, {"iss": work.provider.issuer, **claims}, signing.key, algorithms=["ES256"])
    result = decoded(work, *verify, token)
    assert result.code == (0 if rule is None else 1)
    assert (rule or "") in result.err


def test_a_client_or_an_audience_alone_verifies_nothing(desk: Desk) -> None:
    for option in ("--client-id", "--audience"):
        result = decoded(desk, option, "x", made({}))
        assert (result.code, result.out) == (3, "")


def test_the_program_itself_decodes(desk: Desk) -> None:
    result = desk.run("decode", "-", stdin=made({"sub": "ann"}).encode())
    assert (result.code, "sub: ann" in result.out, result.err) == (0, True, "")


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (NOW + 300, "in 5 minutes, 2030-03-17 17:51:40 UTC"),
        (NOW - 7200, "2 hours ago, 2030-03-17 15:46:40 UTC"),
        (10**400, "no date"),
        (-1e300, "no date"),
    ],
)
def test_moments_are_told_in_words(moment: float, words: str) -> None:
    assert time_words(moment, NOW) == words


@given(st.dictionaries(st.text() | st.sampled_from(TIMES), json_values, max_size=5))
def test_any_claims_can_be_shown(claims: dict[str, Any]) -> None:
    taken = take_apart(made(claims))
    assert taken.claims == claims
    text = as_text(taken, None)
    assert all(line.isprintable() for line in text.split("\n"))
    check_shape("decode", json.loads(json.dumps(shape_of(taken, None))))


@given(st.text() | st.lists(st.sampled_from([part({}), part([1]), "e30", "%%", ""])).map(".".join))
def test_no_text_is_too_strange_to_be_looked_at(text: str) -> None:
    as_text(take_apart(text), None)


@given(json_values)
def test_a_claim_of_any_type_has_words(value: object) -> None:
    assert claim_words("exp", value).isprintable()


def test_a_number_that_is_none_in_json_makes_no_jwt() -> None:
    body = urlsafe_b64encode(b'{"exp": NaN}').decode().rstrip("=")
    assert take_apart(f"{part({})}.{body}.x").kind == "opaque"
    body = urlsafe_b64encode(b'{"exp": 1e999}').decode().rstrip("=")
    assert take_apart(f"{part({})}.{body}.x").kind == "opaque"


def test_metadata_by_hand_is_taken_where_the_profile_has_it(work: Desk, id_token: str) -> None:
    with urllib.request.urlopen(f"{work.provider.issuer}/.well-known/openid-configuration") as answer:  # noqa: S310 - on loopback
        (work.folder / "metadata.json").write_bytes(answer.read())
    work.profile("byhand", metadata_file=str(work.folder / "metadata.json"))
    work.provider.requests.clear()
    assert decoded(work, "--profile", "byhand", id_token).code == 0
    assert not work.provider.count("metadata")


def test_an_issuer_that_publishes_nothing_verifies_nothing(desk: Desk) -> None:
    with api_running() as api:
        api.status = 404
        result = decoded(desk, "--issuer", api.url, "--allow-http-loopback", made({}))
        assert (result.code, result.out) == (1, "")
        assert "no metadata" in result.err
        assert [seen.path for seen in api.seen] == [
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
        ]


def test_an_issuer_that_redirects_for_ever_is_left(desk: Desk) -> None:
    with api_running() as api:
        api.status, api.headers = 302, {"Location": "/again"}
        result = decoded(desk, "--issuer", api.url, "--allow-http-loopback", made({}))
        assert (result.code, "redirects too often" in result.err, len(api.seen)) == (1, True, 4)


def test_a_token_of_another_kind_is_no_access_token_that_is_known() -> None:
    assert kind_words(Taken("jwt", {"alg": "ES256", "typ": "strange"}, {})) == "a JWT, signed with ES256"


def test_at_a_terminal_a_token_must_be_named(desk: Desk) -> None:
    with Terminal("decode") as terminal:
        assert terminal.end() == 3
    assert "Name a file" in terminal.shown
