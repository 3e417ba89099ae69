"""`oidcclient demo`."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import httpx

import oidcclient
from oidcclient import UsageError, events
from oidcclient.addons import installed_addons
from oidcclient.cli import options, output
from oidcclient.cli.run import Run
from oidcclient.cli.trace import step
from oidcclient.hooks import Hook

__all__ = ["command"]

DEVKIT, PACKAGE = "oidcclient_devkit", "oidcclient-devkit"
SCOPES = ("openid", "profile", "email", "offline_access")
PERSON = "ann"
QUIET = (events.BrowserOpened, events.SignInAddress, events.WayChosen)


@click.command(
    "demo",
    short_help="Show it all on a provider of its own.",
    help="Start a provider and an API on this machine, sign in, call the API, refresh, and sign out. Nothing is kept. "
    "Where no browser would reach you, or with --scripted, a scripted one signs in.",
)
@click.option("--scripted", is_flag=True, help="Let a scripted browser sign in.")
@options.common
def command(run: Run, *, scripted: bool) -> None:
    """Show it all."""
    devkit = load_devkit()
    with devkit.Provider() as provider, tempfile.TemporaryDirectory() as folder:
        tell(f"A provider runs at {provider.issuer}, and an API at {provider.api}.")
        shape = show(provider, Path(folder), scripted=scripted)
    run.result(shape, "That was all. Nothing is left of it.")


def load_devkit() -> Any:
    """
    Return the devkit.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module(DEVKIT)
    except ModuleNotFoundError:
        raise UsageError(
            "the demo needs a provider, and none is installed", rule="devkit", hint=f"Install it: pip install {PACKAGE}"
        ) from None


def tell(*lines: str) -> None:
    """Say what happens."""
    output.say(*(output.plain(line) for line in lines))


def on_event(event: events.Event) -> None:
    """Tell each step."""
    if not isinstance(event, QUIET):
        tell(f"  - {step(event)}")


def show(provider: Any, folder: Path, *, scripted: bool) -> dict[str, Any]:
    """Go through it all, and return what was seen."""
    hooks = bound_hooks(folder)
    client = make_client(provider, folder, hooks)
    with client:
        session = client.login(open_browser=browser_for(provider, scripted=scripted), resource=provider.api)
        claims = {name: session.user.claims.get(name) for name in ("sub", "name", "email")}
        tell("", "Signed in. The verified claims:", *(f"  {name}: {value}" for name, value in claims.items()), "")
        answer = ask(session, provider.api)
        refused = try_stolen(session, provider.api) if hooks else None
    tell("", "The access token ends, and the program starts again:")
    provider.expire_tokens()
    with make_client(provider, folder, hooks) as again:
        session = again.session()
        session.refresh()
        ask(session, provider.api)
        tell("", "Signing out:")
        session.logout()
    return {"claims": claims, "api": answer, "status_without_key": refused}


def bound_hooks(folder: Path) -> list[Hook]:
    """Return the hook that binds tokens to a key, where its add-on is installed."""
    values = {"dpop": True, "key_store": f"file:{folder.as_posix()}/keys"}
    made = [
        addon.make_hook(values)
        for addon in installed_addons()
        if set(values) <= {option.key for option in addon.options}
    ]
    return [hook for hook in made if hook is not None]


def make_client(provider: Any, folder: Path, hooks: list[Hook]) -> oidcclient.Client:
    """Return a client, as a program would make it each time it starts."""
    return oidcclient.Client(
        provider.issuer,
        provider.client_id,
        scopes=SCOPES,
        policy=oidcclient.Policy(allow_http_loopback=True),
        store=oidcclient.FileStore(folder / "sessions"),
        hooks=hooks,
        on_event=on_event,
    )


def browser_for(provider: Any, *, scripted: bool) -> Callable[[str], object] | None:
    """Return a scripted browser where no real one can reach a person; None means the real one."""
    if not scripted and oidcclient.can_open_browser():
        accounts = ", ".join(f"{user.username} with the password {user.password}" for user in provider.users.values())
        tell(f"Sign in as one of these: {accounts}.")
        return None
    tell(f"A scripted browser signs in as {PERSON}.")
    browser: Callable[[str], object] = provider.browser(user=PERSON)
    return browser


def ask(session: oidcclient.Session, api: str) -> dict[str, Any]:
    """Ask the API whom it takes us for."""
    with httpx.Client(auth=session.auth(resource=api)) as http:
        answer = http.get(f"{api}/me")
        answer.raise_for_status()
    seen: dict[str, Any] = answer.json()
    tell(f"The API takes you for {seen.get('sub')}.")
    return seen


def try_stolen(session: oidcclient.Session, api: str) -> int:
    """Call the API with the token alone, as somebody would who copied it."""
    token = session.access_token(api)
    answer = httpx.get(f"{api}/me", headers={"Authorization": f"{token.type} {token.value}"}, trust_env=False)
    tell(f"The same token without its key: {answer.status_code}, refused.")
    return answer.status_code
