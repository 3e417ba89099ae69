"""The provider's keys: what they are, how they rotate, and the sets of them that a file can hold."""

import io
import json
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import KeySet

from oidcclient import Policy
from oidcclient_devkit import Keys, Provider, jwts
from oidcclient_devkit import __main__ as command
from oidcclient_devkit.keys import ENCRYPTION_ALGS, SIGNING_ALGS, new_key, new_key_set, read_key_set
from oidcclient_dpop.server import JWTAccessTokens
from tests.devkit.conftest import REDIRECT_URI, App

PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


def decode(token: str, keys: KeySet, alg: str) -> dict[str, Any]:
    with warnings.catch_warnings(action="ignore"):  # of EdDSA, an old name (RFC 9864)
        return dict(jwt.decode(token, keys, algorithms=[alg]).claims)


def test_every_algorithm_signs_id_tokens_and_userinfo(app: App) -> None:
    """OIDC Core sections 3.1.3.6 and 5.3.2: each client with the algorithm it registered."""
    announced = app.get("/.well-known/openid-configuration").json()
    assert announced["id_token_signing_alg_values_supported"] == list(SIGNING_ALGS)
    app.provider.sign_in_as("ann")
    for alg in SIGNING_ALGS:
        app.provider.add_client(
            alg,
            redirect_uris=[REDIRECT_URI],
            id_token_signed_response_alg=alg,
            userinfo_signed_response_alg=alg,
        )
        tokens = app.redeem(app.sign_in(client_id=alg)["code"], client_id=alg).json()
        userinfo = app.get("/userinfo", authorization=f"Bearer {tokens['access_token']}").text
        keys = KeySet.import_key_set(app.get("/jwks").json())
        claims = decode(tokens["id_token"], keys, alg)
        assert claims["at_hash"] == jwts.half_hash(tokens["access_token"], alg)
        assert decode(userinfo, keys, alg)["sub"] == claims["sub"]


@pytest.mark.parametrize("alg", SIGNING_ALGS)
def test_every_algorithm_signs_access_tokens(app: App, alg: str) -> None:
    app.provider.sign_in_as("ann")
    before = app.tokens()["access_token"]
    app.provider.sign_access_tokens(alg)
    token = app.tokens()["access_token"]
    assert jwts.read(token)[0]["alg"] == alg
    rules = JWTAccessTokens(app.provider.issuer, app.provider.api, policy=Policy(allow_http_loopback=True))
    assert rules.check(token, now=time.time()).claims["client_id"] == app.provider.client_id
    for one in (before, token):
        assert app.api("/me", one).status_code == 200
        assert app.get("/userinfo", authorization=f"Bearer {one}").status_code == 200


def test_an_algorithm_that_nobody_signs_with_is_refused(app: App) -> None:
    with pytest.raises(ValueError, match="one of RS256"):
        app.provider.sign_access_tokens("HS256")


@pytest.mark.parametrize(
    ("alg", "characters"), [("RS256", 22), ("ES384", 32), ("PS512", 43), ("EdDSA", 43), ("Ed25519", 43)]
)
def test_the_at_hash_is_half_of_the_hash_of_the_algorithm(alg: str, characters: int) -> None:
    assert len(jwts.half_hash("token", alg)) == characters


def test_there_are_keys_to_encrypt_request_objects_to(app: App) -> None:
    keys = [key for key in app.get("/jwks").json()["keys"] if key["use"] == "enc"]
    assert {key["alg"] for key in keys} == set(ENCRYPTION_ALGS)
    assert all(key["kty"] == "RSA" for key in keys)
    assert app.provider.keys.find(keys[0]["kid"]) is None  # it signs nothing


def test_a_rotated_key_stays_published_for_the_tokens_it_signed(app: App) -> None:
    tokens = app.tokens()
    for _ in range(2):
        app.provider.rotate_keys()
    keys = KeySet.import_key_set(app.get("/jwks").json())
    assert decode(tokens["id_token"], keys, "RS256")["sub"]
    assert app.api("/hello", tokens["access_token"]).status_code == 200
    assert decode(app.tokens()["id_token"], keys, "RS256")["sub"]


def test_providers_that_share_keys_make_each_once(oidc_keys: Keys) -> None:
    one, two = oidc_keys.copy(), oidc_keys.copy()
    assert one.signing("ES512") is two.signing("ES512")
    assert one.foreign("ES256") is two.foreign("ES256")
    one.rotate(keep_old=True)
    assert one.signing("ES512") is not two.signing("ES512")
    assert one.signing("ES384") is not two.signing("ES384")


def test_a_provider_starts_again_with_the_keys_of_its_set(oidc_keys: Keys) -> None:
    """Sign-ins survive a restart of the provider as far as keys go."""
    text = json.dumps(oidc_keys.private_jwks())
    again = Keys.from_jwks(json.loads(text))
    assert again.jwks() == oidc_keys.jwks()
    with Provider(keys=again) as provider:
        assert provider.keys.jwks() == oidc_keys.jwks()


def test_of_two_keys_for_an_algorithm_the_first_signs() -> None:
    new, old = new_key("ES384"), new_key("ES384")
    keys = Keys.from_jwks({"keys": [new.private(), old.private()]})
    assert keys.signing("ES384").kid == new.kid
    assert keys.find(old.kid) is not None
    assert keys.signing("RS256").kid in {key["kid"] for key in keys.jwks()["keys"]}


def test_a_new_key_is_as_large_as_the_one_it_replaces() -> None:
    keys = Keys.from_jwks({"keys": [new_key("PS384", 3072).private()]})
    keys.rotate(keep_old=False)
    key: Any = keys.signing("PS384").key
    assert key.raw_value.key_size == 3072


