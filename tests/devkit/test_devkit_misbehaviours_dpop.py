"""More of what the devkit does wrong with proofs and nonces when told to."""

import httpx

from tests.devkit.dpop_app import DPoPApp
from tests.devkit.test_devkit_dpop_nonces import GOOD, clock, errors, everywhere, nonces, refused


def challenge_fields(answer: httpx.Response) -> list[str]:
    return [value for name, value in answer.headers.multi_items() if name == "www-authenticate"]


def test_proof_refused(dpop: DPoPApp) -> None:
    """The clock is right, so there is no reason to try again."""
    dpop.provider.misbehave("dpop.proof_refused")
    answers = everywhere(dpop)
    assert errors(answers) == refused("invalid_dpop_proof")
    assert all(abs(clock(answer) - dpop.provider.core.now()) < 10 for answer in answers.values())


def test_nonce_only_on_errors(dpop: DPoPApp) -> None:
    """As IdentityServer does; RFC 9449 section 8.2 leaves it to the server."""
    dpop.provider.misbehave("dpop.nonce_only_on_errors")
    dpop.provider.dpop_nonces(as_="optional", rs="optional")
    answers = everywhere(dpop)
    assert errors(answers) == GOOD
    assert not any(nonces(answer) for answer in answers.values())
    answers = everywhere(dpop, nonce="another")
    assert errors(answers) == refused("use_dpop_nonce")
    assert all(nonces(answer) for answer in answers.values())


def test_huge_nonce(dpop: DPoPApp) -> None:
    dpop.provider.misbehave("dpop.huge_nonce", size=20_000)
    assert all(nonces(answer) == ["n" * 20_000] for answer in everywhere(dpop).values())


def test_odd_challenge(dpop: DPoPApp) -> None:
    """RFC 9110 section 11.6.1: several challenges in one field, schemes without case."""
    dpop.provider.misbehave("dpop.odd_challenge")
    assert errors(everywhere(dpop)) == GOOD
    dpop.provider.dpop_nonces(as_="required", rs="required")
    answers = everywhere(dpop)
    for place in ("userinfo", "api"):
        (field,) = challenge_fields(answers[place])
        assert 'dpOp x="a, DPoP b=c", error="use_dpop_nonce"' in field
        assert 'bEARER x="a, DPoP b=c", realm="devkit"' in field
    assert not challenge_fields(answers["token"])
