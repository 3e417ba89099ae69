"""Options of `oidcclient login` that add-ons bring, and the names that say which add-on is missing."""

from __future__ import annotations

from typing import Any, NoReturn

import click

from oidcclient.addons import Option, installed_addons

from .clients import PACKAGES, missing_addon

__all__ = ["add_options"]


def add_options(command: click.Command) -> None:
    """
    Give a command the options of the installed add-ons.

    Raises:
        UsageError: An add-on cannot be loaded.
    """
    options = [option for addon in installed_addons() for option in addon.options]
    command.params += [_parameter(option) for option in options]
    command.params += [_stub(key) for key in PACKAGES if key not in {option.key for option in options}]


def _parameter(option: Option) -> click.Option:
    kind: Any = click.Choice(option.choices, case_sensitive=False) if option.choices else str
    if option.metavar is None:
        return click.Option([_flag(option.key), option.key], is_flag=True, default=None, help=option.help)
    return click.Option([_flag(option.key), option.key], type=kind, metavar=option.metavar, help=_help(option))


def _help(option: Option) -> str:
    return option.help + (f" One of {', '.join(option.choices)}." if option.choices else "")


def _stub(key: str) -> click.Option:
    def refuse(_ctx: click.Context, _parameter: click.Parameter, value: object) -> None:
        if value is not None:
            _raise(key)

    is_switch = key == "dpop"
    return click.Option(
        [_flag(key), key],
        is_flag=is_switch,
        default=None,
        hidden=True,
        expose_value=False,
        callback=refuse,
    )


def _raise(key: str) -> NoReturn:
    raise missing_addon(key)


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"
