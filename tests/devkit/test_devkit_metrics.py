"""The provider counts what it does, and Prometheus can read it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.metrics import PREFIX, Metrics
from tests.devkit.conftest import App
from tests.devkit.dpop_app import DPoPApp


def read(app: App) -> dict[tuple[str, frozenset[str]], float]:
    """Read the page as Prometheus does: each sample by its name and the values of its labels."""
    answer = app.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_tokens_and_refusals_are_counted(dpop: DPoPApp) -> None:
    tokens = dpop.tokens()
    dpop.refresh(tokens["refresh_token"])
    dpop.app.tokens()
    dpop.refresh("unknown")
    dpop.app.api("/me")
    found = read(dpop.app)
    assert found["requests_total", frozenset({"token", "200"})] == 3
    assert found["tokens_total", frozenset({"authorization_code", "DPoP"})] == 1
    assert found["tokens_total", frozenset({"refresh_token", "DPoP"})] == 1
    assert found["tokens_total", frozenset({"authorization_code", "Bearer"})] == 1
    assert found["refusals_total", frozenset({"token", "invalid_grant"})] == 1
    assert found["refusals_total", frozenset({"api", "401"})] == 1


def test_proofs_are_counted_by_rule_and_challenges_apart(dpop: DPoPApp) -> None:
    token = dpop.tokens()["access_token"]
    dpop.api("/hello", token)
    dpop.api("/hello", token, htm="POST")
    dpop.provider.dpop_nonces(rs="required")
    dpop.api("/hello", token)
    dpop.api("/hello", token, nonce="another")
    found = read(dpop.app)
    assert found["proofs_verified_total", frozenset({"token"})] == 1
    assert found["proofs_verified_total", frozenset({"api"})] == 1
    assert found["proofs_refused_total", frozenset({"api", "htm"})] == 1
    assert found["nonce_challenges_total", frozenset({"api"})] == 2
    assert ("proofs_refused_total", frozenset({"api", "nonce"})) not in found


def test_the_number_of_remembered_proofs_is_told_and_falls(dpop: DPoPApp) -> None:
    """RFC 9449 section 11.1."""
    token = dpop.tokens()["access_token"]
    for _ in range(3):
        dpop.api("/hello", token)
    assert read(dpop.app)["cached_jtis", frozenset()] == 4
    dpop.provider.move_clock(120)
    assert read(dpop.app)["cached_jtis", frozenset()] == 0


def test_a_refused_page_and_a_refused_redirect_are_counted(app: App) -> None:
    app.provider.sign_in_as("ann")
    app.refused_page(client_id="nobody")
    app.sign_in(code_challenge=None)
    found = read(app)
    assert found["refusals_total", frozenset({"authorize", "400"})] == 1
    assert found["refusals_total", frozenset({"authorize", "invalid_request"})] == 1


def test_a_program_can_read_the_counters(dpop: DPoPApp) -> None:
    dpop.tokens()
    metrics = dpop.provider.metrics
    assert metrics.value("tokens_total", type="DPoP") == 1
    assert metrics.value("tokens_total") == 1
    assert metrics.value("requests_total", endpoint="token", status="400") == 0


@pytest.mark.parametrize("error", ['quo"te', "back\\slash", "new\nline", "x" * 5000])
def test_a_label_can_hold_anything(error: str) -> None:
    metrics = Metrics()
    metrics.answered("token", Exchange("POST", "/token"), Answer(400, [], b'{"error": "%s"}' % error.encode()))
    metrics.add("refusals_total", endpoint="x", error=error)
    samples = [sample for family in text_string_to_metric_families(metrics.page(0)) for sample in family.samples]
    assert error in {sample.labels.get("error") for sample in samples}


def test_a_token_answer_that_is_spoiled_is_counted_as_what_it_says(app: App) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave("token.not_json", times=1)
    app.redeem(app.sign_in()["code"])
    assert app.provider.metrics.value("tokens_total", type="None") == 1
