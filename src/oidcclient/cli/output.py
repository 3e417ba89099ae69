"""What is written: stdout has the result and nothing else, stderr the talk."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import IO, Any

__all__ = [
    "can_ask",
    "colour",
    "duration",
    "fitted",
    "is_terminal",
    "json_text",
    "plain",
    "result",
    "say",
    "text_or_json",
    "typed",
]

BOLD, GREEN, RED, YELLOW = "1", "32", "31", "33"
UNITS = ((86_400, "day", "days"), (3600, "hour", "hours"), (60, "minute", "minutes"), (1, "second", "seconds"))


def is_terminal(stream: IO[str] | None) -> bool:
    """Tell whether a person sees a stream."""
    return stream is not None and not stream.closed and stream.isatty()


def can_ask() -> bool:
    """Tell whether a person can be asked something."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def colour(text: str, code: str, stream: IO[str] | None = None) -> str:
    """
    Return a text in a colour, where a person sees it and wants colours (https://no-color.org).

    Args:
        text: The text; it must say all by itself.
        code: The colour.
        stream: Where it goes; stderr by default.
    """
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[{code}m{text}\x1b[0m" if wanted and is_terminal(stream or sys.stderr) else text


def plain(text: object) -> str:
    """Return text from elsewhere on one line and without control characters, so that no terminal obeys it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in str(text))


def fitted(text: str, stream: IO[str]) -> str:
    """
    Return a line broken between words where a terminal would break it anywhere; what hangs over stands below its words.

    Args:
        text: The line.
        stream: Where it goes.
    """
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):  # no terminal, or nothing at all: a file has any width
        return text
    if not 0 < width < len(text):
        return text
    import textwrap  # noqa: PLC0415 - only for long lines

    indent = " " * (len(text) - len(text.lstrip(" ")))
    broken = textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(broken)


def result(text: str) -> None:
    """
    Write the result.

    Raises:
        OSError: It cannot be written: stdout is closed, or its disk is full.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    _write(sys.stdout, text)


def say(*lines: str) -> None:
    """Talk to the person."""
    if sys.stderr is not None:  # a windowed program on Windows has none
        _write(sys.stderr, "\n".join(lines))


def _write(stream: IO[str], text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()


def typed(question: str) -> str:
    """Ask on stderr, where `input` would write to stdout, and return what is typed; nothing at Ctrl-D."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def json_text(value: Any) -> str:
    """Return JSON for a script, or for a person to read."""
    return json.dumps(value, indent=2 if is_terminal(sys.stdout) else None)


def text_or_json(value: Any, text: str, *, as_json: bool) -> None:
    """Write a result as JSON or as text."""
    result(json_text(value) if as_json else text)


def duration(seconds: float) -> str:
    """Return a length of time in words, in the largest unit of which there is at least one: `42 minutes`."""
    size, one, many = next((unit for unit in UNITS if round(seconds) >= unit[0]), UNITS[-1])
    count = round(seconds / size)
    return f"{count} {one if count == 1 else many}"
