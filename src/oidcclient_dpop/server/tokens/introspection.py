"""Access tokens that the authorization server is asked about (RFC 7662)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

import oidcclient
from oidcclient.hooks import Flow, send
from oidcclient.protocol import HttpRequest, check_endpoint, check_issuer
from oidcclient_dpop.server.events import Observer

from .cache import TokenCache
from .jwt import audiences_of
from .remote import Remote, discover, read_document, translated
from .token import AuthorizationServerUnavailable, CheckedToken, InvalidAccessToken, TokenRules, checked_token

__all__ = ["IntrospectedTokens"]

ENDPOINT = "introspection_endpoint"  # RFC 8414 section 2


class IntrospectedTokens:
    """
    Asks the authorization server about each token (RFC 7662). Thread-safe.

    No proof goes to the introspection endpoint: the answer says which key the token is bound to, and the proof is
    checked here (RFC 9449 section 6.2). Connections are kept: call `close`, or `close_async` on the event loop, in the
    end.

    Args:
        issuer: The authorization server, as its metadata spells it.
        audience: The name or names this API goes by in `aud`.
        client_id: This API's name at the authorization server.
        client_auth: How it proves that: `ClientSecretBasic`, `ClientSecretPost` or `PrivateKeyJwt` of `oidcclient`
            (RFC 7662 section 2.1: the endpoint asks for authorization).
        endpoint: Where to ask, for a server without metadata.
        policy: Limits and named exceptions: `clock_skew`, `allow_http_loopback`, `http_timeout`,
            `max_response_bytes`, `metadata_max_age`.
        http: How the authorization server is reached.
        cached: How many good tokens are remembered; 0 asks every time. Refused ones never are.
        cached_for: How long at most, in seconds, and never beyond `exp`: so long a token works that was revoked.
        observer: Takes events.

    Raises:
        oidcclient.UsageError: The issuer is no https address.
        oidcclient.DiscoveryRefused: The endpoint is no https address.
        ValueError: Another argument is not what it should be.
    """

    def __init__(
        self,
        issuer: str,
        audience: str | Collection[str],
        *,
        client_id: str,
        client_auth: oidcclient.ClientAuth,
        endpoint: str | None = None,
        policy: oidcclient.Policy | None = None,
        http: oidcclient.Http | None = None,
        cached: int = 10_000,
        cached_for: float = 10.0,
        observer: Observer | None = None,
    ) -> None:
        self._policy = policy or oidcclient.Policy()
        check_issuer(issuer, self._policy)
        self.issuer = issuer
        self._client_id = client_id
        self._client_auth = client_auth
        self._endpoint: _Endpoint | None = None
        if endpoint is not None:
            self._endpoint = _Endpoint(self._checked(endpoint), endpoint, None)
        self._rules = TokenRules(issuer, audiences_of(audience), self._policy.clock_skew)
        self._cache = TokenCache(cached, cached_for)
        self._remote = Remote(issuer, self._policy, http or oidcclient.Http(), observer, keeps=True)

    def check(self, token: str, *, now: float) -> CheckedToken:
        """
        Check a token.

        Raises:
            InvalidAccessToken: It may not be used here.
            AuthorizationServerUnavailable: There was no answer.
        """
        known = self._cache.find(token, now)
        return self._remote.run(self._check(token, now)) if known is None else known

    async def check_async(self, token: str, *, now: float) -> CheckedToken:
        """
        Check a token on an event loop.

        Raises:
            InvalidAccessToken: It may not be used here.
            AuthorizationServerUnavailable: There was no answer.
        """
        known = self._cache.find(token, now)
        return await self._remote.run_async(self._check(token, now)) if known is None else known

    def close(self) -> None:
        """Close the connections of `check`."""
        self._remote.close()

    async def close_async(self) -> None:
        """Close the connections of `check_async`, on its event loop."""
        await self._remote.close_async()

    def _check(self, token: str, now: float) -> Flow[CheckedToken]:
        if not token.isascii():  # RFC 6749 appendix A.12
            raise InvalidAccessToken("format", "The access token has characters that no access token has")
        members = yield from translated(self._ask(token, now))
        active = members.get("active")
        if not isinstance(active, bool):  # RFC 7662 section 2.2: a boolean, and always there
            raise AuthorizationServerUnavailable("the introspection answer does not say whether the token is active")
        if not active:
            raise InvalidAccessToken("inactive", "The access token is not active")
        checked = checked_token(members, self._rules, now)
        _check_type(members, checked)
        self._cache.keep(token, checked, now)
        return checked

    def _ask(self, token: str, now: float) -> Flow[dict[str, Any]]:
        endpoint = yield from self._where(now)
        form = urlencode({"token": token, "token_type_hint": "access_token"})  # RFC 7662 section 2.1
        headers = (("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded"))
        bare = HttpRequest("POST", endpoint.address, headers, form.encode(), self._policy.max_response_bytes)
        request = self._client_auth.authenticate(
            bare, client_id=self._client_id, issuer=self.issuer, token_endpoint=endpoint.token_endpoint, now=now
        )
        return read_document((yield from send(request)), "the introspection answer")

    def _where(self, now: float) -> Flow[_Endpoint]:
        known = self._endpoint
        if known is not None and known.good(now, self._policy.metadata_max_age):
            return known
        address, metadata = yield from discover(self.issuer, ENDPOINT, self._policy)
        self._endpoint = _Endpoint(address, str(metadata.get("token_endpoint", address)), now)
        return self._endpoint

    def _checked(self, endpoint: str) -> str:
        return check_endpoint(ENDPOINT, endpoint, issuer=self.issuer, policy=self._policy)


class _Endpoint:
    """Where to ask, and since when that is known; None is for ever."""

    def __init__(self, address: str, token_endpoint: str, since: float | None) -> None:
        self.address = address
        self.token_endpoint = token_endpoint
        self._since = since

    def good(self, now: float, longest: float) -> bool:
        return self._since is None or 0 <= now - self._since < longest


def _check_type(members: Mapping[str, Any], checked: CheckedToken) -> None:
    """RFC 9449 section 6.2: the type of a bound token, if it is there, is DPoP; of any other it is Bearer."""
    kind = members.get("token_type")
    wanted = "bearer" if checked.jkt is None else "dpop"
    if kind is not None and not (isinstance(kind, str) and kind.lower() == wanted):  # RFC 6749 section 5.1: no case
        raise InvalidAccessToken("token_type", "The access token's type and its binding do not fit")
