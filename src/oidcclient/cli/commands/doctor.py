"""`oidcclient doctor`."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import click

from oidcclient import UsageError
from oidcclient.addons import Check, TriesKeyStores, installed_addons
from oidcclient.cli import checkup, options, output, provider_checkup
from oidcclient.cli.clients import PACKAGES
from oidcclient.cli.documents import Documents
from oidcclient.cli.exits import FAILURE, OK
from oidcclient.cli.run import Run
from oidcclient.cli.settings import Settings, resolve

__all__ = ["command"]

NARROWEST, WIDEST = 38, 100  # columns
COLOURS = {"ok": output.GREEN, "warning": output.YELLOW, "failed": output.RED}


@click.command(
    "doctor",
    short_help="Look for what could go wrong, and tell what to do.",
    help="Look at the configuration, the store, the browser, the ports, the provider and the key stores, and tell what "
    "to do about each. The exit code is 1 if something failed. With --key-store one key store is tried out: a key is "
    "made, signs, is found again by a new process, is tried to be taken out, and is removed.",
)
@options.profile
@click.option("--key-store", metavar="URI", help="Try this key store out, for example tpm2: or secure-enclave:.")
@options.identity
@options.common
def command(run: Run, profile: str | None, *, key_store: str | None, **flags: Any) -> int:
    """Look at everything."""
    found = try_out(key_store) if key_store is not None else look(run, profile, flags)
    seen = []
    for check in found:
        seen.append(check)
        if not run.as_json:
            output.result("\n".join(lines_of(check)))
    healthy = not any(check.state == "failed" for check in seen)
    if run.as_json:
        run.result({"healthy": healthy, "checks": [asdict(check) for check in seen]}, "")
    return OK if healthy else FAILURE


def look(run: Run, profile: str | None, flags: dict[str, Any]) -> Iterator[Check]:
    """Look at everything, the machine first."""
    yield from checkup.program()
    settings = chosen(profile, flags)
    yield from checkup.configuration(settings)
    yield from checkup.store(settings)
    yield from checkup.browser(every_reason=run.trace is not None or run.as_json)
    yield from checkup.ports(settings)
    metadata = None
    if settings is None:
        advice = "Name a profile, or give --issuer URL, to have a provider looked at."
        yield Check(subject="Provider", state="absent", detail="none is named", advice=advice)
    else:
        for row in provider_checkup.provider(settings, Documents(settings, run.transport(settings))):
            if isinstance(row, Check):
                yield row
            else:
                metadata = row
    yield from provider_checkup.addons(settings, metadata)


def chosen(profile: str | None, flags: dict[str, Any]) -> Settings | None:
    """Return the settings, or None where no provider is named by anything."""
    settings = resolve(profile, flags)
    return settings if settings.text("issuer") else None


def try_out(uri: str) -> Iterable[Check]:
    """
    Try a key store out.

    Raises:
        UsageError: There is no such key store, or no add-on that has any.
    """
    for addon in installed_addons():
        if isinstance(addon, TriesKeyStores):
            return addon.try_key_store(uri)
    raise UsageError(
        "no add-on that has key stores is installed", rule="add-on", hint=f"Install it: pip install {PACKAGES['dpop']}"
    )


def lines_of(check: Check) -> list[str]:
    """Return one row: its state in a word, so that nothing is said by colour alone."""
    width = max(NARROWEST, min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST))
    head = f"{check.state:8} {output.plain(check.subject)}: {output.plain(check.detail)}"
    lines = wrapped(head, width, "")
    state = COLOURS.get(check.state)
    if state is not None:
        lines[0] = output.colour(check.state, state, sys.stdout) + lines[0][len(check.state) :]
    return lines + (wrapped(output.plain(check.advice), width, " " * 9 + "→ ") if check.advice else [])


def wrapped(text: str, width: int, first: str) -> list[str]:
    """Return a text in lines; those after the first stand under its words."""
    rest = " " * (len(first) or 9)
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
