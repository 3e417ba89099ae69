"""DPoP at a provider that is not ours: every exchange with a proof that `oidc-provider` checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import oidcclient
from oidcclient_dpop import DPoP, proof
from oidcclient_dpop.stores import generate
from tests.client.conftest import TEST_POLICY
from tests.interop.conftest import StartNpmProvider
from tests.interop.npm import NpmProvider
from tests.interop.person import Person

SignIn = Callable[..., oidcclient.Session]


@pytest.fixture
def sign_in(person: Callable[..., Person], tmp_path: Path) -> Iterator[SignIn]:
    made: list[oidcclient.Client] = []

    def run(provider: NpmProvider, hook: DPoP | None = None, **options: Any) -> oidcclient.Session:
        client = oidcclient.Client(
            provider.issuer,
            "native-dpop",
            scopes=["openid", "profile", "email", "offline_access"],
            policy=TEST_POLICY,
            store=oidcclient.MemoryStore(),
            hooks=[hook or DPoP(store=f"file:{tmp_path}/keys")],
        )
        made.append(client)
        return client.login(open_browser=person("ann"), timeout=60, **options)

    yield run
    for client in made:
        client.close()


@pytest.mark.parametrize(
    "options",
    [{}, {"dpopNonce": "optional"}, {"dpopNonce": "required"}, {"dpopNonce": "required", "requirePar": True}],
    ids=lambda options: " ".join(f"{name}={value}" for name, value in options.items()) or "plain",
)
def test_login_refresh_and_userinfo_with_proofs(
    sign_in: SignIn, start_npm_provider: StartNpmProvider, options: dict[str, Any]
) -> None:
    """RFC 9449 sections 5, 7, 8 and 10."""
    provider = start_npm_provider(**options)
    session = sign_in(provider)
    assert session.access_token().type == "DPoP"
    assert session.userinfo()["sub"] == "ann"
    first = session.access_token().value
    assert session.refresh().value != first
    assert session.userinfo()["sub"] == "ann"
    session.logout()


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_each_common_algorithm_is_accepted(sign_in: SignIn, npm_provider: NpmProvider, alg: str) -> None:
    session = sign_in(npm_provider, DPoP(key=generate(alg)))
    assert session.userinfo()["sub"] == "ann"


def test_a_token_replayed_with_another_key_is_refused(sign_in: SignIn, npm_provider: NpmProvider) -> None:
    """RFC 9449 section 4.3 step 12."""
    session = sign_in(npm_provider)
    token = session.access_token().value
    address = f"{npm_provider.issuer}/me"
    other = proof(generate("ES256"), "GET", address, access_token=token)
    stolen = httpx.get(address, headers={"Authorization": f"DPoP {token}", "DPoP": other}, trust_env=False)
    bearer = httpx.get(address, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert (stolen.status_code, bearer.status_code) == (401, 401)
    assert session.userinfo()["sub"] == "ann"
