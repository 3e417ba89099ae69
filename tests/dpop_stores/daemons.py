"""The programs behind the key stores: a TPM, an SSH agent, a token in software, a pretended device."""

import contextlib
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

START_S = 10.0
PIN = "1234"
MODULES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/softhsm/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


ACCEPTS = "00010000"  # the flag of a listening socket in /proc/net/unix (proc(5)); bound alone it refuses connections


def _listens(path: Path) -> bool:
    """Whether a socket takes connections; asked without making one, as a software TPM serves one at a time."""
    lines = Path("/proc/net/unix").read_text("utf-8", "replace").splitlines()
    return any(line.split()[3] == ACCEPTS for line in lines if line.endswith(f" {path}"))


def _wait_for(path: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while not _listens(path):
        assert process.poll() is None, f"{process.args!r} ended"
        assert time.monotonic() < deadline, f"{process.args!r} did not start"
        time.sleep(0.005)


class Swtpm:
    """A TPM 2.0 whose state lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "s"
        self.uri = f"tpm2:socket={self.socket}"
        self._state = folder / "state"
        self._state.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, flags: str = "not-need-init,startup-clear") -> None:
        self._process = subprocess.Popen(
            [
                *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self._state}"),
                *("--server", f"type=unixio,path={self.socket}", "--flags", flags),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(self.socket, self._process)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _end(process)
        self.socket.unlink(missing_ok=True)

    def clear(self) -> None:
        """Make it another chip."""
        for file in self._state.iterdir():
            file.unlink()


class SshAgent:
    """An agent of OpenSSH."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "agent"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(["ssh-agent", "-D", "-a", str(self.socket)], stdout=subprocess.DEVNULL)
        _wait_for(self.socket, self._process)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _end(process)
        self.socket.unlink(missing_ok=True)

    def new_key(self, kind: str, *options: str, name: str = "key", bits: str | None = None) -> str:
        """Make a key, add it, and return its fingerprint."""
        file = self._folder / name
        size = ("-b", bits) if bits else ()
        command = ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-f", str(file)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        self.add(name, *options)
        listed = subprocess.run(["ssh-keygen", "-l", "-f", str(file)], check=True, capture_output=True, text=True)
        return listed.stdout.split()[1]

    def add(self, name: str, *options: str) -> None:
        self.run("ssh-add", "-q", *options, str(self._folder / name))

    def run(self, *command: str) -> None:
        subprocess.run(
            command,
            env=os.environ | {"SSH_AUTH_SOCK": str(self.socket)},
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )


class SoftHsm:
    """Tokens in software, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.module = next((path for path in MODULES if path.exists()), MODULES[0])
        self.configuration = folder / "conf"
        self._tokens = folder / "tokens"
        self._tokens.mkdir(parents=True)
        self.configuration.write_text(f"directories.tokendir = {self._tokens}\n")

    def new_token(self, label: str) -> None:
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "5678"],
            env=os.environ | {"SOFTHSM2_CONF": str(self.configuration)},
            check=True,
            capture_output=True,
        )

    def uri(self, path: str, *, pin: str = PIN, query: str = "") -> str:
        return f"pkcs11:{path}?module-path={self.module}&pin-value={pin}{query}"


@contextlib.contextmanager
def answering(path: Path, answer: Callable[[bytes], bytes | None]) -> Generator[None]:
    """
    Listen at a Unix socket in place of a TPM or an agent.

    Args:
        path: Of the socket.
        answer: Returns what to send for what came; None to say nothing and leave the connection open.
    """
    connections: list[socket.socket] = []

    def serve(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connections.append(connection)
                with contextlib.suppress(OSError):
                    while data := connection.recv(65536):
                        said = answer(data)
                        if said is None:
                            continue
                        connection.sendall(said)
                        if not said:
                            break
                    connection.shutdown(socket.SHUT_RDWR)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(8)
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for connection in connections:
                connection.close()


class Device:
    """
    A character device in front of a TPM's socket, as the kernel's is: a terminal in raw mode.

    Like the kernel's resource manager, it keeps its connection while somebody has the device open.
    """

    def __init__(self, tpm_socket: Path, link: Path) -> None:
        self.path = link
        self.commands = 0
        self.mute = False
        self._ended, self._end = os.pipe()
        self._master, slave = os.openpty()
        import tty  # noqa: PLC0415 - POSIX alone has it

        tty.setraw(slave)
        link.symlink_to(os.ttyname(slave))
        self._slave = slave  # held open, or the terminal would end when its user closes it
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(tpm_socket))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                command = b""
                while len(command) < 10 or len(command) < int.from_bytes(command[2:6], "big"):
                    if self._ended in select.select([self._master, self._ended], [], [])[0]:
                        return
                    command += os.read(self._master, 4096)
                self.commands += 1
                if self.mute:
                    continue
                self._socket.sendall(command)
                os.write(self._master, self._socket.recv(4096))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        os.write(self._end, b"x")
        self._thread.join(5)
        for descriptor in (self._slave, self._master, self._end, self._ended):
            os.close(descriptor)
        self._socket.close()
