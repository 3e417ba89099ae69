"""Whether a browser on this machine can show the person a page, and why we think so."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from oidcclient._words.errors import UsageError, printable

__all__ = ["CONTAINER_MARKERS", "Detection", "Surroundings", "Verdict", "detect", "read_surroundings", "stderr_is_tty"]

CONTAINER_MARKERS = ("/.dockerenv", "/run/.containerenv")  # written by Docker and by Podman
_NO = frozenset({"", "0", "false", "no"})
_FLOWS = ("auto", "browser", "device", "paste")
_WITH_BROWSER = ("auto", "browser")


class Verdict(enum.Enum):
    """What to do about a browser."""

    BROWSER = "open the browser"
    NO_BROWSER = "use a way to sign in that needs no browser on this machine"
    FAIL = "nobody is there to sign in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """
    All that detection and launching look at, read once.

    Args:
        platform: As `sys.platform` says it.
        environ: The environment variables. Not shown: they may hold secrets.
        stderr_is_tty: Whether a person reads what is written to stderr.
        kernel_release: As `uname -r` says it; empty on Windows.
        windows_session_0: Whether the Windows under a WSL runs us in session 0; None is unknown, or no WSL.
        marker_files: Those of `CONTAINER_MARKERS` that exist.
        frozen: Whether PyInstaller or its like runs this program.
    """

    platform: str
    environ: Mapping[str, str] = field(repr=False)
    stderr_is_tty: bool
    kernel_release: str = ""
    windows_session_0: bool | None = None
    marker_files: frozenset[str] = frozenset()
    frozen: bool = False

    def has(self, name: str) -> bool:
        """Tell whether the environment variable is set and not empty."""
        return bool(self.environ.get(name))

    @property
    def uses_display(self) -> bool:
        """Whether this is Linux or its like, where a screen is named by an environment variable."""
        return self.platform not in {"darwin", "win32", "cygwin"}

    @property
    def has_display(self) -> bool:
        """Whether an X11 or Wayland screen is named, on systems that name them."""
        return self.uses_display and (self.has("DISPLAY") or self.has("WAYLAND_DISPLAY"))

    @property
    def is_wsl(self) -> bool:
        """
        Whether this is a Linux within Windows.

        Docker Desktop runs its containers on the same kernel, but no Windows program can be started from them.
        """
        return self.uses_display and "microsoft" in self.kernel_release.lower() and not self.marker_files

    @property
    def is_remote_shell(self) -> bool:
        """Whether sshd started us. It sets SSH_CONNECTION always and SSH_TTY with a terminal (sshd(8))."""
        return self.has("SSH_CONNECTION") or self.has("SSH_TTY")


@dataclass(frozen=True, slots=True)
class Detection:
    """
    What was decided.

    Args:
        kind: The decision.
        reasons: Every rule that was looked at, in order, as "rule: why"; the last one decided.
        chosen: The flow that the person or the configuration named, `"browser"`, `"device"` or `"paste"`, if any.
    """

    kind: Verdict
    reasons: tuple[str, ...]
    chosen: str | None = None


_Finding = tuple[Verdict | None, str]  # None: the rule does not decide


def _named(surroundings: Surroundings, configured: str | None) -> tuple[str, str]:
    """Return the flow that OIDCCLIENT_FLOW or the configuration names, and which of the two did."""
    from_environment = surroundings.environ.get("OIDCCLIENT_FLOW")
    flow = from_environment or configured or "auto"
    place = "OIDCCLIENT_FLOW" if from_environment else "the configuration"
    if flow not in _FLOWS:
        raise UsageError(
            f"{place} names no way to sign in",
            rule="flow",
            expected=" or ".join(_FLOWS),
            received=flow,
            hint="Use browser, device or paste, or leave it out.",
        )
    return flow, place


def _said_no_browser(surroundings: Surroundings) -> bool:
    return surroundings.environ.get("OIDCCLIENT_NO_BROWSER", "").lower() not in _NO


def _choice(surroundings: Surroundings, configured: str | None) -> _Finding:
    """Do what the person said: OIDCCLIENT_FLOW, then the configuration; OIDCCLIENT_NO_BROWSER rules a browser out."""
    flow, place = _named(surroundings, configured)
    if _said_no_browser(surroundings) and flow in _WITH_BROWSER:
        return Verdict.NO_BROWSER, "OIDCCLIENT_NO_BROWSER is set"
    if flow == "auto":
        return None, "nothing is chosen"
    return (Verdict.BROWSER if flow == "browser" else Verdict.NO_BROWSER), f"{place} says {flow}"


def _wsl(surroundings: Surroundings) -> _Finding:
    """
    On WSL the browser of Windows is used, unless Windows itself was entered over ssh.

    Windows' OpenSSH server runs in session 0, which has no screen; an unknown session is taken for one with a screen,
    so that nobody is shut out. Git Credential Manager does the same (its `LinuxSessionManager.cs`, `WslUtils.cs`).
    An sshd within the WSL is for the ssh rule: the person sits elsewhere.
    """
    if not surroundings.is_wsl:
        return None, "no WSL kernel, or a container on one"
    kernel = printable(surroundings.kernel_release, 80)
    if surroundings.windows_session_0:
        return Verdict.NO_BROWSER, f"kernel {kernel}, in Windows session 0: Windows was entered over ssh"
    if surroundings.is_remote_shell:
        return None, f"kernel {kernel}, entered over ssh"
    session = "unknown" if surroundings.windows_session_0 is None else "not 0"
    return Verdict.BROWSER, f"kernel {kernel}, Windows session {session}"


def _vscode(surroundings: Surroundings) -> _Finding:
    """
    In a remote session of VS Code, BROWSER is a script that opens the page where the person sits.

    That helps where VS Code also forwards the loopback port: Remote-SSH and Dev Containers, not tunnels. SSH_TTY tells
    an ssh session proper from VS Code's, which has it unset (Git Credential Manager pull request 2257 and its
    `LinuxSessionManager.cs`).
    """
    if not (surroundings.has("VSCODE_IPC_HOOK_CLI") and surroundings.has("BROWSER")):
        return None, "no remote session of VS Code"
    if surroundings.has("SSH_CONNECTION") and not surroundings.has("SSH_TTY"):
        return Verdict.BROWSER, "Remote-SSH forwards the page and the port"
    if surroundings.has("REMOTE_CONTAINERS"):
        return Verdict.BROWSER, "Dev Containers forward the page and the port"
    if surroundings.is_remote_shell or _in_codespace(surroundings):
        return None, "left to the rules that follow"
    return Verdict.NO_BROWSER, "a tunnel forwards no loopback port"


def _in_codespace(surroundings: Surroundings) -> bool:
    # CODESPACES is "false" in some codespaces (Git Credential Manager issue 2411); the name is always there.
    return surroundings.environ.get("CODESPACES", "").lower() not in _NO or surroundings.has("CODESPACE_NAME")


def _codespaces(surroundings: Surroundings) -> _Finding:
    if _in_codespace(surroundings):
        return Verdict.NO_BROWSER, "a codespace: the person's loopback is another machine's"
    return None, "no codespace"


def _ssh(surroundings: Surroundings) -> _Finding:
    """Over ssh a browser here is of use only if its window is forwarded (aws-cli issues 9148, 9092, 9098)."""
    if not surroundings.is_remote_shell:
        return None, "no ssh session"
    if surroundings.has_display:
        return None, "an ssh session with a display"
    return Verdict.NO_BROWSER, "an ssh session without a display"


def _daemon(surroundings: Surroundings) -> _Finding:
    """With neither a terminal nor a screen nobody would see the address: fail, do not guess."""
    if surroundings.uses_display and not surroundings.stderr_is_tty and not surroundings.has_display:
        return Verdict.FAIL, "neither a terminal nor a display"
    return None, "somebody can see what is written"


def _container(surroundings: Surroundings) -> _Finding:
    if surroundings.marker_files:
        return Verdict.NO_BROWSER, f"{min(surroundings.marker_files)} exists; OIDCCLIENT_FLOW=browser overrides"
    return None, "no container"


def _display(surroundings: Surroundings) -> _Finding:
    if surroundings.uses_display and not surroundings.has_display:
        return Verdict.NO_BROWSER, "neither DISPLAY nor WAYLAND_DISPLAY is set"
    return None, "this system shows windows"


_RULES: tuple[tuple[str, Callable[[Surroundings], _Finding]], ...] = (
    ("wsl", _wsl),
    ("vscode", _vscode),
    ("codespaces", _codespaces),
    ("ssh", _ssh),
    ("daemon", _daemon),
    ("container", _container),
    ("display", _display),
)


def detect(surroundings: Surroundings, *, configured: str | None = None) -> Detection:
    """
    Decide whether to open a browser; the first rule that decides, does.

    Args:
        surroundings: What `read_surroundings` found.
        configured: The flow that the configuration file names, if any; OIDCCLIENT_FLOW goes before it.

    Raises:
        UsageError: The flow asked for does not exist.
    """
    kind, why = _choice(surroundings, configured)
    reasons = [f"choice: {why}"]
    for name, rule in _RULES:
        if kind is not None:
            break
        kind, why = rule(surroundings)
        reasons.append(f"{name}: {why}")
    if kind is None:
        kind = Verdict.BROWSER
        reasons.append("browser: nothing speaks against it")
    flow, _ = _named(surroundings, configured)
    ruled_out = flow == "browser" and _said_no_browser(surroundings)
    return Detection(kind, tuple(reasons), None if flow == "auto" or ruled_out else flow)


def stderr_is_tty() -> bool:
    """Tell whether a person reads what is written to stderr."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # None under pythonw.exe; closed by a daemon
        return False


def read_surroundings() -> Surroundings:
    """Read what `detect` and `open_in_browser` need to know; on WSL this asks Windows, for five seconds at most."""
    environ = dict(os.environ)
    found = Surroundings(
        platform=sys.platform,
        environ=environ,
        stderr_is_tty=stderr_is_tty(),
        kernel_release=os.uname().release if hasattr(os, "uname") else "",
        marker_files=frozenset(marker for marker in CONTAINER_MARKERS if os.access(marker, os.F_OK)),
        frozen=bool(getattr(sys, "frozen", False)),
    )
    return _with_windows_session(found) if found.is_wsl else found


def _with_windows_session(found: Surroundings) -> Surroundings:
    from ._process import in_windows_session_0  # noqa: PLC0415 - subprocess is loaded only where it is needed

    return replace(found, windows_session_0=in_windows_session_0(found.environ))
