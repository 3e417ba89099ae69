"""The provider's signing keys: one for each algorithm, published while a token may still need them."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

RSA_BITS = 2048
_MAKERS: dict[str, Callable[[], Key]] = {
    "RS256": lambda: RSAKey.generate_key(RSA_BITS),
    "PS256": lambda: RSAKey.generate_key(RSA_BITS),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
}
# The others are made when a client asks for them: an RSA key takes a while.
_FIRST = ("RS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key bound to one algorithm (RFC 8725 section 3.1)."""

    kid: str
    alg: str
    key: Key = field(repr=False)

    def public(self) -> dict[str, Any]:
        """Return the JWK that goes into the JWKS."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "alg": self.alg, "use": "sig"}

    def private(self) -> dict[str, Any]:
        """Return the JWK with its private part: for the misbehaviour that publishes it."""
        return {**self.key.as_dict(private=True), "kid": self.kid, "alg": self.alg, "use": "sig"}


def new_key(alg: str) -> SigningKey:
    """Make a key for one algorithm."""
    return SigningKey(f"{alg.lower()}-{secrets.token_hex(4)}", alg, _MAKERS[alg]())


class Keys:
    """The current key of each algorithm and the published ones. Making them is slow: share an instance."""

    def __init__(self, shared: "Keys | None" = None) -> None:
        self._older: list[SigningKey] = []
        if shared is None:
            self._current = {alg: new_key(alg) for alg in _FIRST}
            self._foreign: dict[str, SigningKey] = {}
            self.client_key = new_key("ES256")  # of the client that authenticates with private_key_jwt
        else:
            self._current = {alg: shared.signing(alg) for alg in _FIRST}
            self._foreign = shared.foreign_keys
            self.client_key = shared.client_key

    def copy(self) -> "Keys":
        """Return a set with the same keys that can be rotated on its own."""
        return Keys(self)

    @property
    def foreign_keys(self) -> dict[str, SigningKey]:
        """The attackers' keys made so far."""
        return self._foreign

    def signing(self, alg: str) -> SigningKey:
        """Return the key that signs with this algorithm, making it if there is none yet."""
        if alg not in self._current:
            self._current[alg] = new_key(alg)
        return self._current[alg]

    def foreign(self, alg: str) -> SigningKey:
        """Return a key that this provider never publishes: an attacker's."""
        if alg not in self._foreign:
            self._foreign[alg] = new_key(alg)
        return self._foreign[alg]

    def find(self, kid: str) -> SigningKey | None:
        """Return a published key by its id."""
        return next((key for key in self._published() if key.kid == kid), None)

    def jwks(self) -> dict[str, Any]:
        """Return the JWKS document."""
        return {"keys": [key.public() for key in self._published()]}

    def rotate(self, *, keep_old: bool) -> None:
        """Make new keys; the old ones stay published or vanish at once."""
        self._older = [*self._published()] if keep_old else []
        self._current = {alg: new_key(alg) for alg in self._current}

    def _published(self) -> list[SigningKey]:
        return [*self._current.values(), *self._older]
