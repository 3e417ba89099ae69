"""Where the keys of an authorization server come from, and how often they are fetched."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import oidcclient
from oidcclient_dpop.server import AuthorizationServerUnavailable, InvalidAccessToken, JWTAccessTokens, events
from tests.dpop_server.proofs import ClientKey, new_key
from tests.resource_server.lab import API, KID, access_token, jwks
from tests.resource_server.server import Server

NOW = time.time()
POLICY = oidcclient.Policy(allow_http_loopback=True, http_timeout=5)
METADATA = "/.well-known/oauth-authorization-server"


def rules(server: Server, **settings: Any) -> JWTAccessTokens:
    return JWTAccessTokens(server.url, API, **{"policy": POLICY, "cached": 0, **settings})


def unavailable(tokens: JWTAccessTokens, token: str, now: float = NOW) -> str:
    with pytest.raises(AuthorizationServerUnavailable) as caught:
        tokens.check(token, now=now)
    return str(caught.value)


@pytest.fixture
def token(server: Server, signer: ClientKey) -> Callable[..., str]:
    def make(key: ClientKey = signer, header: dict[str, Any] | None = None, **claims: Any) -> str:
        return access_token(key, header, iss=server.url, **claims)

    return make


def test_the_keys_are_found_by_the_metadata_and_fetched_once(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    server.publish(jwks(signer))
    seen: list[events.Event] = []
    tokens = rules(server, observer=seen.append)
    for _ in range(3):
        tokens.check(token(), now=NOW)
    assert server.asked["/jwks"] == 1
    assert server.asked[METADATA] == 1
    assert seen == [events.KeysFetched(server.url, 1)]


def test_openid_providers_are_found_too(server: Server, signer: ClientKey, token: Callable[..., str]) -> None:
    server.publish(jwks(signer))
    server.replies["/.well-known/openid-configuration"] = server.replies.pop(METADATA)
    rules(server).check(token(), now=NOW)


def test_an_authorization_server_needs_no_authorization_endpoint(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    """A server for services alone has none (RFC 8414 section 2); what it says of PKCE is no matter here."""
    server.publish(jwks(signer), code_challenge_methods_supported=["plain"])
    rules(server).check(token(), now=NOW)


def test_an_address_for_the_keys_needs_no_metadata(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    server.replies["/keys"] = jwks(signer)
    rules(server, jwks_uri=f"{server.url}/keys").check(token(), now=NOW)
    assert not server.asked[METADATA]


def test_metadata_of_another_issuer_is_not_used(server: Server, signer: ClientKey, token: Callable[..., str]) -> None:
    """RFC 8414 section 3.3."""
    server.publish(jwks(signer), issuer="https://evil.example.com")
    assert "another issuer" in unavailable(rules(server), token())


@pytest.mark.parametrize("address", ["http://keys.example.com/jwks", None, 5, "ftp://127.0.0.1/jwks"])
def test_keys_come_over_https_alone(server: Server, signer: ClientKey, token: Callable[..., str], address: Any) -> None:
    """Loopback excepted, by a setting."""
    server.publish(jwks(signer), jwks_uri=address)
    assert "jwks_uri" in unavailable(rules(server), token())
    assert not server.asked["/jwks"]


def test_an_address_that_is_not_https_is_not_used_though_the_program_gave_it(
    server: Server, token: Callable[..., str]
) -> None:
    assert "https" in unavailable(rules(server, jwks_uri="http://keys.example.com/"), token())


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (200, b"no json"),
        (200, []),
        (200, {"keys": 5}),
        (200, {"keys": [{"kty": "EC", "d": "x"}]}),
        (404, {}),
    ],
)
def test_keys_that_are_none_are_no_fault_of_the_token(
    server: Server, signer: ClientKey, token: Callable[..., str], answer: Any
) -> None:
    server.publish(jwks(signer))
    server.replies["/jwks"] = answer
    seen: list[events.Event] = []
    unavailable(rules(server, observer=seen.append), token())
    assert [type(event) for event in seen] == [events.AuthorizationServerFailed]


@pytest.mark.parametrize("answer", [(500, {}), (429, {}), (200, b"no json"), (200, b"[]"), (200, b"[" * 100_000)])
def test_metadata_that_is_none_is_no_fault_of_the_token(
    server: Server, signer: ClientKey, token: Callable[..., str], answer: Any
) -> None:
    server.publish(jwks(signer))
    server.replies[METADATA] = server.replies["/.well-known/openid-configuration"] = answer
    unavailable(rules(server), token())


def test_metadata_of_another_type_is_not_read(server: Server, signer: ClientKey, token: Callable[..., str]) -> None:
    server.publish(jwks(signer))
    server.content_type = "text/html"
    assert "text/html" in unavailable(rules(server), token())


def test_no_metadata_at_all_is_said(server: Server, token: Callable[..., str]) -> None:
    assert "no metadata" in unavailable(rules(server), token())


def test_a_server_that_is_away_is_not_asked_for_each_request(server: Server, token: Callable[..., str]) -> None:
    tokens = rules(server)
    unavailable(tokens, token())
    asked = server.asked.total()
    assert "could not be fetched" in unavailable(tokens, token(), NOW + 0.5)
    assert server.asked.total() == asked
    unavailable(tokens, token(), NOW + 1)
    assert server.asked.total() > asked


def test_a_server_that_comes_back_is_used(server: Server, signer: ClientKey, token: Callable[..., str]) -> None:
    tokens = rules(server)
    unavailable(tokens, token())
    server.publish(jwks(signer))
    tokens.check(token(), now=NOW + 1)


def test_a_server_that_does_not_answer_is_waited_for_a_while(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    server.publish(jwks(signer))
    server.gate.clear()
    policy = oidcclient.Policy(allow_http_loopback=True, http_timeout=0.1)
    unavailable(rules(server, policy=policy), token())


# Changed keys


def test_an_unknown_key_makes_one_more_fetch_in_a_while(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    """OIDC Core 10.1.1; rate-limited, or anybody could make us a stream of requests."""
    server.publish(jwks(signer))
    tokens, fresh = rules(server), new_key()
    tokens.check(token(), now=NOW)
    server.replies["/jwks"] = jwks(signer, fresh)
    for moment in (NOW + 1, NOW + 59):
        with pytest.raises(InvalidAccessToken, match="no key"):
            tokens.check(token(fresh, {"kid": f"{KID}-1"}), now=moment)
    assert server.asked["/jwks"] == 1
    tokens.check(token(fresh, {"kid": f"{KID}-1"}), now=NOW + 60)
    tokens.check(token(), now=NOW + 61)
    assert server.asked["/jwks"] == 2


def test_made_up_keys_make_no_stream_of_requests(server: Server, signer: ClientKey, token: Callable[..., str]) -> None:
    server.publish(jwks(signer))
    tokens = rules(server)
    for number in range(20):
        with pytest.raises(InvalidAccessToken):
            tokens.check(token(header={"kid": f"made-up-{number}"}), now=NOW + 100 + number / 10)
    assert server.asked["/jwks"] == 1


def test_a_key_that_was_withdrawn_is_not_used_for_long(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    server.publish(jwks(signer))
    tokens = rules(server)
    tokens.check(token(), now=NOW)
    server.publish(jwks(new_key()))
    late = token(exp=NOW + 9999)
    tokens.check(late, now=NOW + 3599)
    with pytest.raises(InvalidAccessToken, match="signature"):
        tokens.check(late, now=NOW + 3601)


def test_keys_are_used_on_while_the_server_is_away_until_the_ceiling(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    server.publish(jwks(signer))
    policy = oidcclient.Policy(allow_http_loopback=True, metadata_max_age=7200)
    tokens, late = rules(server, policy=policy), token(exp=NOW + 99999)
    tokens.check(late, now=NOW)
    server.replies.clear()
    asked = server.asked.total()
    tokens.check(late, now=NOW + 3601)
    assert server.asked.total() > asked
    asked = server.asked.total()
    tokens.check(late, now=NOW + 3602)  # not asked for each request
    assert server.asked.total() == asked
    tokens.check(late, now=NOW + 7199)
    unavailable(tokens, late, NOW + 7201)


# Several at once


def test_many_threads_make_one_fetch(server: Server, signer: ClientKey, token: Callable[..., str]) -> None:
    server.publish(jwks(signer))
    server.gate.clear()
    tokens, results = rules(server), []

    def check() -> None:
        results.append(tokens.check(token(), now=NOW).claims["sub"])

    threads = [threading.Thread(target=check) for _ in range(12)]
    for thread in threads:
        thread.start()
    server.gate.set()
    for thread in threads:
        thread.join(10)
    assert results == ["ann"] * 12
    assert server.asked["/jwks"] == 1


def test_many_tasks_make_one_fetch(server: Server, signer: ClientKey, token: Callable[..., str]) -> None:
    server.publish(jwks(signer))
    tokens = rules(server)

    async def main() -> None:
        checked = await asyncio.gather(*(tokens.check_async(token(), now=NOW) for _ in range(12)))
        assert [one.claims["sub"] for one in checked] == ["ann"] * 12

    asyncio.run(main())
    assert server.asked["/jwks"] == 1


def test_a_transport_of_the_programs_own_is_left_open(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    import httpx  # noqa: PLC0415 - used here alone

    class Own(httpx.AsyncHTTPTransport):
        closed = False

        async def aclose(self) -> None:
            self.closed = True
            await super().aclose()

    server.publish(jwks(signer))

    async def main() -> None:
        transport = Own()
        await rules(server, http=oidcclient.Http(transport=transport)).check_async(token(), now=NOW)
        assert not transport.closed
        await transport.aclose()

    asyncio.run(main())


def test_a_fetch_that_was_cancelled_is_done_by_one_who_waits(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    server.publish(jwks(signer))
    server.gate.clear()
    tokens = rules(server)

    async def main() -> None:
        first = asyncio.create_task(tokens.check_async(token(), now=NOW))
        await asyncio.to_thread(server.was_asked.wait, 10)
        second = asyncio.create_task(tokens.check_async(token(), now=NOW))
        await asyncio.sleep(0.01)
        first.cancel()
        server.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await second).claims["sub"] == "ann"

    asyncio.run(main())


def test_whoever_waits_for_a_fetch_does_not_wait_for_ever(server: Server, token: Callable[..., str]) -> None:
    policy = oidcclient.Policy(allow_http_loopback=True, http_timeout=0.05)
    keys = rules(server, policy=policy)._keys
    from oidcclient_dpop.server.tokens.keys import _Flight  # noqa: PLC0415 - used here alone

    keys._flight = _Flight()  # type: ignore[union-attr] # one that never ends
    tokens = rules(server)
    tokens._keys = keys
    assert "not there yet" in unavailable(tokens, token())


def test_while_one_request_renews_the_keys_the_others_go_on(
    server: Server, signer: ClientKey, token: Callable[..., str]
) -> None:
    server.publish(jwks(signer))
    tokens, late = rules(server), token(exp=NOW + 9999)
    tokens.check(late, now=NOW)
    asked = server.asked.total()
    server.gate.clear()
    leader = threading.Thread(target=lambda: tokens.check(late, now=NOW + 3601))
    leader.start()
    while server.asked.total() == asked:
        time.sleep(0.001)
    tokens.check(late, now=NOW + 3601)  # does not wait: the gate is still closed
    server.gate.set()
    leader.join(10)
    assert not leader.is_alive()
    assert server.asked["/jwks"] == 2


def test_tokens_are_checked_without_http_and_jose_libraries_where_the_keys_are_given() -> None:
    script = """
import sys
from oidcclient_dpop.server import JWTAccessTokens
tokens = JWTAccessTokens("https://login.example.com", "api", jwks={"keys": []})
try:
    tokens.check("a.b.c", now=1.0)
except Exception: pass
print(*{"httpx", "httpx2", "joserfc", "authlib", "keyring"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not done.stdout.split()
