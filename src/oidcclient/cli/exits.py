"""Exit codes. They are documented: scripts go by them."""

from __future__ import annotations

import oidcclient

__all__ = ["CODES", "FAILURE", "MEANINGS", "OK", "SIGN_IN", "STOPPED", "STORAGE", "USAGE", "code_of"]

OK, FAILURE, STOPPED, USAGE, SIGN_IN, TIMED_OUT, DENIED, NETWORK, STORAGE = range(9)

MEANINGS = {
    OK: "It worked.",
    FAILURE: "It failed in a way that has no code of its own, for example an answer that breaks a rule.",
    STOPPED: "Stopped by the person: Ctrl-C.",
    USAGE: "A wrong option or argument, or a wrong configuration.",
    SIGN_IN: "Sign in first: nobody is signed in, or the session has ended.",
    TIMED_OUT: "Nobody finished signing in within the time allowed.",
    DENIED: "The person or the server said no.",
    NETWORK: "The network or the server could not be reached.",
    STORAGE: "The keyring, the stored session or the key cannot be used.",
}

# The first class that fits decides: a subclass stands before its base.
CODES: tuple[tuple[type[oidcclient.OidcError], int], ...] = (
    (oidcclient.LoginRequired, SIGN_IN),
    (oidcclient.OAuthError, DENIED),
    (oidcclient.TransportError, NETWORK),
    (oidcclient.LoginCancelled, STOPPED),
    (oidcclient.LoginTimedOut, TIMED_OUT),
    (oidcclient.BrowserUnavailable, SIGN_IN),
    (oidcclient.StoreError, STORAGE),
    (oidcclient.KeyUnavailable, STORAGE),
    (oidcclient.UsageError, USAGE),
)


def code_of(error: oidcclient.OidcError) -> int:
    """Return the exit code for an error."""
    return next((code for kind, code in CODES if isinstance(error, kind)), FAILURE)
