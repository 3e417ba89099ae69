"""`session.auth(resource=)` and `session.http(resource=)`: where a token goes, and that it is fresh."""

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import anyio
import httpx
import httpx2
import pytest

import oidcclient
from oidcclient import hooks
from oidcclient.protocol import TokenBase
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY
from tests.session.conftest import SCOPES, SignIn
from tests.session.test_session_refresh import HOUR, advance_core

BOTH = [httpx, httpx2]


class Api(ThreadingHTTPServer):
    """An API that follows orders: `/redirect?to=`, `/refuse` a number of times, and records what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str | None, bytes]] = []
        self.refuse = 0
        self.base = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        api = self.server
        assert isinstance(api, Api)
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            body = b""
            while (size := int(self.rfile.readline(), 16)) > 0:
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        api.seen.append((self.path, self.headers.get("Authorization"), body))
        status, extra = 200, {}
        if "to=" in self.path:
            status, extra = 307, {"Location": self.path.partition("to=")[2]}
        elif api.refuse > 0:
            api.refuse -= 1
            status, extra = 401, {"WWW-Authenticate": 'Basic, Bearer realm="x", error="invalid_token"'}
        elif self.path.startswith("/other401"):
            status, extra = 401, {"WWW-Authenticate": 'Bearer error="insufficient_user_authentication"'}
        self.send_response(status)
        for name, value in extra.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


@pytest.fixture
def start_api() -> Iterator[Callable[[], Api]]:
    running: list[tuple[Api, threading.Thread]] = []

    def start() -> Api:
        api = Api()
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.append((api, thread))
        return api

    yield start
    for api, thread in running:
        api.shutdown()
        thread.join()
        api.server_close()


@pytest.fixture
def api(start_api: Callable[[], Api]) -> Api:
    return start_api()


Ask = Callable[..., Any]


@pytest.fixture(params=["sync", "asyncio", "trio"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Send one request with a client of httpx or httpx2, sync or async."""

    def run(library: ModuleType, auth: Any, method: str, url: str, **more: Any) -> Any:
        if request.param == "sync":
            with library.Client(auth=auth, trust_env=False, follow_redirects=more.pop("follow", False)) as client:
                return client.request(method, url, **more)

        async def go() -> Any:
            async with library.AsyncClient(
                auth=auth, trust_env=False, follow_redirects=more.pop("follow", False)
            ) as client:
                return await client.request(method, url, **more)

        return anyio.run(go, backend=request.param)

    return run


@pytest.mark.parametrize("library", BOTH)
def test_a_fresh_token_goes_to_the_api(sign_in: SignIn, oidc_provider: Provider, ask: Ask, library: ModuleType) -> None:
    session = sign_in(login={"resource": oidc_provider.api})
    auth = session.auth(resource=oidc_provider.api)
    assert ask(library, auth, "GET", f"{oidc_provider.api}/me").json()["sub"] == session.user.sub
    first = session.access_token().value
    advance_core(session, HOUR, oidc_provider)
    assert ask(library, auth, "GET", f"{oidc_provider.api}/me").status_code == 200
    assert session.access_token().value != first
    assert oidc_provider.count("token") == 1
    assert first not in repr(auth)


@pytest.mark.parametrize("library", BOTH)
def test_a_401_that_says_invalid_token_is_answered_by_one_refresh_and_one_retry(
    sign_in: SignIn, oidc_provider: Provider, api: Api, ask: Ask, library: ModuleType
) -> None:
    """RFC 6750 section 3.1."""
    session = sign_in()
    api.refuse = 1
    answer = ask(library, session.auth(resource=api.base), "POST", f"{api.base}/thing", content=b"body")
    assert answer.status_code == 200
    (_, first, one), (_, second, two) = api.seen
    assert first != second
    assert one == two == b"body"
    assert oidc_provider.count("token") == 1


def test_a_second_401_is_handed_to_the_caller(sign_in: SignIn, oidc_provider: Provider, api: Api, ask: Ask) -> None:
    session = sign_in()
    api.refuse = 5
    assert ask(httpx, session.auth(resource=api.base), "GET", f"{api.base}/thing").status_code == 401
    assert len(api.seen) == 2
    assert oidc_provider.count("token") == 1


def test_another_401_causes_no_refresh(sign_in: SignIn, oidc_provider: Provider, api: Api, ask: Ask) -> None:
    session = sign_in()
    assert ask(httpx, session.auth(resource=api.base), "GET", f"{api.base}/other401").status_code == 401
    assert oidc_provider.count("token") == 0


