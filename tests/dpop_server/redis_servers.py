"""Real Redis servers, alone and as a cluster; each is ended by the id of its process."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import redis

NODES = 3
SLOTS = 16_384  # of every cluster
START_S = 20.0


def until(holds: Callable[[], bool], seconds: float = START_S) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


class RedisServer:
    """
    One server with an empty memory.

    Args:
        folder: Where its socket is.
        options: Further words of its command line.
        keeps: Whether it keeps all on disk, so that it remembers when it is started again.
    """

    def __init__(self, folder: Path, *options: str, keeps: bool = False) -> None:
        self.socket = str(folder / "redis.sock")
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("there is no redis-server: apt-get install redis-server")
        keep = ("--save", "", "--appendonly", "yes" if keeps else "no", "--appendfsync", "always")
        self._command = [program, "--dir", str(folder), "--unixsocket", self.socket, *keep, *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(unix_socket_path=self.socket, socket_timeout=5)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(self.client.ping())
        return False

    def stop(self) -> None:
        """End it, as its administrator would, and wait until it has ended."""
        self.client.close()
        if self._process is not None:
            self.resume()
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def tell(self, *words: str | int) -> Any:
        """Send it a command, and return the answer."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis has types in part

    def pause(self) -> None:
        """Let it answer nobody, with its connections open."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it stopped."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make a folder whose name is short enough for a socket's, as those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="redis") as name:
        yield Path(name)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def cluster() -> Iterator[list[tuple[RedisServer, int]]]:
    """Start a cluster of three, each with a third of the slots; yield the servers and their ports."""
    ports = _free_ports(2 * NODES)
    with contextlib.ExitStack() as stack:
        nodes = []
        for port, bus in zip(ports[:NODES], ports[NODES:], strict=True):
            options = (
                "--bind",
                "127.0.0.1",
                "--port",
                str(port),
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                str(bus),
            )
            nodes.append((stack.enter_context(RedisServer(stack.enter_context(folder()), *options)), port))
        for number, (server, _) in enumerate(nodes):
            first, end = (SLOTS * place // NODES for place in (number, number + 1))
            server.tell("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            server.tell("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            server.tell("CLUSTER", "MEET", "127.0.0.1", ports[0], ports[NODES])
        until(lambda: all(_is_ok(server) for server, _ in nodes))
        yield nodes


def _is_ok(server: RedisServer) -> bool:
    info = server.tell("CLUSTER", "INFO").split()
    return {b"cluster_state:ok", b"cluster_known_nodes:%d" % NODES} <= set(info)
