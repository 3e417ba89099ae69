"""Client authentication: one way per request, made again each time."""

import base64
import json
from typing import Any
from urllib.parse import unquote_plus

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, import_key

from oidcclient import UsageError
from oidcclient.protocol import (
    ClientAuth,
    ClientSecretBasic,
    ClientSecretJwt,
    ClientSecretPost,
    HttpRequest,
    PrivateKeyJwt,
    PublicClient,
    build_code_request,
)
from tests.protocol.examples import (
    CLIENT_ID,
    CLIENT_SECRET,
    CODE,
    ISSUER,
    MARK,
    NOW,
    POLICY,
    form,
    metadata,
    refused,
    shown_by,
    transaction,
)
from tests.protocol.signing import ALGORITHMS, b64, number, signer

TOKEN_ENDPOINT = f"{ISSUER}/token"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def private_jwk() -> dict[str, Any]:
    """Return a private key as a JWK, made by joserfc from cryptography's PEM."""
    return dict(ECKey.import_key(signer().private_pem()).as_dict(private=True))


def authenticated(auth: ClientAuth, client_id: str = CLIENT_ID, request: HttpRequest | None = None) -> HttpRequest:
    plain = request or build_code_request(metadata(), transaction(), CODE, POLICY)
    return auth.authenticate(plain, client_id=client_id, issuer=ISSUER, token_endpoint=TOKEN_ENDPOINT, now=NOW)


def assertion(auth: ClientAuth) -> str:
    return dict(form(authenticated(auth)))["client_assertion"]


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return members


ALL: list[tuple[ClientAuth, set[str], bool]] = [
    (PublicClient(), {"client_id"}, False),
    (ClientSecretBasic(CLIENT_SECRET), set(), True),
    (ClientSecretPost(CLIENT_SECRET), {"client_id", "client_secret"}, False),
    (ClientSecretJwt(secret=CLIENT_SECRET), {"client_id", "client_assertion", "client_assertion_type"}, False),
    (
        PrivateKeyJwt(key=signer().private_pem(), kid="k"),
        {"client_id", "client_assertion", "client_assertion_type"},
        False,
    ),
]


@pytest.mark.parametrize(("auth", "added", "header"), ALL, ids=[type(case[0]).__name__ for case in ALL])
def test_one_way_of_authentication_per_request(auth: ClientAuth, added: set[str], header: bool) -> None:
    """RFC 6749 section 2.3."""
    plain = build_code_request(metadata(), transaction(), CODE, POLICY)
    ready = authenticated(auth)
    assert form(ready)[: len(form(plain))] == form(plain)
    assert {name for name, _ in form(ready)[len(form(plain)) :]} == added
    assert (ready.header("authorization") is not None) is header


@pytest.mark.parametrize("auth", [case[0] for case in ALL], ids=[type(case[0]).__name__ for case in ALL])
def test_authenticating_again_repeats_no_parameter_and_no_header(auth: ClientAuth) -> None:
    """RFC 6749 section 3.2: a retry starts from a request that may have been authenticated already."""
    again = authenticated(auth, request=authenticated(auth))
    names = [name for name, _ in form(again)]
    assert len(names) == len(set(names))
    assert len([name for name, _ in again.headers if name.lower() == "authorization"]) <= 1


@pytest.mark.parametrize("auth", [case[0] for case in ALL], ids=[type(case[0]).__name__ for case in ALL])
def test_no_way_of_authentication_shows_its_secret(auth: ClientAuth) -> None:
    assert MARK not in repr(auth)
    assert "PRIVATE" not in repr(auth)


ODD = "p%s:w+o r&d=\N{SNOWMAN}~*"


def test_basic_encodes_id_and_secret_as_a_form_first() -> None:
    """RFC 6749 section 2.3.1: percent, colon and plus matter."""
    header = authenticated(ClientSecretBasic(ODD), client_id="client:1 +%").header("authorization") or ""
    scheme, _, encoded = header.partition(" ")
    name, colon, secret = base64.b64decode(encoded).decode("ascii").partition(":")
    assert (scheme, colon) == ("Basic", ":")
    assert name == "client%3A1+%2B%25"
    assert (unquote_plus(name), unquote_plus(secret)) == ("client:1 +%", ODD)
    assert ":" not in secret


def test_post_puts_the_secret_into_the_form() -> None:
    """RFC 6749 section 2.3.1."""
    assert dict(form(authenticated(ClientSecretPost(ODD))))["client_secret"] == ODD


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_client_secret_jwt_signs_with_the_secret(algorithm: Any) -> None:
    """OIDC Core section 9, RFC 7523 section 2.2."""
    auth = ClientSecretJwt(secret=CLIENT_SECRET, algorithm=algorithm)
    sent = dict(form(authenticated(auth)))
    assert (sent["client_id"], sent["client_assertion_type"]) == (CLIENT_ID, JWT_BEARER)
    key = OctKey.import_key(CLIENT_SECRET)
    assert jwt.decode(sent["client_assertion"], key, algorithms=[algorithm]).claims["iss"] == CLIENT_ID


