"""One test drives every flow at the most verbose logging, with every repr, and looks everywhere for every secret."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

import oidcclient
from oidcclient.protocol import ClientAuth
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP
from tests.client.conftest import TEST_POLICY
from tests.session.conftest import SCOPES
from tests.session.test_session_refresh import HOUR, advance_core

SECRET_PARAMETERS = (
    "access_token",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "id_token_hint",
    "nonce",
    "refresh_token",
    "request_uri",
    "state",
    "token",
)


class Everything:
    """All that a program, a log or a person can see."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.secrets: set[str] = set()

    def show(self, *values: object) -> None:
        self.shown += [repr(value) for value in values] + [str(value) for value in values]

    def fail(self, call: Callable[[], object]) -> None:
        """Call what must fail, and show all of the failure."""
        with pytest.raises(oidcclient.OidcError) as failure:
            call()
        self.shown += traceback.format_exception(failure.value)
        self.show(failure.value, failure.value.args, vars(failure.value))

    def hide(self, provider: Provider) -> None:
        """Learn the secrets that went over the wire."""
        for request in provider.requests:
            pairs = (*request.query, *request.form)
            self.secrets |= {value for name, value in pairs if name in SECRET_PARAMETERS and value}
            authorization = request.header("authorization") or ""
            self.secrets.add(authorization.partition(" ")[2])
            self.secrets.add(request.header("dpop") or "")

    def hide_record(self, record: oidcclient.SessionRecord) -> None:
        """Learn the secrets of a session."""
        self.secrets |= {record.id_token, record.refresh_token or ""}
        self.secrets |= {token.value for token in record.tokens.values()}


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Everything]:
    caplog.set_level(logging.DEBUG)
    found = Everything()
    yield found
    out, err = capfd.readouterr()
    found.shown += [out, err, *(record.getMessage() for record in caplog.records)]
    found.shown += [str(record.__dict__) for record in caplog.records if record.name.startswith("oidcclient")]
    secrets = {secret for secret in found.secrets if len(secret) >= 8}
    assert len(secrets) > 30
    text = "\n".join(found.shown)
    leaked = sorted(secret[:6] for secret in secrets if secret in text)
    assert not leaked


def ways(provider: Provider) -> dict[str, ClientAuth]:
    secret = provider.clients["devkit-confidential-basic"].client_secret or ""
    return {
        "devkit-desktop": oidcclient.PublicClient(),
        "devkit-confidential-basic": oidcclient.ClientSecretBasic(secret),
        "devkit-confidential-post": oidcclient.ClientSecretPost(secret),
        "devkit-confidential-secret-jwt": oidcclient.ClientSecretJwt(secret=secret),
        "devkit-confidential-private-key-jwt": oidcclient.PrivateKeyJwt(key=provider.keys.client_key.private()),
    }


def test_no_secret_is_ever_seen(oidc_provider: Provider, everything: Everything, tmp_path: Path) -> None:
    for client_id, auth in ways(oidc_provider).items():
        store = oidcclient.FileStore(tmp_path / client_id)
        with oidcclient.Client(
            oidc_provider.issuer,
            client_id,
            scopes=SCOPES,
            client_auth=auth,
            policy=TEST_POLICY,
            store=store,
            on_event=everything.show,
        ) as client:
            key_flow(client, oidc_provider, everything, login={})
            key_flow(client, oidc_provider, everything, login={"via": oidcclient.Loopback(form_post=True)})
            if client_id in {"devkit-desktop", "devkit-confidential-secret-jwt"}:
                refused_flows(client, oidc_provider, everything)
            everything.show(client, auth, store, client._core.provider, client._core, client._wires)
        everything.secrets.add(getattr(auth, "secret", ""))
    everything.secrets.add(str(oidc_provider.keys.client_key.private()["d"]))
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "session" in path.name)
    assert not [secret for secret in everything.secrets if len(secret) >= 8 and secret.encode() in stored]


