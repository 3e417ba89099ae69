"""A console of Windows, read key by key."""

from __future__ import annotations

from typing import Protocol

from .keyboard import Typed

__all__ = ["Console", "WindowsKeyboard"]

_PREFIXES = ("\x00", "\xe0")  # a function key or an arrow; a second character says which (getwch in msvcrt)
_INTERRUPT = "\x03"


class Console(Protocol):
    """What is used of the module `msvcrt`."""

    def kbhit(self) -> bool:
        """Tell whether a key was pressed."""
        ...

    def getwch(self) -> str:
        """Return it without echo."""
        ...


class WindowsKeyboard:
    """
    Read lines; implements `Keyboard`. The console's settings stay as they are.

    Args:
        console: The module `msvcrt`.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._typed = Typed()
        self._closed = False

    def poll(self) -> str | None:
        """
        Return the next whole line if there is one.

        Raises:
            KeyboardInterrupt: Ctrl-C came as a key.
        """
        while not self._closed and self._console.kbhit():
            key = self._console.getwch()
            if key == _INTERRUPT:
                raise KeyboardInterrupt
            if key in _PREFIXES:
                self._console.getwch()
            else:
                self._typed.add(key)
        return self._typed.line()

    def pressed(self) -> str:
        """Return what was typed of a line that is not finished."""
        return self._typed.pressed

    def close(self) -> None:
        """Read no more."""
        self._closed = True
