"""Client authentication as values (RFC 6749 section 2.3, OIDC Core 9): one per client, made again for every request."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, quote_plus

from oidcclient._words.errors import UsageError
from oidcclient._words.http import HttpRequest

from ._parsing import form_body

__all__ = ["ClientAuth", "ClientSecretBasic", "ClientSecretJwt", "ClientSecretPost", "PrivateKeyJwt", "PublicClient"]

ASSERTION_LIFETIME = 60  # seconds; FAPI 2.0 section 5.3.2.1 has servers refuse what lives long
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
_SHORTEST_SECRETS = {"HS256": 32, "HS384": 48, "HS512": 64}  # bytes: as many as the hash has (RFC 7518 section 3.2)
_ASYMMETRIC: dict[str, Literal["RSA", "EC", "OKP"]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    **dict.fromkeys(("Ed25519", "EdDSA"), "OKP"),
}


class ClientAuth(Protocol):
    """Prove which client makes a request. Third parties may add ways of their own."""

    def authenticate(
        self, request: HttpRequest, *, client_id: str, issuer: str, token_endpoint: str, now: float
    ) -> HttpRequest:
        """
        Return the form request with the client's authentication, and with `client_id` where that belongs.

        Args:
            request: A POST of a form, without authentication.
            client_id: The client's identifier.
            issuer: The issuer, the audience of assertions.
            token_endpoint: The token endpoint, for servers that want it as the audience.
            now: Unix seconds.
        """
        ...


def _with_form(request: HttpRequest, **more: str) -> HttpRequest:
    form = [(name, value) for name, value in parse_qsl(request.body.decode("ascii"), keep_blank_values=True)]
    return request.with_body(form_body([*((name, value) for name, value in form if name not in more), *more.items()]))


@dataclass(frozen=True, slots=True)
class PublicClient:
    """A client without a secret, as apps on users' machines are: sends `client_id` alone (RFC 6749 section 3.2.1)."""

    def authenticate(
        self, request: HttpRequest, *, client_id: str, issuer: str, token_endpoint: str, now: float
    ) -> HttpRequest:
        """Add `client_id` to the form."""
        del issuer, token_endpoint, now
        return _with_form(request, client_id=client_id)


@dataclass(frozen=True, slots=True)
class ClientSecretBasic:
    """
    Send the secret in the Authorization header, id and secret form-encoded first (RFC 6749 section 2.3.1).

    Args:
        secret: The client secret.
    """

    secret: str = field(repr=False)

    def authenticate(
        self, request: HttpRequest, *, client_id: str, issuer: str, token_endpoint: str, now: float
    ) -> HttpRequest:
        """Add the Authorization header."""
        del issuer, token_endpoint, now
        pair = f"{quote_plus(client_id)}:{quote_plus(self.secret)}"
        return request.with_header("Authorization", f"Basic {base64.b64encode(pair.encode('ascii')).decode('ascii')}")


