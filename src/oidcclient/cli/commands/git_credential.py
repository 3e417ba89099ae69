"""
`oidcclient git-credential`, which git runs.

The protocol is that of git-credential(1), "Input/output format", and of gitcredentials(7), "Custom helpers":
attributes, one a line, on stdin and stdout; operations that a helper does not know are silently ignored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from oidcclient import UsageError
from oidcclient.cli import options, output
from oidcclient.cli.plain_token import TOKEN_VARIABLE
from oidcclient.cli.run import Run
from oidcclient.cli.settings import Settings

__all__ = ["command"]

WHERE = ("protocol", "host")
LONGEST = 1 << 16  # bytes; git writes a few hundred
DEFAULT_USERNAME = "oauth2"
HTTPS, HTTPS_PORT = "https", ":443"


@click.command(
    "git-credential",
    short_help="Give git a token; git runs it.",
    help="Answer git's questions for passwords with an access token: for https, and only for the hosts that the "
    "profile lists in git_hosts. OPERATION is get, store or erase; git adds it. The last two do nothing.",
)
@click.argument("words", nargs=-1, required=True, metavar="[PROFILE] OPERATION")
@click.option("--resource", metavar="URL", help="The API that the token is for, if one was asked for at the sign-in.")
@options.identity
@options.common
def command(run: Run, words: tuple[str, ...], *, resource: str | None, **flags: Any) -> None:
    """Answer git."""
    if len(words) > 2:  # noqa: PLR2004 - a profile and an operation
        raise click.UsageError("Give an operation, and before it a profile if you like.")
    if words[-1] != "get":
        return
    asked = attributes(sys.stdin.buffer.read(LONGEST))
    settings = run.settings(words[0] if len(words) > 1 else None, **flags)
    if is_ours(asked, settings):
        answer = answer_to(run, settings, resource)
        run.result(answer, "\n".join(f"{name}={value}" for name, value in answer.items()))
    else:
        explain_silence(run, asked)


def attributes(data: bytes) -> dict[str, str]:
    """
    Return the attributes that git writes, up to a blank line; none where one could be read in two ways.

    A line ends at a line feed alone: an address with a carriage return in it could name a second host otherwise
    (CVE-2024-52006 in git, CVE-2024-50338 in Git Credential Manager).
    """
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        if not line:
            break
        name, _, value = line.partition("=")
        if "\r" in line or (name in WHERE and name in found):
            return {}
        found[name] = value
    return found


def is_ours(asked: Mapping[str, str], settings: Settings) -> bool:
    """Tell whether the token may go where git wants to go, and under the name that it wants."""
    host = bare(asked.get("host", ""))
    hosts = {bare(named) for named in settings.texts("git_hosts")}
    name = username(settings)
    return asked.get("protocol") == HTTPS and bool(host) and host in hosts and asked.get("username", name) == name


def bare(host: str) -> str:
    """Return a host without the port that https has anyway."""
    return host.lower().removesuffix(HTTPS_PORT)


def username(settings: Settings) -> str:
    """Return the user name that goes with the token."""
    return settings.text("git_username") or DEFAULT_USERNAME


def explain_silence(run: Run, asked: Mapping[str, str]) -> None:
    """Say why git gets no answer, to whoever asked for a trace."""
    if run.trace is not None:
        where = f"{asked.get('protocol', '?')}://{asked.get('host', '?')}"
        output.say(f"- No answer for {output.plain(where)}: see git_hosts and git_username in the profile")


def answer_to(run: Run, settings: Settings, resource: str | None) -> dict[str, str | int]:
    """
    Return the attributes of the answer.

    Raises:
        LoginRequired: Nobody is signed in.
        UsageError: The token cannot be used by git.
    """
    given = os.environ.get(TOKEN_VARIABLE)
    if given:
        return {"username": username(settings), "password": one_line(given)}
    token = run.client(settings).session().access_token(resource)
    if token.type.lower() != "bearer":
        raise UsageError(
            f"git cannot use a {token.type} token: it is bound to a key, and git sends no proof of it",
            rule="token_type",
            hint="Keep a profile without DPoP for git.",
        )
    answer: dict[str, str | int] = {"username": username(settings), "password": one_line(token.value)}
    if token.expires_at is not None:
        answer["password_expiry_utc"] = int(token.expires_at)
    return answer


def one_line(value: str) -> str:
    """
    Return a value that git's protocol can carry.

    Raises:
        UsageError: It has more than one line.
    """
    if any(char in value for char in "\n\r\0"):
        raise UsageError("this is no token: it has several lines", rule="token", hint=f"Correct {TOKEN_VARIABLE}.")
    return value
