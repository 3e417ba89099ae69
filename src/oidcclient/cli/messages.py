"""
What a person reads when something went wrong: what happened, and what to do about it on the command line.

The library's hints speak to programmers. Those that name its functions have their like here.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import oidcclient

from .exits import code_of
from .output import RED, colour, fitted, plain

__all__ = ["advice", "as_json", "as_text"]

LOGIN = "Sign in: oidcclient login{profile}"

# By class and rule; None stands for all other rules of that class. The nearest class of an error that is here counts.
ADVICE: dict[tuple[type[oidcclient.OidcError], str | None], str] = {
    (oidcclient.LoginRequired, None): LOGIN,
    (oidcclient.LoginRequired, "resource"): "Sign in for that API too: oidcclient login{profile} --resource URL",
    (oidcclient.SessionExpired, None): f"The session has ended at the provider. {LOGIN}",
    (oidcclient.KeyLost, None): f"The key of this session is gone from this machine. {LOGIN}",
    (oidcclient.StepUpRequired, None): (
        "Sign in more strongly: oidcclient login{profile} --acr-values … or --max-age …, as the message says"
    ),
    (oidcclient.DiscoveryRefused, None): (
        "Check the issuer's spelling, to the letter. `oidcclient doctor` looks at the provider."
    ),
    (oidcclient.CallbackRefused, None): "Nothing was signed in. Start again: oidcclient login{profile}",
    (oidcclient.IDTokenRefused, None): (
        "Nothing in the ID Token was believed. Tell whoever runs the provider; --verbose says more."
    ),
    (oidcclient.DowngradeRefused, None): "Nothing was stored. Tell whoever runs the provider.",
    (oidcclient.TransportError, None): "Check the network and try again.",
    (oidcclient.StoreError, "keyring"): (
        "Start a keyring such as GNOME Keyring or KWallet; or keep sessions in files, if that is protection enough "
        "for you: --store file at the sign-in."
    ),
    (oidcclient.StoreError, "locked"): "Unlock your login keyring and try again.",
    (oidcclient.StoreError, "timeout"): "Unlock your login keyring, or restart it, and try again.",
    (oidcclient.StoreError, "read-back"): (
        "Do not use this keyring; --store file keeps sessions in files, if that is protection enough for you."
    ),
    (oidcclient.BrowserUnavailable, None): (
        "Sign in once from a terminal: oidcclient login{profile}. A script can use its session afterwards."
    ),
    (oidcclient.LoginTimedOut, None): "Start again: oidcclient login{profile}; --timeout SECONDS allows for more.",
    (oidcclient.LoginCancelled, None): "Start again when ready: oidcclient login{profile}",
    (oidcclient.OAuthError, None): "The server refused; the message has its own words for why.",
    (oidcclient.LoginDenied, None): "The sign-in was refused. Try again, or with another account.",
    (
        oidcclient.RemoteError,
        None,
    ): "The provider's answer breaks the rule named above: tell whoever runs the provider.",
    (oidcclient.LocalError, None): "Something on this machine is in the way; the message says what.",
    (oidcclient.OidcError, None): "Run again with -vv and report what you see.",
    (oidcclient.UsageError, None): "Correct the option or the profile that the message names.",
    (oidcclient.UsageError, "issuer"): (
        "Give the issuer as the provider's documentation spells it, starting with https://. "
        "For a test provider on this machine: --allow-http-loopback"
    ),
    (oidcclient.UsageError, "device"): "Sign in another way: --browser or --paste",
    (oidcclient.UsageError, "ports"): "Close the program that uses the port, or take another: --port NUMBER",
}
# A call, an argument or a class of the library: nothing that one could type at a prompt.
SPEAKS_PYTHON = re.compile(r"\w\(|\w+=(?![\w/])|\bhooks\b|\bargument\b")
OAUTH_ADVICE = {
    "invalid_client": "Check client_id and client_auth in the profile against what is registered at the provider.",
    "invalid_grant": f"It took too long or was used already. {LOGIN}",
    "invalid_scope": "Ask for other scopes, with --scope, or have these allowed for the client at the provider.",
    "insufficient_scope": "Sign in for more: oidcclient login{profile} --scope …",
    "invalid_target": "The provider does not know this resource: check --resource.",
    "invalid_token": f"The access token is no longer accepted. {LOGIN}",
    "unauthorized_client": "Have this way to sign in allowed for the client at the provider, or take another one.",
}


def advice(error: oidcclient.OidcError, profile: str | None = None) -> str:
    """
    Return what to do about an error.

    Args:
        error: The error.
        profile: The profile that was named, for the commands in the text.
    """
    text = _own_advice(error)
    if text is None:
        return plain(error.hint)  # it may hold what a file or a server says
    return text.replace("{profile}", f" {profile}" if profile else "")


def _own_advice(error: oidcclient.OidcError) -> str | None:
    if isinstance(error, oidcclient.OAuthError) and error.error in OAUTH_ADVICE:
        return OAUTH_ADVICE[error.error]
    for kind in type(error).__mro__:
        for rule in (error.rule, None):
            found = ADVICE.get((kind, rule))
            if found is not None and (rule is not None or not _is_special(error)):
                return found
    return None


def _is_special(error: oidcclient.OidcError) -> bool:
    """Whether the library has more to say than usual, in words that are good at the command line too."""
    return error.hint != error.default_hint and not SPEAKS_PYTHON.search(error.hint)


def details(error: oidcclient.OidcError) -> list[str]:
    """Return the fields of an error, in words."""
    found = []
    if error.expected is not None:
        found.append(f"Expected: {error.expected}")
    if error.received is not None:
        found.append(f"Received: {error.received}")
    if error.section is not None and not isinstance(error, (oidcclient.OAuthError, oidcclient.UsageError)):
        found.append(f"Rule: {error.section}")
    return found


def as_text(error: oidcclient.OidcError, profile: str | None = None) -> str:
    """Return the message for a person: what happened, what is known of it, what to do."""
    lines = [f"Error: {sentence(str(error))}", *(f"  {line}" for line in details(error)), f"  {advice(error, profile)}"]
    text = "\n".join(fitted(line, sys.stderr) for line in lines)
    return colour("Error:", RED) + text.removeprefix("Error:")


def sentence(text: str) -> str:
    """Return a text with a full stop, and with a capital unless it begins with an address or a file."""
    begin = text[:1].upper() if text.partition(" ")[0].strip(",:;").isalpha() else text[:1]
    return f"{begin}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")


def as_json(error: oidcclient.OidcError, profile: str | None = None) -> dict[str, Any]:
    """Return the message for a script."""
    return {
        "error": {
            "kind": type(error).__name__,
            "message": plain(error),
            "advice": advice(error, profile),
            "exit_code": code_of(error),
            "rule": error.rule,
            "section": error.section,
            "oauth_error": getattr(error, "error", None),
        }
    }