@pytest.mark.parametrize(("algorithm", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_shorter_than_its_hash_is_refused(algorithm: Any, least: int) -> None:
    """RFC 7518 section 3.2."""
    secret = (MARK * 20)[:least]
    ClientSecretJwt(secret=secret, algorithm=algorithm)
    with refused(UsageError, "secret", "RFC 7518 section 3.2"):
        ClientSecretJwt(secret=secret[1:], algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["none", "ES256", "HS1", ""])
def test_client_secret_jwt_knows_macs_alone(algorithm: Any) -> None:
    with refused(UsageError, "algorithm"):
        ClientSecretJwt(secret=CLIENT_SECRET, algorithm=algorithm)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc tells those who choose the old name
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_private_key_jwt_signs_with_the_key(algorithm: str) -> None:
    """OIDC Core section 9, RFC 7523 section 2.2."""
    token = assertion(PrivateKeyJwt(key=signer(algorithm).private_pem(), algorithm=algorithm, kid="k-1"))
    public = import_key({name: value for name, value in signer(algorithm).jwk(kid="k-1").items() if name != "alg"})
    decoded = jwt.decode(token, public, algorithms=[algorithm])
    assert decoded.header["kid"] == "k-1"
    assert decoded.claims["sub"] == CLIENT_ID


def test_a_private_key_may_be_a_jwk_and_its_kid_is_used() -> None:
    key = {**private_jwk(), "kid": "own"}
    for auth, kid in ((PrivateKeyJwt(key=key), "own"), (PrivateKeyJwt(key=key, kid="other"), "other")):
        header = json.loads(base64.urlsafe_b64decode(assertion(auth).split(".")[0] + "=="))
        assert header["kid"] == kid
    header = json.loads(base64.urlsafe_b64decode(assertion(PrivateKeyJwt(key=private_jwk())).split(".")[0] + "=="))
    assert header["alg"] == "ES256"


ASSERTIONS: list[type[ClientSecretJwt | PrivateKeyJwt]] = [ClientSecretJwt, PrivateKeyJwt]


def with_audience(kind: type[ClientSecretJwt | PrivateKeyJwt], **audience: Any) -> ClientAuth:
    if kind is ClientSecretJwt:
        return ClientSecretJwt(secret=CLIENT_SECRET, **audience)
    return PrivateKeyJwt(key=signer().private_pem(), **audience)


@pytest.mark.parametrize("kind", ASSERTIONS)
def test_an_assertion_is_for_the_issuer_one_string_unless_the_endpoint_is_named(kind: Any) -> None:
    """RFC 9126 section 2, FAPI 2.0 section 5.3.3.1; OIDC Core section 9 for the setting."""
    claims = claims_of(assertion(with_audience(kind)))
    assert (claims["aud"], claims["iss"], claims["sub"]) == (ISSUER, CLIENT_ID, CLIENT_ID)
    assert claims_of(assertion(with_audience(kind, audience="token_endpoint")))["aud"] == TOKEN_ENDPOINT


@pytest.mark.parametrize("kind", ASSERTIONS)
def test_an_assertion_lives_a_minute_and_is_new_each_time(kind: Any) -> None:
    """RFC 7523 section 3, FAPI 2.0 section 5.3.2.1."""
    auth = with_audience(kind)
    first, second = claims_of(assertion(auth)), claims_of(assertion(auth))
    assert (first["iat"], first["exp"]) == (NOW, NOW + 60)
    assert first["jti"] != second["jti"]


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256K", "", "RS1", "Ed448"])
def test_private_key_jwt_knows_our_asymmetric_algorithms_alone(algorithm: str) -> None:
    """OIDC Core section 9."""
    key = {"kty": "oct", "k": b64(MARK.encode() * 8)}
    with refused(UsageError, "algorithm", "OIDC Core 9"):
        PrivateKeyJwt(key=key, algorithm=algorithm)


BAD_KEYS: list[tuple[str, Any]] = [
    ("ES256", MARK),
    ("ES256", f"-----BEGIN PRIVATE KEY-----\n{MARK}\n-----END PRIVATE KEY-----".encode()),
    ("ES256", {}),
    ("ES256", {"kty": "EC"}),
    ("ES256", {"kty": MARK}),
    ("ES256", {"kty": "EC", "crv": "P-256", "x": MARK, "y": MARK, "d": MARK}),
    ("ES256", {"kty": "EC", "crv": "P-256", "x": 5, "y": [], "d": {}}),
    ("ES256", {"kty": "oct", "k": b64(MARK.encode() * 8)}),
    ("RS256", {"kty": "RSA", "n": number(5), "e": "AQAB", "d": b64(MARK.encode())}),
    ("ES256", signer().jwk()),
    ("ES256", signer().public_pem()),
    ("RS256", signer().private_pem()),
    ("ES384", signer().private_pem()),
    ("Ed25519", signer().private_pem()),
    ("ES256", 5),
    ("ES256", None),
]


@pytest.mark.parametrize(("algorithm", "key"), BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_a_key_that_cannot_sign_is_refused_and_not_shown(algorithm: str, key: Any) -> None:
    """OIDC Core section 9."""
    with refused(UsageError, "key", "OIDC Core 9") as caught:
        authenticated(PrivateKeyJwt(key=key, algorithm=algorithm))
    assert "PRIVATE" not in shown_by(caught[0])
