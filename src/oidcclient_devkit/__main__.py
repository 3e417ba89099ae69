"""`python -m oidcclient_devkit`: the provider and its API until Ctrl-C; with `keys`, a key set for it."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from .endpoints.device_authorization import PAGE as DEVICE_PAGE
from .endpoints.documents import OIDC_PATH
from .keys import ENCRYPTION_ALGS, RSA_BITS, SIGNING_ALGS, Keys, new_key_set, read_key_set
from .proof_rules import NONCE_MODES
from .provider import Provider
from .records import LOGGER
from .why import FIRST_ERROR

DEFAULT_PORT = 9400
LEGACY = "The password grant is on: it is legacy, and RFC 9700 section 2.4 forbids it.\n"
PRIVATE = "These are private keys, for development and tests only. Keep the file to yourself.\n"


def main(arguments: Sequence[str] | None = None, *, done: threading.Event | None = None) -> int:
    """Serve until interrupted, or until `done` is set; or print keys."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.command == "keys":
            return print_keys(options)
        keys = None if options.keys is None else Keys.from_jwks(_read_json(options.keys))
    except ValueError as error:
        parser.exit(1, f"cannot use the key set: {error}\n")
    except OSError as error:
        parser.exit(1, f"cannot read the key set: {error}\n")
    return serve(parser, options, keys, done or threading.Event())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m oidcclient_devkit",
        description="An OpenID provider on loopback and an API it protects, for development and tests only.",
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port of the provider, 0 for a free one")
    parser.add_argument("--api-port", type=int, default=None, help="port of the API (default: the next one)")
    parser.add_argument(
        "--resource",
        action="append",
        default=[],
        metavar="URL",
        help="issue tokens for this API too (RFC 8707); may be repeated",
    )
    parser.add_argument("--sign-in-as", metavar="USER", help="sign this user in without showing any page")
    parser.add_argument("--quiet", action="store_true", help="do not show the requests, and why they were refused")
    parser.add_argument("--keys", metavar="FILE", help="sign with the keys of this set, made with the command keys")
    parser.add_argument("--nonces", choices=NONCE_MODES, default="off", help="ask for nonces in DPoP proofs")
    parser.add_argument("--require-dpop", action="store_true", help="hold the desktop client to DPoP proofs")
    parser.add_argument(
        "--allow-password-grant", action="store_true", help="legacy: take passwords at the token endpoint"
    )
    commands = parser.add_subparsers(dest="command", title="commands", metavar="")
    keys = commands.add_parser(
        "keys",
        help="make a key set and print it",
        description="Make a private key set (RFC 7517) for --keys, and print it as JSON.",
    )
    keys.add_argument("--bits", type=int, choices=RSA_BITS, default=RSA_BITS[0], help="size of RSA keys")
    keys.add_argument(
        "--alg",
        action="append",
        choices=(*SIGNING_ALGS, *ENCRYPTION_ALGS),
        metavar="ALG",
        help=f"make a key for this algorithm; may be repeated: {', '.join((*SIGNING_ALGS, *ENCRYPTION_ALGS))}",
    )
    keys.add_argument("--public", metavar="FILE", help="make nothing; print the public half of this set (-: stdin)")
    return parser


def serve(
    parser: argparse.ArgumentParser, options: argparse.Namespace, keys: Keys | None, done: threading.Event
) -> int:
    """Run the provider and its API."""
    api_port = options.api_port
    if api_port is None:
        api_port = options.port + 1 if options.port else 0
    try:
        provider = Provider(port=options.port, api_port=api_port, sign_in_as=options.sign_in_as, keys=keys)
        provider.resources.extend(options.resource)
        provider.dpop_nonces(as_=options.nonces, rs=options.nonces)
        provider.require_dpop(required=options.require_dpop)
        if options.allow_password_grant:
            provider.allow_password_grant()
        provider.start()
    except (OSError, ValueError) as error:
        parser.exit(1, f"cannot start: {error}\n")
    handler = None if options.quiet else show_requests()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    sys.stdout.write(describe(provider))
    sys.stdout.flush()
    # Waiting in short turns lets Windows notice Ctrl-C.
    while not done.wait(0.5):
        pass
    provider.stop()
    if handler is not None:
        LOGGER.removeHandler(handler)
    return 0


def show_requests() -> logging.Handler:
    """Write each request to the terminal, with the reason if it was refused."""
    handler = logging.StreamHandler(sys.stderr)
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    handler.setFormatter(RedStatus() if colour else logging.Formatter("%(message)s"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    return handler


class RedStatus(logging.Formatter):
    """Shows the status of a refused request in red, which reads well on dark and on light."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        status = text.split(maxsplit=2)[1]
        return text.replace(status, f"\x1b[31m{status}\x1b[0m", 1) if int(status) >= FIRST_ERROR else text


def print_keys(options: argparse.Namespace) -> int:
    """Print a new key set, or the public half of one."""
    if options.public is not None:
        jwks = {"keys": [key.public() for key in read_key_set(_read_json(options.public))]}
    else:
        jwks = new_key_set(options.alg, options.bits) if options.alg else new_key_set(bits=options.bits)
        sys.stderr.write(PRIVATE)
    sys.stdout.write(f"{json.dumps(jwks, indent=2)}\n")
    return 0


def _read_json(name: str) -> object:
    text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    value: object = json.loads(text)
    return value


def describe(provider: Provider) -> str:
    """Return what a person needs to try it."""
    people = "\n".join(f"              {user.username} / {user.password}" for user in provider.users.values())
    return (
        "OpenID provider for development and tests only\n"
        f"  issuer      {provider.issuer}\n"
        f"  API         {provider.api}\n"
        f"  client_id   {provider.client_id}\n"
        f"  users\n{people}\n"
        f"  metadata    {provider.issuer}{OIDC_PATH}\n"
        f"  device page {provider.issuer}{DEVICE_PAGE}\n"
        f"  register at {provider.issuer}/register\n"
        f"{LEGACY if provider.core.controls.grants.legacy else ''}"
        "Ctrl-C stops it.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
