"""
Every error this library raises, whose fault first.

    OidcError
      LoginRequired        sign in again: nobody is signed in, or ...
        SessionExpired  KeyLost  StepUpRequired
      RemoteError          the provider, or whoever forged it
        DiscoveryRefused  CallbackRefused  IDTokenRefused  ResponseRefused  DowngradeRefused
        OAuthError         it answered error=...
          LoginDenied
      TransportError       the wire: no connection, TLS, timeout, 429/503
      LocalError           this machine
        StoreError  KeyUnavailable  BrowserUnavailable  LoginTimedOut  LoginCancelled
      UsageError           you: a bad argument, a wrong order of calls

An error carries fields, not a longer sentence: the rule that failed, the section that states it, and what was expected
and received where neither is secret. `hint` is one sentence that says what to do.
"""

from __future__ import annotations

__all__ = [
    "BrowserUnavailable",
    "CallbackRefused",
    "DiscoveryRefused",
    "DowngradeRefused",
    "IDTokenRefused",
    "KeyLost",
    "KeyUnavailable",
    "LocalError",
    "LoginCancelled",
    "LoginDenied",
    "LoginRequired",
    "LoginTimedOut",
    "OAuthError",
    "OidcError",
    "RemoteError",
    "ResponseRefused",
    "SessionExpired",
    "StepUpRequired",
    "StoreError",
    "TransportError",
    "UsageError",
    "printable",
]

SHOWN_CHARACTERS = 300  # enough for any real error_description; a longer one is cut


def printable(text: object, limit: int = SHOWN_CHARACTERS) -> str:
    """
    Return text from the network fit for a terminal, a log or a page.

    Control, format and other unprintable characters are escaped, so that no terminal obeys them.

    Args:
        text: Anything; its `str` is taken.
        limit: The longest result, in characters; what is longer is cut and ends in "...".
    """
    raw = str(text)
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in raw[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


class OidcError(Exception):
    """
    Base of all errors raised here.

    Args:
        message: What happened. Shown to people; text from the network is made printable.
        hint: One sentence: what to do about it. A class has its own where none is given.
        rule: The short name of the check that failed, for example `"nonce"`.
        section: Where the rule stands, for example `"OIDC Core 3.1.3.7 step 11"`.
        expected: What the rule wanted, if that is no secret.
        received: What came instead, if that is no secret.
    """

    default_hint = "Run again with logging at DEBUG and report what you see."

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        rule: str | None = None,
        section: str | None = None,
        expected: object = None,
        received: object = None,
    ) -> None:
        super().__init__(printable(message, 600))
        self.hint = hint or self.default_hint
        self.rule = rule
        self.section = section
        self.expected = None if expected is None else printable(expected)
        self.received = None if received is None else printable(received)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling (a process pool hands errors over that way); keyword arguments are kept."""
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


def _rebuild(kind: type[OidcError], args: tuple[object, ...], fields: dict[str, object]) -> OidcError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class LoginRequired(OidcError):
    """Nobody is signed in, or what is stored can no longer be used: call `login()`."""

    default_hint = "Sign in with login() or session_or_login()."


class SessionExpired(LoginRequired):
    """The session ended at the provider; signing in again is the only way on."""

    default_hint = "The session has ended: sign in again."


class KeyLost(LoginRequired):
    """The key that the session is bound to is gone from this machine."""

    default_hint = "The key of this session is gone from this machine: sign in again to make a new one."


class StepUpRequired(LoginRequired):
    """The API wants a fresher or stronger sign-in (RFC 9470)."""

    default_hint = "The service asks for a stronger sign-in: call login() with the acr_values or max_age given."


class RemoteError(OidcError):
    """The provider, or whoever forged its answer, broke a rule."""

    default_hint = (
        "The provider's answer breaks the standard named in .section: report it to whoever runs the provider."
    )


class DiscoveryRefused(RemoteError):
    """The provider's metadata or key set cannot be trusted or lacks what is needed."""

    default_hint = "Check the issuer's spelling, to the letter, and that it is an OpenID provider."


