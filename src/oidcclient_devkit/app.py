"""The two web applications: the provider and the protected API."""

from collections.abc import Awaitable, Callable
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from oidcclient_dpop.server import ReplayUnavailable

from . import api, cors
from .answers import Answer, json_answer
from .core import Core
from .endpoints import (
    authorize,
    device,
    device_authorization,
    documents,
    end_session,
    home,
    interaction,
    introspection,
    log,
    par,
    registration,
    tokens,
    userinfo,
)
from .exchange import MAX_BODY, Exchange, TooLarge, read_exchange
from .hints import hint
from .misbehaviours import bend_answer, stand_in
from .pages.render import error_page
from .proofs import add_nonce
from .why import reason

Handler = Callable[[Core, Exchange], Answer]

# Path, methods, the name the controls use, what it does.
ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("/", "GET", "home", home.home),
    ("/style.css", "GET", "style", home.style),
    ("/log", "GET", "log", log.log),
    ("/metrics", "GET", "metrics", log.metrics),
    (documents.OIDC_PATH, "GET", "metadata", documents.metadata),
    (documents.OAUTH_PATH, "GET", "metadata", documents.metadata),
    ("/jwks", "GET", "jwks", documents.jwks),
    ("/par", "POST", "par", par.push),
    ("/authorize", "GET POST", "authorize", authorize.authorize),
    ("/sign-in/{id}", "GET POST", "sign_in", interaction.sign_in_page),
    ("/consent/{id}", "GET POST", "consent", interaction.consent_page),
    ("/token", "POST", "token", tokens.token),
    ("/revoke", "POST", "revoke", tokens.revoke),
    ("/device-authorization", "POST", "device_authorization", device_authorization.device_authorization),
    (device_authorization.PAGE, "GET POST", "device", device.device),
    ("/register", "POST", "register", registration.register),
    ("/introspect", "POST", "introspect", introspection.introspect),
    ("/userinfo", "GET POST", "userinfo", userinfo.userinfo),
    ("/end-session", "GET POST", "end_session", end_session.end_session),
)

# Some misbehaviours are about what lies inside an endpoint's answer.
PLACES: dict[str, tuple[str, ...]] = {
    "par": ("par", "dpop"),
    "authorize": ("authorize", "callback"),
    "consent": ("consent", "callback"),
    "token": ("token", "id_token", "dpop"),
    "userinfo": ("userinfo", "dpop"),
    "api": ("api", "dpop"),
}


def provider_app(core: Core) -> Starlette:
    """Build the provider."""
    routes = [
        Route(path, _endpoint(core, name, handler), methods=methods.split()) for path, methods, name, handler in ROUTES
    ]
    routes += [_preflight(core, path, methods) for path, methods, name, _ in ROUTES if name in cors.ENDPOINTS]
    return Starlette(routes=routes, exception_handlers=_refusals(core, _no_page))


def api_app(core: Core) -> Starlette:
    """Build the protected API."""
    routes = [
        Route(path, _endpoint(core, "api", api.protect(scope, reply)), methods=[method])
        for path, method, scope, reply in api.ROUTES
    ]
    routes.append(Route(api.METADATA_PATH, _endpoint(core, "api", api.metadata), methods=["GET"]))
    routes.append(_preflight(core, api.METADATA_PATH, "GET"))
    routes += [_preflight(core, path, method) for path, method, _, _ in api.ROUTES]
    return Starlette(routes=routes, exception_handlers=_refusals(core, _nothing_here))


def _preflight(core: Core, path: str, methods: str) -> Route:
    return Route(path, _endpoint(core, cors.PREFLIGHT, cors.preflight(methods)), methods=["OPTIONS"])


def _refusals(core: Core, handler: Handler) -> dict[int | type[Exception], Callable[..., Awaitable[Response]]]:
    run = _endpoint(core, "unknown", handler)

    async def refuse(request: Request, _error: Exception) -> Response:
        return await run(request)

    async def too_large(request: Request, _error: Exception) -> Response:
        answer = Answer(413, [("Connection", "close")], why=f"The body has more than {MAX_BODY} bytes.")
        _finish(core, "unknown", Exchange(request.method, request.url.path), answer)
        return _response(core, answer)

    return {404: refuse, 405: refuse, TooLarge: too_large, ClientDisconnect: _gone}


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it


def _no_page(core: Core, exchange: Exchange) -> Answer:
    known = {path for path, *_ in ROUTES}
    if exchange.path in known:
        return error_page(405, "Not like this", f"{exchange.path} does not take {exchange.method} requests.")
    del core
    return error_page(404, "There is nothing here", f"The devkit has no page at {exchange.path}.")


def _nothing_here(_core: Core, exchange: Exchange) -> Answer:
    known = {path for path, *_ in api.ROUTES}
    status = 405 if exchange.path in known else 404
    return json_answer({"error": "not_found" if status == 404 else "method_not_allowed"}, status)  # noqa: PLR2004 - HTTP


def _endpoint(core: Core, name: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Wrap a handler: controls first, then the answer as it should be, then misbehaviours."""

    async def run(request: Request) -> Response:
        exchange = await read_exchange(request)
        answer = core.controls.next_prepared(name)
        if answer is None:
            answer = _answer(core, name, handler, exchange)
        else:
            exchange.note("A test prepared this answer.")
        _finish(core, name, exchange, answer)
        wait = core.controls.delays.get(name, 0.0) + answer.delay
        if wait > 0:
            await core.controls.wait(wait)
        return _response(core, answer)

    return run


def _finish(core: Core, name: str, exchange: Exchange, answer: Answer) -> None:
    """Let pages of other origins read it, and write down what happened and why."""
    cors.expose(core, name, exchange, answer)
    core.metrics.answered(name, exchange, answer)
    core.requests.record(name, exchange, answer, at=core.clock.now())


def _answer(core: Core, name: str, handler: Handler, exchange: Exchange) -> Answer:
    """Answer as it should be, spoiled as the active misbehaviours say."""
    places = PLACES.get(name, (name,))
    core.controls.acted.clear()
    for place in places:
        if (other := stand_in(core, place, exchange, name)) is not None:
            return _told(core, exchange, other)
    try:
        answer = handler(core, exchange)
    except ReplayUnavailable:  # none is taken unseen
        answer = Answer(503, [("Retry-After", "1")], why="More DPoP proofs at once than can be remembered.")
    add_nonce(core, name, answer)
    exchange.notes[:] = filter(None, [reason(answer), *exchange.notes, hint(core, exchange, answer)])
    for place in places:
        answer = bend_answer(core, place, exchange, answer, name)
    return _told(core, exchange, answer)


def _told(core: Core, exchange: Exchange, answer: Answer) -> Answer:
    """Say what the provider did wrong on purpose."""
    if core.controls.acted:
        exchange.note(f"The devkit misbehaves as it was told: {', '.join(core.controls.acted)}")
    return answer


def _response(core: Core, answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.raw_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers
    ]
    for name, value in (
        ("date", formatdate(core.clock.now(), usegmt=True)),
        ("x-content-type-options", "nosniff"),
        ("content-length", str(len(answer.body))),
    ):
        if answer.header(name) is None:
            response.raw_headers.append((name.encode(), value.encode()))
    return response
