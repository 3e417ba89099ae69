"""`python -m oidcclient_devkit`: the provider and its API until Ctrl-C."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from .provider import Provider

DEFAULT_PORT = 9400


def main(arguments: Sequence[str] | None = None, *, done: threading.Event | None = None) -> int:
    """Serve until interrupted, or until `done` is set."""
    parser = argparse.ArgumentParser(
        prog="python -m oidcclient_devkit",
        description="An OpenID provider on loopback and an API it protects, for development and tests only.",
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port of the provider, 0 for a free one")
    parser.add_argument("--api-port", type=int, default=None, help="port of the API (default: the next one)")
    parser.add_argument("--sign-in-as", metavar="USER", help="sign this user in without showing any page")
    options = parser.parse_args(arguments)
    api_port = options.api_port
    if api_port is None:
        api_port = options.port + 1 if options.port else 0
    try:
        provider = Provider(port=options.port, api_port=api_port, sign_in_as=options.sign_in_as).start()
    except (OSError, ValueError) as error:
        parser.exit(1, f"cannot start: {error}\n")
    done = done or threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    sys.stdout.write(describe(provider))
    sys.stdout.flush()
    # Waiting in short turns lets Windows notice Ctrl-C.
    while not done.wait(0.5):
        pass
    provider.stop()
    return 0


def describe(provider: Provider) -> str:
    """Return what a person needs to try it."""
    people = "\n".join(f"              {user.username} / {user.password}" for user in provider.users.values())
    return (
        "OpenID provider for development and tests only\n"
        f"  issuer      {provider.issuer}\n"
        f"  API         {provider.api}\n"
        f"  client_id   {provider.client_id}\n"
        f"  users\n{people}\n"
        "Ctrl-C stops it.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
