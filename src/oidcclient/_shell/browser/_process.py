"""Starting programs of this machine without a shell, and without waiting for them."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

__all__ = ["PATIENCE_S", "find_program", "in_windows_session_0", "shell_execute", "start"]

PATIENCE_S = 2.0  # a launcher that cannot work says so well within this; a browser in the foreground never ends
_SESSION_TIMEOUT_S = 5.0  # a cold powershell.exe takes about one second
_SYSTEM32 = "/mnt/c/Windows/System32"  # where WSL shows Windows unless /etc/wsl.conf says otherwise; PATH has it too
_FILE_NOT_FOUND = 2  # ERROR_FILE_NOT_FOUND and ENOENT alike


def find_program(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the path of a program on the given PATH; a Windows program is also sought where WSL mounts it."""
    found = shutil.which(name, path=environ.get("PATH"))
    if found is None and name.endswith(".exe") and "/" not in name:
        found = shutil.which(f"{_SYSTEM32}/{name}") or shutil.which(f"{_SYSTEM32}/WindowsPowerShell/v1.0/{name}")
    return found


def start(argv: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """
    Start a program in a session of its own and leave it running.

    Its streams go nowhere: Chromium prints on stdout, and a launcher must not read the terminal we wait at. A session
    of its own keeps our Ctrl-C from the browser. A thread waits for its end, so that no zombie stays.

    Returns:
        Its exit status if it ended within `PATIENCE_S`, else None.

    Raises:
        OSError: It could not be started.
    """
    process = subprocess.Popen(  # noqa: S603 - argv is a list and no shell reads it; the address passed check_openable
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    return process.returncode if _ended(process.wait) else None


def _ended(call: Callable[[], object]) -> bool:
    reaper = threading.Thread(target=call, name="oidcclient-browser", daemon=True)
    reaper.start()
    reaper.join(PATIENCE_S)
    return not reaper.is_alive()


def shell_execute(startfile: Callable[[str], object], address: str) -> int | None:
    """
    Ask Windows to open the address, through `os.startfile`.

    Returns:
        As `start`: zero, or an error number, or None if Windows has not answered yet.
    """
    answer: list[int] = []

    def ask() -> None:
        try:
            startfile(address)
        except OSError as error:
            answer.append(error.errno or _FILE_NOT_FOUND)
        else:
            answer.append(0)

    return answer[0] if _ended(ask) else None


def in_windows_session_0(environ: Mapping[str, str]) -> bool | None:
    """
    Ask the Windows around this WSL for the session it runs our programs in.

    The question is the one of Git Credential Manager (`WslUtils.GetWindowsSessionId`); it is constant, so nothing can
    be slipped into it.
    """
    powershell = find_program("powershell.exe", environ)
    if powershell is None:
        return None
    question = ["-NoProfile", "-NonInteractive", "-Command", "(Get-Process -Id $PID).SessionId"]
    try:
        answer = subprocess.run(  # noqa: S603 - a constant command
            [powershell, *question],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SESSION_TIMEOUT_S,
            check=True,
            env=dict(environ),
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return int(answer) == 0 if answer.isdigit() else None
