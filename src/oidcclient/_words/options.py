"""How this machine reaches the network."""

from __future__ import annotations

from typing import Any

from .value import dataclass, field

__all__ = ["Http"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """
    Say how the provider is reached. Redirects are never followed, cookies never kept, whatever is set here.

    Args:
        verify: The certificate authorities to trust: True for the system's usual ones, the path of a bundle, or an
            `ssl.SSLContext`. There is no way to switch the check off.
        proxy: The address of a proxy; secret, it may hold a password.
        trust_env: Whether HTTPS_PROXY and its kin are obeyed. Loopback addresses never go through a proxy.
        transport: An httpx transport to use in place of the network: a sync one for `Client`, an async one for
            `AsyncClient`.
    """

    verify: Any = True
    proxy: str | None = field(default=None, repr=False)
    trust_env: bool = True
    transport: Any = None

    def __post_init__(self) -> None:
        """Refuse to work without certificate checks."""
        from .errors import UsageError  # noqa: PLC0415 - keeps this module's import free

        if self.verify is False or self.verify is None:
            raise UsageError(
                "certificates are always checked",
                rule="verify",
                section="RFC 8414 section 6.1",
                hint="For a private certificate authority pass the path of its bundle as verify=.",
            )
