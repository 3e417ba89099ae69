"""The example: an API with metrics, called by our client with a token of the devkit."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from oidcclient_devkit import Provider
from oidcclient_dpop.server import MemoryReplayCache, events
from tests.dpop_server.proofs import new_key
from tests.resource_server.lab import access_token
from tests.resource_server.serving import serve_asgi
from tests.resource_server.signed_in import signed_in

FOLDER = Path(__file__).parents[2] / "examples" / "protected_api"


@pytest.fixture
def served(oidc_provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.syspath_prepend(FOLDER)

    def app_at(url: str) -> object:
        monkeypatch.setenv("PUBLIC_URL", url)
        monkeypatch.setenv("ISSUER", oidc_provider.issuer)
        return import_module("api").create_app()

    with serve_asgi(app_at) as url:
        yield url
    for name in ("api", "api_metrics"):
        sys.modules.pop(name)


def metrics(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines if "_created" not in name}


def test_the_example_lets_in_refuses_and_counts(served: str, oidc_provider: Provider, tmp_path: Path) -> None:
    with signed_in(oidc_provider, tmp_path, served) as calls:
        for _ in range(3):
            assert calls.get("/me").json() == {"sub": oidc_provider.users["ann"].sub}
        sent = calls.get("/me").request.headers
        replayed = {name: sent[name] for name in ("authorization", "dpop")}
    assert httpx.get(f"{served}/me", headers=replayed, trust_env=False).status_code == 401
    assert httpx.get(f"{served}/me", trust_env=False).status_code == 401
    assert httpx.get(f"{served}/no-such-page", trust_env=False).status_code == 401
    assert metrics(served) == {
        'api_requests_total{error="",outcome="accepted",scheme="DPoP"}': 4,
        'api_requests_total{error="use_dpop_nonce",outcome="refused",scheme="DPoP"}': 1,
        'api_requests_total{error="invalid_dpop_proof",outcome="refused",scheme="DPoP"}': 1,
        'api_requests_total{error="no token",outcome="refused",scheme=""}': 2,
        'dpop_proofs_total{rule=""}': 4,
        'dpop_proofs_total{rule="replay"}': 1,
        "dpop_nonce_challenges_total": 1,
        "authorization_server_failures_total": 0,
        "dpop_cached_jtis": 4,
    }


def test_the_example_counts_tokens_by_their_fault(served: str) -> None:
    for token in ("a.b.c", "e30.e30.e30"):
        headers = {"Authorization": f"DPoP {token}", "DPoP": "proof"}
        httpx.get(f"{served}/me", headers=headers, trust_env=False)
    found = metrics(served)
    assert found['access_tokens_refused_total{reason="format"}'] == 1
    assert found['access_tokens_refused_total{reason="typ"}'] == 1


def test_the_example_counts_what_was_refused_later_and_what_could_not_be_told(served: str) -> None:
    registry, replay = CollectorRegistry(), MemoryReplayCache()
    count = import_module("api_metrics").Metrics(registry, replay)
    count(events.RefusedLater(403, "insufficient_scope", "DPoP"))
    count(events.ProofUndecided("resource"))
    labels = {"outcome": "refused later", "scheme": "DPoP", "error": "insufficient_scope"}
    assert registry.get_sample_value("api_requests_total", labels) == 1
    assert registry.get_sample_value("dpop_proofs_total", {"rule": "undecided"}) == 1


def test_the_example_counts_failures_of_the_authorization_server(served: str, oidc_provider: Provider) -> None:
    oidc_provider.stop()
    headers = {"Authorization": f"DPoP {access_token(new_key())}", "DPoP": "proof"}
    assert httpx.get(f"{served}/me", headers=headers, trust_env=False).status_code == 503
    assert metrics(served)["authorization_server_failures_total"] == 1
