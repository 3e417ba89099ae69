"""The authorization code grant (RFC 6749 section 4.1)."""

from typing import Any

from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant

from oidcclient_devkit.clients import Client
from oidcclient_devkit.store import CODE_LIFETIME, AuthorizationCode, Grant, SignedIn, new_handle
from oidcclient_devkit.users import User

from .base import DevkitGrant
from .issue import TokenAnswer, issue_tokens
from .resources import narrowed_resources, requested_resources


class CodeGrant(DevkitGrant, AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
    """Sends the code to the app and redeems it once."""

    def generate_authorization_code(self) -> str:
        """Draw a code."""
        return new_handle()

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Remember what the person allowed, and with which challenge the code is bound."""
        signed_in: SignedIn = request.user
        data = request.payload.data
        grant = Grant(
            id=new_handle(),
            client_id=request.client.client_id,
            signed_in=signed_in,
            scope=granted_scope(request),
            resources=requested_resources(request),
            nonce=data.get("nonce"),
            claims=request.claims,
        )
        self.core.store.codes[code] = AuthorizationCode(
            code=code,
            grant=grant,
            redirect_uri=data["redirect_uri"],
            code_challenge=data.get("code_challenge"),
            code_challenge_method=data.get("code_challenge_method"),
            expires_at=self.core.clock.now() + CODE_LIFETIME,
            dpop_jkt=data.get("dpop_jkt"),
        )

    def query_authorization_code(self, code: str, client: Client) -> AuthorizationCode | None:
        """Find a code that is still good, and spend it: a wrong verifier gets no second try.

        RFC 6749 section 4.1.2: a code is used once; a second use revokes the tokens of the first.
        """
        record = self.core.store.codes.get(code)
        if record is None or record.grant.client_id != client.client_id:
            return None
        self.server.dpop.check_code(self.request, record)
        if record.used:
            record.grant.revoked = True
            return None
        record.used = True
        return record if self.core.clock.now() < record.expires_at else None

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        """Keep it, spent, so that a second use is noticed."""

    def authenticate_user(self, authorization_code: AuthorizationCode) -> User:
        """Return the person who allowed it."""
        return self.core.user_of(authorization_code.grant)

    def generate_token(self, *_args: Any, **_kwargs: Any) -> TokenAnswer:
        """Make the tokens; a refresh token goes with offline_access (OIDC Core section 11)."""
        grant = self.request.authorization_code.grant
        client: Client = self.request.client
        return issue_tokens(
            self.core,
            client,
            grant,
            scope=grant.scope,
            resources=narrowed_resources(self.request, grant),
            confirmation=self.server.dpop.confirm(self.request, grant),
            refreshable="offline_access" in grant.scope.split() and client.check_grant_type("refresh_token"),
        )


def granted_scope(request: Any) -> str:
    """OIDC Core section 11: offline_access without prompt=consent is ignored."""
    words: list[str] = request.scope.split()
    if "consent" not in request.payload.data.get("prompt", "").split():
        words = [word for word in words if word != "offline_access"]
    return " ".join(words)
