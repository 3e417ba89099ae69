"""Ways to sign in: values that say how the browser is reached and how its answer comes back."""

from __future__ import annotations

import re
from typing import Literal

from .errors import UsageError
from .value import dataclass, field

__all__ = ["Loopback"]

_HIGHEST_PORT = 65_535
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loopback:
    """
    Receive the authorization response on this machine's loopback interface (RFC 8252 section 7.3).

    Args:
        host: `"127.0.0.1"`, `"::1"` or `"localhost"` (both addresses on one port; NOT RECOMMENDED by RFC 8252 section
            8.3, for providers that register nothing else). None tries 127.0.0.1, then [::1].
        ports: The ports to try, in order; 0 is any free port. For providers that demand an exact `redirect_uri`.
        path: The path of the `redirect_uri`. None means `/callback`.
        form_post: Ask for `response_mode=form_post`, so that the code stays out of the address bar.
        bind_address: The address to listen on where it is not the host's own, for example `"0.0.0.0"` in a container.
        app_name: The program's name as the pages in the browser show it.
        certificate: Paths of a PEM certificate and its key, to serve the redirect over https.

    Raises:
        UsageError: An argument does not fit.
    """

    host: Literal["127.0.0.1", "::1", "localhost"] | None = None
    ports: tuple[int, ...] = (0,)
    path: str | None = None
    form_post: bool = False
    bind_address: str | None = None
    app_name: str = "this program"
    certificate: tuple[str, str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no listener could serve."""
        if self.host not in {None, "127.0.0.1", "::1", "localhost"}:
            raise UsageError("host must be 127.0.0.1, ::1 or localhost", rule="host", received=self.host)
        if not self.ports or not all(isinstance(port, int) and 0 <= port <= _HIGHEST_PORT for port in self.ports):
            raise UsageError("ports must be numbers from 0 to 65535", rule="ports", received=self.ports)
        if self.path is not None and not _PATH.fullmatch(self.path):
            raise UsageError("path must start with / and hold no query", rule="path", received=self.path)
        if self.path is not None and self.path.startswith(("/start/", "/done/")):
            raise UsageError("path must not be one of the listener's own", rule="path", received=self.path)
