"""Signing in on another device with a key of one's own: a proof for each poll (RFC 9449 section 5, RFC 8628)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP
from tests.client.conftest import TEST_POLICY
from tests.dpop.test_dpop_client import headers_of, me
from tests.session.conftest import SCOPES

SignIn = Callable[[oidcclient.Device], oidcclient.Session]


def claims_of(proof: str | None) -> dict[str, Any]:
    payload = (proof or "").split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def allowing(provider: Provider) -> oidcclient.Device:
    return oidcclient.Device(show=lambda code: provider.approve_device(code.user_code))


@pytest.fixture
def sign_in(oidc_provider: Provider, tmp_path: Path) -> Iterator[SignIn]:
    """Sign ann in with a key of her own."""
    with oidcclient.Client(
        oidc_provider.issuer,
        oidc_provider.client_id,
        scopes=SCOPES,
        policy=TEST_POLICY,
        store=oidcclient.MemoryStore(),
        hooks=[DPoP(store=f"file:{tmp_path}/keys")],
    ) as client:
        yield lambda via: client.login(via=via, resource=oidc_provider.api, timeout=20)


@pytest.fixture(autouse=True)
def quick(oidc_provider: Provider) -> None:
    oidc_provider.set_device_codes(interval=0, lifetime=60)


@pytest.mark.parametrize("nonces", ["off", "optional", "required"])
def test_each_poll_has_a_proof_and_the_tokens_are_bound(sign_in: SignIn, oidc_provider: Provider, nonces: Any) -> None:
    """RFC 9449 section 8: a nonce that is demanded costs one more request, and no second wait."""
    oidc_provider.dpop_nonces(as_=nonces)
    session = sign_in(allowing(oidc_provider))
    assert session.access_token().type == "DPoP"
    assert me(session, oidc_provider).json()["sub"] == session.user.sub
    proofs = [claims_of(proof) for proof in headers_of(oidc_provider, "/token")]
    assert all(proof["htu"] == f"{oidc_provider.issuer}/token" for proof in proofs)
    assert len({proof["jti"] for proof in proofs}) == len(proofs)
    assert [("nonce" in proof) for proof in proofs] == ([False, True] if nonces == "required" else [False])


def test_the_key_of_a_device_sign_in_that_failed_is_gone(
    sign_in: SignIn, oidc_provider: Provider, tmp_path: Path
) -> None:
    via = oidcclient.Device(show=lambda code: oidc_provider.deny_device(code.user_code))
    with pytest.raises(oidcclient.LoginDenied):
        sign_in(via)
    assert (tmp_path / "keys").is_dir()
    assert not list((tmp_path / "keys").rglob("*.key"))


def test_a_token_that_is_not_bound_is_refused_on_a_device_too(sign_in: SignIn, oidc_provider: Provider) -> None:
    """Section 5: no silent downgrade."""
    oidc_provider.misbehave("dpop.type_bearer")
    with pytest.raises(oidcclient.DowngradeRefused):
        sign_in(allowing(oidc_provider))
