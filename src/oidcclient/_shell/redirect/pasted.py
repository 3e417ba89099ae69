"""An address that a person pasted: a pure function, as strict as the listener's `decide`."""

from __future__ import annotations

from oidcclient._words.receiver import CallbackArrived
from oidcclient.protocol import same_secret

from .forms import parse_form

__all__ = ["WrongPaste", "read_pasted"]

LONGEST = 32_768  # characters, as much as the listener reads


class WrongPaste(Exception):
    """
    What was pasted is not the answer to this sign-in. Its text is for the person, and holds no part of what came.

    Args:
        text: One or two sentences.
    """


def read_pasted(text: str, *, redirect_uri: str, state: str) -> CallbackArrived:
    """
    Take apart the address that the browser ended at. As with the listener `iss` and all else belong to the flow.

    Args:
        text: What was pasted. Secret: it may hold a code.
        redirect_uri: The redirect URI of the request; the address is this one, byte for byte, and a query (RFC 8252
            section 8.10).
        state: The `state` of the request.

    Raises:
        WrongPaste: It is no answer, or the answer to another request.
    """
    address = text.strip()
    if len(address) > LONGEST:
        raise WrongPaste("That is too long for an address.")
    if ":/" not in address or any(char.isspace() for char in address):
        raise WrongPaste(
            "That is no address. Copy all that stands in the browser's address bar, from its beginning to its end: "
            "the code alone would not do, as nobody could tell which sign-in it belongs to."
        )
    base, _, query = address.partition("#")[0].partition("?")  # a fragment never reaches a listener either
    if base != redirect_uri:
        raise WrongPaste(f"That is not where this sign-in ends: the address begins with {redirect_uri}")
    if not query:
        raise WrongPaste("That address brings no answer. Sign in first, then copy the address the browser ends at.")
    parameters = parse_form(query.encode("utf-8", "replace"))
    if parameters is None:
        raise WrongPaste("That address is damaged. Copy it again, whole.")
    states = [value for name, value in parameters if name == "state"]
    # RFC 6749 section 10.12; section 3.1: parameters MUST NOT be included more than once.
    if len(states) != 1 or not same_secret(states[0], state):
        raise WrongPaste("That address belongs to another sign-in, perhaps an older one.")
    return CallbackArrived(parameters, redirect_uri)
