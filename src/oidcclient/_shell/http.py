"""The one border to httpx: our requests in, our answers out, its exceptions translated."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from oidcclient._words.errors import OidcError, ResponseRefused, TransportError, UsageError
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.options import Http
from oidcclient.protocol import is_loopback

from .waiting import wait_for

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["AsyncWire", "BridgedWire", "Performs", "Wire"]


class Performs(Protocol):
    """What performs the requests of a flow in a thread."""

    def perform(self, request: HttpRequest) -> HttpResponse:
        """Send one request and return the answer."""
        ...


Certificate = tuple[str, str] | None
_LONGEST_CONNECT = 10.0  # seconds


def _settings(options: Http, certificate: Certificate, timeout: float, *, loopback: bool) -> dict[str, Any]:
    from http.cookiejar import CookieJar, DefaultCookiePolicy  # noqa: PLC0415 - loaded by httpx anyway

    import httpx  # noqa: PLC0415 - some 100 ms, paid at the first request

    settings: dict[str, Any] = {
        "follow_redirects": False,
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none is ever kept
        "timeout": httpx.Timeout(timeout, connect=min(timeout, _LONGEST_CONNECT)),
        "headers": {"User-Agent": "oidcclient", "Accept-Encoding": "identity"},
        "trust_env": options.trust_env and not loopback,
    }
    if options.transport is not None:
        return {**settings, "transport": options.transport, "trust_env": False}
    if not loopback or certificate or options.verify is not True:
        settings["verify"] = _context(options, certificate)
    if options.proxy and not loopback:
        settings["proxy"] = options.proxy
    return settings


def _context(options: Http, certificate: Certificate) -> ssl.SSLContext:
    """Build what TLS needs; a client certificate is loaded into it, into the program's own context too."""
    import ssl  # noqa: PLC0415 - loaded by httpx anyway

    import httpx  # noqa: PLC0415 - a cached token needs no network

    if options.verify is True:
        context = httpx.create_ssl_context(trust_env=options.trust_env)
    elif isinstance(options.verify, ssl.SSLContext):
        context = options.verify
    else:
        context = _trusting(options.verify)
    if certificate:
        context.load_cert_chain(*certificate)
    return context


def _trusting(bundle: Any) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415 - loaded by httpx anyway

    try:
        return ssl.create_default_context(cafile=bundle)
    except (OSError, TypeError) as fault:
        raise UsageError(
            "the certificate authorities cannot be read",
            rule="verify",
            received=bundle,
            hint="Pass Http(verify=...) the path of a PEM bundle, or an ssl.SSLContext.",
        ) from fault


def _where(request: HttpRequest) -> str:
    """Name a request for people: method, host and path, never the query."""
    parts = urlsplit(request.url)
    return f"{request.method} {parts.scheme}://{parts.netloc}{parts.path}"


class _Collector:
    """Gather a body within its size and time."""

    def __init__(self, request: HttpRequest, timeout: float) -> None:
        self._request = request
        self._deadline = time.monotonic() + timeout
        self._timeout = timeout
        self._chunks: list[bytes] = []
        self._size = 0

    def check_encoding(self, answer: httpx.Response) -> None:
        """Refuse a packed body: it was not asked for, and a small one may unpack to more than memory holds."""
        encoding = answer.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            raise ResponseRefused(
                f"the answer to {_where(self._request)} is packed though that was not asked for",
                rule="content-encoding",
                section="RFC 9110 section 12.5.3",
                received=encoding,
            )

    def add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._request.max_bytes:
            raise ResponseRefused(
                f"the answer to {_where(self._request)} is too large",
                rule="size",
                expected=f"at most {self._request.max_bytes} bytes",
                hint="If the provider's answers really are that large, raise Policy(max_response_bytes=...).",
            )
        if time.monotonic() > self._deadline:
            raise TransportError(f"{_where(self._request)} took longer than {self._timeout:.0f} seconds")
        self._chunks.append(chunk)

    def response(self, answer: httpx.Response) -> HttpResponse:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw)
        return HttpResponse(answer.status_code, headers, b"".join(self._chunks))


