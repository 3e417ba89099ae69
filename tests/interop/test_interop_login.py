"""Our client at a provider that is not ours: `oidc-provider` from npm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import oidcclient
from tests.client.conftest import TEST_POLICY
from tests.interop.conftest import StartNpmProvider
from tests.interop.npm import NpmProvider
from tests.interop.person import Person

MakePerson = Callable[..., Person]
SignIn = Callable[..., oidcclient.Session]


@pytest.fixture
def sign_in(npm_provider: NpmProvider, person: MakePerson) -> Iterator[SignIn]:
    """Sign ann in with a client registered there."""
    made: list[oidcclient.Client] = []

    def run(
        client_id: str = "native",
        *,
        provider: NpmProvider = npm_provider,
        user: Person | None = None,
        auth: oidcclient.ClientAuth | None = None,
        scopes: tuple[str, ...] = ("openid", "profile", "email"),
        **options: Any,
    ) -> oidcclient.Session:
        client = oidcclient.Client(
            provider.issuer,
            client_id,
            scopes=scopes,
            client_auth=auth,
            policy=TEST_POLICY,
            store=oidcclient.MemoryStore(),
        )
        made.append(client)
        return client.login(open_browser=user or person("ann"), timeout=60, **options)

    yield run
    for client in made:
        client.close()


@pytest.mark.parametrize("client_id", ["native", "native-es256", "native-eddsa", "native-par"])
def test_ann_signs_in(sign_in: SignIn, client_id: str) -> None:
    """Discovery, PAR, code with PKCE, ID Tokens signed with RS256, ES256 and EdDSA, `iss`, userinfo."""
    session = sign_in(client_id)
    assert session.user.sub == "ann"
    assert session.userinfo()["sub"] == "ann"


def test_signed_userinfo_is_verified(sign_in: SignIn) -> None:
    """OIDC Core 5.3.4."""
    claims = sign_in("native-signed-userinfo").userinfo()
    assert claims["sub"] == "ann"
    assert claims["aud"] == "native-signed-userinfo"


def test_form_post_comes_back(sign_in: SignIn) -> None:
    assert sign_in(via=oidcclient.Loopback(form_post=True)).user.sub == "ann"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_each_loopback_host_is_accepted(sign_in: SignIn, host: str) -> None:
    assert sign_in(via=oidcclient.Loopback(host=host)).user.sub == "ann"  # type: ignore[arg-type] # the three words


def test_a_secret_with_special_characters_is_form_encoded_in_basic(sign_in: SignIn, npm_provider: NpmProvider) -> None:
    """RFC 6749 section 2.3.1: `%`, `:` and `+` matter."""
    name = next(name for name in npm_provider.clients if name.startswith("basic"))
    secret = npm_provider.clients[name].client_secret or ""
    assert sign_in(name, auth=oidcclient.ClientSecretBasic(secret)).user.sub == "ann"


def test_a_secret_in_the_form_is_accepted(sign_in: SignIn, npm_provider: NpmProvider) -> None:
    secret = npm_provider.clients["post"].client_secret or ""
    assert sign_in("post", auth=oidcclient.ClientSecretPost(secret)).user.sub == "ann"


def test_an_assertion_keyed_with_the_secret_is_accepted(sign_in: SignIn, npm_provider: NpmProvider) -> None:
    secret = npm_provider.clients["secret-jwt"].client_secret or ""
    assert sign_in("secret-jwt", auth=oidcclient.ClientSecretJwt(secret=secret)).user.sub == "ann"


@pytest.mark.parametrize("form", ["jwk", "pem"])
def test_an_assertion_signed_with_a_private_key_is_accepted(
    sign_in: SignIn, npm_provider: NpmProvider, form: str
) -> None:
    key = npm_provider.clients["key-jwt"].key
    assert key is not None
    shape: Any = key.as_dict(private=True) if form == "jwk" else key.as_pem(private=True)
    assert sign_in("key-jwt", auth=oidcclient.PrivateKeyJwt(key=shape, kid="key-jwt")).user.sub == "ann"


def test_a_wrong_secret_is_refused_with_a_hint(sign_in: SignIn) -> None:
    with pytest.raises(oidcclient.OAuthError) as refusal:
        sign_in("post", auth=oidcclient.ClientSecretPost("wrong"))
    assert refusal.value.error == "invalid_client"
    assert "client_auth" in refusal.value.hint


def test_max_age_brings_auth_time(sign_in: SignIn) -> None:
    """OIDC Core 3.1.2.1."""
    assert isinstance(sign_in(max_age=60).user.claims["auth_time"], int)


def test_a_token_for_a_resource_carries_its_audience(sign_in: SignIn) -> None:
    """RFC 8707."""
    resource = "https://api.example.com/"
    session = sign_in(resource=resource)
    assert session.access_token(resource=resource).value.count(".") == 2


def test_a_person_who_cancels_is_told_apart(sign_in: SignIn, person: MakePerson) -> None:
    with pytest.raises(oidcclient.LoginDenied):
        sign_in(user=person("ann", deny=True))


def test_a_provider_that_demands_par_gets_it(sign_in: SignIn, start_npm_provider: StartNpmProvider) -> None:
    """RFC 9126 section 5."""
    assert sign_in(provider=start_npm_provider(requirePar=True)).user.sub == "ann"


def test_a_client_bound_to_dpop_is_not_given_a_bearer_token(sign_in: SignIn) -> None:
    """Without the add-on the provider refuses, and we say so."""
    with pytest.raises(oidcclient.OAuthError):
        sign_in("native-dpop")
