"""Which programs of this machine may open a page, in which order. Pure."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .environment import Surroundings

__all__ = ["GRAPHICAL", "SHELL_EXECUTE", "TEXT_BROWSERS", "Launcher", "child_environment", "launchers"]

# Text browsers would take over the terminal that waits, and show no page of today (azure-cli issue 21515: lynx picked).
# www-browser is Debian's name for whichever of them is installed, if no link says more.
TEXT_BROWSERS = frozenset(
    {
        "browsh", "carbonyl", "cha", "chawan", "edbrowse", "elinks", "links", "links2", "lynx", "netrik", "offpunk",
        "retawq", "w3m", "www-browser", "xlinks",
    }
)  # fmt: skip
# The names that xdg-open 1.1.3 and Python's webbrowser know, and today's.
GRAPHICAL = (
    "x-www-browser", "firefox", "firefox-esr", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
    "microsoft-edge", "brave-browser", "vivaldi", "opera", "epiphany", "konqueror", "falkon",
)  # fmt: skip
SHELL_EXECUTE = "ShellExecute"  # the name under which os.startfile stands in reports

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "busybox"})
_WINDOWS_SHELLS = frozenset({"cmd", "powershell", "pwsh", "wscript", "cscript", "mshta"})
_BATCH = (".bat", ".cmd")  # CreateProcess gives these to cmd.exe, which reads the address again (CVE-2024-24576)


@dataclass(frozen=True, slots=True)
class Launcher:
    """
    One program to try.

    Args:
        program: Its name or path.
        arguments: What it is given; the address is one of them.
        refusal: Why it is not to be used after all; empty if it is.
    """

    program: str
    arguments: tuple[str, ...] = ()
    refusal: str = ""


def base_name(program: str) -> str:
    """Return the bare, lower-case name of a program, without folders and `.exe`."""
    return program.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")


def launchers(address: str, surroundings: Surroundings) -> Iterator[Launcher]:
    """
    Name the programs to try for a checked address: the person's choice in BROWSER, then the system's.

    WSL: `rundll32.exe url.dll,FileProtocolHandler` takes the rest of its command line as it is. wslview comes after it,
    because it puts the address into a double-quoted PowerShell command (`src/wslview.sh` of wslutilities/wslu 4.1.3),
    where `$(...)` would run: there "$" is percent-encoded. explorer.exe fails on query strings and ends with 1 always
    (microsoft/WSL issues 3832 and 6565); `cmd /c start` and powershell.exe read the address as a command.
    """
    if surroundings.is_wsl:
        address = address.replace("$", "%24")  # for wslview, which may also stand behind BROWSER and x-www-browser
    yield from _chosen(address, surroundings)
    if surroundings.platform == "win32":
        yield Launcher(SHELL_EXECUTE, (address,))
    elif surroundings.platform == "darwin":
        yield Launcher("/usr/bin/open", (address,))
    else:
        if surroundings.is_wsl:
            yield Launcher("rundll32.exe", ("url.dll,FileProtocolHandler", address))
            yield Launcher("wslview", (address,))
        yield Launcher("xdg-open", (address,))
        yield Launcher("gio", ("open", "--", address))
        for name in GRAPHICAL:
            yield Launcher(name, (address,))


def _chosen(address: str, surroundings: Surroundings) -> Iterator[Launcher]:
    """
    Read BROWSER: commands separated by ":" (";" on Windows), split into words, `%s` stands for the address.

    Without `%s` the address comes last, as with xdg-open(1) and Python's webbrowser.
    """
    windows = surroundings.platform == "win32"
    for entry in surroundings.environ.get("BROWSER", "").split(";" if windows else ":"):
        try:
            words = shlex.split(entry, posix=not windows)  # a backslash is part of a path on Windows
        except ValueError:  # an open quotation
            yield Launcher(entry.split()[0], refusal="its quotation is not closed")
            continue
        if windows:
            words = [word.strip("\"'") for word in words]
        if words and words[-1] == "&":  # "in the background" to Python's webbrowser; all of ours are
            words.pop()
        if words:
            yield _command(words, address)


def _command(words: list[str], address: str) -> Launcher:
    program, *rest = words
    name = base_name(program)
    if name in _WINDOWS_SHELLS or name.endswith(_BATCH):
        return Launcher(program, refusal="it would read the address as a command")
    if name in _SHELLS and any("%s" in word and word != "%s" for word in rest):
        return Launcher(program, refusal="a shell would read the address as a command")
    if name in _SHELLS and _is_script(rest):
        return Launcher(program, refusal="a shell would read the address as a command")
    if not any("%s" in word for word in rest):
        rest.append("%s")
    return Launcher(program, tuple(word.replace("%s", address) for word in rest))


def _is_script(rest: list[str]) -> bool:
    """Tell whether `%s` itself stands where a shell expects its script: right after an option like -c."""
    return any(option.startswith("-") and word == "%s" for option, word in itertools.pairwise(rest))


def child_environment(program: str, surroundings: Surroundings) -> Mapping[str, str]:
    """
    Return the environment to start a browser in.

    - A frozen program's library path would make the browser load the program's libraries: PyInstaller keeps the
      person's own in LD_LIBRARY_PATH_ORIG (its manual, "Launching External Programs from the Frozen Application").
    - Settings of ours may be secrets (a client secret, an access token), and are no business of a browser's.
    - xdg-open tries BROWSER and then text browsers by itself; BROWSER was tried before, so it is told graphical ones.
    """
    environ = {name: value for name, value in surroundings.environ.items() if not name.startswith("OIDCCLIENT_")}
    for name in ("LD_LIBRARY_PATH", "LIBPATH"):  # LIBPATH is AIX's
        original = environ.pop(f"{name}_ORIG", None)
        if original is not None:
            environ[name] = original
        elif surroundings.frozen:
            environ.pop(name, None)
    if base_name(program) == "xdg-open":
        environ["BROWSER"] = ":".join(GRAPHICAL)
    return environ