class CallbackRefused(RemoteError):
    """The authorization response is not the answer to our request."""

    default_hint = "Nothing was signed in. Start the sign-in again from this program."


class IDTokenRefused(RemoteError):
    """The ID Token failed a check; nothing in it was believed."""


class ResponseRefused(RemoteError):
    """An answer of the provider was malformed or too large."""


class DowngradeRefused(RemoteError):
    """The provider gave less protection than was asked for."""

    default_hint = "The provider gave a token without the protection asked for: nothing was stored."


class OAuthError(RemoteError):
    """
    The provider answered with an error of its own (RFC 6749 sections 4.1.2.1 and 5.2).

    Args:
        error: The error code, for example `"invalid_client"`.
        error_description: The provider's own words, made printable.
        error_uri: A page about the error; never opened by this library.
        status: The HTTP status, where there was one.
        hint: One sentence: what to do about it.
    """

    default_hint = "The provider refused the request; .error and .error_description say why."

    def __init__(
        self,
        error: str,
        *,
        error_description: str | None = None,
        error_uri: str | None = None,
        status: int | None = None,
        hint: str | None = None,
        message: str | None = None,
    ) -> None:
        self.error = printable(error, 100)
        self.error_description = None if error_description is None else printable(error_description)
        self.error_uri = None if error_uri is None else printable(error_uri)
        self.status = status
        said = f" ({self.error_description})" if self.error_description else ""
        super().__init__(
            message or f"the provider answered {self.error}{said}",
            hint=hint or OAUTH_HINTS.get(self.error),
            rule="error",
            section="RFC 6749 section 5.2",
        )


class LoginDenied(OAuthError):
    """The person, or the provider's policy, said no (`access_denied`)."""

    default_hint = "The sign-in was refused; try again, or with another account."


class TransportError(OidcError):
    """
    The wire failed: no connection, TLS, a timeout, or the server is busy (429, 503).

    Args:
        message: What happened.
        retry_after: How long the server asked to wait, in seconds.
        status: The HTTP status, where there was one.
        hint: One sentence: what to do about it.
    """

    default_hint = "Check the network connection and try again."

    def __init__(
        self, message: str, *, retry_after: float | None = None, status: int | None = None, hint: str | None = None
    ) -> None:
        self.retry_after = retry_after
        self.status = status
        super().__init__(message, hint=hint)


class LocalError(OidcError):
    """Something on this machine is in the way."""

    default_hint = "Something on this machine is in the way; the message says what."


class StoreError(LocalError):
    """The session store cannot be read or written."""


class KeyUnavailable(LocalError):
    """No key store on this machine can do what was asked."""


class BrowserUnavailable(LocalError):
    """No browser could be started and nobody took the address."""

    default_hint = "Open the address yourself, or pass open_browser=."


class LoginTimedOut(LocalError):
    """Nobody finished signing in within the time allowed."""

    default_hint = "Nobody finished signing in within the time allowed: start again, or pass a larger timeout=."


class LoginCancelled(LocalError):
    """The sign-in was stopped on this machine."""

    default_hint = "The sign-in was stopped; start it again when ready."


class UsageError(OidcError):
    """A bad argument, or a wrong order of calls: a bug in the calling program."""

    default_hint = "Correct the call; the message names the argument."


OAUTH_HINTS = {
    "access_denied": "The sign-in was refused; try again, or with another account.",
    "invalid_client": "Check client_id and client_auth against what is registered at the provider.",
    "invalid_grant": "The sign-in took too long or was used already: sign in again.",
    "invalid_request": "The provider did not accept the request; .error_description may say which part.",
    "invalid_scope": "Ask for fewer scopes, or have them allowed for this client at the provider.",
    "insufficient_scope": "Ask for more scopes at the sign-in: scopes=.",
    "invalid_target": "The provider does not know this resource: check resource=.",
    "invalid_token": "The access token is no longer accepted: sign in again.",
    "unauthorized_client": "Have the authorization code grant allowed for this client at the provider.",
    "temporarily_unavailable": "The provider is busy: try again in a moment.",
    "server_error": "The provider failed: try again, then tell whoever runs it.",
}