def test_no_secret_of_a_bound_session_is_ever_seen(
    oidc_provider: Provider, everything: Everything, tmp_path: Path
) -> None:
    """Proofs and private keys are secrets too; a thumbprint and a nonce, useless without the key, are none."""
    oidc_provider.dpop_nonces(as_="required", rs="required")
    jwk = ECKey.generate_key("P-256").as_dict(private=True)
    folder = tmp_path / "keys"
    for number, hook in enumerate((DPoP(store=f"file:{folder}"), DPoP(key=jwk))):
        store = oidcclient.FileStore(tmp_path / str(number))
        with oidcclient.Client(
            oidc_provider.issuer,
            "devkit-desktop",
            scopes=SCOPES,
            policy=TEST_POLICY,
            store=store,
            hooks=[hook],
            on_event=everything.show,
        ) as client:
            key_flow(client, oidc_provider, everything, login={"resource": oidc_provider.api})
            bound_flows(client, oidc_provider, everything)
            everything.show(client, hook, hook._keys, hook._keys.given, store, client._core)
    everything.secrets |= {str(jwk["d"]), str(int.from_bytes(base64.urlsafe_b64decode(str(jwk["d"]) + "==")))}


def bound_flows(client: oidcclient.Client, provider: Provider, everything: Everything) -> None:
    """Go through the refusals of a bound session, and look at its key."""
    provider.sign_in_as("ann")
    session = client.login(open_browser=provider.browser(), timeout=20, resource=provider.api)
    core = session._core
    bound = core.resource_hooks(core.record(session._key))
    assert bound is not None
    context = bound.hooks[0].context
    everything.show(session.describe(), bound, context, list(context.memory.values()))
    for name in ("dpop.nonce_loop", "dpop.iat_refused", "dpop.foreign_algs", "dpop.bearer_challenge"):
        provider.misbehave(name, at=("userinfo", "api"))
        everything.fail(session.userinfo)
        provider.behave()
    for name in ("dpop.type_bearer", "dpop.ignored_at_refresh"):
        provider.misbehave(name)
        everything.fail(session.refresh)
        provider.behave()
    everything.hide(provider)


def key_flow(client: oidcclient.Client, provider: Provider, everything: Everything, login: dict[str, Any]) -> None:
    session = client.login(open_browser=provider.browser(), timeout=20, **login)
    core, key = session._core, session._key
    everything.hide_record(core.record(key))
    everything.show(session, session.user, session.access_token(), core.record(key), session.userinfo())
    advance_core(session, HOUR, provider)
    everything.show(session.access_token(), session.refresh(), client.session(), client.accounts())
    everything.hide_record(core.record(key))
    auth = session.auth(resource=provider.api)
    with session.http(provider.api, trust_env=False) as api:
        everything.show(auth, api, api.get("/hello"), api.get("/me").headers)
    with httpx.Client(auth=auth, trust_env=False) as plain:
        plain.get(f"{provider.api}/hello")
    everything.fail(lambda: auth.check("https://elsewhere.example/?access_token=not-a-secret"))
    record = core.record(key)
    everything.show(session.revoke())
    everything.fail(session.refresh)
    everything.hide_record(record)
    session.logout()
    everything.fail(session.access_token)
    advance_core(session, 0, provider)
    provider.move_clock(-HOUR)
    everything.hide(provider)


def refused_flows(client: oidcclient.Client, provider: Provider, everything: Everything) -> None:
    provider.sign_in_as("ann")
    for name in (
        "par.error",
        "par.not_json",
        "callback.wrong_iss",
        "callback.error",
        "callback.two_codes",
        "token.not_json",
        "token.duplicate_members",
        "token.huge",
        "token.invalid_grant",
        "token.type_mac",
        "id_token.wrong_nonce",
        "id_token.wrong_key",
        "id_token.expired",
        "id_token.encrypted",
    ):
        provider.misbehave(name)
        everything.fail(lambda: client.login(open_browser=provider.browser(), timeout=20))
        provider.behave()
    everything.fail(lambda: client.login(open_browser=lambda _address: None, timeout=0.05))
    provider.sign_in_as(None)
    everything.fail(lambda: client.login(open_browser=provider.browser(deny=True), timeout=20))
    everything.hide(provider)
    provider.requests.clear()


def test_the_test_would_find_a_secret(oidc_provider: Provider) -> None:
    """A search that cannot find anything proves nothing."""
    found = Everything()
    found.show({"authorization": "Basic " + base64.b64encode(b"client:secret-secret").decode()})
    found.secrets.add(base64.b64encode(b"client:secret-secret").decode())
    assert any(secret in text for secret in found.secrets for text in found.shown)
