"""Requests that the hook signs at once, without an exchange: the same proofs, and the same answers to a challenge."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import anyio
import httpx
import pytest

import oidcclient
from oidcclient import hooks
from oidcclient_dpop import DPoP, Protection, thumbprint
from oidcclient_dpop.stores import SoftwareKey, generate

ISSUER, API = "https://login.example.com", "https://api.example.com"
HOUR = 3600.0
CHALLENGE = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": "n-2"}
KEY = generate("ES256")


class Counting(DPoP):
    """Counts the exchanges, which requests that are signed at once have none of."""

    exchanges = 0

    def exchange(self, *arguments: Any) -> hooks.Flow[hooks.HttpResponse]:
        self.exchanges += 1
        return super().exchange(*arguments)


class Marking:
    """Another hook that wraps exchanges."""

    name = "marking"

    def exchange(
        self, context: hooks.HookContext, exchange: hooks.Exchange, proceed: hooks.Proceed
    ) -> hooks.Flow[hooks.HttpResponse]:
        return (yield from proceed(exchange.request.with_header("X-Mark", "1")))


class Api:
    """An API that gives the answers it was told, and 200 from then on."""

    def __init__(self) -> None:
        self.answers: list[httpx.Response] = []
        self.headers: list[httpx.Headers] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.headers.append(request.headers.copy())
        return self.answers.pop(0) if self.answers else httpx.Response(200)

    @property
    def claims(self) -> list[dict[str, Any]]:
        parts = [headers["DPoP"].split(".")[1] for headers in self.headers]
        return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts]


class Blocking(SoftwareKey):
    """A key that takes its time."""

    __slots__ = ()
    blocks = True  # type: ignore[misc] # so it is for others


def stored() -> oidcclient.MemoryStore:
    """Return a store with a session that is bound to the key."""
    now = time.time()
    record = oidcclient.SessionRecord(
        profile="default",
        issuer=ISSUER,
        client_id="app",
        account="ann",
        claims={"iss": ISSUER, "sub": "ann", "aud": "app"},
        id_token="e.e.e",
        tokens={"": oidcclient.AccessToken("the-token", "DPoP", now + HOUR, ("openid",), now)},
        refresh_token=None,
        scopes=("openid",),
        hook_state={"dpop": {"alg": "ES256", "jkt": thumbprint(KEY.public_jwk()), "protection": 0}},
        binding_hooks=("dpop",),
        signed_in_at=now,
        metadata={"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"},
        metadata_until=now + HOUR,
    )
    store = oidcclient.MemoryStore()
    store.save(record, current=True)
    return store


def started(hook: DPoP, api: Api, *others: Any, events: list[Any] | None = None) -> httpx.Client:
    """Return a client of the API whose first request, which opens the key, is done."""
    all_hooks = [hook, *others]
    on_event = None if events is None else events.append
    client = oidcclient.Client(ISSUER, "app", store=stored(), hooks=all_hooks, on_event=on_event)
    http = httpx.Client(auth=client.session().auth(resource=API), transport=httpx.MockTransport(api))
    http.get(f"{API}/first")
    return http


def test_the_first_request_opens_the_key_and_the_next_need_no_exchange() -> None:
    hook, api = Counting(key=KEY), Api()
    http = started(hook, api)
    for _ in range(3):
        assert http.get(f"{API}/me?a=b").status_code == 200
    assert hook.exchanges == 1
    assert [headers["Authorization"] for headers in api.headers] == ["DPoP the-token"] * 4
    assert {claims["htu"] for claims in api.claims[1:]} == {f"{API}/me"}
    assert len({claims["jti"] for claims in api.claims}) == 4


def test_a_nonce_is_learnt_from_any_answer() -> None:
    """RFC 9449 section 8.2."""
    hook, api = Counting(key=KEY), Api()
    http = started(hook, api)
    api.answers = [httpx.Response(200, headers={"DPoP-Nonce": "n-1"})]
    for _ in range(3):
        http.get(f"{API}/me")
    assert [claims.get("nonce") for claims in api.claims] == [None, None, "n-1", "n-1"]
    assert hook.exchanges == 1


@pytest.mark.parametrize("status", [400, 401])
def test_a_challenge_is_answered_once_with_the_nonce_it_gave(status: int) -> None:
    """RFC 9449 section 9."""
    hook, api = Counting(key=KEY), Api()
    http = started(hook, api)
    api.answers = [httpx.Response(status, headers=CHALLENGE)]
    assert http.get(f"{API}/me").status_code == 200
    assert [claims.get("nonce") for claims in api.claims] == [None, None, "n-2"]
    assert hook.exchanges == 2


def test_a_second_challenge_is_an_error() -> None:
    hook, api = DPoP(key=KEY), Api()
    http = started(hook, api)
    api.answers = [httpx.Response(401, headers=CHALLENGE)] * 2
    with pytest.raises(oidcclient.ResponseRefused):
        http.get(f"{API}/me")
    assert len(api.headers) == 3


def test_a_clock_that_differs_is_heeded() -> None:
    hook, api, events = DPoP(key=KEY), Api(), list[Any]()
    http = started(hook, api, events=events)
    ahead = {"WWW-Authenticate": 'DPoP error="invalid_dpop_proof"', "Date": formatdate(time.time() + HOUR)}
    api.answers = [httpx.Response(401, headers=ahead)]
    for _ in range(2):
        assert http.get(f"{API}/me").status_code == 200
    first, refused, again, last = (claims["iat"] for claims in api.claims)
    assert abs(refused - first) < 60
    assert abs(again - first - HOUR) < 60
    assert abs(last - first - HOUR) < 60
    assert [type(event).__name__ for event in events] == ["Notice"]


def test_a_proof_is_dated_by_the_clock_it_was_made_with_though_another_thread_has_found_the_right_one() -> None:
    """The answer to an old proof is a reason to try again, as it was when the proof was made."""
    hook, context = DPoP(key=KEY), context_of_a_session()
    token = oidcclient.AccessToken("the-token", "DPoP", None, ())
    signed = hook.sign(context, "GET", f"{API}/me", token)
    assert signed is not None
    context.memory["servers"].set_offset(signed.memo[0], HOUR)
    refusal = (
        ("WWW-Authenticate", 'DPoP error="invalid_dpop_proof"'),
        ("Date", formatdate(time.time() + HOUR)),
    )
    answers = [hooks.HttpResponse(401, refusal), hooks.HttpResponse(200)]

    def proceed(request: hooks.HttpRequest, *, reason: str | None = None) -> hooks.Flow[hooks.HttpResponse]:
        del request, reason
        yield from ()
        return answers.pop(0)

    request = hooks.HttpRequest("GET", f"{API}/me")
    exchange = hooks.Exchange(hooks.ExchangeKind.RESOURCE, request, "the-token", "DPoP", signed=signed)
    with pytest.raises(StopIteration) as end:
        next(hook.exchange(context, exchange, proceed))
    assert (end.value.value.status, answers) == (200, [])


@pytest.mark.parametrize("status", [403, 404, 500])
def test_any_other_refusal_is_the_programs_and_comes_from_one_request(status: int) -> None:
    hook, api = DPoP(key=KEY), Api()
    http = started(hook, api)
    api.answers = [httpx.Response(status, headers={"DPoP-Nonce": "n-3"})]
    assert http.get(f"{API}/me").status_code == status
    http.get(f"{API}/me")
    assert [claims.get("nonce") for claims in api.claims] == [None, None, "n-3"]


def test_with_another_hook_each_request_passes_both() -> None:
    hook, api = Counting(key=KEY), Api()
    http = started(hook, api, Marking())
    http.get(f"{API}/me")
    assert [headers["X-Mark"] for headers in api.headers] == ["1", "1"]
    assert len({claims["jti"] for claims in api.claims}) == 2
    assert hook.exchanges == 2


def test_async_clients_sign_at_once_too() -> None:
    hook, api = Counting(key=KEY), Api()

    async def main() -> None:
        async with oidcclient.AsyncClient(ISSUER, "app", store=stored(), hooks=[hook]) as client:
            auth = (await client.session()).auth(resource=API)
            async with httpx.AsyncClient(auth=auth, transport=httpx.MockTransport(api)) as http:
                await http.get(f"{API}/first")
                api.answers = [httpx.Response(401, headers=CHALLENGE)]
                for _ in range(2):
                    assert (await http.get(f"{API}/me")).status_code == 200

    anyio.run(main)
    assert [claims.get("nonce") for claims in api.claims] == [None, None, "n-2", "n-2"]
    assert hook.exchanges == 2


def context_of_a_session(key: SoftwareKey = KEY) -> hooks.HookContext:
    """Return a context in which the key is open."""
    context = hooks.HookContext(
        issuer=ISSUER,
        client_id="app",
        profile="default",
        account="ann",
        metadata=hooks.ProviderMetadata(ISSUER, raw={"dpop_signing_alg_values_supported": ["ES256"]}),
        policy=oidcclient.Policy(),
        now=time.time(),
        emit=lambda _event: None,
    )
    flow = DPoP(key=key).prepare(context)
    with pytest.raises(StopIteration):
        next(flow)
    return context


def opened() -> hooks.HookContext:
    return context_of_a_session()


def not_open() -> hooks.HookContext:
    context = context_of_a_session()
    context.memory.clear()
    return context


def blocking() -> hooks.HookContext:
    return context_of_a_session(Blocking(KEY.private_key, protection=Protection.HARDWARE))


@pytest.mark.parametrize(
    ("context", "token_type", "signs"),
    [
        (opened, "DPoP", True),
        (opened, "dpop", True),
        (opened, "Bearer", False),
        (not_open, "DPoP", False),
        (blocking, "DPoP", False),
    ],
)
def test_it_signs_with_an_open_key_that_does_not_block_and_for_a_bound_token(
    context: Callable[[], hooks.HookContext], token_type: str, *, signs: bool
) -> None:
    token = oidcclient.AccessToken("the-token", token_type, None, ())
    signed = DPoP(key=KEY).sign(context(), "GET", f"{API}/me", token)
    assert (signed is not None) is signs
    assert signed is None or dict(signed.headers)["Authorization"] == "DPoP the-token"
