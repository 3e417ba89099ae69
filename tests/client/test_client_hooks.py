"""The hooks port, with two hooks of different kinds on real exchanges. Neither is DPoP: the port must be general."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

import oidcclient
from oidcclient import hooks
from oidcclient_devkit import Provider
from tests.client.conftest import MakeClient


class RequestIds:
    """Number every exchange; binds nothing."""

    name = "request-ids"

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.kinds: list[str] = []

    def exchange(
        self, context: hooks.HookContext, exchange: hooks.Exchange, proceed: hooks.Proceed
    ) -> hooks.Flow[hooks.HttpResponse]:
        self.kinds.append(exchange.kind)
        return (yield from proceed(exchange.request.with_header("X-Request-Id", str(next(self.numbers)))))


class Sealed:
    """Bind the session to a made-up key: a parameter, state, a header, one retry, a refusal."""

    name = "sealed"
    binds = True

    def __init__(self) -> None:
        self.prepared = 0

    def prepare(self, context: hooks.HookContext) -> hooks.Flow[None]:
        self.prepared += 1
        context.state["seal"] = yield from hooks.run(lambda: "seal-1")

    def authorization_parameters(self, context: hooks.HookContext) -> hooks.Flow[Mapping[str, str]]:
        yield from hooks.sleep(0)
        return {"seal": context.state["seal"]}

    def exchange(
        self, context: hooks.HookContext, exchange: hooks.Exchange, proceed: hooks.Proceed
    ) -> hooks.Flow[hooks.HttpResponse]:
        sealed = exchange.request.with_header("X-Seal", context.state["seal"])
        answer = yield from proceed(sealed)
        if answer.status == 400 and answer.header("x-fresh"):
            context.memory["fresh"] = answer.header("x-fresh")
            answer = yield from proceed(sealed.with_header("X-Fresh", answer.header("x-fresh") or ""), reason="fresh")
        return answer

    def accept_token(self, context: hooks.HookContext, kind: hooks.ExchangeKind, response: hooks.TokenResponse) -> bool:
        if response.raw.get("unsealed"):
            raise oidcclient.DowngradeRefused("the token is not sealed")
        return response.token_type.lower() == "sealed"


def sign_in(client: oidcclient.Client, provider: Provider) -> oidcclient.Session:
    provider.sign_in_as("ann")
    return client.login(open_browser=provider.browser(), timeout=20)


def headers_of(provider: Provider, path: str) -> list[dict[str, str]]:
    return [
        {name.lower(): value for name, value in dict(request.headers).items()}
        for request in provider.requests
        if request.path == path
    ]


def test_each_exchange_is_offered_and_discovery_and_keys_never(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    ids = RequestIds()
    session = sign_in(make_client(hooks=[ids]), oidc_provider)
    session.userinfo()
    assert ids.kinds == ["par", "token", "userinfo"]
    assert headers_of(oidc_provider, "/token")[0]["x-request-id"] == "2"
    for path in ("/jwks", "/.well-known/openid-configuration"):
        assert all("x-request-id" not in headers for headers in headers_of(oidc_provider, path))


def test_a_challenge_is_answered_once_and_the_state_stays_with_the_session(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    oidc_provider.answer("token", 400, {"X-Fresh": "now", "Content-Type": "application/json"}, b'{"error":"stale"}')
    sealed = Sealed()
    client = make_client(hooks=[sealed, RequestIds()])
    session = sign_in(client, oidc_provider)
    assert sealed.prepared == 1
    first, second = headers_of(oidc_provider, "/token")
    assert "x-fresh" not in first
    assert second["x-fresh"] == "now"
    assert second["x-seal"] == "seal-1"
    pushed = next(dict(request.form) for request in oidc_provider.requests if request.path == "/par")
    assert pushed["seal"] == "seal-1"
    record = client._core.store.records("default", oidc_provider.issuer, oidc_provider.client_id)[0]
    assert record.hook_state == {"sealed": {"seal": "seal-1"}}
    assert record.binding_hooks == ("sealed",)
    session.userinfo()
    assert headers_of(oidc_provider, "/userinfo")[0]["x-seal"] == "seal-1"


def test_a_second_challenge_for_the_same_reason_ends_it(make_client: MakeClient, oidc_provider: Provider) -> None:
    oidc_provider.answer(
        "token", 400, {"X-Fresh": "now", "Content-Type": "application/json"}, b'{"error":"stale"}', times=2
    )
    with pytest.raises(oidcclient.OAuthError, match="stale"):
        sign_in(make_client(hooks=[Sealed()]), oidc_provider)
    assert oidc_provider.count("token") == 2


def test_a_hook_that_would_loop_is_stopped(make_client: MakeClient, oidc_provider: Provider) -> None:
    class Loops:
        name = "loops"

        def exchange(
            self, context: hooks.HookContext, exchange: hooks.Exchange, proceed: hooks.Proceed
        ) -> hooks.Flow[hooks.HttpResponse]:
            yield from proceed(exchange.request)
            while True:
                yield from proceed(exchange.request, reason="again")

    with pytest.raises(oidcclient.UsageError) as refusal:
        sign_in(make_client(hooks=[Loops()]), oidc_provider)
    assert refusal.value.rule == "retry"
    assert oidc_provider.count("par") == 2


def test_a_refused_token_is_not_stored(make_client: MakeClient, oidc_provider: Provider) -> None:
    class Refuses:
        name = "refuses"

        def accept_token(self, *_context: object) -> bool:
            raise oidcclient.DowngradeRefused("no seal")

    client = make_client(hooks=[Refuses()])
    with pytest.raises(oidcclient.DowngradeRefused):
        sign_in(client, oidc_provider)
    assert client.accounts() == ()


def test_a_provider_that_cannot_do_it_is_refused_before_anything_opens(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    class NeedsMore:
        name = "needs-more"

        def prepare(self, context: hooks.HookContext) -> hooks.Flow[None]:
            if "seals_supported" not in context.metadata.raw:
                raise oidcclient.DiscoveryRefused("the provider knows no seals", rule="seals_supported")
            yield from hooks.sleep(0)

    opened: list[str] = []
    with pytest.raises(oidcclient.DiscoveryRefused):
        make_client(hooks=[NeedsMore()]).login(open_browser=opened.append, timeout=5)
    assert not opened


def test_a_bound_session_is_never_used_without_its_hook_nor_an_unbound_one_with_it(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    store = oidcclient.MemoryStore()
    sign_in(make_client(hooks=[Sealed()], store=store), oidc_provider)
    with pytest.raises(oidcclient.LoginRequired):
        make_client(store=store).session()
    assert make_client(hooks=[RequestIds(), Sealed()], store=store).session().user.sub
    sign_in(make_client(store=store, client_id="devkit-desktop"), oidc_provider)


@pytest.mark.parametrize("name", ["state", "redirect_uri", "code_challenge"])
def test_a_hook_may_not_replace_a_parameter(make_client: MakeClient, oidc_provider: Provider, name: str) -> None:
    class Replaces:
        def __init__(self) -> None:
            self.name = "replaces"

        def authorization_parameters(self, context: hooks.HookContext) -> hooks.Flow[Mapping[str, str]]:
            yield from hooks.sleep(0)
            return {name: "mine"}

    with pytest.raises(oidcclient.UsageError):
        sign_in(make_client(hooks=[Replaces()]), oidc_provider)


def test_endpoint_aliases_are_used_and_held_to_the_https_rule(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 8705 section 5."""

    class Aliases:
        name = "aliases"

        def __init__(self, **aliases: str) -> None:
            self.aliases = aliases

        def transport(self, context: hooks.HookContext) -> hooks.TransportMaterial:
            return hooks.TransportMaterial(endpoint_aliases=self.aliases)

    alias = Aliases(token_endpoint=f"{oidc_provider.issuer}/token?alias=1")
    sign_in(make_client(hooks=[alias]), oidc_provider)
    used = next(request for request in oidc_provider.requests if request.path == "/token")
    assert dict(used.query) == {"alias": "1"}
    with pytest.raises(oidcclient.DiscoveryRefused):
        sign_in(make_client(hooks=[Aliases(token_endpoint="http://evil.example/token")]), oidc_provider)


def test_two_hooks_of_one_name_are_refused(make_client: MakeClient) -> None:
    with pytest.raises(oidcclient.UsageError):
        make_client(hooks=[RequestIds(), RequestIds()])


def test_every_small_protocol_is_told_apart() -> None:
    powers: list[Any] = [
        hooks.Prepares,
        hooks.AddsParameters,
        hooks.WrapsExchanges,
        hooks.Signs,
        hooks.AcceptsTokens,
        hooks.Describes,
        hooks.Forgets,
        hooks.SuppliesTransport,
    ]
    assert [isinstance(RequestIds(), power) for power in powers] == [False] * 2 + [True] + [False] * 5
    assert [isinstance(Sealed(), power) for power in powers] == [True] * 3 + [False, True] + [False] * 3
