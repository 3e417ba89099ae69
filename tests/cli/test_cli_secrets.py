"""How the command's client authenticates: the secret comes from a variable, a file or a prompt."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oidcclient_devkit import Provider
from tests.cli.calling import Desk, Result
from tests.cli.terminal import Terminal

SECRET = "a-client-secret-that-is-long-enough"


@pytest.fixture
def secret_desk(desk: Desk) -> Desk:
    """A desk whose client has a secret at the provider."""
    desk.provider.add_client("confidential", redirect_uris=["http://127.0.0.1/callback"], client_secret=SECRET)
    desk.provider.sign_in_as("ann")
    desk.set(FLOW="browser")
    return desk


def sign_in(desk: Desk, **values: Any) -> Result:
    """Sign in as that client."""
    desk.profile(client_id="confidential", **values)
    return desk.call("login", "work")


METHODS = ["client_secret_basic", "client_secret_post", "client_secret_jwt"]


def registered(provider: Provider, method: str) -> None:
    """Have the client registered for a method."""
    provider.add_client(
        "confidential",
        redirect_uris=["http://127.0.0.1/callback"],
        client_secret=SECRET,
        token_endpoint_auth_method=method,
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_secret_comes_from_a_variable(secret_desk: Desk, method: str) -> None:
    registered(secret_desk.provider, method)
    secret_desk.set(CLIENT_SECRET=SECRET)
    result = sign_in(secret_desk, client_auth=method)
    assert result.code == 0, result.err
    assert SECRET not in result.err


def test_a_secret_comes_from_a_file(secret_desk: Desk) -> None:
    registered(secret_desk.provider, "client_secret_basic")
    (secret_desk.folder / "secret").write_text(f"{SECRET}\n", "utf-8")
    assert sign_in(secret_desk, client_auth="client_secret_basic", client_secret_file="secret").code == 0


def test_a_secret_is_asked_for_at_a_terminal_and_not_shown(secret_desk: Desk) -> None:
    registered(secret_desk.provider, "client_secret_basic")
    secret_desk.profile(client_id="confidential", client_auth="client_secret_basic")
    with Terminal("login", "work") as terminal:
        terminal.read_until("Client secret of confidential:")
        terminal.wait_until_read()
        terminal.type(f"{SECRET}\n")
        assert terminal.end() == 0
        assert SECRET not in terminal.shown


def test_a_secret_that_nobody_can_give_is_exit_code_3(secret_desk: Desk) -> None:
    result = sign_in(secret_desk, client_auth="client_secret_basic")
    assert result.code == 3
    assert "OIDCCLIENT_CLIENT_SECRET" in result.err


def test_a_file_that_cannot_be_read_is_exit_code_3(secret_desk: Desk) -> None:
    assert sign_in(secret_desk, client_auth="client_secret_basic", client_secret_file="nowhere").code == 3


def test_a_cached_token_asks_for_no_secret(secret_desk: Desk) -> None:
    registered(secret_desk.provider, "client_secret_basic")
    secret_desk.set(CLIENT_SECRET=SECRET)
    assert sign_in(secret_desk, client_auth="client_secret_basic").code == 0
    secret_desk.set(CLIENT_SECRET="")
    assert secret_desk.call("token").code == 0


@pytest.mark.parametrize("form", ["pem", "jwk", "none", "nonsense"])
def test_a_private_key_comes_from_a_file(secret_desk: Desk, form: str) -> None:
    from joserfc.jwk import ECKey  # noqa: PLC0415 - a key for this test alone

    key = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})
    secret_desk.provider.add_client(
        "confidential",
        redirect_uris=["http://127.0.0.1/callback"],
        jwks={"keys": [key.as_dict(private=False)]},
        token_endpoint_auth_method="private_key_jwt",
    )
    texts = {"pem": key.as_pem(private=True).decode(), "jwk": json.dumps(key.as_dict(private=True)), "nonsense": "{"}
    more = {}
    if form != "none":
        (secret_desk.folder / "key").write_text(texts[form], "utf-8")
        more = {"private_key_file": "key"}
    result = sign_in(secret_desk, client_auth="private_key_jwt", **more)
    assert result.code == (0 if form in {"pem", "jwk"} else 3), result.err