@pytest.mark.parametrize(
    "path",
    [
        "{other}/v1/x",
        "{base}/v2/x",
        "{base}/v1x",
        "{base}/v1/%2e%2e/admin",
        "{base}/v1/..%2fadmin",
        "{base}/",
        "http://127.0.0.1:1/v1",
        "http://localhost:{port}/v1/x",
    ],
)
def test_an_address_outside_the_base_raises_and_nothing_is_sent(
    sign_in: SignIn, start_api: Callable[[], Api], ask: Ask, path: str
) -> None:
    """Design section 3: same origin, path prefix at a segment boundary."""
    mine, other = start_api(), start_api()
    session = sign_in()
    auth = session.auth(resource=f"{mine.base}/v1")
    url = path.format(base=mine.base, other=other.base, port=mine.server_port)
    with pytest.raises(oidcclient.UsageError) as refusal:
        ask(httpx, auth, "GET", url)
    assert refusal.value.rule == "resource"
    assert not mine.seen
    assert not other.seen


@pytest.mark.parametrize(
    ("base", "inside", "outside"),
    [
        (
            "https://api.example.com",
            ["https://api.example.com/", "https://API.example.com:443/x?y=1"],
            ["https://api.example.com.evil.test/", "http://api.example.com/"],
        ),
        (
            "https://api.example.com/v1/",
            ["https://api.example.com/v1", "https://api.example.com/v1/a/b"],
            ["https://api.example.com/v1a", "https://api.example.com/", "https://api.example.com/v1/../v2"],
        ),
        (
            "https://[2001:db8::1]:8443/a",
            ["https://[2001:db8::1]:8443/a/b"],
            ["https://[2001:db8::1]/a/b", "https://[2001:db8::2]:8443/a"],
        ),
        (
            "http://127.0.0.1:9/",
            ["http://127.0.0.1:9/x"],
            ["http://127.0.0.1:99/x", "https://127.0.0.1:9/x", "http://127.0.0.1:9999999/"],
        ),
    ],
)
def test_the_base_covers_what_lies_under_it(base: str, inside: list[str], outside: list[str]) -> None:
    parsed = TokenBase.parse(base)
    assert [parsed.covers(url) for url in inside] == [True] * len(inside)
    assert [parsed.covers(url) for url in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    "base",
    [
        "http://api.example.com",
        "https://api.example.com?x=1",
        "https://api.example.com#x",
        "https://u:p@api.example.com",
        "api.example.com",
        "",
        "https://api.example.com/a/../b",
        "https://api.example.com:x",
    ],
)
def test_a_base_that_no_token_should_go_to_is_refused(sign_in: SignIn, base: str) -> None:
    """RFC 6750 section 5.3: TLS, loopback excepted."""
    with pytest.raises(oidcclient.UsageError):
        sign_in().auth(resource=base)


def test_no_credential_follows_a_redirect_to_another_origin(
    sign_in: SignIn, start_api: Callable[[], Api], ask: Ask
) -> None:
    mine, other = start_api(), start_api()
    auth = sign_in().auth(resource=mine.base)
    ask(httpx, auth, "GET", f"{mine.base}/go?to={other.base}/stolen", follow=True)
    assert mine.seen[0][1]
    assert other.seen == [("/stolen", None, b"")]


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_the_ready_client_signs_every_hop_and_leaves_strangers_unsigned(
    sign_in: SignIn, start_api: Callable[[], Api], kind: str, oidc_provider: Provider
) -> None:
    mine, other = start_api(), start_api()
    store = oidcclient.MemoryStore()
    session = sign_in(store=store)
    hops = [f"/v1/a?to={mine.base}/v1/b", f"/v1/a?to={mine.base}/v2/b", f"/v1/a?to={other.base}/x"]

    async def async_hops() -> None:
        async with oidcclient.AsyncClient(
            oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
        ) as client:
            twin = await client.session()
            async with twin.http(f"{mine.base}/v1", trust_env=False) as api:
                for hop in hops:
                    assert (await api.get(mine.base + hop)).status_code == 200
                with pytest.raises(oidcclient.UsageError):
                    await api.get(other.base)
                mine.refuse = 1
                assert (await api.post("/again", content=b"twice")).status_code == 200

    if kind == "sync":
        with session.http(f"{mine.base}/v1", trust_env=False) as api:
            for hop in hops:
                assert api.get(mine.base + hop).status_code == 200
            with pytest.raises(oidcclient.UsageError):
                api.get(other.base)
            mine.refuse = 1
            assert api.post("/again", content=b"twice").status_code == 200
    else:
        anyio.run(async_hops, backend=kind)
    signed = {path.partition("?")[0]: header is not None for path, header, _ in mine.seen}
    assert signed == {"/v1/a": True, "/v1/b": True, "/v2/b": False, "/v1/again": True}
    assert other.seen == [("/x", None, b"")]
    assert oidc_provider.count("token") == 1


