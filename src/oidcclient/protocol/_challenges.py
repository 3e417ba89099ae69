"""What a server asks for in `WWW-Authenticate` (RFC 9110 section 11.6.1, RFC 6750 section 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from oidcclient._words.http import HttpResponse

__all__ = ["Challenge", "parse_challenges"]

_LONGEST = 16_384  # characters of one field; a real one has a few hundred
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"  # a token, RFC 9110 section 5.6.2
_SCHEME = re.compile(rf"[ \t,]*+({_NAME})(?=[ \t,]|$)")
_TOKEN68 = re.compile(r"[ \t]++[A-Za-z0-9._~+/-]++=*+(?=[ \t]*+(?:,|$))")
_PARAMETER = re.compile(rf'[ \t,]*+({_NAME})[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*+)"|({_NAME}))(?=[ \t]*+(?:,|$))')
_END = re.compile(r"[ \t,]*+$")


@dataclass(frozen=True, slots=True)
class Challenge:
    """
    One challenge of a server.

    Args:
        scheme: The authentication scheme, in lower case.
        parameters: Its parameters, their names in lower case; one that comes twice is left out. Unknown ones are kept.
    """

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(response: HttpResponse) -> tuple[Challenge, ...]:
    """
    Read every challenge of an answer: several in one field, and several fields.

    What follows something that is no challenge is ignored, up to the end of its field. Nothing is raised: an answer
    with a broken header is still the refusal that its status says.
    """
    fields = response.all_headers("www-authenticate")
    return tuple(challenge for text in fields if len(text) <= _LONGEST for challenge in _challenges(text))


def _challenges(text: str) -> Iterator[Challenge]:
    position = 0
    while not _END.match(text, position) and (scheme := _SCHEME.match(text, position)):
        position = scheme.end()
        parameters: dict[str, str] = {}
        repeated: set[str] = set()
        if token68 := _TOKEN68.match(text, position):
            position = token68.end()
        while found := _PARAMETER.match(text, position):
            position = found.end()
            name, quoted, plain = found[1].lower(), found[2], found[3]
            if name in parameters:  # RFC 9110 section 11.2: once per challenge; which one counts is anybody's guess
                repeated.add(name)
            parameters[name] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        kept = {name: value for name, value in parameters.items() if name not in repeated}
        yield Challenge(scheme[1].lower(), MappingProxyType(kept))
