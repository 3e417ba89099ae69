"""The resource owner password credentials grant (RFC 6749 section 4.3): legacy, off unless it is switched on.

RFC 9700 section 2.4 forbids it: it shows the password to the app. It is here for those who must move away from it.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import ResourceOwnerPasswordCredentialsGrant

from oidcclient_devkit.clients import Client
from oidcclient_devkit.signing_in import sign_in
from oidcclient_devkit.store import Grant, SignedIn, new_handle

from .base import DevkitGrant
from .issue import TokenAnswer, issue_tokens
from .resources import check_resources, requested_resources


class LegacyPasswordGrant(DevkitGrant, ResourceOwnerPasswordCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    """Takes a person's password from an app."""

    def authenticate_user(self, username: str, password: str) -> SignedIn:
        """Compare the password. RFC 6749 section 5.2: a wrong one is an invalid grant."""
        user = self.core.users.get(username)
        if user is None or not user.knows(password):
            raise InvalidGrantError("That name and password do not go together.")
        return sign_in(self.core, username, "pwd")

    def generate_token(self, *_args: Any, **_kwargs: Any) -> TokenAnswer:
        """Make the tokens; there is no ID Token, as OpenID Connect knows no such sign-in."""
        client: Client = self.request.client
        check_resources(self.core, self.request)
        grant = Grant(
            id=new_handle(),
            client_id=client.client_id,
            signed_in=self.request.user,
            scope=client.get_allowed_scope(self.request.payload.scope),
            resources=requested_resources(self.request),
        )
        return issue_tokens(
            self.core,
            client,
            grant,
            scope=grant.scope,
            resources=grant.resources,
            confirmation=self.server.dpop.confirm(self.request, grant),
            refreshable="offline_access" in grant.scope.split() and client.check_grant_type("refresh_token"),
        )
