"""Reading what a person pastes at the terminal, without echo and without getting stuck."""

from __future__ import annotations

import sys

from .keyboard import Keyboard

__all__ = ["Keyboard", "open_keyboard"]


def open_keyboard() -> Keyboard | None:
    """Return the terminal that a person types at, or None where stdin is none. Nothing is changed or read yet."""
    try:
        if not sys.stdin.isatty():
            return None
        number = sys.stdin.fileno()
    except (AttributeError, ValueError, OSError):  # None under pythonw.exe, closed by a daemon, replaced by a test
        return None
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - there is none elsewhere

        from .windows import WindowsKeyboard  # noqa: PLC0415 - there is none elsewhere

        return WindowsKeyboard(msvcrt)
    from .posix import PosixKeyboard  # noqa: PLC0415 - there is none on Windows

    return PosixKeyboard(number)
