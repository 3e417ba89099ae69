"""The four ways in which a provider can misbehave."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange

from .draft import Draft

Params = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a misbehaviour takes place, the options it was given, and the endpoint by the name the controls use."""

    core: Core
    exchange: Exchange
    options: Mapping[str, Any]
    endpoint: str = ""


def always(_scene: Scene) -> bool:
    """Misbehave at each request."""
    return True


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """Spoils an endpoint's answer. The endpoint is the name before the dot; `when` chooses among its requests."""

    does: str
    act: Callable[[Answer, Scene], Answer]
    when: Callable[[Scene], bool] = always


@dataclass(frozen=True, slots=True)
class Instead:
    """Answers in place of an endpoint, which does not see the request and so spends nothing."""

    does: str
    act: Callable[[Scene], Answer]
    when: Callable[[Scene], bool] = always


@dataclass(frozen=True, slots=True)
class BadCallback:
    """Spoils the parameters sent to the redirect address."""

    does: str
    act: Callable[[Params, Scene], Params]


@dataclass(frozen=True, slots=True)
class BadDraft:
    """Spoils a JWT (an ID Token, or a userinfo answer) before or while it is signed."""

    does: str
    act: Callable[[Draft, Mapping[str, Any]], None]


Misbehaviour = BadAnswer | Instead | BadCallback | BadDraft