@dataclass(frozen=True, slots=True)
class ClientSecretPost:
    """
    Send the secret in the form (RFC 6749 section 2.3.1).

    Args:
        secret: The client secret.
    """

    secret: str = field(repr=False)

    def authenticate(
        self, request: HttpRequest, *, client_id: str, issuer: str, token_endpoint: str, now: float
    ) -> HttpRequest:
        """Add `client_id` and `client_secret` to the form."""
        del issuer, token_endpoint, now
        return _with_form(request, client_id=client_id, client_secret=self.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecretJwt:
    """
    Prove knowledge of the secret with an HMAC-signed assertion (OIDC Core 9, RFC 7523).

    Args:
        secret: The client secret, at least as many bytes as the hash has: 32, 48 or 64.
        algorithm: The HMAC algorithm.
        audience: What the assertion is for; the issuer identifier by default, as RFC 9126 section 2 wants.
    """

    secret: str = field(repr=False)
    algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    audience: Literal["issuer", "token_endpoint"] = "issuer"

    def __post_init__(self) -> None:
        """Refuse a secret that is too short for the hash."""
        if self.algorithm not in _SHORTEST_SECRETS:
            raise UsageError("algorithm must be HS256, HS384 or HS512", rule="algorithm", received=self.algorithm)
        if len(self.secret.encode()) < _SHORTEST_SECRETS[self.algorithm]:
            raise UsageError(
                "the client secret is too short to sign with",
                rule="secret",
                section="RFC 7518 section 3.2",
                expected=f"at least {_SHORTEST_SECRETS[self.algorithm]} bytes",
            )

    def authenticate(
        self, request: HttpRequest, *, client_id: str, issuer: str, token_endpoint: str, now: float
    ) -> HttpRequest:
        """Add a fresh assertion to the form."""
        from authlib.oauth2.rfc7523 import client_secret_jwt_sign  # noqa: PLC0415 - some 80 ms, rarely needed
        from joserfc.jwk import OctKey  # noqa: PLC0415 - some 80 ms, rarely needed

        assertion = client_secret_jwt_sign(
            OctKey.import_key(self.secret),
            client_id,
            issuer if self.audience == "issuer" else token_endpoint,
            alg=self.algorithm,
            issued_at=int(now),
            expires_in=ASSERTION_LIFETIME,
        )
        return _with_assertion(request, client_id, assertion)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKeyJwt:
    """
    Prove possession of a private key with a signed assertion (OIDC Core 9, RFC 7523).

    Args:
        key: The private key, as a JWK or in PEM.
        algorithm: The signature algorithm; it must fit the key.
        kid: Which of the client's registered keys it is. A JWK's own `kid` is used where none is given.
        audience: What the assertion is for; the issuer identifier by default, as RFC 9126 section 2 wants.
    """

    key: str | bytes | Mapping[str, Any] = field(repr=False)
    algorithm: str = "ES256"
    kid: str | None = None
    audience: Literal["issuer", "token_endpoint"] = "issuer"

    def __post_init__(self) -> None:
        """Refuse an algorithm that proves no possession of a private key."""
        if self.algorithm not in _ASYMMETRIC:
            raise UsageError(
                "algorithm must be an asymmetric one",
                rule="algorithm",
                section="OIDC Core 9",
                expected=", ".join(_ASYMMETRIC),
                received=self.algorithm,
            )

    def authenticate(
        self, request: HttpRequest, *, client_id: str, issuer: str, token_endpoint: str, now: float
    ) -> HttpRequest:
        """
        Add a fresh assertion to the form.

        Raises:
            UsageError: The key cannot be read or does not fit the algorithm.
        """
        from joserfc.errors import JoseError  # noqa: PLC0415 - some 80 ms, rarely needed

        try:
            assertion = self._assertion(client_id, issuer if self.audience == "issuer" else token_endpoint, int(now))
        except (JoseError, ValueError, TypeError) as fault:
            reason = type(fault).__name__  # its message may hold part of the key, so nothing more is kept of it
        else:
            return _with_assertion(request, client_id, assertion)
        raise UsageError(
            f"the client's key cannot sign with {self.algorithm} ({reason})",
            rule="key",
            section="OIDC Core 9",
            hint="Pass a private JWK or PEM key that fits the algorithm.",
        )

    def _assertion(self, client_id: str, audience: str, now: int) -> str:
        from authlib.oauth2.rfc7523 import private_key_jwt_sign  # noqa: PLC0415 - some 80 ms, rarely needed
        from joserfc.jwk import import_key  # noqa: PLC0415 - some 80 ms, rarely needed

        kind = _ASYMMETRIC[self.algorithm]
        key = import_key(dict(self.key)) if isinstance(self.key, Mapping) else import_key(self.key, kind)
        kid = self.kid or key.kid
        assertion: str = private_key_jwt_sign(
            key,
            client_id,
            audience,
            alg=self.algorithm,
            header={"kid": kid} if kid else {},
            issued_at=now,
            expires_in=ASSERTION_LIFETIME,
        )
        return assertion


def _with_assertion(request: HttpRequest, client_id: str, assertion: str) -> HttpRequest:
    return _with_form(request, client_id=client_id, client_assertion_type=_ASSERTION_TYPE, client_assertion=assertion)
