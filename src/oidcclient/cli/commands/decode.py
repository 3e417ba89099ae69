"""`oidcclient decode`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from oidcclient import UsageError
from oidcclient.cli import options, output
from oidcclient.cli.documents import Documents
from oidcclient.cli.exits import FAILURE, OK
from oidcclient.cli.jwts import Taken, claim_words, end_of, kind_words, take_apart, time_words
from oidcclient.cli.run import Run

__all__ = ["command"]

LONGEST = 1 << 20  # characters; no token is a tenth of it
UNCHECKED = "NOT VERIFIED: anybody could have written this."


@click.command(
    "decode",
    short_help="Show what is in a token.",
    help="Show what is in a token. It is verified only with --issuer or --profile, and says so. The token is never "
    "printed again.",
)
@click.argument("token", required=False, metavar="[@FILE|-]")
@click.option("--issuer", metavar="URL", help="Verify it with the keys of this issuer.")
@click.option("--client-id", metavar="ID", help="Verify that it is an ID Token for this client.")
@click.option("--audience", metavar="NAME", help="Verify that it is for this API.")
@click.option("--profile", metavar="NAME", help="Verify it with the issuer and the client of a profile.")
@click.option("--allow-http-loopback", is_flag=True, default=None, help="Accept an http issuer on loopback: for tests.")
@options.common
def command(
    run: Run, token: str | None, *, profile: str | None, audience: str | None, issuer: str | None, **flags: Any
) -> int:
    """Decode a token."""
    if issuer is None and profile is None and (audience or flags["client_id"]):
        raise click.UsageError("To verify it, name who issued it too: --issuer URL.")
    text = read_token(token)
    taken = take_apart(text)
    checked: list[str] | None = None
    if issuer is not None or profile is not None:
        from oidcclient.cli.verifying import verify  # noqa: PLC0415 - most tokens are only looked at

        settings = run.settings(profile, issuer=issuer, **flags)
        documents = Documents(settings, run.transport(settings))
        checked = verify(text, taken, documents, settings, audience)
    run.result(shape_of(taken, checked), as_text(taken, checked))
    return FAILURE if taken.kind == "opaque" else OK


def read_token(named: str | None) -> str:
    """
    Return the token that an argument names: in a file, or on stdin.

    Raises:
        UsageError: It cannot be read, or is none.
    """
    if named is None and output.is_terminal(sys.stdin):
        raise click.UsageError("Name a file, @FILE, or - for stdin.")
    if named is not None and not named.startswith("@") and named != "-":
        raise click.UsageError("A token is no argument, where other programs could see it: @FILE, or - for stdin.")
    try:
        text = _read(named)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"the token cannot be read: {reason}", rule="token", hint="Name a file: @FILE.") from None
    token = text.strip().removeprefix("Bearer ").removeprefix("DPoP ").strip()
    if not token or len(token) > LONGEST or any(char.isspace() for char in token):
        raise UsageError("this is no token", rule="token", hint="A token is one word: copy all of it, and it alone.")
    return token


def _read(named: str | None) -> str:
    if named in {None, "-", "@-"}:
        return sys.stdin.read(LONGEST + 2)
    with Path((named or "").removeprefix("@")).open(encoding="utf-8") as file:
        return file.read(LONGEST + 2)


def shape_of(taken: Taken, checked: list[str] | None) -> dict[str, Any]:
    """Return a token for a script."""
    return {
        "kind": taken.kind,
        "verified": checked is not None,
        "checked": checked or [],
        "header": taken.header,
        "claims": taken.claims,
        "expires_at": end_of(taken),
    }


def as_text(taken: Taken, checked: list[str] | None) -> str:
    """Return a token for a person."""
    if checked is None:
        advice = " To verify it: --issuer URL" if taken.kind == "jwt" else ""
        lines = [output.colour(UNCHECKED, output.YELLOW, sys.stdout) + advice]
    else:
        lines = [output.colour("Verified:", output.GREEN, sys.stdout)]
        lines += [f"  {output.plain(line)}" for line in checked]
    lines.append(f"This is {kind_words(taken)}.")
    if taken.claims is not None:
        lines.append(expiry_words(end_of(taken)))
    lines += section("Header", taken.header) + section("Claims", taken.claims)
    return "\n".join(output.fitted(line, sys.stdout) for line in lines)


def expiry_words(end: float | None) -> str:
    """Return when it ends, in words."""
    if end is None:
        return "It does not say when it expires."
    words = time_words(end)
    return f"It expired {words}." if " ago" in words else f"It expires {words}."


def section(title: str, members: Mapping[str, Any] | None) -> list[str]:
    """Return members, one a line."""
    if members is None:
        return []
    lines = [f"  {output.plain(name)}: {claim_words(name, value)}" for name, value in members.items()]
    return [output.colour(title, output.BOLD, sys.stdout), *lines]
