"""A signed-in session, for sync and for async programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from oidcclient._words.record import RecordKey, SessionRecord
from oidcclient._words.values import AccessToken, Json, User

from .core import ClientCore, user_of
from .source import TokenSource
from .waiting import wait_for, wait_for_async
from .wires import AsyncWires, Wires

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncSession", "Session"]


class _SessionBase:
    def __init__(self, core: ClientCore, record: SessionRecord, wires: Wires | AsyncWires) -> None:
        self._core = core
        self._key = record.key
        self._wires = wires
        self._user = user_of(record)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(sub={self._key.account!r}, issuer={self._key.issuer!r})"

    @property
    def _record(self) -> SessionRecord:
        return self._core.record(self._key)

    def _source(self, resource: str | None) -> TokenSource:
        source = TokenSource(self._core, self._key, resource, self._wires.for_thread())
        source.loop_thread = self._wires.loop_thread
        return source

    @property
    def user(self) -> User:
        """Who is signed in: claims of the verified ID Token, nothing else."""
        known = self._core.known.get(self._key)
        return self._user if known is None else user_of(known)

    @property
    def key(self) -> RecordKey:
        """Under which profile, issuer, client and account the session is stored."""
        return self._key

    @property
    def id_token(self) -> str:
        """The raw ID Token, as verified. Secret."""
        return self._record.id_token

    def describe(self) -> tuple[str, ...]:
        """Return what the hooks did for this session, in words: one sentence each, without secrets."""
        return self._core.describe(self._record)

    def auth(self, resource: str) -> Any:
        """
        Return an auth object for an httpx or httpx2 client, sync or async, that puts a fresh token on each request.

        Args:
            resource: The API's base address: the token goes to addresses under it and nowhere else.

        Raises:
            UsageError: `resource` is not https (http on loopback excepted).
            LoginRequired: The sign-in asked for tokens of other resources only.
        """
        from .auth import auth_for  # noqa: PLC0415 - programs with their own HTTP need none of it

        return auth_for(self._source(resource), resource)


class Session(_SessionBase):
    """A signed-in session. Made by `Client`; thread-safe."""

    _wires: Wires

    def access_token(self, resource: str | None = None) -> AccessToken:
        """
        Return an access token that is good now, refreshed if need be.

        Args:
            resource: The resource indicator, or an address under it, if one was asked for at the sign-in (RFC 8707).

        Raises:
            SessionExpired: The provider has ended the session.
            LoginRequired: Nobody is signed in any more, or no token for that resource was asked for.
            TransportError: The token has ended and the provider cannot be reached.
        """
        source = self._source(resource)
        token = source.ready()
        return source.of(wait_for(source.fly(None))) if token is None else token

    def refresh(self, resource: str | None = None) -> AccessToken:
        """
        Refresh now, whether it is due or not, unless another process has just done so, and return the new token.

        Args:
            resource: As for `access_token`.

        Raises:
            SessionExpired: The provider has ended the session.
            TransportError: The provider cannot be reached; the session is untouched.
        """
        source = self._source(resource)
        return source.of(wait_for(source.fly(None)))

    def userinfo(self) -> Mapping[str, Json]:
        """
        Fetch claims about the user from the provider (OIDC Core 5.3).

        Raises:
            OAuthError: The provider refused.
            ResponseRefused: The answer breaks a rule, for example is about another user.
            TransportError: The provider cannot be reached.
        """
        from .with_session import userinfo  # noqa: PLC0415 - a cached token needs none of it

        token = self.access_token()  # first: the session may be another one then, with another key
        return self._wires.drive(userinfo(self._core, self._record, token))

    def http(self, resource: str, **options: Any) -> httpx.Client:
        """
        Return an httpx client for an API that signs every request, redirects included.

        Args:
            resource: The API's base address; requests to other places raise, redirects to them go without the token.
            options: Further arguments of `httpx.Client`.
        """
        from oidcclient.protocol import TokenBase  # noqa: PLC0415 - programs with their own HTTP need none of it

        from .signed import signed_client  # noqa: PLC0415 - programs with their own HTTP need none of it

        return signed_client(self.auth(resource), TokenBase.parse(resource), options)

    def revoke(self) -> bool:
        """
        Revoke the tokens at the provider (RFC 7009). The session is left as it is: `logout()` does all of it.

        Returns:
            Whether the provider has an endpoint for it.

        Raises:
            OAuthError: The provider refused.
            TransportError: The provider cannot be reached; the tokens are still alive.
        """
        from .with_session import revoke  # noqa: PLC0415 - a session that does not end needs none of it

        return self._wires.drive(revoke(self._core, self._record))

    def logout(
        self,
        *,
        browser: bool = False,
        open_browser: Callable[[str], object] | None = None,
        post_logout_redirect_uri: str | None = None,
    ) -> None:
        """
        Sign out: wipe the session here, then revoke its tokens, for five seconds at the most.

        Args:
            browser: Also end the provider's own session, in a browser (OIDC RP-Initiated Logout 1.0).
            open_browser: Takes the address to open for that, in place of the system browser.
            post_logout_redirect_uri: A registered page to end at, https or of the app's own scheme.

        Raises:
            StoreError: The session could not be wiped here.
            UsageError: `post_logout_redirect_uri` does not fit; nothing was done.
        """
        from .with_session import logout  # noqa: PLC0415 - a session that does not end needs none of it

        self._wires.drive(
            logout(
                self._core,
                self._key,
                self._wires,
                browser=browser,
                open_browser=open_browser,
                post_logout_redirect_uri=post_logout_redirect_uri,
            )
        )


class AsyncSession(_SessionBase):
    """A signed-in session. Made by `AsyncClient`; for asyncio and trio."""

    _wires: AsyncWires

    async def access_token(self, resource: str | None = None) -> AccessToken:
        """
        Return an access token that is good now, refreshed if need be.

        Args:
            resource: The resource indicator, or an address under it, if one was asked for at the sign-in (RFC 8707).

        Raises:
            SessionExpired: The provider has ended the session.
            LoginRequired: Nobody is signed in any more, or no token for that resource was asked for.
            TransportError: The token has ended and the provider cannot be reached.
        """
        source = self._source(resource)
        token = source.ready()
        return source.of(await wait_for_async(source.fly(None))) if token is None else token

    async def refresh(self, resource: str | None = None) -> AccessToken:
        """
        Refresh now, whether it is due or not, unless another process has just done so, and return the new token.

        Args:
            resource: As for `access_token`.

        Raises:
            SessionExpired: The provider has ended the session.
            TransportError: The provider cannot be reached; the session is untouched.
        """
        source = self._source(resource)
        return source.of(await wait_for_async(source.fly(None)))

    async def userinfo(self) -> Mapping[str, Json]:
        """
        Fetch claims about the user from the provider (OIDC Core 5.3).

        Raises:
            OAuthError: The provider refused.
            ResponseRefused: The answer breaks a rule, for example is about another user.
            TransportError: The provider cannot be reached.
        """
        from .with_session import userinfo  # noqa: PLC0415 - a cached token needs none of it

        token = await self.access_token()
        return await self._wires.drive(userinfo(self._core, self._record, token))

    def http(self, resource: str, **options: Any) -> httpx.AsyncClient:
        """
        Return an async httpx client for an API that signs every request, redirects included.

        Args:
            resource: The API's base address; requests to other places raise, redirects to them go without the token.
            options: Further arguments of `httpx.AsyncClient`.
        """
        from oidcclient.protocol import TokenBase  # noqa: PLC0415 - programs with their own HTTP need none of it

        from .signed import signed_async_client  # noqa: PLC0415 - programs with their own HTTP need none of it

        return signed_async_client(self.auth(resource), TokenBase.parse(resource), options)

    async def revoke(self) -> bool:
        """
        Revoke the tokens at the provider (RFC 7009). The session is left as it is: `logout()` does all of it.

        Returns:
            Whether the provider has an endpoint for it.

        Raises:
            OAuthError: The provider refused.
            TransportError: The provider cannot be reached; the tokens are still alive.
        """
        from .with_session import revoke  # noqa: PLC0415 - a session that does not end needs none of it

        return await self._wires.drive(revoke(self._core, self._record))

    async def logout(
        self,
        *,
        browser: bool = False,
        open_browser: Callable[[str], object] | None = None,
        post_logout_redirect_uri: str | None = None,
    ) -> None:
        """
        Sign out: wipe the session here, then revoke its tokens, for five seconds at the most.

        Args:
            browser: Also end the provider's own session, in a browser (OIDC RP-Initiated Logout 1.0).
            open_browser: Takes the address to open for that, in place of the system browser.
            post_logout_redirect_uri: A registered page to end at, https or of the app's own scheme.

        Raises:
            StoreError: The session could not be wiped here.
            UsageError: `post_logout_redirect_uri` does not fit; nothing was done.
        """
        from .with_session import logout  # noqa: PLC0415 - a session that does not end needs none of it

        await self._wires.drive(
            logout(
                self._core,
                self._key,
                self._wires,
                browser=browser,
                open_browser=open_browser,
                post_logout_redirect_uri=post_logout_redirect_uri,
            )
        )
