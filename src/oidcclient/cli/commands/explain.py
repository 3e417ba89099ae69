"""`oidcclient explain`."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import Any

import click

import oidcclient
from oidcclient import events
from oidcclient.cli import options, output
from oidcclient.cli.clients import given_metadata, open_client
from oidcclient.cli.countdown import Countdown
from oidcclient.cli.lessons import LESSONS, ORDER, Lesson
from oidcclient.cli.overhearing import Message, Overhearing
from oidcclient.cli.run import Run
from oidcclient.cli.settings import DEFAULT_TIMEOUT, Settings
from oidcclient.cli.ways import FLOWS, way_of

__all__ = ["command"]

NARROWEST, WIDEST = 38, 100  # columns
FAILED = Lesson("Then it failed")


@click.command(
    "explain",
    short_help="Walk through a sign-in, step by step.",
    help="Sign in and tell each step: what is sent, what is checked, and which section says so. Secrets are left out. "
    "Nothing is stored: at the end the session is refreshed once and signed out.",
)
@options.profile
@click.option("--steps", is_flag=True, help="Sign nobody in; list the steps of a sign-in with the browser.")
@click.option("--flow", type=click.Choice(FLOWS), help="The way to sign in.")
@options.identity
@options.common
def command(run: Run, profile: str | None, *, steps: bool, **flags: Any) -> None:
    """Explain a sign-in."""
    teller = Teller(run)
    if steps:
        for kind in ORDER:
            teller.tell(LESSONS[kind], [], [])
    else:
        settings = run.settings(profile, **flags)
        walk(settings, teller)
    if run.as_json:
        run.result({"steps": teller.told}, "")


class Teller:
    """
    Tell the steps, as they come.

    Args:
        run: How: JSON comes at the end.
    """

    def __init__(self, run: Run) -> None:
        self._as_json = run.as_json
        self.told: list[dict[str, Any]] = []

    def tell(self, lesson: Lesson, facts: list[str], messages: list[Message]) -> None:
        """Tell one step."""
        facts = [output.plain(fact) for fact in facts]
        self.told.append({
            "title": lesson.title,
            "explanation": list(lesson.says),
            "facts": facts,
            "messages": [message.shape() for message in messages],
            "checks": [{"check": check, "section": section} for check, section in lesson.checks],
        })  # fmt: skip
        if not self._as_json:
            output.result("\n".join(text_of(len(self.told), lesson, facts, messages)))


def walk(settings: Settings, teller: Teller) -> None:
    """Sign in, refresh and sign out, and tell each step."""
    wire = Overhearing(settings.path("ca_bundle"))
    if settings.text("metadata_file"):
        wire.learn(given_metadata(settings))
    timeout = settings.number("timeout") or DEFAULT_TIMEOUT
    ended: list[events.Event] = []

    with Countdown(timeout) as countdown:

        def on_event(event: events.Event) -> None:
            countdown.event(event)
            if isinstance(event, events.SignedOut):
                ended.append(event)  # the provider is told after it
            elif type(event) in LESSONS:
                lesson = LESSONS[type(event)]
                teller.tell(lesson, lesson.facts(event), wire.take(lesson.endpoints))

        store = oidcclient.MemoryStore()
        client = open_client(settings, on_event=on_event, transport=wire, store=store)
        try:
            session = client.login(via=way_of(settings), timeout=timeout, login_hint=settings.text("login_hint"))
            refresh_and_leave(session, store)
        except oidcclient.OidcError:
            left = wire.take()
            if left:
                teller.tell(FAILED, [], left)
            raise
    for event in ended:
        lesson = LESSONS[type(event)]
        teller.tell(lesson, [], wire.take(lesson.endpoints))


def refresh_and_leave(session: oidcclient.Session, store: oidcclient.Store) -> None:
    """Refresh, if that can be done, and sign out whatever comes of it."""
    try:
        record = store.load(session.key)
        if record is not None and record.refresh_token is not None:
            session.refresh()
    finally:
        session.logout()


def text_of(number: int, lesson: Lesson, facts: list[str], messages: list[Message]) -> list[str]:
    """Return one step, in lines that fit the terminal."""
    width = max(NARROWEST, min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST))
    title = "\n".join(wrapped(lesson.title, width, f"{number}. "))
    lines = [output.colour(title, output.BOLD, sys.stdout)]
    for text in (*lesson.says, *facts):
        lines += wrapped(text, width, "   ")
    for message in messages:
        lines += message_lines(message, width)
    if lesson.checks:
        lines.append("   Checked:")
    for check, section in lesson.checks:
        lines += wrapped(f"{check} ({section})", width, "   - ")
    return [*lines, ""]


def message_lines(message: Message, width: int) -> list[str]:
    """Return one message, in lines."""
    lines = wrapped(message.request, width, "   > ")
    for member in message.sent:
        lines += wrapped(member, width, "   >   ")
    lines += wrapped(str(message.status), width, "   < ")
    for member in message.received:
        lines += wrapped(member, width, "   <   ")
    return lines


def wrapped(text: str, width: int, first: str) -> list[str]:
    """Return a text in lines; the first begins as said, the others below it."""
    rest = first if set(first) & {">", "<"} else " " * len(first)
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
