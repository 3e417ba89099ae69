"""`oidcclient token` without options: what scripts call again and again."""

from __future__ import annotations

import os
import sys

from .clients import open_client
from .settings import resolve

__all__ = ["TOKEN_VARIABLE", "print_token"]

TOKEN_VARIABLE = "OIDCCLIENT_ACCESS_TOKEN"  # noqa: S105 - its name, not the token


def print_token(profile: str | None = None) -> int:
    """
    Print the access token of a profile, and nothing else, on stdout.

    Raises:
        OidcError: There is none.
    """
    value = os.environ.get(TOKEN_VARIABLE)
    kind = "Bearer"
    if not value:
        token = open_client(resolve(profile, {})).session().access_token()
        value, kind = token.value, token.type
    if sys.stdout is None:
        from .output import result  # noqa: PLC0415 - it says that there is no stdout

        result(value)
    sys.stdout.write(f"{value}\n")
    sys.stdout.flush()
    if kind.lower() != "bearer":
        warn_of_bound_token(kind)
    return 0


def warn_of_bound_token(kind: str) -> None:
    """Say that the token alone is of no use."""
    from .output import say  # noqa: PLC0415 - most tokens are not bound

    say(
        f"This is a {kind} token: it is bound to a key and is refused without a proof of it. "
        "Use `oidcclient request`, or `oidcclient token --header URL -X METHOD` for the headers of one request."
    )
