"""Which grants the provider knows, and how fast a device may poll."""

from dataclasses import dataclass

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"  # RFC 8628 section 3.4
PASSWORD = "password"  # noqa: S105 - RFC 6749 section 4.3, which RFC 9700 section 2.4 forbids: legacy
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)
LEGACY_GRANT_TYPES = (PASSWORD,)

DEVICE_CODE_LIFETIME = 600  # seconds
POLL_INTERVAL = 5  # seconds; RFC 8628 section 3.5: what a client assumes that is told nothing
SLOWER = 5  # seconds; RFC 8628 section 3.5: what slow_down adds to the interval for good


@dataclass(slots=True)
class GrantRules:
    """The switches for grants."""

    legacy: bool = False  # the password grant
    device_lifetime: int = DEVICE_CODE_LIFETIME
    device_interval: int = POLL_INTERVAL

    @property
    def grant_types(self) -> tuple[str, ...]:
        """What the token endpoint takes."""
        return GRANT_TYPES + (LEGACY_GRANT_TYPES if self.legacy else ())
