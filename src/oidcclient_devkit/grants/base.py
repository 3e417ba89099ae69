"""What all grants have in common."""

from typing import Any

from oidcclient_devkit.clients import AUTH_METHODS
from oidcclient_devkit.core import Core


class DevkitGrant:
    """Goes before Authlib's class of a grant."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    server: Any

    @property
    def core(self) -> Core:
        """The provider."""
        core: Core = self.server.core
        return core
