"""Folders that refuse, and a look into the files of a store."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import pytest

from oidcclient._shell.store.contract_parts import GROUP, example_record
from oidcclient._shell.store.file import FileStore
from oidcclient._words.errors import StoreError

NOBODY = 65534
RECORD = example_record()
KEY = RECORD.key

__all__ = ["GROUP", "KEY", "NOBODY", "RECORD", "as_nobody", "fill", "record_file", "rule_of", "small_disk", "stored"]


def stored(folder: Path) -> tuple[FileStore, Path]:
    """Return a store that holds one record, and the file of the record."""
    store = FileStore(folder)
    store.save(RECORD)
    return store, record_file(folder)


def record_file(folder: Path) -> Path:
    (path,) = folder.glob("*/*.session")
    return path


@contextmanager
def as_nobody() -> Generator[Path]:
    """Be an ordinary user for a while, with a folder of his own: nothing refuses root."""
    folder = Path(tempfile.mkdtemp(prefix="oidc-"))
    if os.geteuid() != 0:
        try:
            yield folder
        finally:
            rmtree(folder)
        return
    os.chown(folder, NOBODY, NOBODY)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        os.seteuid(0)
        os.setegid(0)
        rmtree(folder)


@contextmanager
def small_disk(folder: Path, *, size: str) -> Generator[Path]:
    """A real file system of this size."""
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], check=False, capture_output=True
    )
    if mount.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted: {mount.stderr.decode().strip()}; run as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(path: Path) -> None:
    """Write a file until no room is left."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError, match="No space left"):
            _write_for_ever(descriptor)
    finally:
        os.close(descriptor)


def _write_for_ever(descriptor: int) -> None:
    while True:
        os.write(descriptor, bytes(4096))


def rule_of(call: Callable[[], object]) -> str | None:
    with pytest.raises(StoreError) as caught:
        call()
    assert caught.value.hint != StoreError.default_hint
    return caught.value.rule
