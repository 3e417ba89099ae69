"""QR codes for the terminal: two modules to a character, with Unicode's half blocks."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TextIO

from oidcclient._words.errors import UsageError

__all__ = ["check_available", "draw"]

QUIET = 2  # modules around the code; ISO/IEC 18004 wants 4, readers do with 2, and a small window has no more room
_BLOCKS = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}  # dark above, below
_BLACK_ON_WHITE, _RESET = "\x1b[38;5;16;48;5;231m", "\x1b[0m"  # of the 256 colours, which no theme changes


def check_available() -> None:
    """
    Make sure that a code could be drawn, before one is needed.

    Raises:
        UsageError: The extra is not installed.
    """
    if find_spec("segno") is None:
        raise UsageError(
            "a QR code needs an extra that is not installed",
            rule="qr",
            hint="Install it with pip install 'oidcclient[qr]', or leave qr out.",
        )


def draw(address: str) -> None:
    """Draw the code of an address on stderr, or say in a line why it cannot be seen there."""
    stream = sys.stderr
    if stream is None:
        return
    rows = _rows(address)
    lines = _lines(rows) if _has_colours(stream) else _plain_lines(rows)
    print(*(_refusal(stream, len(rows[0])) or lines), sep="\n", file=stream, flush=True)


def _rows(address: str) -> list[list[bool]]:
    """Return the modules, dark ones True, with their quiet zone."""
    import segno  # noqa: PLC0415 - an extra

    code = segno.make_qr(address, error="l")
    return [[bool(module) for module in row] for row in code.matrix_iter(border=QUIET)]


def _pairs(rows: list[list[bool]]) -> list[str]:
    """Put two rows into one line of characters; below an odd last row there is nothing dark."""
    filled = [*rows, [False] * len(rows[0])] if len(rows) % 2 else rows
    return [
        "".join(_BLOCKS[pair] for pair in zip(above, below, strict=True))
        for above, below in zip(filled[::2], filled[1::2], strict=True)
    ]


def _lines(rows: list[list[bool]]) -> list[str]:
    return [f"{_BLACK_ON_WHITE}{line}{_RESET}" for line in _pairs(rows)]


def _plain_lines(rows: list[list[bool]]) -> list[str]:
    """Without colours draw what is light: most terminals are dark, and many readers see through the rest."""
    return _pairs([[not module for module in row] for row in rows])


def _has_colours(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    return sys.platform != "win32" or bool(os.environ.get("WT_SESSION"))  # older consoles would print the codes


def _refusal(stream: TextIO, columns: int) -> list[str]:
    try:
        "█▀▄".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ["This terminal cannot show a QR code: its characters are missing."]
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # no terminal: a file has any width
        return []
    return [f"The window is too narrow for the QR code, which needs {columns} columns."] if 0 < width < columns else []
