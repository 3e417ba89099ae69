"""
What a proof costs beside what the TPM does for it: the key loaded, the digest signed, the key freed.

A software TPM with a storage root key in it, as firmware or an installer puts it into a real one. Its own time is what
the same packets take with nothing of ours around them. It serves one connection at a time, so that on both sides each
signature has one of its own.
"""

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from benchmarks.benchmark import Benchmark, Sides
from benchmarks.proofs import METHOD, NONCE, TOKEN, URL
from benchmarks.system import need
from oidcclient_dpop.keys import SigningKey
from oidcclient_dpop.proofs import ProofMaker
from oidcclient_dpop.stores.tpm2.store import Tpm2Store
from oidcclient_dpop.stores.tpm2.transport import Channel
from tests.dpop_stores.daemons import Swtpm
from tests.dpop_stores.tpm_commands import Owner
from tools.parts import KEY_STORES

PROOFS = 5
HEADER = 10  # bytes, of which the third to sixth are the length of the whole


def packets_of(key: SigningKey) -> list[bytes]:
    """Return the commands that a signature is made of, as they are sent."""
    sent: list[bytes] = []
    exchange = Channel.exchange

    def noted(channel: Channel, command: bytes, deadline: float) -> bytes:
        sent.append(command)
        return exchange(channel, command, deadline)

    with patch.object(Channel, "exchange", noted):
        key.sign(b"message")
    return sent


def answer(connection: socket.socket) -> bytes:
    """Read one response."""
    response = connection.recv(4096)
    while len(response) < HEADER or len(response) < int.from_bytes(response[2:6], "big"):
        response += connection.recv(4096)
    return response


def bare(path: Path, packets: list[bytes]) -> Callable[[], None]:
    """Return what has the TPM load, sign and free, as often as there are proofs in a round."""

    def send() -> None:
        for _ in range(PROOFS):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                for packet in packets:
                    connection.sendall(packet)
                    if answer(connection)[6:HEADER] != bytes(4):
                        raise RuntimeError("the TPM refused a command")

    return send


@contextmanager
def software_tpm() -> Iterator[Sides]:
    """Start one, and make a key in it."""
    need(KEY_STORES)
    with tempfile.TemporaryDirectory() as name:
        tpm = Swtpm(Path(name))
        tpm.start()
        try:
            with Owner(tpm.socket) as owner:
                owner.set_up_storage_root()
            key, _ = Tpm2Store(tpm.uri).create("ES256")
            make = ProofMaker(key).make

            def proofs() -> None:
                for _ in range(PROOFS):
                    make(METHOD, URL, now=time.time(), access_token=TOKEN, nonce=NONCE)

            yield Sides(ours=proofs, peer=bare(tpm.socket, packets_of(key)))
        finally:
            tpm.stop()


BENCHMARK = Benchmark(
    ours="5 proofs with a key in a software TPM",
    peer="the TPM's own loading and signing",
    bar=1.2,
    prepare=software_tpm,
    rounds=201,
)
