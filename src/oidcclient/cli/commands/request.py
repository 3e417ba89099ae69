"""`oidcclient request`."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import click
import httpx

from oidcclient import TransportError, UsageError
from oidcclient.cli import options
from oidcclient.cli.answers import Answer, check_status, header_lines, write_body
from oidcclient.cli.bodies import Body, body_of
from oidcclient.cli.origins import base_for
from oidcclient.cli.plain_token import TOKEN_VARIABLE
from oidcclient.cli.progress import Meter
from oidcclient.cli.routes import Fenced, Routes, context_for
from oidcclient.cli.run import Run
from oidcclient.cli.settings import Settings

__all__ = ["command"]

OURS = frozenset({"authorization", "dpop"})
DEFAULT_TIMEOUT = 60  # seconds without a byte


@click.command(
    "request",
    short_help="Send a request to an API, with the token.",
    help="Send a request to an API, with the token and with whatever proof it needs, and write the answer to stdout. "
    "The token goes only where the profile's `origins` and `resources` or --allow-origin let it.",
)
@click.argument("words", nargs=-1, required=True, metavar="[PROFILE] URL")
@click.option("-X", "--method", metavar="METHOD", help="The method; GET, or POST with -d.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header to send.")
@click.option("-d", "--data", metavar="DATA", help="The body: a text, @FILE, or - for stdin.")
@click.option("-i", "--include", is_flag=True, help="Write the status and the headers of the answer first.")
@click.option("-o", "--output", metavar="FILE", help="Write the body of the answer to a file.")
@click.option("-L", "--location", is_flag=True, help="Follow redirects; the token goes along only where it may go.")
@click.option("--fail", is_flag=True, help="Fail if the status of the answer is 400 or more.")
@click.option("--allow-origin", multiple=True, metavar="URL", help="Let the token go to addresses under this one.")
@click.option(
    "--timeout",
    type=click.IntRange(1),
    default=DEFAULT_TIMEOUT,
    metavar="SECONDS",
    help="How long to wait for a byte; 60 by default.",
)
@options.identity
@options.common
def command(run: Run, words: tuple[str, ...], **given: Any) -> int:
    """Send a request."""
    if run.as_json and (given["output"] or given["include"]):
        raise click.UsageError("--json has all of the answer: --output and --include do not go with it.")
    profile, url = split(words)
    identity = {key: given.pop(key) for key in ("issuer", "client_id", "store", "allow_http_loopback")}
    settings = run.settings(profile, **identity)
    base = base_for(url, settings, given.pop("allow_origin"))
    fail, location, timeout = given.pop("fail"), given.pop("location"), given.pop("timeout")
    with Meter("Sending") as sent, Meter("Receiving") as received:
        client = api_client(run, settings, base, follow_redirects=location, timeout=timeout)
        body = None if given["data"] is None else body_of(given["data"], sent.tell)
        sent.expect(None if body is None else body.size)
        try:
            with client, stream(client, url, given["method"], headers_of(given["headers"]), body) as response:
                status = answer(run, response, given, received)
        except httpx.LocalProtocolError:
            raise unsendable() from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransportError(f"{url.partition('?')[0]}: {str(error) or type(error).__name__}") from None
    return check_status(status) if fail else 0


def split(words: Sequence[str]) -> tuple[str | None, str]:
    """Return the profile, if one is named, and the address."""
    if len(words) > 2 or "://" not in words[-1]:  # noqa: PLR2004 - a profile and an address
        raise click.UsageError("Give an address, and before it a profile if you like.")
    return (words[0] if len(words) > 1 else None), words[-1]


def headers_of(lines: Sequence[str]) -> dict[str, str]:
    """Return headers from the command line."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "oidcclient"}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"A header is 'NAME: VALUE', not {line!r}.")
        if name.strip().lower() in OURS:
            raise UsageError(f"the header {name.strip()} is set by the command", rule="header", hint="Leave it out.")
        headers[name.strip()] = value.strip()
    return headers


def api_client(run: Run, settings: Settings, base: str, **more: Any) -> httpx.Client:
    """Return what sends requests with the token."""
    value = os.environ.get(TOKEN_VARIABLE)
    transport = run.transport(settings, bodies=False)
    if value:
        inner = transport or Routes(settings.path("ca_bundle"))
        return httpx.Client(transport=Fenced(inner, base, value), **more)
    session = run.client(settings).session()
    if transport is not None:
        more["transport"] = transport
    client: httpx.Client = session.http(base, verify=context_for(settings.path("ca_bundle")), **more)
    return client


def stream(
    client: httpx.Client, url: str, method: str | None, headers: dict[str, str], body: Body | None
) -> AbstractContextManager[httpx.Response]:
    """Send the request; the answer is read by whoever takes it."""
    try:
        request = client.build_request(method or ("GET" if body is None else "POST"), url, headers=headers)
    except (httpx.InvalidURL, UnicodeEncodeError):
        raise unsendable() from None
    if body is not None:
        request.stream = body.stream
        request.headers.setdefault("Content-Type", body.content_type)
        if body.size is None:
            request.headers["Transfer-Encoding"] = "chunked"
            request.headers.pop("Content-Length", None)
        else:
            request.headers["Content-Length"] = str(body.size)
    return Answer(client, request)


def unsendable() -> UsageError:
    """Return the error for what HTTP cannot carry; a header may be a secret, so none is repeated."""
    return UsageError(
        "the address, the method or a header has characters that HTTP does not allow",
        rule="request",
        section="RFC 9110 sections 4.2, 5.5 and 9.1",
        hint="Correct it. Letters beyond ASCII are percent-encoded in an address.",
    )


def answer(run: Run, response: httpx.Response, given: dict[str, Any], meter: Meter) -> int:
    """Write an answer as it was asked for, and return its status."""
    meter.expect(int(response.headers.get("content-length") or 0) or None)
    if run.as_json:
        run.result(shape_of(response), "")
        return response.status_code
    write_body(response, given["output"], meter, header_lines(response) if given["include"] else [])
    return response.status_code


def shape_of(response: httpx.Response) -> dict[str, Any]:
    """Return an answer for a script."""
    body = response.read()
    shape: dict[str, Any] = {
        "status": response.status_code,
        "headers": [[name, value] for name, value in response.headers.multi_items()],
    }
    try:
        return {**shape, "body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {**shape, "body_base64": base64.b64encode(body).decode("ascii")}