def test_a_stream_that_cannot_be_sent_again_is_refused_with_a_hint(
    sign_in: SignIn, api: Api, oidc_provider: Provider
) -> None:
    """`peers.md`: a one-shot body must not go out half."""
    session = sign_in()
    api.refuse = 1
    with (
        httpx.Client(auth=session.auth(resource=api.base), trust_env=False) as client,
        pytest.raises(oidcclient.UsageError) as refusal,
    ):
        client.post(f"{api.base}/upload", content=(chunk for chunk in [b"a", b"b"]))
    assert refusal.value.rule == "stream"
    assert "bytes" in refusal.value.hint
    assert oidc_provider.count("token") == 1  # so that the request can simply be made again
    assert len(api.seen) == 1


def test_a_stream_passes_through_unbuffered_when_nothing_is_wrong(sign_in: SignIn, api: Api) -> None:
    session = sign_in()
    with httpx.Client(auth=session.auth(resource=api.base), trust_env=False) as client:
        assert client.post(f"{api.base}/upload", content=(chunk for chunk in [b"a", b"b"])).status_code == 200
    assert api.seen[0][2] == b"ab"


def test_a_hook_sees_each_request_to_an_api_and_may_try_again(sign_in: SignIn, api: Api, ask: Ask) -> None:
    class Counts:
        name = "counts"

        def __init__(self) -> None:
            self.numbers = itertools.count(1)
            self.exchanges: list[hooks.Exchange] = []

        def exchange(
            self, context: hooks.HookContext, exchange: hooks.Exchange, proceed: hooks.Proceed
        ) -> hooks.Flow[hooks.HttpResponse]:
            if exchange.kind is not hooks.ExchangeKind.RESOURCE:
                return (yield from proceed(exchange.request))
            self.exchanges.append(exchange)
            number = yield from hooks.run(lambda: next(self.numbers))
            answer = yield from proceed(exchange.request.with_header("Authorization", f"Counted {number}"))
            if answer.status == 401:
                yield from hooks.sleep(0)
                answer = yield from proceed(exchange.request.with_header("Authorization", "Again"), reason="once")
            return answer

    counts = Counts()
    session = sign_in(hooks=[counts])
    api.refuse = 1
    answer = ask(httpx, session.auth(resource=api.base), "POST", f"{api.base}/x", content=b"body")
    assert answer.status_code == 200
    assert [(header, body) for _, header, body in api.seen] == [("Counted 1", b"body"), ("Again", b"body")]
    assert counts.exchanges[0].access_token == session.access_token().value


def test_a_login_for_one_resource_gives_no_token_for_another(sign_in: SignIn, oidc_provider: Provider) -> None:
    """RFC 8707 section 2.2."""
    session = sign_in(login={"resource": oidc_provider.api})
    with pytest.raises(oidcclient.LoginRequired) as refusal:
        session.auth(resource="https://other.example")
    assert refusal.value.rule == "resource"
    assert session.auth(resource=f"{oidc_provider.api}/me")


def test_the_auth_object_fits_whichever_library_is_loaded(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    session = sign_in()
    assert isinstance(session.auth(resource="https://api.example"), httpx.Auth)
    assert isinstance(session.auth(resource="https://api.example"), httpx2.Auth)
    monkeypatch.delitem(sys.modules, "httpx2")
    assert not isinstance(session.auth(resource="https://api.example"), httpx2.Auth)


def test_a_token_that_an_api_refused_is_not_served_again_when_it_cannot_be_renewed(
    sign_in: SignIn, oidc_provider: Provider, api: Api
) -> None:
    """Otherwise an app that signs in again on SessionExpired would go in circles."""
    session = sign_in()
    oidc_provider.revoke_grants()
    api.refuse = 10
    with (
        httpx.Client(auth=session.auth(resource=api.base), trust_env=False) as client,
        pytest.raises(oidcclient.SessionExpired),
    ):
        client.get(f"{api.base}/x")
    for _ in range(2):
        with pytest.raises(oidcclient.SessionExpired):
            session.access_token()
    assert session._core.store.load(session._key) is not None


@pytest.mark.parametrize("option", ["auth", "mounts"])
def test_options_that_would_go_around_the_signing_are_refused(sign_in: SignIn, option: str) -> None:
    with pytest.raises(oidcclient.UsageError) as refusal:
        sign_in().http("https://api.example", **{option: None})
    assert refusal.value.rule == option


def test_the_ready_client_goes_through_a_proxy_and_still_signs(
    sign_in: SignIn, start_api: Callable[[], Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies of a client would otherwise have transports of their own, which sign nothing."""
    proxy, other = start_api(), start_api()
    session = sign_in()
    seen: list[str | None] = []
    original = httpx.HTTPTransport.handle_request

    def watch(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        raise httpx.ConnectError("seen enough")

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", watch)
    monkeypatch.setenv("HTTPS_PROXY", other.base)
    for options in ({"proxy": proxy.base}, {}, {"trust_env": False}):
        with session.http("https://api.example", **options) as api, pytest.raises(httpx.ConnectError):
            api.get("/x")
    assert seen == [f"Bearer {session.access_token().value}"] * 3
    assert original is not watch
