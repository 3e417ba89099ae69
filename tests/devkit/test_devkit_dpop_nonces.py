"""Nonces in DPoP proofs (RFC 9449 sections 8 and 9), and what the devkit does wrong with proofs when told to."""

import math
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.devkit.dpop_app import DPoPApp, challenges
from tests.dpop_server.proofs import new_key

NQCHAR = {chr(code) for code in (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))}  # section 8.1


def nonces(answer: httpx.Response) -> list[str]:
    return [value for name, value in answer.headers.multi_items() if name == "dpop-nonce"]


def clock(answer: httpx.Response) -> float:
    dates = [value for name, value in answer.headers.multi_items() if name == "date"]
    assert len(dates) == 1
    return parsedate_to_datetime(dates[0]).timestamp()


def test_no_nonces_unless_asked_for(dpop: DPoPApp) -> None:
    answer = dpop.redeem(dpop.code())
    assert not nonces(answer)
    assert not nonces(dpop.api("/hello", answer.json()["access_token"]))
    with pytest.raises(ValueError, match="off, optional, required"):
        dpop.provider.dpop_nonces(as_="always")


def test_the_provider_asks_for_a_nonce_before_it_spends_anything(dpop: DPoPApp) -> None:
    """Section 8."""
    dpop.provider.dpop_nonces(as_="required")
    code = dpop.code()
    asked = dpop.redeem(code)
    assert (asked.status_code, asked.json()["error"]) == (400, "use_dpop_nonce")
    (nonce,) = nonces(asked)
    assert set(nonce) <= NQCHAR
    assert asked.headers["cache-control"] == "no-store"
    answer = dpop.redeem(code, nonce=nonce)
    assert answer.json()["token_type"] == "DPoP"
    (nonce,) = nonces(answer)  # section 8.2: on success too
    token = answer.json()["refresh_token"]
    assert dpop.refresh(token).json()["error"] == "use_dpop_nonce"
    assert dpop.refresh(token, nonce=nonce).status_code == 200
    pushed = dpop.post("/par", dict(dpop.app.request()))
    assert pushed.json()["error"] == "use_dpop_nonce"
    assert dpop.post("/par", dict(dpop.app.request()), nonce=nonces(pushed)[0]).status_code == 201


def test_with_a_nonce_a_clock_may_be_further_off_or_not_count(dpop: DPoPApp) -> None:
    dpop.provider.dpop_nonces(as_="optional")
    (nonce,) = nonces(dpop.redeem(dpop.code()))
    late = dpop.provider.core.now() - 100
    assert dpop.redeem(dpop.code(), nonce=nonce, iat=late).json()["error"] == "invalid_dpop_proof"
    dpop.provider.dpop_window(past=30, future=30, with_nonce=90)
    assert dpop.redeem(dpop.code(), nonce=nonce, iat=late + 20).status_code == 200
    assert dpop.redeem(dpop.code(), iat=late + 20).json()["error"] == "invalid_dpop_proof"
    assert dpop.redeem(dpop.code(), nonce=nonce, iat=late).json()["error"] == "invalid_dpop_proof"
    assert "at most 90 s behind and 90 s ahead" in str(dpop.provider.requests.of("token")[-1].why)
    dpop.provider.dpop_window(past=30, future=30, with_nonce=math.inf)
    assert dpop.redeem(dpop.code(), nonce=nonce, iat=0).status_code == 200


def test_api_and_provider_keep_their_nonces_apart(dpop: DPoPApp) -> None:
    """Section 9; userinfo is on the provider's origin."""
    dpop.provider.dpop_nonces(as_="required", rs="required")
    code = dpop.code()
    (nonce,) = nonces(dpop.redeem(code))
    token = dpop.redeem(code, nonce=nonce).json()["access_token"]
    asked = dpop.api("/hello", token, nonce=nonce)
    assert asked.status_code == 401
    assert 'error="use_dpop_nonce"' in challenges(asked)["DPoP"]
    assert nonces(asked) != [nonce]
    answer = dpop.api("/hello", token, nonce=nonces(asked)[0])
    assert answer.status_code == 200
    assert nonces(answer) == nonces(asked)
    userinfo = f"{dpop.provider.issuer}/userinfo"
    assert dpop.call(userinfo, token, nonce=nonces(asked)[0]).status_code == 401
    assert dpop.call(userinfo, token, nonce=nonce).status_code == 200


def test_optional_nonces_are_given_out_and_checked_if_used(dpop: DPoPApp) -> None:
    dpop.provider.dpop_nonces(as_="optional", rs="optional")
    answer = dpop.redeem(dpop.code())
    token = answer.json()["access_token"]
    assert dpop.redeem(dpop.code(), nonce=nonces(answer)[0]).status_code == 200
    assert dpop.redeem(dpop.code(), nonce="another").json()["error"] == "use_dpop_nonce"
    assert nonces(dpop.api("/hello", token))
    assert dpop.api("/hello", token, nonce="another").status_code == 401