@contextmanager
def _translated(request: HttpRequest) -> Iterator[None]:
    """Turn httpx's exceptions into ours. Not chained: httpx keeps the request, with its headers, in them."""
    import httpx  # noqa: PLC0415 - a cached token needs no network

    fault: TransportError
    try:
        yield
    except httpx.TimeoutException:
        fault = TransportError(f"{_where(request)} timed out")
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
        reason = _reason(error)
        hint = None
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            hint = "The server's certificate is not trusted here: for a private authority pass http=Http(verify=...)."
        fault = TransportError(f"{_where(request)} failed: {reason}", hint=hint)
    else:
        return
    raise fault from None


def _reason(error: BaseException) -> str:
    """Say why a connection failed; on trio the words are in the cause."""
    cause: BaseException | None = error
    while cause is not None and not str(cause):
        cause = cause.__cause__ or cause.__context__
    return str(cause or type(error).__name__).split("\n")[0]


class Wire:
    """
    Perform requests for sync programs. Thread-safe; connections are shared and made at the first request.

    Args:
        options: How the network is reached.
        timeout: The longest one request may take, in seconds.
    """

    def __init__(self, options: Http, timeout: float) -> None:
        self._options = options
        self._timeout = timeout
        self._lock = threading.Lock()
        self._clients: dict[tuple[bool, Certificate], httpx.Client] = {}
        weakref.finalize(self, _close_all, self._clients)  # a program that never calls close() leaks no connection

    def _client(self, request: HttpRequest) -> httpx.Client:
        import httpx  # noqa: PLC0415 - a cached token needs no network

        loopback = is_loopback(urlsplit(request.url).hostname)
        key = (loopback, request.certificate)
        with self._lock:
            if key not in self._clients:
                settings = _settings(self._options, request.certificate, self._timeout, loopback=loopback)
                self._clients[key] = httpx.Client(**settings)
            return self._clients[key]

    def perform(self, request: HttpRequest) -> HttpResponse:
        """
        Send one request and return the answer, its body limited in size and time.

        Raises:
            ResponseRefused: The body is too large.
            TransportError: No answer came.
        """
        client = self._client(request)
        # httpx limits each read, not their sum: a head that drips would hold us for ever. So the request has a thread
        # of its own, which is left behind with its connection when the time is over.
        future: Future[HttpResponse] = Future()
        thread = threading.Thread(
            target=self._send, args=(client, request, future), daemon=True, name="oidcclient-request"
        )
        try:
            thread.start()
        except RuntimeError:  # from Python 3.12 no thread starts while the program ends, and a refresh may still run
            return self._exchange(client, request)
        try:
            return wait_for(future, self._timeout)
        except TimeoutError:
            self._drop(client)
            raise TransportError(f"{_where(request)} took longer than {self._timeout:g} seconds") from None

    def _drop(self, client: httpx.Client) -> None:
        """Close a client with the connection that is given up, so that neither it nor its thread is left behind."""
        with self._lock:
            for key in [key for key, known in self._clients.items() if known is client]:
                del self._clients[key]
        client.close()

    def _send(self, client: httpx.Client, request: HttpRequest, future: Future[HttpResponse]) -> None:
        try:
            future.set_result(self._exchange(client, request))
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            future.set_exception(error)

    def _exchange(self, client: httpx.Client, request: HttpRequest) -> HttpResponse:
        collector = _Collector(request, self._timeout)
        with (
            _translated(request),
            client.stream(
                request.method, request.url, headers=list(request.headers), content=request.body or None
            ) as answer,
        ):
            collector.check_encoding(answer)
            for chunk in [answer.content] if answer.is_stream_consumed else answer.iter_raw():
                collector.add(chunk)
            return collector.response(answer)

    def close(self) -> None:
        """Close all connections; the next request makes new ones."""
        with self._lock:
            _close_all(self._clients)


