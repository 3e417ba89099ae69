"""Two workers that share a memory accept a proof once, whatever becomes of the memory."""

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.dpop_server.checking_api import PUBLIC_URL, TOKEN
from tests.dpop_server.proofs import ClientKey, prove
from tests.dpop_server.redis_servers import RedisServer, folder, until

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("OIDCCLIENT_ROUNDS", "1000"))
ACCEPTED, REFUSED, AWAY = (200, "accepted"), (401, "replay"), (503, "unavailable")


@dataclass
class Answer:
    """What one worker said."""

    worker: int
    said: tuple[int, str]


class Worker:
    """One worker and an open connection to it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def send(self, proof: str) -> None:
        self._connection.request("GET", "/things", headers={"DPoP": proof, "Authorization": f"DPoP {TOKEN}"})

    def answer(self) -> Answer:
        with self._connection.getresponse() as response:
            body = json.loads(response.read())
        return Answer(body["worker"], (response.status, body["found"]))

    def close(self) -> None:
        self._connection.close()


@contextmanager
def worker(server: RedisServer, key: ClientKey) -> Iterator[Worker]:
    """Start a worker: a process of its own."""
    command = [sys.executable, "-m", "tests.dpop_server.checking_api", server.socket, key.jkt]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            connected = Worker(int(process.stdout.readline()))
            yield connected
            connected.close()
        finally:
            process.terminate()


@dataclass
class Shop:
    """The workers, their memory and the one client."""

    server: RedisServer
    workers: list[Worker]
    key: ClientKey

    def proof(self) -> str:
        return prove(self.key, "GET", f"{PUBLIC_URL}/things", TOKEN)

    def race(self, proof: str, first: int = 0) -> list[Answer]:
        """Send the same proof to all: to each before any answer is read."""
        order = self.workers[first:] + self.workers[:first]
        for one in order:
            one.send(proof)
        return [one.answer() for one in order]


@pytest.fixture(scope="module")
def shop(key: ClientKey) -> Iterator[Shop]:
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(stack.enter_context(folder()), "--port", "0", keeps=True))
        workers = [stack.enter_context(worker(server, key)) for _ in range(2)]
        yield Shop(server, workers, key)


def test_of_two_workers_that_get_a_proof_at_once_exactly_one_accepts_it(shop: Shop) -> None:
    winners = []
    for number in range(ROUNDS):
        answers = shop.race(shop.proof(), first=number % 2)
        assert sorted(answer.said for answer in answers) == [ACCEPTED, REFUSED]
        winners += [answer.worker for answer in answers if answer.said == ACCEPTED]
    assert len(set(winners)) == 2, "each wins sometimes"
    assert len({answer.worker for answer in answers}) == 2


def test_without_their_memory_they_accept_nothing_and_with_it_again_they_do(shop: Shop) -> None:
    used, later = shop.proof(), shop.proof()
    assert sorted(answer.said for answer in shop.race(used)) == [ACCEPTED, REFUSED]
    shop.server.stop()
    for proof in (used, later):
        assert [answer.said for answer in shop.race(proof)] == [AWAY, AWAY]
    shop.server.start()
    assert [answer.said for answer in shop.race(used)] == [REFUSED, REFUSED]
    assert sorted(answer.said for answer in shop.race(later)) == [ACCEPTED, REFUSED]


def test_a_memory_that_goes_in_the_middle_lets_no_proof_through_twice(shop: Shop) -> None:
    def restart() -> None:
        shop.server.stop()
        back.wait(20)
        shop.server.start()

    back = threading.Event()
    restarting = threading.Thread(target=restart)
    seen: dict[str, list[tuple[int, str]]] = {}

    def next_race() -> list[tuple[int, str]]:
        proof = shop.proof()
        seen[proof] = [answer.said for answer in shop.race(proof)]
        return seen[proof]

    for _ in range(50):
        next_race()
    restarting.start()
    until(lambda: next_race() == [AWAY, AWAY])
    back.set()
    until(lambda: sorted(next_race()) == [ACCEPTED, REFUSED])
    restarting.join()
    for proof, said in seen.items():
        again = [answer.said for answer in shop.race(proof)]
        assert REFUSED in again
        assert (said + again).count(ACCEPTED) <= 1
