"""The refresh token grant (RFC 6749 section 6) with rotation and reuse detection (RFC 9700 section 4.14.2)."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant

from oidcclient_devkit.store import RefreshToken
from oidcclient_devkit.users import User

from .base import DevkitGrant
from .issue import TokenAnswer, issue_tokens
from .resources import narrowed_resources


class RefreshGrant(DevkitGrant, RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    """Gives a new access token and a new refresh token for the old one."""

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken:
        """Find a token that is still good; one that was used already revokes all of its family."""
        record = self.core.store.refresh_tokens.get(refresh_token)
        if record is None:
            raise InvalidGrantError("The refresh token is unknown.")
        self.server.dpop.check_refresh(self.request, record)
        if self.core.controls.refuse_refreshes > 0:
            self.core.controls.refuse_refreshes -= 1
            raise InvalidGrantError("The devkit was told to refuse this refresh.")
        if record.used:
            record.grant.revoked = True
            raise InvalidGrantError("The refresh token was used before: all tokens of this sign-in are revoked.")
        if record.grant.revoked:
            raise InvalidGrantError("The refresh token was revoked.")
        if self.core.clock.now() >= record.expires_at:
            raise InvalidGrantError("The refresh token has expired.")
        return record

    def authenticate_user(self, refresh_token: RefreshToken) -> User:
        """Return the person who allowed it."""
        return self.core.user_of(refresh_token.grant)

    def generate_token(self, *_args: Any, scope: str | None = None, **_kwargs: Any) -> TokenAnswer:
        """Make the next tokens; the scope may be narrower than what was granted, the refresh token keeps it all."""
        grant = self.request.refresh_token.grant
        return issue_tokens(
            self.core,
            self.request.client,
            grant,
            scope=scope or grant.scope,
            resources=narrowed_resources(self.request, grant),
            confirmation=self.server.dpop.confirm(self.request, grant),
            refreshable=True,
        )

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        """Spend the old one."""
        refresh_token.used = True
