"""A simulator that serves one program at a time, while others wait for it."""

import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

if sys.platform != "win32":
    from oidcclient_dpop.stores.tpm2.transport import DeadlinePassed, open_socket

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse in another way")


@pytest.mark.parametrize("served", [True, False])
def test_a_full_queue_is_waited_for_until_the_deadline(tmp_path: Path, served: bool) -> None:
    """unix(7): connect says EAGAIN, whatever time the socket has."""
    path = os.path.relpath(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        if not served:
            with pytest.raises(DeadlinePassed):
                open_socket(path, time.monotonic() + 0.1)
            return

        def serve() -> None:
            listener.accept()[0].close()

        timer = threading.Timer(0.2, serve)
        timer.start()
        open_socket(path, time.monotonic() + 10).close()
        timer.join()
