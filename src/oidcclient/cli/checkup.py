"""What `doctor` looks at on this machine: the configuration, the store, the browser, the ports."""

from __future__ import annotations

import platform
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import oidcclient
from oidcclient import OidcError
from oidcclient.addons import Check

from . import messages
from .clients import open_store
from .config import read_config
from .people import store_words
from .settings import Settings

__all__ = ["browser", "configuration", "failure", "ports", "program", "store"]

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
SECRET_FILES = ("client_secret_file", "private_key_file")
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
SLOW_S = 2.0  # a keyring that takes longer makes every first command of the day feel broken


def failure(subject: str, error: OidcError) -> Check:
    """Return the row for something that raised."""
    return Check(subject=subject, state="failed", detail=str(error), advice=messages.advice(error))


def program() -> Iterator[Check]:
    """Tell which program runs where."""
    words = f"oidcclient {oidcclient.__version__}, Python {platform.python_version()}, {platform.system()}"
    yield Check(subject="Program", state="ok", detail=words)


def configuration(settings: Settings | None) -> Iterator[Check]:
    """Look at the file, at who may change it, and at who may read the secrets that it names."""
    path = settings.config.path if settings else read_config().path
    if not Path(path).exists():
        yield Check(subject="Configuration", state="absent", detail=f"{path} is not there, and need not be")
        return
    count = len(read_config().profiles)
    yield Check(subject="Configuration", state="ok", detail=f"{path}, {count} profile{'' if count == 1 else 's'}")
    if sys.platform == "win32":  # pragma: no cover - a person's folder is that person's alone there
        return
    yield from _permissions("Configuration file", path, OTHERS_WRITE, "be changed by other users", "go-w")
    for key in SECRET_FILES:
        secret = settings.path(key) if settings else None
        if secret:
            yield from _permissions(key, secret, OTHERS_READ | OTHERS_WRITE, "be read by other users", "go-rwx")


def _permissions(subject: str, path: str, forbidden: int, what: str, change: str) -> Iterator[Check]:
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        yield Check(subject=subject, state="failed", detail=f"{path}: {error.strerror}", advice="Correct the profile.")
        return
    if mode & forbidden:
        detail = f"{path} can {what}"
        yield Check(subject=subject, state="warning", detail=detail, advice=f"Run: chmod {change} {path}")
    else:
        yield Check(subject=subject, state="ok", detail=f"{path} cannot {what}")


def store(settings: Settings | None) -> Iterator[Check]:
    """See whether a session could be kept."""
    settings = settings or Settings(None, {}, read_config())
    kind = settings.text("store")
    subject = "Store of sessions"
    begin = time.perf_counter()
    try:
        open_store(settings).probe()
    except OidcError as error:
        yield failure(subject, error)
        return
    took = time.perf_counter() - begin
    words = f"works ({store_words(kind)}), answered in {took:.2f} s"
    slow = took > SLOW_S
    advice = "See what keeps the keyring busy." if slow else ""
    yield Check(subject=subject, state="warning" if slow else "ok", detail=words, advice=advice)


def browser(*, every_reason: bool) -> Iterator[Check]:
    """Tell how somebody would sign in here, and why; the rule that decided is the last one."""
    reasons = "; ".join(oidcclient.browser_reasons()[0 if every_reason else -1 :])
    if oidcclient.can_open_browser():
        yield Check(subject="Browser", state="ok", detail=f"one would be opened ({reasons})")
        return
    advice = "Sign in with a code (--device) or by pasting (--paste); OIDCCLIENT_FLOW=browser opens one all the same."
    yield Check(subject="Browser", state="absent", detail=f"none would be opened ({reasons})", advice=advice)


def ports(settings: Settings | None) -> Iterator[Check]:
    """See whether a browser could come back to this machine."""
    families = [(family, host) for family, host in LOOPBACK if _can_bind(family, host, 0)]
    if families:
        words = " and ".join(host for _, host in families)
        yield Check(subject="Loopback", state="ok", detail=f"a port can be opened on {words}")
    else:
        advice = "See what forbids this program to listen on 127.0.0.1, or sign in with a code: --device"
        yield Check(subject="Loopback", state="failed", detail="no port can be opened", advice=advice)
    for port in settings.values.get("ports", ()) if settings else ():
        if port and families:
            yield _port(port, *families[0])


def _port(port: int, family: int, host: str) -> Check:
    if _can_bind(family, host, port):
        return Check(subject=f"Port {port}", state="ok", detail="free")
    advice = "Close the program that uses it, or list another port in the profile and register it."
    return Check(subject=f"Port {port}", state="warning", detail="in use, or not allowed", advice=advice)


def _can_bind(family: int, host: str, port: int) -> bool:
    try:
        with socket.socket(family) as found:
            found.bind((host, port))
    except OSError:
        return False
    return True
