"""The protected API: it takes the provider's access tokens and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

from .answers import Answer, json_answer
from .bearer import TokenRefused, check_access_token
from .clients import SCOPES
from .core import Core
from .exchange import Exchange
from .grants.resources import covers

METADATA_PATH = "/.well-known/oauth-protected-resource"

Reply = Callable[[Core, Exchange, Mapping[str, Any]], Answer]


def hello(_core: Core, _exchange: Exchange, _claims: Mapping[str, Any]) -> Answer:
    """Greet whoever brings a token."""
    return json_answer({"hello": "world"})


def me(core: Core, _exchange: Exchange, claims: Mapping[str, Any]) -> Answer:
    """Tell who the token is about."""
    user = next(user for user in core.users.values() if user.sub == claims["sub"])
    return json_answer({"sub": user.sub, "name": user.name, "client_id": claims["client_id"]})


def echo(_core: Core, exchange: Exchange, claims: Mapping[str, Any]) -> Answer:
    """Send the body back."""
    return json_answer({"sub": claims["sub"], "body": exchange.body.decode("utf-8", "replace")})


def files(_core: Core, exchange: Exchange, _claims: Mapping[str, Any]) -> Answer:
    """Tell the path as it was sent, still encoded: a proof is for exactly that (RFC 9449 section 4.2)."""
    return json_answer({"path": exchange.raw_path})


# Path, method, the scope it takes, what it does.
ROUTES: tuple[tuple[str, str, str, Reply], ...] = (
    ("/hello", "GET", "", hello),
    ("/me", "GET", "profile", me),
    ("/echo", "POST", "", echo),
    ("/files/{path:path}", "GET", "", files),
)


def protect(scope: str, reply: Reply) -> Callable[[Core, Exchange], Answer]:
    """Let a request through only with a good token (RFC 6750 section 3)."""

    def handle(core: Core, exchange: Exchange) -> Answer:
        def meant_for_us(audience: list[str]) -> bool:
            address = f"{core.api}{exchange.path}"
            return any(covers(name, address) or name == core.api for name in audience)

        try:
            _, claims = check_access_token(core, exchange, "api", scope=scope, meant_for=meant_for_us)
        except TokenRefused as refused:
            return refused.answer(core, exchange, resource_metadata=f"{core.api}{METADATA_PATH}")
        return reply(core, exchange, claims)

    return handle


def metadata(core: Core, _exchange: Exchange) -> Answer:
    """Describe the API (RFC 9728)."""
    return json_answer(
        {
            "resource": core.api,
            "authorization_servers": [core.issuer],
            "scopes_supported": [scope for scope in SCOPES if scope != "offline_access"],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": list(core.controls.proofs.algorithms),
            "dpop_bound_access_tokens_required": False,
        },
        headers=(),
    )
