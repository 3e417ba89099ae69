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

from fastapi.openapi.models import HTTPBase
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

    In OpenAPI it is a security scheme of type `http` and scheme `dpop`, with the scopes of each route. Several of them
    on one route check the proof once.

    Args:
        resource: What decides; its scopes come from `Security(..., scopes=[...])`.
        acr_values: What else a route needs, see `Needs`.
        max_age: The same, in seconds.
        scheme_name: Its name in OpenAPI.
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

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> VerifiedRequest:
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