def _close_all(clients: dict[tuple[bool, Certificate], httpx.Client]) -> None:
    while clients:
        clients.popitem()[1].close()


class AsyncWire:
    """
    Perform requests for async programs, on asyncio or trio. Connections belong to the event loop that made them.

    Args:
        options: How the network is reached.
        timeout: The longest one request may take, in seconds.
    """

    def __init__(self, options: Http, timeout: float) -> None:
        self._options = options
        self._timeout = timeout
        self._loop: object = None
        self._clients: dict[tuple[bool, Certificate], httpx.AsyncClient] = {}

    def _client(self, request: HttpRequest) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415 - a cached token needs no network
        from anyio.lowlevel import current_token  # noqa: PLC0415 - loaded by httpx anyway

        loop = current_token()
        if loop != self._loop:  # a second asyncio.run(): the first one's connections died with its loop
            self._loop, self._clients = loop, {}
        loopback = is_loopback(urlsplit(request.url).hostname)
        key = (loopback, request.certificate)
        if key not in self._clients:
            settings = _settings(self._options, request.certificate, self._timeout, loopback=loopback)
            self._clients[key] = httpx.AsyncClient(**settings)
        return self._clients[key]

    async def perform(self, request: HttpRequest) -> HttpResponse:
        """
        Send one request and return the answer, its body limited in size and time.

        Raises:
            ResponseRefused: The body is too large.
            TransportError: No answer came.
        """
        client = self._client(request)
        collector = _Collector(request, self._timeout)
        import anyio  # noqa: PLC0415 - loaded by httpx anyway

        fault: OidcError | None = TransportError(f"{_where(request)} took longer than {self._timeout:g} seconds")
        with anyio.move_on_after(self._timeout), _translated(request):
            async with client.stream(
                request.method, request.url, headers=list(request.headers), content=request.body or None
            ) as answer:
                fault = await _gather(answer, collector)
        if fault is not None:
            raise fault
        return collector.response(answer)

    async def close(self) -> None:
        """Close all connections; the next request makes new ones."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()


class BridgedWire:
    """
    Perform requests from a thread on the event loop that an async transport belongs to.

    Args:
        wire: The async wire.
        loop: The event loop's token.
    """

    def __init__(self, wire: AsyncWire, loop: Any) -> None:
        self._wire = wire
        self._loop = loop

    def perform(self, request: HttpRequest) -> HttpResponse:
        """
        Send one request and return the answer.

        Raises:
            TransportError: No answer came, or the event loop has ended.
        """
        from asyncio import CancelledError as TaskCancelled  # noqa: PLC0415 - loaded by anyio

        import anyio  # noqa: PLC0415 - keeps sync programs free of it
        from anyio import from_thread  # noqa: PLC0415 - keeps sync programs free of it

        try:
            return from_thread.run(self._wire.perform, request, token=self._loop)
        except (RuntimeError, anyio.RunFinishedError, CancelledError, TaskCancelled):
            raise TransportError("the event loop that the transport belongs to has ended") from None


async def _gather(answer: httpx.Response, collector: _Collector) -> OidcError | None:
    """
    Collect a body and return what is wrong with it, if anything is.

    A body that is refused is not left half-read: its connection is closed and its generators run to their end, since
    trio warns of each that is left to the garbage collector.
    """
    import httpx  # noqa: PLC0415 - a cached token needs no network

    fault: OidcError | None = None
    if answer.is_stream_consumed:  # a transport of the program's own, which has the body in memory
        collector.add(answer.content)
        return None
    try:
        async for chunk in answer.aiter_raw():
            try:
                collector.check_encoding(answer)
                collector.add(chunk)
            except OidcError as refusal:
                fault = refusal
                await answer.aclose()
    except (httpx.HTTPError, httpx.StreamError):
        if fault is None:
            raise
    return fault
