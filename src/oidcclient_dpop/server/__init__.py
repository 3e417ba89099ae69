"""
Checking proofs (RFC 9449): for APIs that take DPoP-bound tokens and for authorization servers that issue them.

    verifier = ProofVerifier()
    proof = verifier.verify(method="GET", url=url, proof_headers=values, access_token=token, jkt=cnf["jkt"], now=now)
    replay.use(proof, now=now)

For a whole API there is `ProtectedResource`, and the modules `asgi`, `wsgi`, `fastapi`, `django` and `rest_framework`
put it into a web framework.

Importing this loads neither an HTTP library nor anything of the client; `cryptography` is loaded with the first key,
and what needs another library when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

from . import events
from .algorithms import ALGORITHMS, DEFAULT_ALGORITHMS
from .errors import INVALID_DPOP_PROOF, USE_DPOP_NONCE, ProofRefused, ReplayUnavailable, Rule
from .nonces import NonceCheck, NonceIssuer
from .replay import AsyncReplayCache, MemoryReplayCache, ReplayCache, replay_key
from .uris import normal_uri
from .verifier import ProofVerifier, VerifiedProof

if TYPE_CHECKING:
    from .redis_replay import AsyncRedisReplayCache, RedisReplayCache
    from .resource.answers import AccessRefused, Answer
    from .resource.cors import Cors
    from .resource.credentials import ApiRequest
    from .resource.needs import Needs, Route
    from .resource.resource import ProtectedResource
    from .resource.verified import VerifiedRequest
    from .tokens.introspection import IntrospectedTokens
    from .tokens.jwt import JWT_ALGORITHMS, JWTAccessTokens
    from .tokens.token import AccessTokens, AuthorizationServerUnavailable, CheckedToken, InvalidAccessToken

_HOMES = {
    "AsyncRedisReplayCache": ".redis_replay",
    "RedisReplayCache": ".redis_replay",
    "AccessRefused": ".resource.answers",
    "Answer": ".resource.answers",
    "Cors": ".resource.cors",
    "ApiRequest": ".resource.credentials",
    "Needs": ".resource.needs",
    "Route": ".resource.needs",
    "ProtectedResource": ".resource.resource",
    "VerifiedRequest": ".resource.verified",
    "IntrospectedTokens": ".tokens.introspection",
    "JWT_ALGORITHMS": ".tokens.jwt",
    "JWTAccessTokens": ".tokens.jwt",
    "AccessTokens": ".tokens.token",
    "AuthorizationServerUnavailable": ".tokens.token",
    "CheckedToken": ".tokens.token",
    "InvalidAccessToken": ".tokens.token",
}

__all__ = [
    "ALGORITHMS",
    "DEFAULT_ALGORITHMS",
    "INVALID_DPOP_PROOF",
    "JWT_ALGORITHMS",
    "USE_DPOP_NONCE",
    "AccessRefused",
    "AccessTokens",
    "Answer",
    "ApiRequest",
    "AsyncRedisReplayCache",
    "AsyncReplayCache",
    "AuthorizationServerUnavailable",
    "CheckedToken",
    "Cors",
    "IntrospectedTokens",
    "InvalidAccessToken",
    "JWTAccessTokens",
    "MemoryReplayCache",
    "Needs",
    "NonceCheck",
    "NonceIssuer",
    "ProofRefused",
    "ProofVerifier",
    "ProtectedResource",
    "RedisReplayCache",
    "ReplayCache",
    "ReplayUnavailable",
    "Route",
    "Rule",
    "VerifiedProof",
    "VerifiedRequest",
    "events",
    "normal_uri",
    "replay_key",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
