"""
What one call of the command goes by: options, then variables of the environment, then the file.

A profile that is named stands for its issuer and client: variables do not change them, and an option that contradicts
them is an error. So no client secret and no client_id of one profile gets to another issuer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from oidcclient import UsageError

from .config import KEYS, Config, check_name, read_config

__all__ = ["Settings", "resolve"]

DEFAULT_SCOPES = ["openid", "profile", "email", "offline_access"]
DEFAULT_TIMEOUT = 300  # seconds
PROFILE_VARIABLE = "OIDCCLIENT_PROFILE"
IDENTITY = {"issuer": "OIDCCLIENT_ISSUER", "client_id": "OIDCCLIENT_CLIENT_ID"}
NO_PROFILE = "default"  # the name in the store of a session without a profile


class Settings:
    """
    What one call goes by.

    Args:
        name: The profile's name; None where there is none.
        values: The values, whatever they come from.
        config: The file.
    """

    def __init__(self, name: str | None, values: Mapping[str, Any], config: Config) -> None:
        self.name = name
        self.values = values
        self.config = config

    @property
    def profile(self) -> str:
        """The name under which the store keeps the session."""
        return self.name or NO_PROFILE

    @property
    def issuer(self) -> str:
        """The issuer."""
        return self._needed("issuer")

    @property
    def client_id(self) -> str:
        """The client."""
        return self._needed("client_id")

    @property
    def scopes(self) -> list[str]:
        """The scopes to ask for."""
        return list(self.values.get("scopes", DEFAULT_SCOPES))

    @property
    def addon_values(self) -> dict[str, Any]:
        """The values of keys that are not ours."""
        return {key: value for key, value in self.values.items() if key not in KEYS}

    def text(self, key: str) -> str | None:
        """Return the text of a key, or None."""
        value = self.values.get(key)
        return None if value is None else str(value)

    def texts(self, key: str) -> list[str]:
        """Return the list of a key, empty where there is none."""
        return [str(value) for value in self.values.get(key, ())]

    def number(self, key: str) -> int | None:
        """Return the number of a key, or None."""
        value = self.values.get(key)
        return None if value is None else int(value)

    def switch(self, key: str) -> bool:
        """Return whether a switch is on."""
        return bool(self.values.get(key, False))

    def path(self, key: str) -> str | None:
        """Return the path of a key, seen from the configuration file's folder, or None."""
        value = self.text(key)
        return None if value is None else self.place(value)

    def place(self, path: str) -> str:
        """Return a path as seen from the configuration file's folder."""
        folder = os.path.dirname(self.config.path)  # noqa: PTH120 - pathlib would cost a cached token too much
        return os.path.join(folder, os.path.expanduser(path))  # noqa: PTH111, PTH118 - pathlib would cost a cached token too much

    def renamed(self, name: str) -> Settings:
        """Return the same settings under another name."""
        return Settings(name, self.values, self.config)

    def _needed(self, key: str) -> str:
        value = self.text(key)
        if value:
            return value
        raise UsageError(
            f"no {key} is known" + (f" for the profile {self.name}" if self.name else ""),
            rule="profile",
            hint=f"Name a profile, or give --{key.replace('_', '-')}.",
        )


def resolve(profile: str | None, flags: Mapping[str, Any], *, config: Config | None = None) -> Settings:
    """
    Gather the settings.

    Args:
        profile: The profile that was named as an argument.
        flags: What the options say; None stands for what was not given.
        config: The file; read if not given.

    Raises:
        UsageError: There is no such profile, or it contradicts an option.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    config = config or read_config()
    name = (os.environ.get(PROFILE_VARIABLE) or None) if profile is None else profile
    if profile is None:  # a profile that is named by an argument goes before the variables
        variables = {key: os.environ[variable] for key, variable in IDENTITY.items() if os.environ.get(variable)}
        given = {**variables, **given}
    if name is None and "issuer" not in given:
        name = config.choose()
    held = None if name is None else config.profile(check_name(name))
    if profile is None and held and flags.get("issuer") not in {None, held.get("issuer")}:
        name, held = None, None  # the option goes before the variable that names a profile
    if name is not None and held is None:
        raise no_such_profile(name, config)
    _check_identity(name, held or {}, given)
    return Settings(name, {**(held or {}), **given}, config)


def _check_identity(name: str | None, held: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for key in IDENTITY:
        if key in held and key in given and held[key] != given[key]:
            raise UsageError(
                f"the profile {name} has another {key}",
                rule=key,
                expected=held[key],
                received=given[key],
                hint=f"Leave {key} out, or save another profile: oidcclient login --save-as NAME.",
            )


def no_such_profile(name: str, config: Config) -> UsageError:
    """Return the error for a name that no profile has."""
    known = ", ".join(config.profiles)
    return UsageError(
        f"there is no profile {name}",
        rule="profile",
        received=name,
        hint=f"There are: {known}."
        if known
        else f"Make it: oidcclient login --issuer … --client-id … --save-as {name}",
    )
