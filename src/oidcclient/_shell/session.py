"""A signed-in session, for sync and for async programs."""

from __future__ import annotations

from collections.abc import Mapping

from oidcclient._words.record import SessionRecord
from oidcclient._words.values import AccessToken, Json, User

from .core import ClientCore, Memory, user_of
from .drivers import drive, drive_async
from .http import AsyncWire, Wire

__all__ = ["AsyncSession", "Session"]


class _SessionBase:
    def __init__(self, core: ClientCore, record: SessionRecord) -> None:
        self._core = core
        self._record = record
        self._memory: Memory = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(sub={self._record.account!r}, issuer={self._record.issuer!r})"

    @property
    def user(self) -> User:
        """Who is signed in: claims of the verified ID Token, nothing else."""
        return user_of(self._record)

    @property
    def id_token(self) -> str:
        """The raw ID Token, as verified. Secret."""
        return self._record.id_token


class Session(_SessionBase):
    """A signed-in session. Made by `Client`; thread-safe."""

    def __init__(self, core: ClientCore, record: SessionRecord, wire: Wire) -> None:
        super().__init__(core, record)
        self._wire = wire

    def access_token(self, resource: str | None = None) -> AccessToken:
        """
        Return an access token that is good now.

        Args:
            resource: The resource indicator, if one was asked for at the sign-in (RFC 8707).

        Raises:
            SessionExpired: It has expired.
            LoginRequired: No token for that resource was asked for.
        """
        return self._core.access_token(self._record, resource)

    def userinfo(self) -> Mapping[str, Json]:
        """
        Fetch claims about the user from the provider (OIDC Core 5.3).

        Raises:
            OAuthError: The provider refused.
            ResponseRefused: The answer breaks a rule, for example is about another user.
            TransportError: The provider cannot be reached.
        """
        return drive(self._core.userinfo(self._record, self._memory), self._wire)


class AsyncSession(_SessionBase):
    """A signed-in session. Made by `AsyncClient`; for asyncio and trio."""

    def __init__(self, core: ClientCore, record: SessionRecord, wire: AsyncWire) -> None:
        super().__init__(core, record)
        self._wire = wire

    async def access_token(self, resource: str | None = None) -> AccessToken:
        """
        Return an access token that is good now.

        Args:
            resource: The resource indicator, if one was asked for at the sign-in (RFC 8707).

        Raises:
            SessionExpired: It has expired.
            LoginRequired: No token for that resource was asked for.
        """
        return self._core.access_token(self._record, resource)

    async def userinfo(self) -> Mapping[str, Json]:
        """
        Fetch claims about the user from the provider (OIDC Core 5.3).

        Raises:
            OAuthError: The provider refused.
            ResponseRefused: The answer breaks a rule, for example is about another user.
            TransportError: The provider cannot be reached.
        """
        return await drive_async(self._core.userinfo(self._record, self._memory), self._wire)
