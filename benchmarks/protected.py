"""
One API behind uvicorn, and what asks it.

The server runs on the first core that this process may use, alone; the client on the last. Proofs are made beforehand,
each request has another one, and the access token is verified anew each time.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

ISSUER, API, PATH = "https://login.example.com", "https://api.example.com", "/v1/things"
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - this process is measured
WINDOW_S = 3_600  # seconds; the proofs are made before they are verified, and this may take long
GROUP = 20  # connections
JWKS = "BENCHMARK_JWKS"


def pin(core: int) -> None:
    """Keep this process on one core, where the system can."""
    if CORES:
        os.sched_setaffinity(0, {CORES[core]})


def two_signatures() -> Callable[[], object]:
    """Return two checks of an ES256 signature by `cryptography` alone, on the server's core."""
    pin(0)
    ec = import_module("cryptography.hazmat.primitives.asymmetric.ec")
    algorithm = ec.ECDSA(import_module("cryptography.hazmat.primitives.hashes").SHA256())
    key = ec.generate_private_key(ec.SECP256R1())
    message = b"m" * 600
    signature, verify = key.sign(message, algorithm), key.public_key().verify

    def both() -> None:
        verify(signature, message, algorithm)
        verify(signature, message, algorithm)

    return both


async def answer(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer in the least time: the application under the middleware."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def protected() -> Any:
    """Return the application with the middleware around it."""
    server, asgi = import_module("oidcclient_dpop.server"), import_module("oidcclient_dpop.server.asgi")
    tokens = server.JWTAccessTokens(ISSUER, API, jwks=json.loads(os.environ[JWKS]), cached=0)
    resource = server.ProtectedResource(API, tokens, proofs=server.ProofVerifier(past=WINDOW_S))
    return asgi.DPoPMiddleware(answer, resource, routes=[server.Route(PATH, server.Needs(("things",)))])


def serve(descriptor: int, application: str) -> None:
    """Serve one of the two until the process is ended."""
    pin(0)
    app = {"bare": lambda: answer, "protected": protected}[application]()
    uvicorn = import_module("uvicorn")
    plain = {"lifespan": "off", "log_config": None, "access_log": False, "proxy_headers": False}
    config = uvicorn.Config(app, http="httptools", loop="uvloop", **plain)
    uvicorn.Server(config).run([socket.socket(fileno=descriptor)])


@contextmanager
def served(application: str, jwks: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Start a server process, and return where it listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    command = [sys.executable, "-m", "benchmarks.protected", str(listener.fileno()), application]
    environment = {**os.environ, JWKS: json.dumps(jwks)}
    process = subprocess.Popen(command, cwd=HERE, env=environment, pass_fds=[listener.fileno()])
    try:
        yield listener.getsockname()
    finally:
        process.terminate()
        process.wait(10)
        listener.close()


def requests(number: int) -> tuple[dict[str, Any], Iterator[list[bytes]]]:
    """Return the server's keys, and rounds of so many requests, each with a proof of its own; made when asked for."""
    proofs, software = import_module("oidcclient_dpop.proofs"), import_module("oidcclient_dpop.stores.software")
    signer, key = software.generate("ES256"), software.generate("ES256")
    token = _token(signer, proofs.thumbprint(key.public_jwk()))
    make = proofs.ProofMaker(key).make

    def one() -> bytes:
        proof = make("GET", API + PATH, now=time.time(), access_token=token)
        head = f"GET {PATH} HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: DPoP {token}\r\nDPoP: {proof}\r\n\r\n"
        return head.encode()

    def rounds() -> Iterator[list[bytes]]:
        while True:
            yield [one() for _ in range(number)]

    return {"keys": [{**signer.public_jwk(), "kid": "1"}]}, rounds()


def _token(signer: Any, jkt: str) -> str:
    jose = import_module("oidcclient_dpop.server.jose")
    claims = {"iss": ISSUER, "aud": API, "sub": "ann", "exp": time.time() + WINDOW_S, "iat": time.time()}
    more = {"scope": "things openid", "client_id": "app", "jti": "a" * 22, "cnf": {"jkt": jkt}}
    header = {"typ": "at+jwt", "alg": "ES256", "kid": "1"}
    signed = ".".join(jose.encode(json.dumps(part).encode()) for part in (header, {**claims, **more}))
    return f"{signed}.{jose.encode(signer.sign(signed.encode()))}"


class Caller:
    """
    Asks a server over many connections at once, with as little work as possible, for the server too.

    The connections are two groups, and while the server answers one the client sees to the other: it reads the answer
    to its last request first, and all others when they are there already. So the server never waits for the client,
    and hardly ever wakes it, which would cost the server more than the answer.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._groups = [[socket.create_connection(address, timeout=60) for _ in range(GROUP)] for _ in range(2)]

    def ask(self, messages: list[bytes]) -> None:
        """Send requests, one at a time over each connection, and wait for all answers."""
        waiting = iter(messages)
        asked = [_send(group, waiting) for group in self._groups]
        while any(asked):
            for group, number in zip(self._groups, asked, strict=True):
                for one in reversed(group[:number]):
                    _read(one)
                asked[self._groups.index(group)] = _send(group, waiting)

    def close(self) -> None:
        """Close all connections."""
        for group in self._groups:
            for one in group:
                one.close()


def _send(group: list[socket.socket], messages: Iterator[bytes]) -> int:
    """Send a request over each connection, as long as there are any, and return how many were sent."""
    number = 0
    for number, (one, message) in enumerate(zip(group, messages, strict=False), 1):  # noqa: B007 - returned
        one.sendall(message)
    return number


def _read(one: socket.socket) -> None:
    """Read one whole answer: head and body come in one piece, or in two."""
    read = b""
    while not read.endswith(b"\r\n\r\n{}"):
        more = one.recv(4096)
        read += more
        if not more or not read.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(read.decode("latin-1"))


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