def test_a_nonce_grows_old(dpop: DPoPApp) -> None:
    dpop.provider.dpop_nonces(as_="required")
    (nonce,) = nonces(dpop.redeem("unknown"))
    dpop.provider.move_clock(300)
    iat = dpop.provider.core.now()
    assert dpop.redeem("unknown", nonce=nonce, iat=iat).json()["error"] == "use_dpop_nonce"


# Misbehaviours


def everywhere(dpop: DPoPApp, **claims: Any) -> dict[str, httpx.Response]:
    """Return the answer of each endpoint that takes proofs to a good one; the tokens are made beforehand."""
    active = dict(dpop.provider.core.controls.active)
    dpop.provider.core.controls.active.clear()
    modes = dict(dpop.provider.core.controls.proofs.nonces)
    dpop.provider.dpop_nonces()
    tokens = dpop.tokens()
    dpop.provider.dpop_nonces(as_=modes["as"], rs=modes["rs"])
    dpop.provider.core.controls.active.update(active)
    token = tokens["access_token"]
    return {
        "par": dpop.post("/par", dict(dpop.app.request()), **claims),
        "token": dpop.refresh(tokens["refresh_token"], **claims),
        "userinfo": dpop.call(f"{dpop.provider.issuer}/userinfo", token, **claims),
        "api": dpop.api("/hello", token, **claims),
    }


def errors(answers: dict[str, httpx.Response]) -> dict[str, tuple[int, Any]]:
    return {name: (answer.status_code, answer.json().get("error")) for name, answer in answers.items()}


def refused(error: str) -> dict[str, tuple[int, str]]:
    return {"par": (400, error), "token": (400, error), "userinfo": (401, error), "api": (401, error)}


GOOD = {"par": (201, None), "token": (200, None), "userinfo": (200, None), "api": (200, None)}


