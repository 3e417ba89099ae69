"""Request objects (RFC 9101): signed by the client, encrypted if it likes, and nothing beside them counts."""

import json
import time
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import import_key

from oidcclient_devkit import BrowserStopped, jwts
from oidcclient_devkit.keys import ENCRYPTION_ALGS, SIGNING_ALGS, SigningKey, new_key
from oidcclient_devkit.request_objects import ENCRYPTION_METHODS
from tests.devkit.conftest import REDIRECT_URI, App

ID = "signer"
KEY = new_key("ES256")
OTHER = new_key("ES256")


@pytest.fixture
def signer(app: App) -> App:
    """An app whose client has a key registered."""
    app.provider.sign_in_as("ann")
    app.provider.add_client(ID, redirect_uris=[REDIRECT_URI], jwks={"keys": [KEY.public()]})
    return app


def signed(app: App, key: SigningKey = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    members = {
        **dict(app.request(client_id=ID)),
        "iss": ID,
        "aud": app.provider.issuer,
        "exp": int(time.time()) + 60,
        **claims,
    }
    members = {name: value for name, value in members.items() if value is not None}
    header = {**jwts.header_for(key, "oauth-authz-req+jwt"), **(header or {})}
    return jwts.sign({name: value for name, value in header.items() if value is not None}, members, key)


def encrypted(app: App, text: str, alg: str = "RSA-OAEP-256", enc: str = "A256GCM", **header: Any) -> str:
    key = next(key for key in app.get("/jwks").json()["keys"] if key["alg"] == alg)
    return jwe.encrypt_compact(
        {"alg": alg, "enc": enc, "cty": "JWT", "kid": key["kid"], **header}, text, import_key(key), [alg, enc, "DEF"]
    )


def beside(**changes: Any) -> dict[str, Any]:
    """Leave the address with the client_id and what is given."""
    names = ["response_type", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method"]
    return {**dict.fromkeys(names), "client_id": ID, **changes}


def sign_in(app: App, request: str, **changes: Any) -> dict[str, str]:
    return app.sign_in(**beside(request=request, **changes))


def refused(app: App, request: str, **changes: Any) -> str:
    """Return the page that the person sees; nothing is sent to the app."""
    page = app.refused_page(**beside(request=request, **changes)).page
    assert page.status == 400
    return page.text


def test_a_signed_request_signs_in(signer: App) -> None:
    answer = sign_in(signer, signed(signer))
    assert answer["state"] == "a-state"
    assert signer.redeem(answer["code"], client_id=ID).json()["token_type"] == "Bearer"


def test_only_what_is_in_the_object_counts(signer: App, claims_of: Any) -> None:
    """RFC 9101 section 6.3."""
    answer = sign_in(
        signer, signed(signer, scope="openid"), state="another", scope="openid email", redirect_uri="https://elsewhere"
    )
    assert answer["state"] == "a-state"
    tokens = signer.redeem(answer["code"], client_id=ID).json()
    assert tokens["scope"] == "openid"
    assert claims_of(tokens["id_token"])["nonce"] == "a-nonce"


def test_what_the_object_leaves_out_is_not_taken_from_the_address(signer: App) -> None:
    """No downgrade of PKCE by taking a parameter away: here the challenge is in the address alone."""
    challenge = dict(signer.request())["code_challenge"]
    answer = sign_in(
        signer,
        signed(signer, code_challenge=None, code_challenge_method=None),
        code_challenge=challenge,
        code_challenge_method="S256",
    )
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize("alg", SIGNING_ALGS)
def test_each_signature_algorithm_is_taken(signer: App, alg: str) -> None:
    key = signer.provider.keys.foreign(alg)
    signer.provider.add_client(ID, redirect_uris=[REDIRECT_URI], jwks={"keys": [OTHER.public(), key.public()]})
    assert sign_in(signer, signed(signer, key))["code"]
    assert signer.get("/.well-known/openid-configuration").json()["request_object_signing_alg_values_supported"]


@pytest.mark.parametrize("alg", ENCRYPTION_ALGS)
@pytest.mark.parametrize("enc", ENCRYPTION_METHODS)
def test_an_encrypted_request_signs_in(signer: App, alg: str, enc: str) -> None:
    """RFC 9101 section 6.1."""
    metadata = signer.get("/.well-known/openid-configuration").json()
    assert metadata["request_parameter_supported"] is True
    assert alg in metadata["request_object_encryption_alg_values_supported"]
    assert enc in metadata["request_object_encryption_enc_values_supported"]
    assert sign_in(signer, encrypted(signer, signed(signer), alg, enc))["code"]


def test_a_key_that_was_rotated_still_decrypts(signer: App) -> None:
    request = encrypted(signer, signed(signer))
    signer.provider.rotate_keys()
    assert sign_in(signer, request)["code"]
    signer.provider.rotate_keys(keep_old=False)
    assert "cannot be decrypted" in refused(signer, request)


def test_numbers_lists_and_the_claims_parameter_are_json_in_the_object(signer: App, claims_of: Any) -> None:
    """RFC 9101 section 4, OIDC Core section 6.1."""
    request = signed(
        signer,
        max_age=3600,
        claims={"id_token": {"email": None}},
        resource=[signer.provider.api, f"{signer.provider.api}/me"],
    )
    tokens = signer.redeem(sign_in(signer, request)["code"], client_id=ID).json()
    assert claims_of(tokens["id_token"])["email"] == "ann@example.com"
    assert claims_of(tokens["access_token"])["aud"] == [signer.provider.api, f"{signer.provider.api}/me"]


@pytest.mark.parametrize("changes", [{"iss": None, "aud": None, "exp": None}, {"jti": "1", "iat": 1, "nbf": 1}])
def test_what_is_only_recommended_may_be_absent(signer: App, changes: dict[str, Any]) -> None:
    """RFC 9101 section 4."""
    assert sign_in(signer, signed(signer, **changes))["code"]


def test_one_audience_of_several_is_enough(signer: App) -> None:
    assert sign_in(signer, signed(signer, aud=["https://other.example", signer.provider.issuer]))["code"]


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"client_id": None}, "its client_id"),
        ({"client_id": "devkit-desktop"}, "its client_id"),
        ({"iss": "another"}, "its iss"),
        ({"aud": "https://other.example"}, "its aud"),
        ({"aud": []}, "its aud"),
        ({"exp": 1}, "its exp"),
        ({"exp": "tomorrow"}, "its exp"),
        ({"exp": True}, "its exp"),
        ({"nbf": 32503680000}, "its nbf"),
        ({"nbf": "later"}, "its nbf"),
        ({"request": "x"}, "request or request_uri"),
        ({"request_uri": "urn:x"}, "request or request_uri"),
        ({"scope": ["openid"]}, "scope is neither"),
        ({"state": {"a": 1}}, "state is neither"),
        ({"max_age": True}, "max_age is neither"),
        ({"resource": [1.5]}, "resource is neither"),
    ],
)
def test_an_object_with_a_wrong_claim_is_refused(signer: App, claims: dict[str, Any], why: str) -> None:
    """RFC 9101 sections 4, 5 and 6.3: shown to the person, as nothing in it can be relied on."""
    text = refused(signer, signed(signer, **claims))
    assert why in text
    assert "invalid_request_object" in text


