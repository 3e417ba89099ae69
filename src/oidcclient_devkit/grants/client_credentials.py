"""The client credentials grant (RFC 6749 section 4.4)."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant as AuthlibClientCredentialsGrant

from oidcclient_devkit.clients import CLIENT_SCOPES, Client
from oidcclient_devkit.store import Grant, new_handle

from .base import DevkitGrant
from .issue import TokenAnswer, issue_tokens
from .resources import check_resources, requested_resources


class ClientCredentialsGrant(DevkitGrant, AuthlibClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    """Gives a client a token of its own: nobody signs in, and there is nothing to refresh."""

    def generate_token(self, *_args: Any, **_kwargs: Any) -> TokenAnswer:
        """Make the token; the resource is named in this very request (RFC 8707 section 2.2)."""
        client: Client = self.request.client
        check_resources(self.core, self.request)
        grant = Grant(
            id=new_handle(),
            client_id=client.client_id,
            signed_in=None,
            scope=own_scope(client, self.request.payload.scope),
            resources=requested_resources(self.request),
        )
        return issue_tokens(
            self.core,
            client,
            grant,
            scope=grant.scope,
            resources=grant.resources,
            confirmation=self.server.dpop.confirm(self.request, grant),
            refreshable=False,  # RFC 6749 section 4.4.3
        )


def own_scope(client: Client, asked: str | None) -> str:
    """Keep what a client may have for itself; by default all of it (RFC 6749 section 3.3).

    Raises:
        InvalidScopeError: if nothing is left.
    """
    allowed = [word for word in CLIENT_SCOPES if word in client.scopes]
    granted = [word for word in allowed if asked is None or word in asked.split()]
    if not granted:
        raise InvalidScopeError("A client without a person has no scope but those of the API.")
    return " ".join(granted)