def test_nonce_loop(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.nonce_loop")
    seen: set[str] = set()
    for _ in range(2):
        answers = everywhere(dpop)
        assert errors(answers) == refused("use_dpop_nonce")
        seen |= {nonce for answer in answers.values() for nonce in nonces(answer)}
    assert len(seen) == 8
    assert all('error="use_dpop_nonce"' in challenges(answers[name])["DPoP"] for name in ("userinfo", "api"))


def test_challenge_without_nonce(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.challenge_without_nonce")
    dpop.provider.dpop_nonces(as_="required", rs="required")
    answers = everywhere(dpop)
    assert errors(answers) == refused("use_dpop_nonce")
    assert not any(nonces(answer) for answer in answers.values())


def test_a_misbehaviour_at_one_place_and_once(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.nonce_loop", at="token", times=1)
    assert errors(everywhere(dpop)) == {**GOOD, "token": (400, "use_dpop_nonce")}
    assert errors(everywhere(dpop)) == GOOD
    dpop.provider.misbehave("dpop.nonce_loop", at=("par", "api"))
    assert errors(everywhere(dpop)) == {**GOOD, "par": (400, "use_dpop_nonce"), "api": (401, "use_dpop_nonce")}
    assert dpop.app.redeem(dpop.code()).status_code == 200, "only requests with a proof"


def test_a_challenge_in_place_of_an_answer_spends_nothing(dpop: DPoPApp) -> None:
    code = dpop.code()
    dpop.provider.misbehave("dpop.nonce_loop", times=1)
    assert dpop.redeem(code).json()["error"] == "use_dpop_nonce"
    assert dpop.redeem(code).status_code == 200


def test_a_code_is_spent_by_a_challenge_that_comes_too_late(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.spent_first")
    dpop.provider.dpop_nonces(as_="required")
    code = dpop.code()
    (nonce,) = nonces(dpop.redeem(code))
    assert dpop.redeem(code, nonce=nonce).json()["error"] == "invalid_grant"


def test_iat_refused(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.iat_refused", seconds=90)
    answers = everywhere(dpop)
    assert errors(answers) == refused("invalid_dpop_proof")
    assert all(80 < clock(answer) - dpop.provider.core.now() < 100 for answer in answers.values())
    answers = everywhere(dpop, iat=dpop.provider.core.now() + 90)
    assert errors(answers) == refused("invalid_dpop_proof")


@pytest.mark.parametrize("seconds", [120, -120])
def test_clock_ahead(dpop: DPoPApp, seconds: int) -> None:
    """A client that goes by the Date gets through."""
    dpop.provider.misbehave("dpop.clock_ahead", seconds=seconds)
    answers = everywhere(dpop)
    assert errors(answers) == refused("invalid_dpop_proof")
    ahead = {clock(answer) - dpop.provider.core.now() for answer in answers.values()}
    assert all(abs(value - seconds) < 10 for value in ahead)
    assert errors(everywhere(dpop, iat=dpop.provider.core.now() + seconds)) == GOOD


def test_wrong_nonce(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.wrong_nonce")
    dpop.provider.dpop_nonces(as_="required", rs="required")
    answers = everywhere(dpop)
    assert [nonces(answer) for answer in answers.values()] == [["never-accepted"]] * 4
    assert errors(everywhere(dpop, nonce="never-accepted")) == refused("use_dpop_nonce")


def test_invalid_nonce(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.invalid_nonce")
    for answer in everywhere(dpop).values():
        (nonce,) = nonces(answer)
        assert set(nonce) - NQCHAR == {'"', "\\", " "}
    dpop.provider.misbehave("dpop.invalid_nonce", value="with space")
    assert all(nonces(answer) == ["with space"] for answer in everywhere(dpop).values())


def test_two_nonces(dpop: DPoPApp) -> None:
    """Section 8: exactly one."""
    dpop.provider.misbehave("dpop.two_nonces")
    assert all(nonces(answer) == ["one-nonce", "another-nonce"] for answer in everywhere(dpop).values())


def test_nonce_only_on_success(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.nonce_only_on_success")
    dpop.provider.dpop_nonces(as_="optional", rs="optional")
    assert all(nonces(answer) for answer in everywhere(dpop).values())
    answers = everywhere(dpop, nonce="another")
    assert errors(answers) == refused("use_dpop_nonce")
    assert not any(nonces(answer) for answer in answers.values())


def test_mixed_statuses(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.mixed_statuses")
    dpop.provider.dpop_nonces(as_="required", rs="required")
    answers = everywhere(dpop)
    statuses = {name: answer.status_code for name, answer in answers.items()}
    assert statuses == {"par": 401, "token": 401, "userinfo": 400, "api": 400}
    assert all(nonces(answer) and answer.json()["error"] == "use_dpop_nonce" for answer in answers.values())
    dpop.provider.dpop_nonces()
    assert errors(everywhere(dpop)) == GOOD


def test_foreign_algs(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.foreign_algs")
    answers = everywhere(dpop)
    expected = (401, "invalid_dpop_proof")
    assert errors(answers) == {**GOOD, "userinfo": expected, "api": expected}
    assert challenges(answers["api"]) == {"DPoP": 'error="invalid_dpop_proof", algs="RS1"'}
    dpop.provider.misbehave("dpop.foreign_algs", algs="ES384 PS512")
    assert 'algs="ES384 PS512"' in challenges(everywhere(dpop)["api"])["DPoP"]


def test_bearer_challenge(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.bearer_challenge")
    answers = everywhere(dpop)
    assert errors(answers) == {**GOOD, "userinfo": (401, "invalid_token"), "api": (401, "invalid_token")}
    assert list(challenges(answers["userinfo"])) == list(challenges(answers["api"])) == ["Bearer"]


def test_type_bearer(dpop: DPoPApp, claims_of: Any) -> None:
    """The token is bound all the same."""
    dpop.provider.misbehave("dpop.type_bearer")
    tokens = dpop.tokens()
    assert tokens["token_type"] == "Bearer"
    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": dpop.key.jkt}
    assert dpop.refresh(tokens["refresh_token"]).json()["token_type"] == "Bearer"
    assert dpop.redeem("unknown").json()["error"] == "invalid_grant"
    assert "token_type" not in dpop.call(f"{dpop.provider.issuer}/userinfo", tokens["access_token"]).json()


def test_ignored_at_code(dpop: DPoPApp, claims_of: Any) -> None:
    dpop.provider.misbehave("dpop.ignored_at_code", times=1)
    tokens = dpop.redeem(dpop.code(dpop_jkt=new_key().jkt)).json()
    assert tokens["token_type"] == "Bearer"
    assert "cnf" not in claims_of(tokens["access_token"])
    assert dpop.app.api("/hello", tokens["access_token"]).status_code == 200
    assert dpop.app.refresh(tokens["refresh_token"]).status_code == 200
    assert dpop.tokens()["token_type"] == "DPoP"


def test_ignored_at_refresh(dpop: DPoPApp, claims_of: Any) -> None:
    tokens = dpop.tokens()
    dpop.provider.misbehave("dpop.ignored_at_refresh", times=1)
    again = dpop.refresh(tokens["refresh_token"]).json()
    assert again["token_type"] == "Bearer"
    assert "cnf" not in claims_of(again["access_token"])
    assert dpop.refresh(again["refresh_token"]).json()["token_type"] == "DPoP"
