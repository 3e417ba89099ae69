"""The password grant (RFC 6749 section 4.3): off, and legacy where it is on (RFC 9700 section 2.4)."""

import re
import signal
import threading
from typing import Any

import pytest

from oidcclient_devkit import Provider
from oidcclient_devkit import __main__ as command
from tests.devkit.conftest import App
from tests.devkit.dpop_app import DPoPApp
from tests.dpop_server.proofs import new_key

METADATA = "/.well-known/openid-configuration"


@pytest.fixture
def form(app: App) -> dict[str, str]:
    return {
        "grant_type": "password",
        "client_id": app.provider.client_id,
        "username": "ann",
        "password": "ann-password",
        "scope": "openid profile offline_access",
    }


def test_it_is_off(app: App, form: dict[str, str]) -> None:
    """RFC 9700 section 2.4."""
    assert app.post("/token", form).json()["error"] == "unsupported_grant_type"
    document = app.get(METADATA).json()
    assert "password" not in document["grant_types_supported"]
    assert "devkit_legacy_grant_types" not in document
    app.provider.add_client("legacy", grant_types=["password"])
    assert app.post("/token", form | {"client_id": "legacy"}).json()["error"] == "unsupported_grant_type"


def test_switched_on_it_is_called_legacy(app: App, form: dict[str, str]) -> None:
    app.provider.allow_password_grant()
    document = app.get(METADATA).json()
    assert "password" in document["grant_types_supported"]
    assert document["devkit_legacy_grant_types"] == ["password"]


def test_a_password_gets_tokens(app: App, form: dict[str, str], claims_of: Any) -> None:
    app.provider.allow_password_grant()
    answer = app.post("/token", form)
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert "id_token" not in tokens
    assert claims_of(tokens["access_token"])["sub"] == app.provider.users["ann"].sub
    assert app.api("/me", tokens["access_token"]).json()["name"] == "Ann Example"
    assert app.refresh(tokens["refresh_token"]).status_code == 200
    assert "refresh_token" not in app.post("/token", form | {"scope": "profile"}).json()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"password": "wrong"}, "invalid_grant"),  # RFC 6749 section 5.2
        ({"username": "nobody"}, "invalid_grant"),
        ({"password": None}, "invalid_request"),
        ({"username": None}, "invalid_request"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"client_id": "devkit-confidential-post"}, "invalid_client"),
        ({"resource": "https://other.example"}, "invalid_target"),
    ],
)
def test_a_bad_request_gets_none(app: App, form: dict[str, str], changes: dict[str, Any], error: str) -> None:
    app.provider.allow_password_grant()
    sent = {name: value for name, value in (form | changes).items() if value is not None}
    assert app.post("/token", sent).json()["error"] == error
    assert not app.provider.core.store.access_tokens


def test_only_the_client_it_was_allowed_for_may(app: App, form: dict[str, str]) -> None:
    app.provider.add_client("legacy")
    app.provider.allow_password_grant("legacy")
    assert app.post("/token", form).json()["error"] == "unauthorized_client"
    assert app.post("/token", form | {"client_id": "legacy"}).status_code == 200


def test_a_proof_binds_these_tokens_too(dpop: DPoPApp, form: dict[str, str], claims_of: Any) -> None:
    """RFC 9449 section 5."""
    dpop.provider.allow_password_grant()
    assert dpop.post("/token", form, iat=1).json()["error"] == "invalid_dpop_proof"
    tokens = dpop.post("/token", form).json()
    assert tokens["token_type"] == "DPoP"
    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": dpop.key.jkt}
    assert dpop.refresh(tokens["refresh_token"], new_key()).json()["error"] == "invalid_grant"
    assert dpop.refresh(tokens["refresh_token"]).json()["token_type"] == "DPoP"


def test_a_client_may_be_held_to_proofs_by_a_switch(dpop: DPoPApp, form: dict[str, str]) -> None:
    """RFC 9449 section 5.2."""
    dpop.provider.allow_password_grant()
    dpop.provider.require_dpop()
    assert dpop.app.post("/token", form).json()["error"] == "invalid_dpop_proof"
    assert dpop.post("/token", form).json()["token_type"] == "DPoP"
    dpop.provider.require_dpop(required=False)
    assert dpop.app.post("/token", form).json()["token_type"] == "Bearer"


def test_the_first_page_and_the_command_call_it_legacy(
    app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "password grant" not in app.get("/").text
    app.provider.allow_password_grant()
    assert "The password grant is on. It is legacy" in app.get("/").text
    done = threading.Event()
    done.set()
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    switches = ["--require-dpop", "--nonces", "required"]
    assert command.main(["--port", "0", "--quiet", *switches], done=done) == 0
    text = capsys.readouterr().out
    assert re.search(r"device page http://127.0.0.1:\d+/device\n", text)
    assert "legacy" not in text
    assert command.main(["--port", "0", "--quiet", "--allow-password-grant"], done=done) == 0
    assert "The password grant is on: it is legacy" in capsys.readouterr().out


def test_the_commands_switches_reach_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, object, list[str]]] = []

    class Look(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            (provider,) = started
            client = provider.clients[provider.client_id]
            seen.append((client.dpop_bound_access_tokens, provider.core.controls.proofs.nonces, provider.resources))
            return True

    started: list[Provider] = []
    start = Provider.start

    def begin(provider: Provider) -> Provider:
        started.append(provider)
        return start(provider)

    monkeypatch.setattr(Provider, "start", begin)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    resources = ["--resource", "http://127.0.0.1:8000", "--resource", "https://two.example.com"]
    command.main(["--port", "0", "--quiet", "--require-dpop", "--nonces", "required", *resources], done=Look())
    assert seen == [(True, {"as": "required", "rs": "required"}, ["http://127.0.0.1:8000", "https://two.example.com"])]
