"""What a route asks of a request, and which route a request is for."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .credentials import Problem

__all__ = ["ANY_TOKEN", "Needs", "Route", "needs_of"]

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3; acr values have no space either


@dataclass(frozen=True, slots=True)
class Needs:
    """
    What a request must bring beside a good access token.

    Args:
        scopes: All of these.
        acr_values: One of these ways of authentication, the preferred one first (RFC 9470 section 3).
        max_age: How long ago the user may have signed in, in seconds (RFC 9470 section 3).
    """

    scopes: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be written into a challenge."""
        for values in (self.scopes, self.acr_values):
            if not isinstance(values, tuple) or not all(_SCOPE.fullmatch(value) for value in values):
                raise ValueError("scopes and acr_values are tuples of words without spaces and quotes")
        if self.max_age is not None and self.max_age < 0:
            raise ValueError("max_age is a number of seconds")


ANY_TOKEN = Needs()


class Route:
    """
    What requests to some paths need.

    Args:
        path: As the application sees it, decoded and without the path it is mounted at: `/files/{name}` has one
            segment in place of `{name}`, `/admin/*` is `/admin` and all below. A slash at the end does not matter.
        needs: What they need; None lets everybody in.
        methods: For which methods this is said; None for all. `GET` says it for `HEAD` too. Their case does not
            matter here: Django and Werkzeug take a `delete` for a `DELETE`.
    """

    def __init__(self, path: str, needs: Needs | None = ANY_TOKEN, *, methods: Collection[str] | None = None) -> None:
        if not path.startswith("/"):
            raise ValueError("a path starts with a slash")
        self.needs = needs
        named = None if methods is None else frozenset(method.upper() for method in methods)
        self._methods = named if named is None or "GET" not in named else named | {"HEAD"}
        self._path = path
        self._pattern = _pattern(path)

    def covers(self, method: str, path: str) -> bool:
        """Tell whether a request is for this route."""
        if self._methods is not None and method.upper() not in self._methods:
            return False
        return path == self._path or self._pattern.fullmatch(path) is not None


def needs_of(routes: Sequence[Route], default: Needs | None, method: str, path: str) -> Needs | None:
    """
    Return what the first route that covers a request needs, else the default.

    Raises:
        Problem: Some applications take the path for another one, which needs something else: they leave out empty
            segments (Bottle, CherryPy), follow dots (servers of files) or add a slash in front (Werkzeug).
    """
    needs = _first(routes, default, method, path)
    unclear = "//" in path or "/." in path or not path.startswith("/")
    if unclear and _first(routes, default, method, _shortened(path)) != needs:
        raise Problem(400, "invalid_request", "The path can be read in two ways")
    return needs


def _first(routes: Sequence[Route], default: Needs | None, method: str, path: str) -> Needs | None:
    for route in routes:
        if route.covers(method, path):
            return route.needs
    return default


def _shortened(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    return "/" + "/".join(kept)


def _pattern(path: str) -> re.Pattern[str]:
    below = path.endswith("/*")
    # What an application takes for one path may come with or without a slash at the end: both are covered.
    segments = path.removesuffix("/*").rstrip("/").split("/")[1:]
    parts = ["[^/]+" if re.fullmatch(r"\{\w+\}", one) else re.escape(one) for one in segments]
    return re.compile("".join(f"/{part}" for part in parts) + ("(?:/.*)?" if below else "/?"), re.DOTALL)
