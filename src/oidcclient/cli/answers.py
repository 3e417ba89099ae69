"""Writing an API's answer: to a file whole or not at all, to a pipe as it comes, to a terminal made harmless."""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import httpx

from oidcclient import StoreError, UsageError

from .exits import DENIED, FAILURE, NETWORK, OK
from .output import is_terminal, plain, say
from .progress import Meter

__all__ = ["Answer", "check_status", "header_lines", "write_body"]

ERROR = 400
CHARSET = re.compile(r"utf-?(8|16|32)|(us-)?ascii|(iso-8859|windows|koi8|euc|gb|big5|shift)[\w-]*", re.IGNORECASE)
CODES = {401: DENIED, 403: DENIED, 429: NETWORK, 502: NETWORK, 503: NETWORK, 504: NETWORK}


class Answer:
    """A request that is sent when it is entered, and whose answer is closed when it is left."""

    def __init__(self, client: httpx.Client, request: httpx.Request) -> None:
        self._client = client
        self._request = request
        self._response: httpx.Response | None = None

    def __enter__(self) -> httpx.Response:
        self._response = self._client.send(self._request, stream=True)
        return self._response

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response is not None:
            self._response.close()


def check_status(status: int) -> int:
    """Return the exit code for a status, and say what it is where it is an error."""
    if status < ERROR:
        return OK
    say(f"The server answered {status}.")
    return CODES.get(status, FAILURE)


def header_lines(response: httpx.Response) -> list[str]:
    """Return the status line and the headers."""
    first = f"{response.http_version} {response.status_code} {response.reason_phrase}"
    return [first, *(f"{name}: {value}" for name, value in response.headers.multi_items()), ""]


def write_body(response: httpx.Response, path: str | None, meter: Meter, head: list[str]) -> None:
    """
    Write an answer.

    Args:
        response: The answer; its body is read here.
        path: The file; None or `-` for stdout.
        meter: Shows how far it is.
        head: Lines that come first.
    """
    if path is None or path == "-":
        _to_stdout(response, head)
    else:
        _to_file(response, Path(path), meter, head)


def _to_stdout(response: httpx.Response, head: list[str]) -> None:
    for line in head:
        sys.stdout.write(f"{plain(line)}\n")
    sys.stdout.flush()
    if is_terminal(sys.stdout):
        _to_terminal(response)
        return
    for chunk in response.iter_bytes():
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _to_terminal(response: httpx.Response) -> None:
    """Write text; control characters, which a terminal would obey, are escaped."""
    if not CHARSET.fullmatch(response.charset_encoding or ""):  # Python has codecs of other kinds, some of which raise
        response.encoding = "utf-8"
    ended = True
    for text in response.iter_text():
        if "\0" in text:
            raise UsageError(
                "this is no text, and a terminal would not show it", rule="output", hint="Write it to a file: -o FILE."
            )
        sys.stdout.write("".join(char if char in "\n\t" or char.isprintable() else plain(char) for char in text))
        ended = text.endswith("\n")
    sys.stdout.write("" if ended else "\n")
    sys.stdout.flush()


def _to_file(response: httpx.Response, path: Path, meter: Meter, head: list[str]) -> None:
    try:
        if path.exists() and not path.is_file():  # a device or a pipe
            with path.open("wb") as out:
                out.writelines(_pieces(response, meter, head))
            return
        _replace(path, _pieces(response, meter, head))
    except OSError as error:
        raise StoreError(
            f"the file {path} cannot be written: {error.strerror}", rule="output", hint="Choose another file."
        ) from None


def _pieces(response: httpx.Response, meter: Meter, head: list[str]) -> Iterator[bytes]:
    yield from (f"{line}\n".encode() for line in head)
    for chunk in response.iter_bytes():
        meter.tell(len(chunk))
        yield chunk


def _replace(path: Path, pieces: Iterator[bytes]) -> None:
    """Write a file beside and put it in place at the end: what was there stays until all is here."""
    path = path.resolve()  # through a symbolic link
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else _usual_mode()  # a private file stays private
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.writelines(pieces)
        Path(draft).chmod(mode)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _usual_mode() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