def _without_kid(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name != "kid"}


def test_a_key_without_an_id_is_called_by_its_thumbprint() -> None:
    """RFC 7638."""
    key = new_key("ES256")
    keys = Keys.from_jwks({"keys": [_without_kid(key.private())]})
    assert keys.find(key.key.thumbprint()) is not None


ES = new_key("ES256").private()


def small_rsa() -> dict[str, str]:
    numbers = rsa.generate_private_key(65537, 1024).private_numbers()  # noqa: S505 - to be refused
    members = {
        "n": numbers.public_numbers.n,
        "e": numbers.public_numbers.e,
        "d": numbers.d,
        "p": numbers.p,
        "q": numbers.q,
        "dp": numbers.dmp1,
        "dq": numbers.dmq1,
        "qi": numbers.iqmp,
    }
    encoded = {name: jwts.b64(value.to_bytes((value.bit_length() + 7) // 8)) for name, value in members.items()}
    return {"kty": "RSA", "alg": "RS256", "kid": "small", **encoded}


@pytest.mark.parametrize(
    ("jwks", "why"),
    [
        ([], "JSON object"),
        ({}, "list of keys"),
        ({"keys": ["x"]}, "list of keys"),
        ({"keys": []}, "has keys"),
        ({"keys": [ES, ES]}, "kid names one"),
        ({"keys": [{**ES, "alg": None}]}, "names its alg"),
        ({"keys": [{**ES, "alg": "HS256"}]}, "names its alg"),
        ({"keys": [{**ES, "alg": "ES384"}]}, "another kind"),
        ({"keys": [{**ES, "alg": "RS256"}]}, "another kind"),
        ({"keys": [{**ES, "alg": "RSA-OAEP"}]}, "another kind"),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "ES256"}]}, "another kind"),
        ({"keys": [{**new_key("EdDSA").private(), "alg": "ES256"}]}, "another kind"),
        ({"keys": [{**new_key("RS256").private(), "alg": "ES256"}]}, "another kind"),
        ({"keys": [small_rsa()]}, "less than 2048 bits"),
        ({"keys": [new_key("ES256").public()]}, "no private part"),
        ({"keys": [{**ES, "d": "not a number"}]}, "cannot be read"),
        ({"keys": [{"kty": "none", "alg": "ES256"}]}, "cannot be read"),
    ],
)
def test_a_set_that_cannot_be_used_is_refused_and_not_quoted(jwks: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refusal:
        Keys.from_jwks(jwks)
    assert ES["d"] not in str(refusal.value)
    assert "not a number" not in str(refusal.value)
    assert refusal.value.__cause__ is None


# The command

Run = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def keys(*arguments: str) -> tuple[dict[str, Any], str]:
        assert command.main(["keys", *arguments]) == 0
        printed = capsys.readouterr()
        return json.loads(printed.out), printed.err

    return keys


def test_the_command_makes_a_private_key_set_and_says_so(run: Run) -> None:
    jwks, said = run()
    assert "private" in said
    assert Keys.from_jwks(jwks).private_jwks() == jwks
    assert {key["alg"] for key in jwks["keys"]} >= {"RS256", "ES256", *ENCRYPTION_ALGS}


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_the_command_makes_keys_of_each_size(run: Run, bits: int) -> None:
    jwks, _ = run("--bits", str(bits), "--alg", "PS256")
    (key,) = jwks["keys"]
    assert (key["alg"], key["use"]) == ("PS256", "sig")
    assert abs(len(jwts.unb64(key["n"])) * 8 - bits) < 8


def test_the_command_makes_the_algorithms_it_is_asked_for(run: Run) -> None:
    jwks, _ = run(*(f"--alg={alg}" for alg in ("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RSA-OAEP")))
    assert [key["alg"] for key in jwks["keys"]] == ["ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RSA-OAEP"]
    assert jwks["keys"][-1]["use"] == "enc"


def test_the_command_shows_the_public_half_of_a_set(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(new_key_set(["ES256", "RS256"])))
    jwks, said = run("--public", str(file))
    assert said == ""
    assert len(jwks["keys"]) == 2
    assert not any(PRIVATE & set(key) for key in jwks["keys"])
    monkeypatch.setattr(sys, "stdin", io.StringIO(file.read_text()))
    assert run("--public", "-")[0] == jwks


@pytest.mark.parametrize("text", ["", "[]", '{"keys": [1]}', '{"keys": [{"alg": "HS256", "k": "c2VjcmV0"}]}'])
def test_the_command_refuses_what_is_no_key_set(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    for arguments in (["keys", "--public", str(file)], ["--port", "0", "--keys", str(file)]):
        with pytest.raises(SystemExit):
            command.main(arguments)
        printed = capsys.readouterr()
        assert "key" in printed.err
        assert "c2VjcmV0" not in printed.out + printed.err


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--port", "0", "--keys", str(tmp_path / "nothing")])
    assert "cannot read" in capsys.readouterr().err


class Look(threading.Event):
    """Looks at the running provider's keys instead of waiting for its end."""

    jwks: Any = None

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__()
        self.capsys = capsys

    def wait(self, _timeout: float | None = None) -> bool:
        issuer = re.search(r"issuer +(\S+)", self.capsys.readouterr().out)
        assert issuer is not None
        self.jwks = httpx.get(f"{issuer[1]}/jwks", trust_env=False).json()
        return True


def test_the_command_serves_with_the_keys_of_a_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.json"
    jwks = new_key_set()
    file.write_text(json.dumps(jwks))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    look = Look(capsys)
    assert command.main(["--port", "0", "--keys", str(file)], done=look) == 0
    assert look.jwks == {"keys": [key.public() for key in read_key_set(jwks)]}
