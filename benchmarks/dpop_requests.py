"""
One request of an API with a DPoP proof, through httpx and a transport that answers at once.

Each function runs in a process of its own (see peers.py) and returns the call that makes a request. The API gives a
nonce with every answer, the same one.
"""

import asyncio
import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

API = "https://api.example.com"
URL = f"{API}/v1/things?q=1"
TOKEN = "a" * 800  # as long as a usual JWT
ANSWER_HEADERS = {"DPoP-Nonce": "n-0S6_WzA2Mj"}
REQUESTS = 50  # of a round: so short that the machine often does nothing else meanwhile

Call = Callable[[], object]


def _answer(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers=ANSWER_HEADERS, json={"ok": True})


def _calls(**options: Any) -> Call:
    get = httpx.Client(transport=httpx.MockTransport(_answer), **options).get
    return lambda: get(URL)


def _async_calls(**options: Any) -> Call:
    client = httpx.AsyncClient(transport=httpx.MockTransport(_answer), **options)
    run = asyncio.Runner().run

    async def often() -> None:
        for _ in range(REQUESTS):
            await client.get(URL)

    return lambda: run(often())


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class RawAuth(httpx.Auth):
    """
    The least that signs a request: the yardstick.

    Written by hand for this one purpose, on `cryptography` alone: the header is encoded once, the token hashed once.
    It learns a nonce, and has no answer to a challenge, no other algorithm, no session, and no care of where it sends
    the token.
    """

    def __init__(self, token: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        point = key.public_key().public_numbers()
        x, y = (_b64(number.to_bytes(32, "big")).decode() for number in (point.x, point.y))
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": x, "y": y}}
        self._head = _b64(json.dumps(header, separators=(",", ":")).encode()) + b"."
        self._algorithm = ec.ECDSA(hashes.SHA256())
        self._sign = key.sign
        self._authorization = f"DPoP {token}"
        self._ath = _b64(hashlib.sha256(token.encode()).digest()).decode()
        self._nonce = ANSWER_HEADERS["DPoP-Nonce"]

    def _proof(self, method: str, htu: str) -> str:
        claims = {
            "jti": _b64(os.urandom(18)).decode(),
            "htm": method,
            "htu": htu,
            "iat": int(time.time()),
            "ath": self._ath,
            "nonce": self._nonce,
        }
        signed = self._head + _b64(json.dumps(claims, separators=(",", ":")).encode())
        r, s = decode_dss_signature(self._sign(signed, self._algorithm))
        return (signed + b"." + _b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign one request."""
        url = request.url
        htu = f"{url.scheme}://{url.netloc.decode()}{url.raw_path.split(b'?', 1)[0].decode()}"
        request.headers["DPoP"] = self._proof(request.method, htu)
        request.headers["Authorization"] = self._authorization
        response = yield request
        self._nonce = response.headers.get("dpop-nonce", self._nonce)


def _session_auth() -> Any:
    """Return a session's auth object, for a token that is bound to a key of the program's own."""
    signed_in, dpop = import_module("benchmarks.signed_in"), import_module("oidcclient_dpop")
    key = import_module("oidcclient_dpop.stores.software").generate("ES256")
    store = signed_in.store(
        token_type="DPoP",  # noqa: S106 - no password
        hook_state={"dpop": {"alg": key.alg, "jkt": dpop.thumbprint(key.public_jwk()), "protection": 0}},
        binding_hooks=("dpop",),
    )
    client = import_module("oidcclient").Client(
        signed_in.ISSUER, signed_in.CLIENT_ID, store=store, hooks=[dpop.DPoP(key=key)]
    )
    return client.session().auth(resource=API)


def ours() -> Call:
    """Return a request through `session.auth`."""
    return _calls(auth=_session_auth())


def ours_async() -> Call:
    """Return the same of an async client."""
    return _async_calls(auth=_session_auth())


def bearer() -> Call:
    """Return a request with a header that is set once."""
    return _calls(headers={"Authorization": f"Bearer {TOKEN}"})


def bearer_async() -> Call:
    """Return the same of an async client."""
    return _async_calls(headers={"Authorization": f"Bearer {TOKEN}"})


def raw() -> Call:
    """Return a request signed by the yardstick."""
    return _calls(auth=RawAuth(TOKEN))


def raw_async() -> Call:
    """Return the same of an async client."""
    return _async_calls(auth=RawAuth(TOKEN))


def _pydpop_options() -> dict[str, Any]:
    """Return the client's options: pydpop makes proofs, and the token is the program's own affair."""
    auth = import_module("pydpop.integrations.httpx").DPoPAuth
    key = import_module("pydpop").generate_key()
    return {"auth": auth(key, access_token=TOKEN), "headers": {"Authorization": f"DPoP {TOKEN}"}}


def pydpop() -> Call:
    """Return a request through pydpop's `DPoPAuth`."""
    return _calls(**_pydpop_options())


def pydpop_async() -> Call:
    """Return the same of an async client."""
    return _async_calls(**_pydpop_options())
