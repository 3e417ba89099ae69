"""`oidcclient login`."""

from __future__ import annotations

import os
from typing import Any

import click

import oidcclient
from oidcclient.cli import options, output, people
from oidcclient.cli.addon_options import add_options
from oidcclient.cli.config import check_name, read_config
from oidcclient.cli.countdown import Countdown
from oidcclient.cli.run import Run
from oidcclient.cli.settings import DEFAULT_TIMEOUT, Settings
from oidcclient.cli.ways import way_of

__all__ = ["command"]


def words_of(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[str] | None:
    """Take an option that may be repeated and may hold several words; None where it was not given."""
    return [word for value in values for word in value.split()] or None


def numbers_of(_ctx: click.Context, _parameter: click.Parameter, values: tuple[int, ...]) -> list[int] | None:
    """Take an option of numbers that may be repeated; None where it was not given."""
    return list(values) or None


@click.command(
    "login",
    short_help="Sign in.",
    help="Sign in with the browser, and keep the session. With --save-as the options become a profile.",
)
@options.profile
@click.option("--save-as", metavar="NAME", help="Save the options as a profile of this name.")
@click.option(
    "--scope", "scopes", multiple=True, metavar="SCOPE", callback=words_of, help="A scope to ask for; may be repeated."
)
@click.option(
    "--resource",
    "resources",
    multiple=True,
    metavar="URL",
    callback=words_of,
    help="An API to get a token for (RFC 8707); may be repeated.",
)
@click.option("--browser", "flow", flag_value="browser", help="Use the browser of this machine.")
@click.option("--device", "flow", flag_value="device", help="Show a code to enter on another device.")
@click.option(
    "--paste", "flow", flag_value="paste", help="Show an address; the one the browser ends at is pasted here."
)
@click.option("--no-browser", is_flag=True, help="Open no browser: a code if the provider has them, or pasting.")
@click.option("--qr", is_flag=True, default=None, help="With a code: draw a QR code too.")
@click.option("--login-hint", metavar="NAME", help="Who is expected to sign in.")
@click.option("--prompt", metavar="PROMPT", help="none, login, consent or select_account.")
@click.option(
    "--acr-values",
    multiple=True,
    metavar="ACR",
    callback=words_of,
    help="A kind of sign-in wished for, the best first; may be repeated.",
)
@click.option("--max-age", type=click.IntRange(0), metavar="SECONDS", help="The longest time since the last sign-in.")
@click.option(
    "--port",
    "ports",
    multiple=True,
    type=click.IntRange(0, 65535),
    metavar="NUMBER",
    callback=numbers_of,
    help="A port to listen on; may be repeated.",
)
@click.option("--timeout", type=click.IntRange(1), metavar="SECONDS", help="How long it may take; 300 by default.")
@click.option("--client-auth", metavar="METHOD", help="How the client authenticates; never give the secret itself.")
@options.identity
@options.common
def command(run: Run, profile: str | None, *, save_as: str | None, no_browser: bool, **flags: Any) -> None:
    """Sign a person in."""
    settings = chosen(run, profile, save_as, flags)
    store = run.store(settings)
    set_flow(flags["flow"], no_browser=no_browser)
    session = sign_in(run, settings, store, way_of(settings))
    if save_as is not None:
        save(settings)
    record = store.load(session.key)
    if record is None:
        raise oidcclient.LoginRequired("the session was signed out by another program")
    run.done(shape_of(settings, record), as_text(settings, record))


add_options(command)


def chosen(run: Run, profile: str | None, save_as: str | None, flags: dict[str, Any]) -> Settings:
    """Return the settings: those of the profile that is named or saved again, with the options on top."""
    if save_as is None:
        return run.settings(profile, **flags)
    check_name(save_as)
    base = profile or (save_as if save_as in read_config().profiles else None)
    return run.settings(base, **flags).renamed(save_as)


def set_flow(flow: str | None, *, no_browser: bool) -> None:
    """Let what the command line says of the way go before the variables, by which the library chooses."""
    if flow is not None:
        os.environ["OIDCCLIENT_FLOW"] = flow
        os.environ.pop("OIDCCLIENT_NO_BROWSER", None)
    if no_browser:
        os.environ["OIDCCLIENT_NO_BROWSER"] = "1"


def sign_in(run: Run, settings: Settings, store: oidcclient.Store, way: oidcclient.Auto) -> oidcclient.Session:
    """Sign the person in."""
    timeout = settings.number("timeout") or DEFAULT_TIMEOUT
    with Countdown(timeout) as countdown:
        return run.client(settings, store=store, listener=countdown.event).login(
            via=way,
            timeout=timeout,
            login_hint=settings.text("login_hint"),
            prompt=settings.text("prompt"),
            max_age=settings.number("max_age"),
            acr_values=settings.texts("acr_values") or None,
            resource=settings.texts("resources") or None,
        )


def save(settings: Settings) -> None:
    """Write the profile; the first one becomes the default."""
    from oidcclient.cli.saving import save_default, save_profile  # noqa: PLC0415 - tomlkit, only to write

    held = settings.config.profile(settings.profile) or {}
    values = {key: value for key, value in settings.values.items() if key not in held or held[key] != value}
    save_profile(settings.config.path, settings.profile, values)
    if settings.config.choose() is None:
        save_default(settings.config.path, settings.profile)


def shape_of(settings: Settings, record: oidcclient.SessionRecord) -> dict[str, Any]:
    """Return the session for a script."""
    token = people.newest(record)
    return {
        "profile": settings.name,
        "issuer": record.issuer,
        "client_id": record.client_id,
        "sub": record.account,
        "name": people.name_of(record.claims),
        "expires_at": None if token is None else token.expires_at,
        "refreshable": record.refresh_token is not None,
        "scope": list(token.scope) if token else [],
        "store": settings.text("store") or "keyring",
    }


def as_text(settings: Settings, record: oidcclient.SessionRecord) -> str:
    """Return the session in words."""
    words = [
        f"Signed in as {people.name_of(record.claims)}",
        f"  Access token: {people.access_words(record)}",
        f"  Stored: {people.store_words(settings.text('store'))}",
    ]
    if settings.name is not None and settings.config.profile(settings.name) is None:
        words.append(f"  Saved as the profile {settings.name}")
    return output.colour(words[0], output.GREEN) + "\n" + "\n".join(words[1:])
