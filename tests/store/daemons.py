"""A message bus and a GNOME Keyring of our own, apart from those of the person who runs the tests."""

import os
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest

INSTALL = "apt-get install --no-install-recommends dbus gnome-keyring"
START_S = 20.0
# No service folder: nothing starts by itself, neither a second keyring nor somebody to ask for a password.
CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def need_programs() -> None:
    missing = [name for name in ("dbus-daemon", "gnome-keyring-daemon") if which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found; {INSTALL}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@contextmanager
def message_bus(folder: Path) -> Generator[str]:
    """Run a bus; yield its address."""
    folder.mkdir(parents=True, exist_ok=True)
    socket = folder / "bus"
    configuration = folder / "bus.conf"
    configuration.write_text(CONFIGURATION.format(socket=socket))
    process = subprocess.Popen(
        ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address"], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        assert address, "the bus did not start"
        yield address
    finally:
        _end(process)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def gnome_keyring_daemon(address: str, folder: Path, *, password: str | None) -> Generator["subprocess.Popen[bytes]"]:
    """Run a keyring on a bus, unlocked if there is a password; without one it stays as it is."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "DBUS_SESSION_BUS_ADDRESS": address,
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_RUNTIME_DIR": str(home),
    }
    command = ["gnome-keyring-daemon", "--foreground", "--components=secrets", f"--control-directory={home}/control"]
    process = subprocess.Popen(
        command + (["--unlock"] if password is not None else []),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdin is not None
        process.stdin.write((password or "").encode())
        process.stdin.close()
        _wait_until_it_answers(address)
        yield process
    finally:
        _end(process)


def _wait_until_it_answers(address: str) -> None:
    from jeepney import (  # type: ignore[import-untyped]  # it has no types  # noqa: PLC0415 - Linux alone has it
        DBusAddress,
        new_method_call,
    )
    from jeepney.io.blocking import (  # type: ignore[import-untyped]  # it has no types  # noqa: PLC0415 - Linux alone has it
        open_dbus_connection,
    )

    question = new_method_call(
        DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus"),
        "NameHasOwner",
        "s",
        ("org.freedesktop.secrets",),
    )
    deadline = time.monotonic() + START_S
    with open_dbus_connection(bus=address) as connection:
        while not connection.send_and_get_reply(question).body[0]:
            assert time.monotonic() < deadline, "the keyring did not start"
            time.sleep(0.02)
