"""Ways to sign in: values that say how the browser is reached and how its answer comes back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from .errors import UsageError
from .value import dataclass, field

__all__ = ["Auto", "Device", "DeviceCode", "Loopback", "Paste", "Way"]

_HIGHEST_PORT = 65_535
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
# What a provider may register for a native app (RFC 8252 section 7), with a path, for browsers write `/` for none.
_REDIRECT_URI = re.compile(
    r"(?:https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?"
    r"|http://(?:127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?"
    r"|[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:)"  # a private-use scheme has a dot (section 8.4)
    r"/[A-Za-z0-9._~!$&'()*+,;=:@/%-]*"
)


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
        paste: Whether the final address may also be pasted at the terminal, where `login()` talks to a person there.

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
    paste: bool = True

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """
    What a person needs to sign in on another device (RFC 8628 section 3.2). For that person's eyes alone.

    Args:
        user_code: The code to type there, or to compare. Show it always, and say that the sign-in should go on only if
            the person started it (sections 3.3.1 and 5.4).
        verification_uri: Where to type it. https, unless `Policy(allow_http_loopback=True)` lets loopback in.
        verification_uri_complete: The same with the code in it, for a link or a QR code; some providers send none.
        expires_in: How long the code lives from the moment it came, in seconds.
        expires_at: When it ends, in Unix seconds.
    """

    user_code: str = field(repr=False)
    verification_uri: str
    verification_uri_complete: str | None = field(default=None, repr=False)
    expires_in: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """
    Sign in on another device: it shows a page, this one shows a code (RFC 8628).

    For machines that no browser can come back to. Whoever is talked into typing a code signs somebody else in, so it is
    for people who asked for it (section 5.4).

    Args:
        show: Takes the code to show; it must return soon, and is called from another thread in async programs. None
            says it on stderr.
        qr: Draw a QR code of the address on stderr too. Needs the extra `oidcclient[qr]`.

    Raises:
        UsageError: `qr` goes with a `show` of the program's own.
    """

    show: Callable[[DeviceCode], object] | None = field(default=None, repr=False)
    qr: bool = False

    def __post_init__(self) -> None:
        """Refuse a QR code that nobody would draw."""
        if self.qr and self.show is not None:
            raise UsageError(
                "qr draws on stderr, and show replaces what is said there",
                rule="qr",
                hint="Leave one of them out; show can draw DeviceCode.verification_uri_complete itself.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Paste:
    """
    Have the person paste the address at which the browser ended. Nothing listens.

    The address is checked as a listener checks what comes to it: the redirect URI, `state`, `iss`.

    Args:
        redirect_uri: What is registered at the provider, with a path and without a query: on loopback, of a private-use
            scheme or https. None is `http://127.0.0.1:<port>/callback` with any free port (RFC 8252 section 7.3), held
            while the sign-in lasts, so that the browser ends on a page that does not load.
        read: Returns what the person pasted; called again after a wrong one. None reads the terminal, without echo.

    Raises:
        UsageError: `redirect_uri` is none that a browser could end at.
    """

    redirect_uri: str | None = None
    read: Callable[[], str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse a redirect URI at which no address could be compared."""
        if self.redirect_uri is not None and not _REDIRECT_URI.fullmatch(self.redirect_uri):
            raise UsageError(
                "redirect_uri must be on loopback, https or of a private-use scheme, with a path and no query",
                rule="redirect_uri",
                section="RFC 8252 section 7",
                received=self.redirect_uri,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Auto:
    """
    Choose the way by what is there: a browser that reaches the person, else a device code, else pasting.

    Variables of the environment decide first: `OIDCCLIENT_FLOW` (`browser`, `device`, `paste`) and
    `OIDCCLIENT_NO_BROWSER`. The event `WayChosen` has the reasons.

    Args:
        loopback: How, where a browser is opened.
        device: How, where a code is shown.
        paste: How, where an address is pasted.
        flow: What the program's own configuration says; `OIDCCLIENT_FLOW` goes before it.
    """

    loopback: Loopback = field(default_factory=Loopback)
    device: Device = field(default_factory=Device)
    paste: Paste = field(default_factory=Paste)
    flow: Literal["auto", "browser", "device", "paste"] | None = None


Way = Loopback | Device | Paste | Auto
