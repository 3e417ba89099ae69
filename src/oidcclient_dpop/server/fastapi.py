"""
Protecting a FastAPI application, route by route.

    security = DPoPSecurity(resource)
    app = FastAPI()
    app.add_middleware(DPoPMiddleware, resource=resource, default=None)

    @app.get("/me")
    async def me(request: Annotated[VerifiedRequest, Security(security, scopes=["profile"])]) -> ...

The middleware gives the answers; which requests are let in is decided where the routes are.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of __call__.

import inspect
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Security
from fastapi.openapi.models import HTTPBase, HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from .asgi import KEY, THROUGH, DPoPMiddleware, api_request
from .resource.needs import Needs
from .resource.resource import ProtectedResource
from .resource.verified import VerifiedRequest

__all__ = ["DPoPMiddleware", "DPoPSecurity"]


class DPoPSecurity(SecurityBase):
    """
    A dependency that lets only good requests in, and hands their `VerifiedRequest` to the route.

    In OpenAPI it is a security scheme of type `http` and scheme `dpop`, with the scopes of each route; where the
    resource takes Bearer too, there is one of scheme `bearer` beside it, and either is enough. Several of them on one
    route check the proof once; the observer sees a `RefusedLater` where a later one asks for what is not there.

    Args:
        resource: What decides; its scopes come from `Security(..., scopes=[...])`.
        acr_values: What else a route needs, see `Needs`.
        max_age: The same, in seconds.
        scheme_name: Its name in OpenAPI; the other one's is `bearer`.
    """

    def __init__(
        self,
        resource: ProtectedResource,
        *,
        acr_values: tuple[str, ...] = (),
        max_age: int | None = None,
        scheme_name: str = "dpop",
    ) -> None:
        self._resource = resource
        self._needs = Needs((), acr_values, max_age)
        self.scheme_name = scheme_name
        self.model = HTTPBase(scheme="dpop", description="An access token bound to a key, with a proof (RFC 9449).")
        self.__signature__ = _signature(self.__call__, bearer="Bearer" in resource.schemes)

    async def __call__(
        self, connection: HTTPConnection, security_scopes: SecurityScopes, **_shown: None
    ) -> VerifiedRequest:
        """
        Check a request.

        Raises:
            AccessRefused: It may not go on; the middleware makes an answer of it.
            RuntimeError: This application has no `DPoPMiddleware` with the same resource to do so.
        """
        scope = connection.scope
        # What another resource let in may be nothing here. Around another application, even the one that this one is
        # mounted in, a middleware does not see a refusal: each application makes an answer of its own of it, 500.
        if scope.get(THROUGH) != (self._resource, scope["app"]):
            raise RuntimeError("add DPoPMiddleware with this resource to this application: it answers refusals")
        needs = Needs(tuple(security_scopes.scopes), self._needs.acr_values, self._needs.max_age)
        known: object = scope[KEY]
        if isinstance(known, VerifiedRequest):  # by another dependency of the route, or by the middleware
            self._resource.check_needs(known, needs)
            return known
        verified: VerifiedRequest = await self._resource.check_async(api_request(scope), needs)
        scope[KEY] = verified
        return verified


class _Bearer(SecurityBase):
    """What shows the Bearer scheme in OpenAPI, and does nothing else: one dependency is one scheme there."""

    def __init__(self) -> None:
        self.scheme_name = "bearer"
        self.model = HTTPBearer(description="An access token that is bound to no key (RFC 6750).")

    async def __call__(self) -> None:
        return


def _signature(call: Callable[..., Any], *, bearer: bool) -> inspect.Signature:
    """Return what FastAPI reads the dependencies in: those of a call, and Bearer's to be shown."""
    signature = inspect.signature(call)
    shown = inspect.Parameter("bearer", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[None, Security(_Bearer())])
    kept = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    return signature.replace(parameters=[*kept, *([shown] if bearer else [])])