@pytest.mark.parametrize(
    ("key", "header", "why"),
    [
        (OTHER, {"kid": KEY.kid}, "signature does not verify"),
        (OTHER, {"kid": None}, "signature does not verify"),
        (OTHER, {}, "not in the client"),
        (OTHER, {"kid": ["x"]}, "not in the client"),
        (KEY, {"alg": "none"}, "alg is none"),
        (KEY, {"alg": "HS256"}, "alg is HS256"),
        (KEY, {"alg": "ES384"}, "signature does not verify"),
        (KEY, {"typ": "dpop+jwt"}, "typ is dpop+jwt"),
        (KEY, {"typ": "at+jwt"}, "typ is at+jwt"),
        (KEY, {"crit": ["x"], "x": 1}, "critical"),
    ],
)
def test_an_object_that_is_not_the_clients_is_refused(
    signer: App, key: SigningKey, header: dict[str, Any], why: str
) -> None:
    """RFC 9101 section 6.2; section 10.8: no other JWT is taken for one."""
    assert why in refused(signer, signed(signer, key, header))


@pytest.mark.parametrize("typ", [None, "JWT", "oauth-authz-req+jwt"])
def test_the_type_may_be_absent(signer: App, typ: str | None) -> None:
    assert sign_in(signer, signed(signer, header={"typ": typ}))["code"]


def test_a_client_keeps_to_the_algorithm_it_registered(signer: App) -> None:
    """OIDC Registration section 2, request_object_signing_alg."""
    signer.provider.add_client(
        ID, redirect_uris=[REDIRECT_URI], jwks={"keys": [KEY.public()]}, request_object_signing_alg="ES512"
    )
    assert "its alg is ES256, and only ES512" in refused(signer, signed(signer))
    with pytest.raises(ValueError, match="signing algorithm"):
        signer.provider.add_client("bad", request_object_signing_alg="none")


def test_a_client_without_keys_signs_nothing(signer: App) -> None:
    signer.provider.add_client(ID, redirect_uris=[REDIRECT_URI])
    assert "no jwks" in refused(signer, signed(signer))


