"""Authorization requests that the client signed, and may have encrypted (RFC 9101, OIDC Core section 6.1)."""

import json
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oidc.core.errors import InvalidRequestObjectError
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from . import jwts
from .answers import printable
from .clients import Client
from .core import Core
from .exchange import Pairs
from .keys import ENCRYPTION_ALGS, SIGNING_ALGS

ENCRYPTION_METHODS = ("A128GCM", "A256GCM", "A128CBC-HS256")  # the last is the default of OIDC Registration section 2
CLOCK_LEEWAY = 10  # seconds
TYPES = ("oauth-authz-req+jwt", "JWT")  # RFC 9101 section 10.8; the header may be absent
JWT_CLAIMS = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})  # RFC 7519: about the object itself
MAY_REPEAT = frozenset({"resource", "audience"})  # RFC 8707 section 2
BESIDE_IT = frozenset({"request", "client_id"})  # RFC 9126 section 3: all else is in the object
PARTS_OF_JWE = 5  # RFC 7516 section 7.1


def unpack(core: Core, params: Pairs, client: Client) -> Pairs:
    """Return the parameters of a request: those of its request object alone, if it has one (RFC 9101 section 6.3).

    Raises:
        OAuth2Error: if the object is not what this client signed for this provider.
    """
    objects = [value for name, value in params if name == "request"]
    if not objects:
        if client.require_signed_request_object:  # RFC 9101 section 10.5
            raise InvalidRequestError("This client signs its requests: send a request object in `request`.")
        return params
    if len(objects) > 1 or any(name == "request_uri" for name, _ in params):  # section 5
        raise InvalidRequestError("A request has one request object, or one request_uri.")
    return _parameters(_read(core, client, objects[0]))


def unpack_pushed(core: Core, params: Pairs, client: Client) -> Pairs:
    """Do the same for a pushed request, which has nothing beside the object (RFC 9126 section 3).

    Raises:
        OAuth2Error: likewise.
    """
    names = {name for name, _ in params}
    if "request" in names and names - BESIDE_IT:
        more = printable(", ".join(sorted(names - BESIDE_IT)))
        raise InvalidRequestError(f"All parameters go into the request object, these are beside it: {more}.")
    return unpack(core, params, client)


def _read(core: Core, client: Client, token: str) -> dict[str, Any]:
    """Return the claims of an object that is good (sections 6.1 to 6.3)."""
    try:
        if token.count(".") == PARTS_OF_JWE - 1:
            token = _decrypt(core, token)
        header, claims = jwts.read(token)
        _check_header(client, header)
        jwts.verify(token, lambda _: _client_keys(client, header), SIGNING_ALGS)
    except jwts.BadToken as error:
        raise InvalidRequestObjectError(f"The request object was refused: {error}.") from error
    _check_claims(core, client, claims)
    return claims


def _decrypt(core: Core, token: str) -> str:
    """RFC 9101 section 6.1: with a key of ours for exactly that algorithm."""
    header = _protected_header(token)
    alg, enc = header.get("alg"), header.get("enc")
    if alg not in ENCRYPTION_ALGS or enc not in ENCRYPTION_METHODS:
        known = f"{', '.join(ENCRYPTION_ALGS)} with {', '.join(ENCRYPTION_METHODS)}"
        raise jwts.BadToken(f"it is encrypted with {printable(f'{alg} and {enc}')}, and only {known} are supported")
    if {"zip", "crit"} & set(header):  # what is compressed may be endless
        raise jwts.BadToken("zip and crit are not supported")
    for key in core.keys.decryption(alg):
        try:
            return jwe.decrypt_compact(token, key.key, algorithms=[alg, enc]).plaintext.decode()  # type: ignore[union-attr]  # a decrypted one has a plaintext
        except (JoseError, ValueError):
            continue  # another of our keys
    raise jwts.BadToken("it cannot be decrypted with the encryption keys of the JWKS")


def _protected_header(token: str) -> dict[str, Any]:
    try:
        header = json.loads(jwts.unb64(token.partition(".")[0]))
    except (ValueError, RecursionError) as error:
        raise jwts.BadToken("it is no JWE") from error
    if not isinstance(header, dict):
        raise jwts.BadToken("it is no JWE")
    return header


def _check_header(client: Client, header: dict[str, Any]) -> None:
    """Section 6.2: signed, never with alg none, and of the right type."""
    allowed = [client.request_object_signing_alg] if client.request_object_signing_alg else SIGNING_ALGS
    if header.get("alg") not in allowed:
        raise jwts.BadToken(f"its alg is {printable(str(header.get('alg')))}, and only {', '.join(allowed)} may be")
    if header.get("typ", TYPES[0]) not in TYPES:
        raise jwts.BadToken(f"its typ is {printable(str(header['typ']))}, not {TYPES[0]}")


def _client_keys(client: Client, header: dict[str, Any]) -> list[Key]:
    """Return the client's keys that the header can mean."""
    known = (client.jwks or {"keys": []})["keys"]
    if not known:
        raise jwts.BadToken("this client has registered no jwks to verify it with")
    kid = header.get("kid")
    found = [key for key in known if key.get("use") != "enc" and kid in (None, key.get("kid", kid))]
    if not found:
        raise jwts.BadToken(f"its kid is {printable(str(kid))}, which is not in the client's jwks")
    return [import_key(dict(key)) for key in found]


def _check_claims(core: Core, client: Client, claims: dict[str, Any]) -> None:
    """Sections 4 and 6.3; what section 4 recommends is checked if it is there."""
    now, audience = core.clock.now(), claims.get("aud", core.issuer)
    expires, begins = claims.get("exp", now), claims.get("nbf", now)
    problems = {
        "its client_id is not the one of the request": claims.get("client_id") != client.client_id,
        "its iss is not the client_id": claims.get("iss", client.client_id) != client.client_id,
        f"its aud is not {core.issuer}": core.issuer not in (audience if isinstance(audience, list) else [audience]),
        "its exp has passed or is no number": not _is_number(expires) or now - CLOCK_LEEWAY >= expires,
        "its nbf is in the future or is no number": not _is_number(begins) or now + CLOCK_LEEWAY < begins,
        "it has request or request_uri in it": bool({"request", "request_uri"} & set(claims)),
    }
    for problem, found in problems.items():
        if found:
            raise InvalidRequestObjectError(f"The request object was refused: {problem}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parameters(claims: dict[str, Any]) -> Pairs:
    """Write the claims as the parameters they stand for."""
    pairs: list[tuple[str, str]] = []
    for name, value in claims.items():
        if name in JWT_CLAIMS:
            continue
        values = value if isinstance(value, list) and name in MAY_REPEAT else [value]
        pairs += [(name, _text(name, one)) for one in values]
    return tuple(pairs)


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # section 4: max_age is a number
    if isinstance(value, dict) and name == "claims":
        return json.dumps(value)  # OIDC Core section 6.1
    raise InvalidRequestObjectError(f"The request object was refused: {printable(name)} is neither text nor a number.")
