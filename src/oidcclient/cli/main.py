"""
Where the command starts.

The shortest ways come first: `--version`, and `token` with a token that is good. They load neither click nor anything
else that they do not need. All the rest goes to click.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING
if TYPE_CHECKING:
    from oidcclient import OidcError

__all__ = ["main"]

OK, FAILURE, STOPPED, USAGE = 0, 1, 2, 3  # as in exits, which loads the errors
EXTRA = "oidcclient[cli]"
NEEDED = ("click", "rich", "tomlkit")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        return guarded(print_version, words)
    if is_plain_token(words):
        return guarded(lambda: plain_token(words[1:]), words)
    return guarded(lambda: with_click(words), words)


def is_plain_token(words: Sequence[str]) -> bool:
    """Tell whether the command is `token` or `token PROFILE`."""
    return len(words) in {1, 2} and words[0] == "token" and not words[-1].startswith("-")


def guarded(run: Callable[[], int], words: Sequence[str]) -> int:
    """Run something and turn whatever it raises into a message and an exit code."""
    try:
        return run()
    except KeyboardInterrupt:
        return stopped()
    except BrokenPipeError:
        return hung_up()
    except OSError as error:
        return unwritten(error, words)
    except Exception as error:
        from oidcclient import OidcError  # noqa: PLC0415 - loaded by whoever raised it

        if not isinstance(error, OidcError):
            raise
        return failed(error, words)


def print_version() -> int:
    """Print the version."""
    from oidcclient import __version__  # noqa: PLC0415 - nothing is loaded before it is needed

    sys.stdout.write(f"oidcclient {__version__}\n")
    sys.stdout.flush()
    return OK


def plain_token(names: Sequence[str]) -> int:
    """Print the access token of a profile."""
    from .plain_token import print_token  # noqa: PLC0415 - nothing is loaded before it is needed

    return print_token(*names)


def with_click(words: Sequence[str]) -> int:
    """Run whatever is asked for."""
    try:
        from .app import run  # noqa: PLC0415 - nothing is loaded before it is needed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        return extra_missing()
    if sys.stdin is None:  # closed by whoever started us: there is nothing to read
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the program runs
    return run(words)


def extra_missing() -> int:
    """Say what to install."""
    sys.stderr.write(f"The command needs a few packages more:\n  pip install '{EXTRA}'\n")
    return USAGE


def stopped() -> int:
    """Say that the person stopped it. A refresh under way has some seconds to be saved; Ctrl-C again ends that."""
    import signal  # noqa: PLC0415 - only where somebody stops it

    signal.signal(signal.SIGINT, lambda *_: os._exit(STOPPED))
    sys.stderr.write("\nStopped.\n")
    sys.stderr.flush()
    return STOPPED


def hung_up() -> int:
    """End quietly: whoever read our output has gone."""
    # The interpreter writes what is left when it ends, and would complain (Python documentation, "Note on SIGPIPE").
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILURE


def unwritten(error: OSError, words: Sequence[str]) -> int:
    """Say that the result could not be written. Every other trouble with files and networks has a class of its own."""
    from oidcclient import StoreError  # noqa: PLC0415 - nothing is loaded before it is needed

    if sys.stdout is not None:
        hung_up()
    message = f"the result could not be written: {error.strerror or error}"
    return failed(StoreError(message, rule="output", hint="See where stdout goes, and what is full."), words)


def named_profile(words: Sequence[str]) -> str | None:
    """Return the profile that the words name, for the commands in a message."""
    from oidcclient import OidcError  # noqa: PLC0415 - as below

    from .config import read_config  # noqa: PLC0415 - as below

    try:
        known = read_config().profiles
    except OidcError:
        return None
    return next((word for word in words[1:] if word in known), None)


def failed(error: OidcError, words: Sequence[str]) -> int:
    """Say what went wrong."""
    from . import messages  # noqa: PLC0415 - only where something went wrong
    from .exits import code_of  # noqa: PLC0415 - only where something went wrong
    from .output import json_text, say  # noqa: PLC0415 - only where something went wrong

    profile = named_profile(words)
    if "--json" in words:
        say(json_text(messages.as_json(error, profile)))
    else:
        say(messages.as_text(error, profile))
    return code_of(error)


if __name__ == "__main__":
    sys.exit(main())
