"""
The configuration file: where it is and what stands in it.

    default_profile = "work"

    [profiles.work]
    issuer = "https://login.example.com"
    client_id = "cli"

This module is on the way of every `oidcclient token`: it loads no more than it must.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from oidcclient import StoreError, UsageError

__all__ = ["CONFIG_VARIABLE", "KEYS", "Config", "check_name", "config_path", "is_name", "read_config"]

CONFIG_VARIABLE = "OIDCCLIENT_CONFIG"
DEFAULT_PROFILE = "default_profile"
PROFILES = "profiles"
LONGEST_NAME = 64

TEXT, NUMBER, SWITCH, TEXTS, NUMBERS = "a string", "a number", "true or false", "a list of strings", "a list of numbers"

# Every key of a profile: its kind, and what it is for. Add-ons bring keys of their own.
KEYS: dict[str, tuple[str, str]] = {
    "issuer": (TEXT, "The issuer, to the letter as the provider spells it."),
    "client_id": (TEXT, "The client's identifier at that issuer."),
    "scopes": (
        TEXTS,
        "The scopes to ask for; `openid`, `profile`, `email` and `offline_access` if the key is not there.",
    ),
    "resources": (TEXTS, "Resource indicators of the APIs that tokens are for (RFC 8707)."),
    "origins": (TEXTS, "Where `request` and `token --header` may send the token: base addresses of APIs."),
    "store": (TEXT, "Where sessions are kept: `keyring` (the default), `file`, `keyring:FOLDER` or `file:FOLDER`."),
    "key_cache": (TEXT, "`kernel`: the store's key stays in the Linux kernel for 15 minutes after a read."),
    "flow": (TEXT, "How to sign in: `auto` (the default), `browser`, `device` or `paste`."),
    "host": (TEXT, "The host of the redirect URI: `127.0.0.1`, `::1` or `localhost`."),
    "ports": (NUMBERS, "The ports to listen on, in order; 0 is any free one."),
    "redirect_path": (TEXT, "The path of the redirect URI; `/callback` if the key is not there."),
    "redirect_uri": (TEXT, "The redirect URI of a paste login, where it is not on loopback."),
    "form_post": (SWITCH, "Ask for the answer in a form rather than in the address."),
    "qr": (SWITCH, "Draw a QR code at a device login."),
    "timeout": (NUMBER, "How long a sign-in may take, in seconds; 300 if the key is not there."),
    "login_hint": (TEXT, "Who is expected to sign in."),
    "prompt": (TEXT, "`none`, `login`, `consent` or `select_account` (OIDC Core 3.1.2.1)."),
    "acr_values": (TEXTS, "The authentication contexts wished for, best first."),
    "max_age": (NUMBER, "The longest time since the person last signed in, in seconds."),
    "client_auth": (
        TEXT,
        "How the client authenticates: `none`, `client_secret_basic`, `client_secret_post` and so on (OIDC Core 9).",
    ),
    "client_secret_file": (TEXT, "The file that holds the client secret."),
    "private_key_file": (TEXT, "The file that holds the client's private key, PEM or JWK."),
    "private_key_algorithm": (TEXT, "The algorithm of that key; `ES256` if the key is not there."),
    "metadata_file": (TEXT, "A JSON file with the provider's metadata, for a provider without discovery."),
    "ca_bundle": (TEXT, "A PEM file with the certificate authorities to trust, in place of the system's."),
    "git_hosts": (TEXTS, "Hosts that `git-credential` gives the token to, with the port where it is not 443."),
    "git_username": (TEXT, "The user name that git sends along with the token; `oauth2` if the key is not there."),
    "allow_http_loopback": (SWITCH, "Accept an issuer over plain http on loopback: for tests and demos alone."),
}


class Config:
    """
    What the file says.

    Args:
        path: Where it is, or would be.
        content: The parsed file.
    """

    def __init__(self, path: str, content: Mapping[str, Any]) -> None:
        self.path = path
        self.default_profile = content.get(DEFAULT_PROFILE)
        self.profiles: Mapping[str, Any] = content.get(PROFILES, {})
        self._check()

    def _check(self) -> None:
        if self.default_profile is not None and not isinstance(self.default_profile, str):
            raise wrong(self.path, f"{DEFAULT_PROFILE} must be a string")
        if not isinstance(self.profiles, dict) or not all(isinstance(held, dict) for held in self.profiles.values()):
            raise wrong(self.path, "profiles are tables: [profiles.NAME]")

    def profile(self, name: str) -> dict[str, Any] | None:
        """
        Return the values of a profile, or None if there is none of this name.

        Raises:
            UsageError: A value is not of its kind.
        """
        held = self.profiles.get(name)
        if held is None:
            return None
        for key, value in held.items():
            if key in KEYS and not is_kind(value, KEYS[key][0]):
                raise wrong(self.path, f"{key} of the profile {name} must be {KEYS[key][0]}")
        return dict(held)

    def choose(self) -> str | None:
        """Return the name of the profile that is used where none is named."""
        if isinstance(self.default_profile, str):
            return self.default_profile
        if len(self.profiles) == 1:
            return next(iter(self.profiles))
        return "default" if "default" in self.profiles else None


def is_kind(value: object, kind: str) -> bool:
    """Tell whether a value is of a kind."""
    if kind == SWITCH:
        return isinstance(value, bool)
    if kind in {TEXTS, NUMBERS}:
        return isinstance(value, list) and all(is_kind(item, TEXT if kind == TEXTS else NUMBER) for item in value)
    return isinstance(value, str if kind == TEXT else int) and not isinstance(value, bool)


def wrong(path: str, why: str) -> UsageError:
    """Return the error for a configuration that cannot be used."""
    return UsageError(f"{path}: {why}", rule="configuration", hint="Correct the file.")


def is_name(name: str) -> bool:
    """Tell whether a profile may be named so."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return name[:1] not in {"-", "."} and plain.isascii() and plain.isalnum() and len(name) <= LONGEST_NAME


def check_name(name: str) -> str:
    """
    Return a profile's name if it may be one.

    Raises:
        UsageError: It may not.
    """
    if not is_name(name):
        raise UsageError(
            "a profile's name is made of letters, digits, dots, hyphens and underscores",
            rule="profile",
            received=name,
            hint="Choose a name such as work.",
        )
    return name


def config_path() -> str:
    """Return where the configuration file is, or would be."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return os.path.abspath(named)  # noqa: PTH100 - pathlib would cost a cached token too much
    from platformdirs import user_config_dir  # noqa: PLC0415 - only where it is needed

    return os.path.join(user_config_dir("oidcclient", appauthor=False), "config.toml")  # noqa: PTH118 - pathlib would cost a cached token too much


def read_config(path: str | None = None) -> Config:
    """
    Read the configuration file; one that is not there says nothing.

    Raises:
        UsageError: It is no TOML, or a value is not of its kind.
        StoreError: It cannot be read.
    """
    path = path or config_path()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib would cost a cached token too much
            data = file.read()
    except FileNotFoundError:
        return Config(path, {})
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read: {error.strerror}", rule="configuration", hint="See who may read the file."
        ) from None
    import tomllib  # noqa: PLC0415 - not needed where there is no file

    try:
        return Config(path, tomllib.loads(data.decode("utf-8-sig")))  # editors on Windows write a byte order mark
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one; tomllib lets others through
        raise wrong(path, f"this is no TOML: {error}") from None
