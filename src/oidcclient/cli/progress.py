"""A line that shows how far a transfer is: on a terminal, and only if it takes a while."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .output import is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Meter"]

WORTHWHILE = 1 << 20  # bytes; less is there at once


class Meter:
    """
    Show how far a transfer is.

    Args:
        what: What is shown before the bar.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen = 0
        self._total: int | None = None
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def expect(self, total: int | None) -> None:
        """Say how much is to come, in bytes."""
        self._total = total

    def tell(self, count: int) -> None:
        """Say that so many bytes more have passed."""
        self._seen += count
        if self._progress is None and max(self._seen, self._total or 0) >= WORTHWHILE and is_terminal(sys.stderr):
            self._start()
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=self._seen)

    def _start(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - drawn on a terminal alone
        from rich.progress import (  # noqa: PLC0415 - drawn on a terminal alone
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(None), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(self._what, total=self._total)
        self._progress.start()
