"""DPoP at a provider that is not ours: every exchange with a proof that `oidc-provider` checks."""

from __future__ import annotations

from collections import defaultdict
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


NONCES = ("off", "optional", "required")
PAR = {"off": {"offerPar": False}, "required": {"requirePar": True}}


def check_nonces(arrived: list[dict[str, Any]]) -> None:
    """See that each server was shown none but its own nonces, and always one once it had given one."""
    given: dict[str, set[str]] = defaultdict(set)
    for request in arrived:
        nonce, own = request["proof"].get("nonce"), given[request["server"]]
        assert (nonce in own) if own else nonce is None, request
        if request.get("given"):
            own.add(request["given"])


@pytest.mark.parametrize("par", PAR)
@pytest.mark.parametrize("nonces", NONCES)
def test_login_refresh_userinfo_and_apis_on_other_origins(
    sign_in: SignIn, start_npm_provider: StartNpmProvider, nonces: str, par: str
) -> None:
    """RFC 9449 sections 5, 7, 8, 9 and 10: three APIs, each with a way of its own with nonces."""
    provider = start_npm_provider(**PAR[par], **({} if nonces == "off" else {"dpopNonce": nonces}))
    provider.arrived()
    session = sign_in(provider, resource=list(provider.apis.values()))
    jkts = set()
    for api in provider.apis.values():
        with session.http(api, trust_env=False) as http:
            answers = [http.get("/me?a=b"), http.post("/notes", content=b"body")]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert [answer.json()["sub"] for answer in answers] == ["ann", "ann"]
        jkts |= {answer.json()["jkt"] for answer in answers}
        first = session.access_token(api)
        assert first.type == "DPoP"
        assert session.refresh(api).value != first.value
    session.logout()
    arrived = provider.arrived()
    assert {request["server"] for request in arrived} == {"provider", *NONCES}
    check_nonces(arrived)
    assert len(jkts) == 1
    pushed = [request for request in arrived if request["path"] == "/request"]
    assert bool(pushed) is (par == "required")
    refused = [(request["server"], request["status"]) for request in arrived if request["status"] >= 400]
    assert refused == ([("provider", 400)] if nonces == "required" else []) + [("required", 401)]


@pytest.mark.parametrize("nonces", NONCES)
def test_userinfo_takes_a_proof(sign_in: SignIn, start_npm_provider: StartNpmProvider, nonces: str) -> None:
    """RFC 9449 section 7: userinfo is a resource of the provider, and shares its nonces (section 8)."""
    provider = start_npm_provider(**PAR["off"], **({} if nonces == "off" else {"dpopNonce": nonces}))
    provider.arrived()
    session = sign_in(provider)
    assert session.userinfo()["sub"] == "ann"
    first = session.access_token().value
    assert session.refresh().value != first
    assert session.userinfo()["sub"] == "ann"
    arrived = provider.arrived()
    check_nonces(arrived)
    assert [request["proof"].get("ath") is not None for request in arrived if request["path"] == "/me"] == [True] * 2


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


@pytest.mark.parametrize("nonces", NONCES)
def test_an_api_on_another_origin_refuses_a_token_with_another_key(
    sign_in: SignIn, npm_provider: NpmProvider, nonces: str
) -> None:
    """RFC 9449 section 4.3 step 12, as `oauth4webapi` has it; and as Bearer the token is nothing."""
    api = npm_provider.apis[nonces]
    session = sign_in(npm_provider, resource=api)
    token, address = session.access_token(api).value, f"{api}/me"

    def send(scheme: str, **headers: str) -> httpx.Response:
        return httpx.get(address, headers={"Authorization": f"{scheme} {token}", **headers}, trust_env=False)

    def steal(**with_nonce: str) -> httpx.Response:
        return send("DPoP", DPoP=proof(generate("ES256"), "GET", address, access_token=token, **with_nonce))

    stolen = steal()
    if nonces == "required":
        stolen = steal(nonce=stolen.headers["DPoP-Nonce"])
    assert (stolen.status_code, stolen.json()) == (401, {"error": "invalid_token"})
    assert send("Bearer").status_code == 401
    with session.http(api, trust_env=False) as http:
        assert http.get("/me").status_code == 200
