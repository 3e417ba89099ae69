"""`oidcclient keys`."""

from __future__ import annotations

import sys
from typing import Any

import click

import oidcclient
from oidcclient import LoginCancelled, UsageError
from oidcclient.cli import messages, options, output
from oidcclient.cli.config import read_config
from oidcclient.cli.exits import OK
from oidcclient.cli.held_keys import Bound, bound_keys, holders
from oidcclient.cli.run import Run
from oidcclient.cli.settings import Settings

__all__ = ["command"]

SHORTEST = 8  # characters of a thumbprint that name a key


@click.command(
    "keys",
    short_help="List the keys that sessions are bound to.",
    help="List the keys that sessions are bound to: where each is kept, and how well. --delete removes one; its "
    "session cannot be used afterwards. `oidcclient logout` removes the key too.",
)
@options.profile
@click.option("--delete", metavar="THUMBPRINT", help="Remove this key; its first eight characters are enough.")
@click.option("--yes", is_flag=True, help="With --delete: do not ask.")
@options.identity
@options.common
def command(run: Run, profile: str | None, *, delete: str | None, yes: bool, **flags: Any) -> int:
    """List or remove keys."""
    known = holders()
    named = profile is not None or flags["issuer"] is not None
    every = [run.settings(profile, **flags)] if named else [run.settings(name) for name in read_config().profiles]
    found, problems = gather(every, known)
    if delete is not None:
        remove(run, chosen(found, delete), yes=yes)
        return OK
    run.result({"keys": [bound.shape() for bound in found], "problems": problems}, as_text(found, problems))
    return next((problem["exit_code"] for problem in problems), OK)


def gather(every: list[Settings], known: Any) -> tuple[list[Bound], list[dict[str, Any]]]:
    """Return the keys of all profiles, and what kept others from being read."""
    found: list[Bound] = []
    problems = []
    for settings in every:
        try:
            found += bound_keys(settings, known)
        except oidcclient.OidcError as error:
            problems.append({"profile": settings.name, **messages.as_json(error, settings.name)["error"]})
    return found, problems


def chosen(found: list[Bound], thumbprint: str) -> Bound:
    """
    Return the key that is meant.

    Raises:
        UsageError: There is none, or there are several.
    """
    fitting = [bound for bound in found if bound.key.thumbprint.startswith(thumbprint)]
    if len(fitting) == 1 and len(thumbprint) >= SHORTEST:
        return fitting[0]
    raise UsageError(
        "there is no such key" if not fitting else "that may be several keys",
        rule="thumbprint",
        received=thumbprint,
        hint="Take the thumbprint from the list: oidcclient keys",
    )


def remove(run: Run, bound: Bound, *, yes: bool) -> None:
    """
    Remove a key, after a question.

    Raises:
        UsageError: There is nobody to ask.
        LoginCancelled: The answer is not yes.
    """
    if not yes:
        ask(bound)
    bound.delete()
    run.done({"deleted": bound.shape()}, f"Removed: the key of {bound.who} in {bound.key.title}")


def ask(bound: Bound) -> None:
    """Ask whether a key may go."""
    if not output.can_ask():
        raise UsageError("there is no terminal to ask whether the key may go", rule="yes", hint="Say so: --yes")
    output.say(f"Without this key {bound.who} has to sign in again: {bound.settings.profile}, {bound.key.title}.")
    sys.stderr.write("Type yes to remove it: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != "yes":
        raise LoginCancelled("nothing was removed", hint="Type yes, or give --yes.")


def as_text(found: list[Bound], problems: list[dict[str, Any]]) -> str:
    """Return it all in words, one fact a line."""
    lines = [line for bound in found for line in key_lines(bound)]
    for problem in problems:
        lines += [f"{problem['profile']}: {problem['message']}", f"  {problem['advice']}"]
    return "\n".join(output.fitted(line, sys.stdout) for line in lines) or "No session is bound to a key."


def key_lines(bound: Bound) -> list[str]:
    """Return one key's lines."""
    key = bound.key
    lines = [
        output.colour(f"{bound.settings.profile}: {bound.who}", output.BOLD, sys.stdout),
        f"  Kept in: {output.plain(key.title)} ({output.plain(key.store)})",
        f"  Protection: {key.protection}",
        f"  Algorithm: {key.algorithm}",
        f"  Thumbprint: {key.thumbprint}",
    ]
    return [*lines, f"  Problem: {output.plain(key.problem)}"] if key.problem else lines
