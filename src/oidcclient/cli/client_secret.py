"""Client authentication for the command. A secret comes from a variable, a file or a prompt, never from an argument."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import oidcclient
from oidcclient import UsageError
from oidcclient.protocol import HttpRequest

from .settings import Settings

__all__ = ["client_auth"]

SECRET_VARIABLE = "OIDCCLIENT_CLIENT_SECRET"  # noqa: S105 - its name, not the secret
WITH_SECRET: dict[str, Callable[[str], oidcclient.ClientAuth]] = {
    "client_secret_basic": oidcclient.ClientSecretBasic,
    "client_secret_post": oidcclient.ClientSecretPost,
    "client_secret_jwt": lambda secret: oidcclient.ClientSecretJwt(secret=secret),
}
METHODS = ("none", *WITH_SECRET, "private_key_jwt")


class LateAuth:
    """Client authentication whose secret is fetched when a request needs it: a cached token asks nobody."""

    def __init__(self, make: Callable[[], oidcclient.ClientAuth]) -> None:
        self._make = make
        self._made: oidcclient.ClientAuth | None = None

    def authenticate(
        self, request: HttpRequest, *, client_id: str, issuer: str, token_endpoint: str, now: float
    ) -> HttpRequest:
        """Return the request with the client's authentication."""
        if self._made is None:
            self._made = self._make()
        return self._made.authenticate(
            request, client_id=client_id, issuer=issuer, token_endpoint=token_endpoint, now=now
        )


def client_auth(settings: Settings) -> oidcclient.ClientAuth:
    """
    Return how a profile's client authenticates.

    Raises:
        UsageError: There is no such way.
    """
    method = settings.text("client_auth") or "none"
    if method in WITH_SECRET:
        return LateAuth(lambda: WITH_SECRET[method](_secret(settings)))
    if method == "private_key_jwt":
        return LateAuth(lambda: _private_key_jwt(settings))
    raise UsageError(f"there is no client_auth {method}", rule="client_auth", hint=f"Choose from {', '.join(METHODS)}.")


def _secret(settings: Settings) -> str:
    named = os.environ.get(SECRET_VARIABLE)
    if named:
        return named
    path = settings.path("client_secret_file")
    if path is not None:
        return _read(path, "client_secret_file").strip()
    if sys.stdin.isatty() and sys.stderr.isatty():
        from getpass import getpass  # noqa: PLC0415 - only to ask

        return getpass(f"Client secret of {settings.client_id}: ", stream=sys.stderr)
    raise UsageError(
        "the client secret is not known, and there is nobody to ask",
        rule="client_secret",
        hint=f"Set {SECRET_VARIABLE}, or client_secret_file in the profile.",
    )


def _private_key_jwt(settings: Settings) -> oidcclient.ClientAuth:
    path = settings.path("private_key_file")
    if path is None:
        raise UsageError(
            "private_key_jwt needs a key", rule="private_key_file", hint="Set private_key_file in the profile."
        )
    text = _read(path, "private_key_file")
    key = _jwk(text) if text.lstrip().startswith("{") else text
    return oidcclient.PrivateKeyJwt(key=key, algorithm=settings.text("private_key_algorithm") or "ES256")


def _jwk(text: str) -> dict[str, object] | str:
    import json  # noqa: PLC0415 - only for a JWK

    try:
        found: dict[str, object] = json.loads(text)
    except ValueError:
        return text  # whoever signs with it says that it is no key
    return found


def _read(path: str, key: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the file of {key} cannot be read ({type(error).__name__})", rule=key, hint=f"Look at {path}."
        ) from None
