"""The device authorization endpoint (RFC 8628 sections 3.1 and 3.2)."""

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import UnauthorizedClientError
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.clients import AUTH_METHODS, Client
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.grant_rules import DEVICE_CODE
from oidcclient_devkit.grants.resources import check_resources, requested_resources
from oidcclient_devkit.grants.server import OAuthServer
from oidcclient_devkit.store import DeviceRequest, Grant, new_handle

PAGE = "/device"  # short, as somebody may have to type it (RFC 8628 section 3.3)


class DeviceAuthorization(DeviceAuthorizationEndpoint):  # type: ignore[misc]  # Authlib has no types
    """Gives a device the two codes."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def __init__(self, core: Core) -> None:
        self._core = core
        self._request: Any = None
        self.EXPIRES_IN = core.controls.grants.device_lifetime
        self.INTERVAL = core.controls.grants.device_interval

    def authenticate_client(self, request: Any) -> Client:
        """Section 3.1: as at the token endpoint. What cannot be granted is refused here already."""
        client: Client = super().authenticate_client(request)
        if not client.check_grant_type(DEVICE_CODE):
            raise UnauthorizedClientError("This client is not registered for the device grant.")
        check_resources(self._core, request)
        self._request = request
        return client

    def get_verification_uri(self) -> str:
        """Return the address of the page for the person."""
        return self._core.address(PAGE)

    def generate_device_code(self) -> str:
        """Draw the code that the device keeps to itself; section 5.2: nobody can guess it."""
        return new_handle()

    def save_device_credential(self, client_id: str, scope: str | None, data: dict[str, Any]) -> None:
        """Remember what the device asked for."""
        grant = Grant(
            id=new_handle(),
            client_id=client_id,
            signed_in=None,
            scope=self._core.clients[client_id].get_allowed_scope(scope),
            resources=requested_resources(self._request),
        )
        self._core.store.devices[data["device_code"]] = DeviceRequest(
            device_code=data["device_code"],
            user_code=data["user_code"],
            grant=grant,
            expires_at=self._core.clock.now() + data["expires_in"],
            interval=data["interval"],
        )


def device_authorization(core: Core, exchange: Exchange) -> Answer:
    """Answer a device that wants somebody to sign in elsewhere."""
    server = OAuthServer(core)
    try:
        server.check_form(exchange)
    except OAuth2Error as error:
        return server.problem(error)
    endpoint = DeviceAuthorization(core)
    server.register_endpoint(endpoint)
    answer: Answer = server.create_endpoint_response(endpoint.ENDPOINT_NAME, exchange)
    return answer
