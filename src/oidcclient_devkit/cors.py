"""Letting pages of other origins call what is for programs, never what is for people (Fetch standard, section 3.3).

RFC 9449 sections 7.1 and 8: a page sees `DPoP-Nonce` and the challenges only if they are exposed.
RFC 9700 section 2.6: the authorization endpoint has no CORS, as a browser is sent there and no script fetches it.
"""

from collections.abc import Callable

from .answers import Answer
from .core import Core
from .exchange import Exchange

# By the names the controls use. None of them knows a cookie, so any origin may ask.
ENDPOINTS = frozenset(
    {
        "metadata",
        "jwks",
        "par",
        "token",
        "userinfo",
        "revoke",
        "introspect",
        "register",
        "device_authorization",
        "api",
    }
)
PREFLIGHT = "preflight"  # the name that preflight requests are recorded under
ANY_ORIGIN = "*"
ALLOWED_HEADERS = "Authorization, Content-Type, DPoP"  # the wildcard would not cover Authorization
EXPOSED_HEADERS = "DPoP-Nonce, WWW-Authenticate"
ALLOW_ORIGIN = "Access-Control-Allow-Origin"


def preflight(methods: str) -> Callable[[Core, Exchange], Answer]:
    """Return what answers OPTIONS at an endpoint with these methods (RFC 9110 section 9.3.7)."""
    named = ", ".join([*methods.split(), "OPTIONS"])

    def handle(core: Core, exchange: Exchange) -> Answer:
        answer = Answer(204, [("Allow", named)])
        if exchange.header("access-control-request-method") is not None:
            _allow_origin(core, exchange, answer)
        if answer.header(ALLOW_ORIGIN) is not None:
            answer.headers += [
                ("Access-Control-Allow-Methods", named),
                ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
            ]
        return answer

    return handle


def expose(core: Core, endpoint: str, exchange: Exchange, answer: Answer) -> None:
    """Let the page that asked read the answer; credentials are never allowed, as nothing here needs them."""
    if endpoint in ENDPOINTS and answer.header(ALLOW_ORIGIN) is None:
        _allow_origin(core, exchange, answer)
        if answer.header(ALLOW_ORIGIN) is not None:
            answer.headers.append(("Access-Control-Expose-Headers", EXPOSED_HEADERS))


def _allow_origin(core: Core, exchange: Exchange, answer: Answer) -> None:
    allowed, origin = core.controls.origins, exchange.header("origin")
    if ANY_ORIGIN in allowed:
        answer.headers.append((ALLOW_ORIGIN, ANY_ORIGIN))
        return
    answer.headers.append(("Vary", "Origin"))  # a cache keeps the answers for different origins apart
    if origin is not None and origin in allowed:
        answer.headers.append((ALLOW_ORIGIN, origin))
