"""The device authorization grant (RFC 8628 section 3.4): a device asks again and again."""

from typing import Any

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidGrantError
from authlib.oauth2.rfc8628 import AuthorizationPendingError, DeviceCodeGrant, ExpiredTokenError, SlowDownError

from oidcclient_devkit.grant_rules import SLOWER
from oidcclient_devkit.store import DeviceRequest
from oidcclient_devkit.users import User

from .base import DevkitGrant
from .issue import TokenAnswer, issue_tokens
from .resources import narrowed_resources

EARLY = 0.9  # of the interval: two requests do not take the same time on their way


class DeviceGrant(DevkitGrant, DeviceCodeGrant):  # type: ignore[misc]  # Authlib has no types
    """Redeems a device code once somebody allowed it."""

    def query_device_credential(self, device_code: str) -> DeviceRequest:
        """Find the device that asks. RFC 6749 section 5.2: a code that is unknown here is an invalid grant."""
        waiting = self.core.store.devices.get(device_code)
        if waiting is None or waiting.grant.client_id != self.request.client.client_id:
            raise InvalidGrantError("The device_code is unknown, or was issued to another client.")
        return waiting

    def validate_device_credential(self, credential: DeviceRequest) -> User:
        """Tell the device to wait, to slow down, or to stop (RFC 8628 section 3.5)."""
        now = self.core.clock.now()
        if credential.used:
            raise InvalidGrantError("The device_code was used before.")
        if credential.approved is False:
            raise AccessDeniedError("The person said no.")
        if now >= credential.expires_at:
            raise ExpiredTokenError("The device_code has expired.")
        last, credential.polled_at = credential.polled_at, now
        if credential.approved:
            return self.core.user_of(credential.grant)
        if last is not None and now - last < credential.interval * EARLY:
            credential.interval += SLOWER  # for this and all subsequent requests
            raise SlowDownError(f"The device asks too often: it waits {credential.interval:g} seconds from now on.")
        raise AuthorizationPendingError("Nobody has decided yet.")

    def generate_token(self, *_args: Any, **_kwargs: Any) -> TokenAnswer:
        """Make the tokens, and spend the code."""
        waiting: DeviceRequest = self.request.credential
        grant = waiting.grant
        answer = issue_tokens(
            self.core,
            self.request.client,
            grant,
            scope=grant.scope,
            resources=narrowed_resources(self.request, grant),
            confirmation=self.server.dpop.confirm(self.request, grant),
            refreshable="offline_access" in grant.scope.split()
            and self.request.client.check_grant_type("refresh_token"),
        )
        waiting.used = True
        return answer
