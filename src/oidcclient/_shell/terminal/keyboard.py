"""What reads a person's lines, and what a line means once Enter was pressed. Pure but for the port."""

from __future__ import annotations

import re
from collections import deque
from typing import Protocol

__all__ = ["Keyboard", "Typed"]

LONGEST_LINE = 32_768  # characters; an address that brings a code has some hundred, codes of some providers 4,000
_END = "\x04"  # Ctrl-D
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_]?)")  # arrow keys, the marks around a paste (ECMA-48)
_ERASED = re.compile(r"[^\x08\x7f][\x08\x7f]")  # a character and the backspace after it


class Keyboard(Protocol):
    """Bring a person's lines to whoever looks now and then."""

    def poll(self) -> str | None:
        """
        Return the next whole line if there is one; never wait for it.

        Raises:
            EOFError: There will be no more.
        """
        ...

    def pressed(self) -> str:
        """Return what was typed of a line that is not finished, as of the last look."""
        ...

    def close(self) -> None:
        """Give the terminal back as it was. Quick, never raises, and may be called twice."""
        ...


class Typed:
    """Characters on their way to become lines. What was typed is shown nowhere: it may hold a code."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._current = ""

    def add(self, text: str) -> None:
        """Take what came. What is longer than any address loses its end, and is refused for its length later."""
        first, *others = text.replace("\r", "\n").split("\n")
        self._current = (self._current + first)[: LONGEST_LINE + 1]
        for part in others:
            self._lines.append(self._current)
            self._current = part[: LONGEST_LINE + 1]

    def line(self) -> str | None:
        """
        Return the first line that is finished, edited as the person did.

        Raises:
            EOFError: Ctrl-D stands at its beginning.
        """
        if (self._lines[0] if self._lines else self._current).startswith(_END):
            raise EOFError
        return _edited(self._lines.popleft()) if self._lines else None

    @property
    def pressed(self) -> str:
        """What was typed of a line that is not finished."""
        return "" if self._lines else self._current

    @property
    def unfinished(self) -> bool:
        """Whether something was typed that nobody has taken."""
        return bool(self._lines or self._current)


def _edited(line: str) -> str:
    """Do what backspace and Ctrl-U ask for, and drop every other control character."""
    line = _SEQUENCE.sub("", line).rpartition("\x15")[2]
    while (shorter := _ERASED.sub("", line)) != line:
        line = shorter
    return "".join(char for char in line if char.isprintable())
