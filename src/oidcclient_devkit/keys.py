"""The provider's keys: one for each algorithm, published while a token or a request may still need them."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from warnings import catch_warnings

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

RSA_BITS = (2048, 3072, 4096)
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}  # RFC 7518 section 3.4
_EDWARDS = ("EdDSA", "Ed25519")  # RFC 9864 section 2.2: the first is the old name
SIGNING_ALGS = (
    *("RS256", "RS384", "RS512"),
    *_CURVES,
    *("PS256", "PS384", "PS512"),
    *_EDWARDS,
)
ENCRYPTION_ALGS = ("RSA-OAEP-256", "RSA-OAEP")  # of request objects (RFC 7518 section 4.3)
# The others are made when a client asks for them: an RSA key takes a while.
_FIRST = ("RS256", "ES256", "EdDSA", *ENCRYPTION_ALGS)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key bound to one algorithm (RFC 8725 section 3.1), of a signature or of an encryption."""

    kid: str
    alg: str
    key: Key = field(repr=False)

    @property
    def bits(self) -> int:
        """The size of an RSA key."""
        return self.key.raw_value.key_size if isinstance(self.key, RSAKey) else RSA_BITS[0]

    def public(self) -> dict[str, Any]:
        """Return the JWK that goes into the JWKS."""
        return self._jwk(private=False)

    def private(self) -> dict[str, Any]:
        """Return the JWK with its private part: for a key set, and for the misbehaviour that publishes it."""
        return self._jwk(private=True)

    def _jwk(self, *, private: bool) -> dict[str, Any]:
        use = "enc" if self.alg in ENCRYPTION_ALGS else "sig"
        return {**self.key.as_dict(private=private), "kid": self.kid, "alg": self.alg, "use": use}


def new_key(alg: str, bits: int = RSA_BITS[0]) -> SigningKey:
    """Make a key for one algorithm; `bits` is for RSA keys."""
    return SigningKey(f"{alg.lower()}-{secrets.token_hex(4)}", alg, _make(alg, bits))


def _make(alg: str, bits: int) -> Key:
    if alg in _CURVES:
        return ECKey.generate_key(_CURVES[alg])
    return OKPKey.generate_key("Ed25519") if alg in _EDWARDS else RSAKey.generate_key(bits)


def read_key(jwk: Mapping[str, Any]) -> SigningKey:
    """Read a private key of a key set.

    Raises:
        ValueError: if it is not one that a provider may use. The message has nothing of the key in it.
    """
    alg = jwk.get("alg")
    if alg not in {*SIGNING_ALGS, *ENCRYPTION_ALGS}:
        raise ValueError(f"each key names its alg, one of {', '.join((*SIGNING_ALGS, *ENCRYPTION_ALGS))}")
    try:
        with catch_warnings(action="ignore"):  # of small keys, which are refused below
            key = import_key(dict(jwk))
    except (JoseError, ValueError, TypeError):
        raise ValueError(f"the key for {alg} cannot be read") from None  # the cause may quote the key
    if not key.is_private:
        raise ValueError(f"the key for {alg} has no private part")
    if not _fits(alg, key):
        raise ValueError(f"the key for {alg} is of another kind, or an RSA key of less than {RSA_BITS[0]} bits")
    return SigningKey(str(jwk.get("kid") or key.thumbprint()), alg, key)


def _fits(alg: str, key: Key) -> bool:
    if isinstance(key, RSAKey):
        return alg not in {*_CURVES, *_EDWARDS} and key.raw_value.key_size >= RSA_BITS[0]
    return isinstance(key, ECKey | OKPKey) and key.curve_name == _CURVES.get(alg, "Ed25519" if alg in _EDWARDS else "")


def new_key_set(algs: Iterable[str] = _FIRST, bits: int = RSA_BITS[0]) -> dict[str, Any]:
    """Make a private key set for `Keys.from_jwks`: one key for each algorithm."""
    return {"keys": [new_key(alg, bits).private() for alg in algs]}


def read_key_set(jwks: object) -> list[SigningKey]:
    """Read a private key set.

    Raises:
        ValueError: if it is none, or a key in it cannot be used.
    """
    members = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(members, list) or not all(isinstance(member, Mapping) for member in members):
        raise ValueError("a key set is a JSON object with a list of keys")
    keys = [read_key(member) for member in members]
    if not keys or len({key.kid for key in keys}) < len(keys):
        raise ValueError("a key set has keys, and a kid names one of them")
    return keys


def _first_keys() -> dict[str, SigningKey]:
    return {alg: new_key(alg) for alg in _FIRST}


@dataclass(slots=True, repr=False)
class Keys:
    """The current key of each algorithm and the published ones. Making them is slow: share an instance."""

    current: dict[str, SigningKey] = field(default_factory=_first_keys)
    older: list[SigningKey] = field(default_factory=list)
    made: dict[str, SigningKey] = field(default_factory=dict)  # on demand, by any of the copies
    attackers: dict[str, SigningKey] = field(default_factory=dict)
    # Of the client that authenticates with private_key_jwt.
    client_key: SigningKey = field(default_factory=lambda: new_key("ES256"))

    @classmethod
    def from_jwks(cls, jwks: object) -> "Keys":
        """Use the private keys of a set; of several for one algorithm the first signs, the others are published.

        The algorithms of every provider here get a new key if the set has none.

        Raises:
            ValueError: as `read_key_set`.
        """
        given = read_key_set(jwks)
        current: dict[str, SigningKey] = {}
        older = [key for key in given if current.setdefault(key.alg, key) is not key]
        return cls(current | {alg: new_key(alg) for alg in _FIRST if alg not in current}, older)

    def copy(self) -> "Keys":
        """Return a set with the same keys that can be rotated on its own."""
        return replace(self, current=dict(self.current), older=list(self.older))

    def signing(self, alg: str) -> SigningKey:
        """Return the key that signs with this algorithm, making it if there is none yet."""
        if alg not in self.current:
            if alg not in self.made:  # by an instance that shares its keys
                self.made[alg] = new_key(alg)
            self.current[alg] = self.made[alg]
        return self.current[alg]

    def decryption(self, alg: str) -> list[SigningKey]:
        """Return the keys that a request object for this algorithm may be encrypted to, the current one first."""
        return [key for key in self._published() if key.alg == alg]

    def foreign(self, alg: str) -> SigningKey:
        """Return a key that this provider never publishes: an attacker's."""
        if alg not in self.attackers:
            self.attackers[alg] = new_key(alg)
        return self.attackers[alg]

    def find(self, kid: str) -> SigningKey | None:
        """Return a published signing key by its id."""
        return next((key for key in self._published() if key.kid == kid and key.alg in SIGNING_ALGS), None)

    def jwks(self) -> dict[str, Any]:
        """Return the JWKS document."""
        return {"keys": [key.public() for key in self._published()]}

    def private_jwks(self) -> dict[str, Any]:
        """Return all of it with the private parts: what `from_jwks` reads."""
        return {"keys": [key.private() for key in self._published()]}

    def rotate(self, *, keep_old: bool) -> None:
        """Make new keys; the old ones stay published or vanish at once."""
        self.older = [*self._published()] if keep_old else []
        self.made = {}
        self.current = {alg: new_key(alg, key.bits) for alg, key in self.current.items()}

    def _published(self) -> list[SigningKey]:
        return [*self.current.values(), *self.older]
