"""What a client with a key of its own does when a provider or an API breaks the rules of proofs, by every name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import oidcclient
from oidcclient_devkit import MISBEHAVIOURS, Provider
from oidcclient_dpop import DPoP
from tests.client.conftest import TEST_POLICY
from tests.session.conftest import SCOPES

Refused = oidcclient.ResponseRefused
OAuth = oidcclient.OAuthError
Downgrade = oidcclient.DowngradeRefused

LOOP, ALGS, CODE = "use_dpop_nonce", "algs", "error"
RECOVERS = None
"""It goes on, as if nothing was."""

ANYWHERE = ("par", "refresh", "userinfo", "api")  # the token request comes with what the PAR endpoint gave
OF_THE_PROVIDER = ("par", "refresh", "userinfo")

# Name, where it happens, the nonces asked for, what the client does, with which rule, after how many requests there.
# An API's refusal is the program's: its status is handed on. Nothing is ever sent with the Bearer scheme instead.
ROWS: list[tuple[str, str, str, type[oidcclient.OidcError] | int | None, str | None, int]] = [
    # A challenge is answered once (RFC 9449 section 8).
    *(("nonce_loop", at, "off", Refused, LOOP, 2) for at in (*ANYWHERE, "token")),
    *(("wrong_nonce", at, "required", Refused, LOOP, 2) for at in ANYWHERE),
    # A challenge without one good nonce is not answered (section 8: one header; section 8.1: its characters).
    *(
        (name, at, "required", OAuth, CODE, 1)
        for name in ("challenge_without_nonce", "invalid_nonce", "two_nonces", "huge_nonce", "nonce_only_on_success")
        for at in OF_THE_PROVIDER
    ),
    *(
        (name, "api", "required", 401, None, 1)
        for name in ("challenge_without_nonce", "invalid_nonce", "two_nonces", "huge_nonce", "nonce_only_on_success")
    ),
    # A nonce that came with a good answer is used, one that never came is not missed (section 8.2).
    *(("nonce_only_on_success", at, "optional", RECOVERS, None, 1) for at in (*ANYWHERE, "token")),
    *(("nonce_only_on_errors", at, "required", RECOVERS, None, 2) for at in ANYWHERE),
    *(("odd_challenge", at, "required", RECOVERS, None, 2) for at in ("userinfo", "api")),
    *(("mixed_statuses", at, "required", RECOVERS, None, 2) for at in ANYWHERE),
    # A code needs no second request, as the PAR endpoint gave a nonce; a refresh token that is spent is lost.
    ("spent_first", "token", "required", RECOVERS, None, 1),
    ("spent_first", "refresh", "required", oidcclient.LoginRequired, "invalid_grant", 2),
    # A clock is followed if the Date says that it differs, once; a refusal without a reason is not tried again.
    *(("clock_ahead", at, "off", RECOVERS, None, 2) for at in ANYWHERE),
    *(("iat_refused", at, "off", OAuth, CODE, 2) for at in (*OF_THE_PROVIDER, "token")),
    ("iat_refused", "api", "off", 401, None, 2),
    *(("proof_refused", at, "off", OAuth, CODE, 1) for at in (*OF_THE_PROVIDER, "token")),
    ("proof_refused", "api", "off", 401, None, 1),
    # An API that takes no proof of this key needs another key, so another sign-in (section 7.1).
    *(("foreign_algs", at, "off", oidcclient.LoginRequired, ALGS, 1) for at in ("userinfo", "api")),
    # A bound token never goes as Bearer (section 7.2); one that is called invalid is renewed once.
    ("bearer_challenge", "api", "off", 401, None, 2),
    ("bearer_challenge", "userinfo", "off", OAuth, CODE, 1),
    # No silent downgrade (section 5).
    ("type_bearer", "token", "off", Downgrade, "token_type", 1),
    ("type_bearer", "refresh", "off", Downgrade, "token_type", 1),
    ("ignored_at_code", "token", "off", Downgrade, "token_type", 1),
    ("ignored_at_refresh", "refresh", "off", Downgrade, "token_type", 1),
]

# They are about tokens, or about the clock that one server has.
WITHOUT_PLACE = {"spent_first", "type_bearer", "ignored_at_code", "ignored_at_refresh", "clock_ahead"}


def test_every_misbehaviour_with_proofs_is_met() -> None:
    """`metadata.no_dpop` is met where the sign-in is tested."""
    met = {f"dpop.{name}" for name, *_ in ROWS}
    assert met == {name for name in MISBEHAVIOURS if name.startswith("dpop.")}
    assert {name for name in MISBEHAVIOURS if "dpop" in name} - met == {"metadata.no_dpop"}


Login = Callable[[], oidcclient.Session]


@pytest.fixture
def login(oidc_provider: Provider, tmp_path: Path) -> Iterator[Login]:
    """Sign ann in with a key of her own."""
    oidc_provider.sign_in_as("ann")
    with oidcclient.Client(
        oidc_provider.issuer,
        oidc_provider.client_id,
        scopes=SCOPES,
        policy=TEST_POLICY,
        store=oidcclient.MemoryStore(),
        hooks=[DPoP(store=f"file:{tmp_path}/keys")],
    ) as client:
        yield lambda: client.login(open_browser=oidc_provider.browser(), resource=oidc_provider.api, timeout=20)


def do(session: oidcclient.Session, provider: Provider, at: str) -> int:
    """Do what a place is about; the sign-in has done it for two of them. Return the API's status."""
    if at == "refresh":
        session.refresh()
    elif at == "userinfo":
        session.userinfo()
    elif at == "api":
        with httpx.Client(auth=session.auth(resource=provider.api), trust_env=False) as api:
            return api.get(f"{provider.api}/me").status_code
    return 200


def misbehave(provider: Provider, name: str, at: str, nonces: Any) -> str:
    """Begin, and return the endpoint it is about."""
    endpoint = "token" if at == "refresh" else at
    provider.dpop_nonces(as_="off" if at == "api" else nonces, rs=nonces if at == "api" else "off")
    options: dict[str, Any] = {} if name in WITHOUT_PLACE else {"at": endpoint}
    provider.misbehave(f"dpop.{name}", **options)
    provider.requests.clear()
    return endpoint


@pytest.mark.parametrize(("name", "at", "nonces", "expected", "rule", "requests"), ROWS)
def test_a_broken_rule_of_proofs_is_refused_or_survived(
    login: Login,
    oidc_provider: Provider,
    name: str,
    at: str,
    nonces: str,
    expected: type[oidcclient.OidcError] | int | None,
    rule: str | None,
    requests: int,
) -> None:
    session = None if at in {"par", "token"} else login()
    endpoint = misbehave(oidc_provider, name, at, nonces)

    def act() -> int:
        return do(session or login(), oidc_provider, at)

    if isinstance(expected, type):
        with pytest.raises(expected) as refusal:
            act()
        assert refusal.value.rule == rule
        assert refusal.value.hint
    else:
        assert act() == (expected or 200)
    asked = oidc_provider.requests.of(endpoint)
    assert len(asked) == requests
    assert all(request.header("dpop") for request in asked)
    schemes = {(request.header("authorization") or "DPoP").partition(" ")[0] for request in oidc_provider.requests}
    assert schemes == {"DPoP"}
