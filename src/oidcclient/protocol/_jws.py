"""Signed JWTs from the provider: taken apart by hand, verified by joserfc (RFC 7515, RFC 8725)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from oidcclient._words.errors import OidcError
from oidcclient._words.values import Json

from ._keys import KeySet, keys_for, no_key
from ._parsing import b64url_decode, json_object

__all__ = ["SignedJwt", "parse_jwt", "verify_jwt"]

LONGEST_JWT = 100_000  # characters; an ID Token with hundreds of groups is a tenth of it
_PARTS = 3


@dataclass(frozen=True, slots=True)
class SignedJwt:
    """
    A JWT taken apart and not yet believed.

    Args:
        algorithm: Its `alg`.
        kid: Its `kid`, where it has one.
        typ: Its `typ` in lower case, where it has one.
        claims: Its claims.
        signing_input: What is signed.
        signature: The signature.
    """

    algorithm: str
    kid: str | None
    typ: str | None
    claims: Mapping[str, Json] = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def parse_jwt(token: str, what: str, error: type[OidcError]) -> SignedJwt:
    """
    Take a compact JWS apart (RFC 7515 section 7.1). Keys and addresses in its header are never looked at.

    Raises:
        OidcError: Of the class given, if it is no JWS, is encrypted, is too long, or has critical header parameters.
    """
    parts = token.split(".") if len(token) <= LONGEST_JWT else []
    if len(parts) != _PARTS:
        raise error(
            f"{what} is not a signed JWT",
            rule="format",
            section="RFC 7515 section 7.1",
            expected="three parts",
            received=len(parts) or "too long",
        )
    try:
        header_bytes, claims_bytes, signature = (b64url_decode(part) for part in parts)
    except ValueError:
        raise error(f"{what} is not base64url", rule="format", section="RFC 7515 section 7.1") from None
    header = json_object(header_bytes, f"the header of {what}", error)
    algorithm, kid, typ = (header.get(name) for name in ("alg", "kid", "typ"))
    if not isinstance(algorithm, str):
        raise error(f"{what} names no algorithm", rule="alg", section="RFC 7515 section 4.1.1")
    if not isinstance(kid, str | None) or not isinstance(typ, str | None):
        raise error(f"{what} has a header of the wrong type", rule="header", section="RFC 7515 section 4.1")
    if "crit" in header:  # we understand no extension, so RFC 7515 section 4.1.11 has us refuse all
        raise error(f"{what} has critical header parameters", rule="crit", section="RFC 7515 section 4.1.11")
    return SignedJwt(
        algorithm=algorithm,
        kid=kid,
        typ=None if typ is None else typ.lower(),
        claims=json_object(claims_bytes, what, error),
        signing_input=f"{parts[0]}.{parts[1]}".encode("ascii"),
        signature=signature,
    )


def check_algorithm(jwt: SignedJwt, allowed: tuple[str, ...], what: str, error: type[OidcError]) -> None:
    """
    Refuse an algorithm that is not in our list (RFC 8725 section 3.1).

    Raises:
        OidcError: Of the class given.
    """
    if jwt.algorithm not in allowed:
        raise error(
            f"{what} is signed with an algorithm that is not allowed",
            rule="alg",
            section="RFC 8725 section 3.1",
            expected=", ".join(allowed),
            received=jwt.algorithm,
        )


def check_typ(jwt: SignedJwt, what: str, error: type[OidcError]) -> None:
    """
    Refuse a JWT that says it is of another kind, such as `at+jwt` or a proof (RFC 8725 section 3.11).

    Raises:
        OidcError: Of the class given.
    """
    if jwt.typ is not None and jwt.typ.endswith("+jwt"):
        raise error(
            f"{what} is a JWT of another kind",
            rule="typ",
            section="RFC 8725 section 3.11",
            expected="JWT",
            received=jwt.typ,
        )


def verify_jwt(jwt: SignedJwt, keys: KeySet, *, allowed: tuple[str, ...], what: str, error: type[OidcError]) -> None:
    """
    Verify the signature with a key of the provider.

    Args:
        jwt: The JWT.
        keys: The provider's keys.
        allowed: The algorithms accepted; nothing else is tried.
        what: What it is, for the message.
        error: The class to raise.

    Raises:
        OidcError: Of the class given; `rule` is `"kid"` where no key fits, so that the caller may fetch the keys again.
    """
    check_algorithm(jwt, allowed, what, error)
    candidates = keys_for(keys, kid=jwt.kid, algorithm=jwt.algorithm)
    if not candidates:
        raise no_key(jwt.kid, jwt.algorithm, what, error)
    if not any(_verifies(jwt, key) for key in candidates):
        raise error(f"the signature of {what} is wrong", rule="signature", section="OIDC Core 3.1.3.7 step 6")


def _verifies(jwt: SignedJwt, key: Mapping[str, Any]) -> bool:
    """Ask joserfc, and translate every failure into False: a key that cannot be read verifies nothing."""
    from joserfc.errors import JoseError  # noqa: PLC0415 - some 80 ms, paid at a sign-in only
    from joserfc.jwk import import_key  # noqa: PLC0415 - some 80 ms, paid at a sign-in only
    from joserfc.jws import JWSRegistry  # noqa: PLC0415 - some 80 ms, paid at a sign-in only

    # alg, use and key_ops were compared already, and joserfc knows Ed25519 keys by one of their two names only
    material = {name: value for name, value in key.items() if name not in {"alg", "use", "key_ops"}}
    try:
        model = JWSRegistry.algorithms[jwt.algorithm]
        public = import_key(material)
        model.check_key(public)
        verify: Callable[[bytes, bytes, Any], bool] = model.verify
        return verify(jwt.signing_input, jwt.signature, public)
    except (JoseError, ValueError, TypeError, KeyError):
        return False
