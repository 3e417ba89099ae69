"""
Making proofs (RFC 9449 section 4.2).

A proof is one signature and some string joining: the header is encoded once per key, `ath` once per access token,
`htm` and `htu` once per method and address.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from binascii import b2a_base64
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .constants import PROOF_TYPE

if TYPE_CHECKING:
    from .keys import SigningKey

__all__ = ["OTHER_NAMES", "ProofMaker", "proof", "target_uri", "thumbprint"]

_JTI_BYTES = 16  # section 4.2 names 96 random bits as enough
_NQCHAR = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,1024}")  # RFC 6749 appendix A; section 8.1
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_MOST_TOKENS = 8  # access tokens whose hash is remembered; a session has one per resource
_URL_SAFE = bytes.maketrans(b"+/", b"-_")  # RFC 4648 section 5
OTHER_NAMES = {"Ed25519": "EdDSA", "EdDSA": "Ed25519"}  # RFC 9864 section 2.2 named anew what RFC 8037 had named
_quoted = json.JSONEncoder().encode


def _b64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=")


def is_nonce(text: str) -> bool:
    """Tell whether a nonce has only the characters it may have, and a sane length (section 8.1)."""
    return _NQCHAR.fullmatch(text) is not None


def _required(jwk: Mapping[str, str]) -> dict[str, str]:
    """Return the required members of a public key, and nothing else: no private one, no hint (section 4.2)."""
    names = {"EC": ("kty", "crv", "x", "y"), "RSA": ("kty", "n", "e"), "OKP": ("kty", "crv", "x")}[jwk["kty"]]
    return {name: jwk[name] for name in names}


def thumbprint(jwk: Mapping[str, str]) -> str:
    """Return the SHA-256 thumbprint of a public key (RFC 7638), as `dpop_jkt` and `cnf.jkt` carry it."""
    text = json.dumps(_required(jwk), separators=(",", ":"), sort_keys=True)
    return _b64(hashlib.sha256(text.encode()).digest()).decode()


@lru_cache(maxsize=256)
def target_uri(url: str) -> str:
    """
    Return the `htu` of an address: as it is encoded, without query and fragment (section 4.2).

    Scheme and host in lower case, no default port, no empty path: servers compare after that normalisation, or should
    (section 4.3, RFC 3986 section 6.2.3).
    """
    bare = url.partition("#")[0].partition("?")[0]
    parts = urlsplit(bare)
    scheme, host = parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower()
    host = host.removesuffix(_DEFAULT_PORTS.get(scheme, ":"))
    path = bare.partition("://")[2]
    at = path.find("/")
    return f"{scheme}://{host}{path[at:] if at >= 0 else '/'}"


@lru_cache(maxsize=256)
def _request_claims(method: str, url: str) -> str:
    return f'"htm":{_quoted(method)},"htu":{_quoted(target_uri(url))}'


@lru_cache(maxsize=256)
def _nonce_claim(nonce: str) -> str:
    return f',"nonce":{_quoted(nonce)}'


class ProofMaker:
    """
    Make proofs with one key. Thread-safe.

    Args:
        key: The key.
        alg: The name of its algorithm, where it has two and the server knows one; see `OTHER_NAMES`.
    """

    def __init__(self, key: SigningKey, alg: str | None = None) -> None:
        jwk = _required(key.public_jwk())
        self.alg = alg if alg is not None and alg == OTHER_NAMES.get(key.alg) else key.alg
        header = json.dumps({"typ": PROOF_TYPE, "alg": self.alg, "jwk": jwk}, separators=(",", ":"))
        self._head = _b64(header.encode()) + b"."
        self._sign = key.sign
        self._hashes: dict[str, str] = {}
        self.jkt = thumbprint(jwk)
        self.blocks = key.blocks

    def __repr__(self) -> str:
        return f"ProofMaker(jkt={self.jkt!r})"

    def _ath(self, access_token: str) -> str:
        found = self._hashes.get(access_token)
        if found is None:
            found = f',"ath":"{_b64(hashlib.sha256(access_token.encode("ascii")).digest()).decode()}"'
            if len(self._hashes) >= _MOST_TOKENS:
                self._hashes.clear()
            self._hashes[access_token] = found
        return found

    def make(
        self, method: str, url: str, *, now: float, access_token: str | None = None, nonce: str | None = None
    ) -> str:
        """
        Return a proof for one request.

        Args:
            method: As it goes on the wire, its case kept.
            url: The address of the request, as it is encoded.
            now: Unix seconds, the server's if its clock is known to differ.
            access_token: The token that the request carries, if it carries one.
            nonce: The server's nonce, if it gave one.

        Raises:
            oidcclient.KeyLost: The key is gone.
            oidcclient.KeyUnavailable: The key store does not answer.
        """
        ath = "" if access_token is None else self._ath(access_token)
        given = "" if nonce is None else _nonce_claim(nonce)
        jti = os.urandom(_JTI_BYTES).hex()
        claims = f'{{"jti":"{jti}",{_request_claims(method, url)},"iat":{int(now)}{ath}{given}}}'
        signed = self._head + _b64(claims.encode())
        return (signed + b"." + _b64(self._sign(signed))).decode("ascii")


def proof(key: SigningKey, method: str, url: str, access_token: str | None = None, nonce: str | None = None) -> str:
    """
    Return one proof, for programs with their own HTTP (RFC 9449 section 4.2).

    Args:
        key: The key that the token is bound to.
        method: The request's method.
        url: The request's address.
        access_token: The token that the request carries; none at the token endpoint.
        nonce: The nonce that this server gave last, if it gave one.

    Raises:
        oidcclient.KeyLost: The key is gone.
        oidcclient.KeyUnavailable: The key store does not answer.
    """
    return ProofMaker(key).make(method, url, now=time.time(), access_token=access_token, nonce=nonce)