def test_a_key_for_encryption_verifies_nothing(signer: App) -> None:
    keys = [{**KEY.public(), "use": "enc"}]
    signer.provider.add_client(ID, redirect_uris=[REDIRECT_URI], jwks={"keys": keys})
    assert "not in the client" in refused(signer, signed(signer))


def test_a_client_that_must_sign_its_requests_is_held_to_it(signer: App) -> None:
    """RFC 9101 section 10.5: no downgrade."""
    signer.provider.add_client(
        ID, redirect_uris=[REDIRECT_URI], jwks={"keys": [KEY.public()]}, require_signed_request_object=True
    )
    assert sign_in(signer, signed(signer))["code"]
    assert "signs its requests" in signer.refused_page(client_id=ID).page.text
    plain = signer.post("/par", dict(signer.request(client_id=ID)))
    assert (plain.status_code, plain.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "text",
    [
        "e30.e30.",
        "nonsense",
        "a.b.c.d.e",
        f"{jwts.b64(b'[' * 9999)}.b.c.d.e",
        f"{jwts.b64(b'[' * 9999)}..",
        "W10.b.c.d.e",
        "",
        "....",
        "..",
        "\udc80.x.y",
    ],
)
def test_what_is_no_object_is_refused(signer: App, text: str) -> None:
    assert "request object was refused" in refused(signer, text.encode("utf-8", "surrogateescape").decode("latin-1"))


def test_an_encryption_that_was_not_offered_is_refused(signer: App) -> None:
    good = encrypted(signer, signed(signer)).split(".")
    for header in (
        {"alg": "dir", "enc": "A256GCM"},
        {"alg": "RSA1_5", "enc": "A256GCM"},
        {"alg": "RSA-OAEP-256", "enc": "A192GCM"},
        {"alg": ["RSA-OAEP-256"], "enc": "A256GCM"},
    ):
        head = jwts.b64(json.dumps(header).encode())
        assert "only RSA-OAEP-256" in refused(signer, ".".join([head, *good[1:]]))
    assert "zip and crit" in refused(signer, encrypted(signer, signed(signer), zip="DEF"))
    assert "cannot be decrypted" in refused(signer, ".".join([*good[:4], jwts.b64(b"t" * 16)]))


def test_encryption_alone_is_no_signature(signer: App) -> None:
    claims = jwts.read(signed(signer))[1]
    assert "not a JWT" in refused(signer, encrypted(signer, json.dumps(claims)))
    unsigned = f"{jwts.signing_input({'alg': 'none'}, claims)}."
    assert "alg is none" in refused(signer, encrypted(signer, unsigned))


def test_two_objects_or_an_object_and_an_address_are_refused(signer: App) -> None:
    """RFC 9101 section 5."""
    request = signed(signer)
    for changes in ({"request": [request, request]}, {"request": request, "request_uri": "urn:x"}):
        page = signer.refused_page(**beside(**changes)).page
        assert "one request object, or one request_uri" in page.text


def test_an_unknown_client_is_told_so_first(signer: App) -> None:
    browser = signer.provider.browser()
    with pytest.raises(BrowserStopped):
        browser.visit(signer.url(**beside(client_id="nobody", request=signed(signer))))
    assert "not known here" in browser.page.text


# Pushed


def push(app: App, request: str, **form: str) -> Any:
    return app.post("/par", {"client_id": ID, "request": request, **form})


def test_an_object_can_be_pushed(signer: App) -> None:
    """RFC 9126 section 3."""
    for request in (signed(signer), encrypted(signer, signed(signer))):
        pushed = push(signer, request)
        assert pushed.status_code == 201
        answer = signer.sign_in(**beside(request_uri=pushed.json()["request_uri"]))
        assert signer.redeem(answer["code"], client_id=ID).status_code == 200


def test_nothing_is_pushed_beside_the_object(signer: App) -> None:
    answer = push(signer, signed(signer), state="beside")
    assert answer.json()["error"] == "invalid_request"
    assert "state" in answer.json()["error_description"]


def test_a_pushed_object_is_checked_when_it_is_pushed(signer: App) -> None:
    for request in (
        signed(signer, OTHER, {"kid": KEY.kid}),
        signed(signer, client_id="devkit-desktop"),
        signed(signer, aud="https://other.example"),
    ):
        answer = push(signer, request)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request_object")
    answer = push(signer, signed(signer, redirect_uri="https://elsewhere.example"))
    assert answer.json()["error"] == "invalid_request"


def test_a_confidential_client_authenticates_beside_the_object(signer: App) -> None:
    signer.provider.add_client(
        ID,
        redirect_uris=[REDIRECT_URI],
        jwks={"keys": [KEY.public()]},
        token_endpoint_auth_method="client_secret_post",
        client_secret="a-secret",
    )
    assert push(signer, signed(signer), client_secret="a-secret").status_code == 201
