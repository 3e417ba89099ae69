"""The body of a request: a text, a file or stdin. Files of any size go out as they are read, and can be sent again."""

from __future__ import annotations

import json
import mimetypes
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import httpx

from oidcclient import UsageError

__all__ = ["Body", "body_of"]

CHUNK = 1 << 16  # bytes
KEPT = 1 << 20  # bytes of stdin that are kept, so that they can be sent again if the API asks for another proof
FORM, JSON, BYTES = "application/x-www-form-urlencoded", "application/json", "application/octet-stream"
Tell = Callable[[int], object]


class Body:
    """
    A body and what is known of it.

    Args:
        stream: What is sent.
        size: How long it is, in bytes; None if that is not known.
        content_type: What it seems to be.
    """

    def __init__(self, stream: httpx.SyncByteStream, size: int | None, content_type: str) -> None:
        self.stream = stream
        self.size = size
        self.content_type = content_type


class Repeatable(httpx.SyncByteStream):
    """A body that can be sent again: each time from its beginning."""

    def __init__(self, open_: Callable[[], IO[bytes]], tell: Tell) -> None:
        self._open = open_
        self._tell = tell

    def __iter__(self) -> Iterator[bytes]:
        with self._open() as file:
            yield from _chunks(file, self._tell)


class Once:
    """What comes from a pipe, and can be sent once."""

    def __init__(self, first: bytes, file: IO[bytes], tell: Tell) -> None:
        self._first = first
        self._file = file
        self._tell = tell

    def __iter__(self) -> Iterator[bytes]:
        self._tell(len(self._first))
        yield self._first
        yield from _chunks(self._file, self._tell)


def _chunks(file: IO[bytes], tell: Tell) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        tell(len(chunk))
        yield chunk


def body_of(text: str, tell: Tell) -> Body:
    """
    Return the body that `-d` names.

    Args:
        text: The text itself, `@FILE`, or `-` for stdin.
        tell: Called with the number of bytes of each piece that is sent.

    Raises:
        UsageError: The file cannot be read.
    """
    if text in {"-", "@-"}:
        return _stdin(sys.stdin.buffer, tell)
    if text.startswith("@"):
        return _file(Path(text[1:]), tell)
    return _bytes(text.encode("utf-8", "surrogateescape"), JSON if _is_json(text) else FORM, tell)


def _bytes(data: bytes, content_type: str, tell: Tell) -> Body:
    from io import BytesIO  # noqa: PLC0415 - small bodies alone

    return Body(Repeatable(lambda: BytesIO(data), tell), len(data), content_type)


def _file(path: Path, tell: Tell) -> Body:
    try:
        with path.open("rb"):
            size = path.stat().st_size
    except OSError as error:
        raise UsageError(
            f"the file {path} cannot be read: {error.strerror}",
            rule="data",
            hint="Name a file that is there: -d @FILE.",
        ) from None
    kind, encoding = mimetypes.guess_type(path.name)
    return Body(Repeatable(lambda: path.open("rb"), tell), size, kind if kind and not encoding else BYTES)


def _stdin(file: IO[bytes], tell: Tell) -> Body:
    first = file.read(KEPT)
    if len(first) < KEPT:
        return _bytes(first, BYTES, tell)
    return Body(httpx.Request("POST", "http://-", content=iter(Once(first, file, tell))).stream, None, BYTES)  # type: ignore[arg-type] # a sync one


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
