"""Everything a provider can do wrong, by name.

A name is `place.what`; the places are metadata, jwks, par, callback, device_authorization, token, id_token, userinfo,
revoke, api and dpop.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange

from .api import API
from .callback import CALLBACK
from .device import DEVICE
from .documents import JWKS, METADATA
from .dpop import DPOP
from .draft import Draft
from .id_token import ID_TOKEN
from .kinds import BadAnswer, BadCallback, BadDraft, Instead, Misbehaviour, Params, Scene
from .token import PAR, REVOKE, TOKEN
from .userinfo import USERINFO

Kind = TypeVar("Kind", BadAnswer, Instead, BadCallback, BadDraft)

MISBEHAVIOURS: Mapping[str, Misbehaviour] = {
    f"{place}.{name}": misbehaviour
    for place, table in (
        ("metadata", METADATA),
        ("jwks", JWKS),
        ("par", PAR),
        ("callback", CALLBACK),
        ("device_authorization", DEVICE),
        ("token", TOKEN),
        ("id_token", ID_TOKEN),
        ("userinfo", USERINFO),
        ("revoke", REVOKE),
        ("api", API),
        ("dpop", DPOP),
    )
    for name, misbehaviour in table.items()
}


def check_name(name: str) -> str:
    """Refuse a name that no misbehaviour has.

    Raises:
        ValueError: with the names of the same place.
    """
    if name not in MISBEHAVIOURS:
        place = name.partition(".")[0]
        near = [known for known in MISBEHAVIOURS if known.startswith(f"{place}.")] or list(MISBEHAVIOURS)
        raise ValueError(f"no misbehaviour is called {name!r}; there are {', '.join(near)}")
    return name


def _due(core: Core, place: str, kind: type[Kind]) -> Iterator[tuple[str, Kind]]:
    """Yield what is switched on at a place; one place can have several kinds."""
    for name in list(core.controls.active):
        misbehaviour = MISBEHAVIOURS[name]
        if name.startswith(f"{place}.") and isinstance(misbehaviour, kind):
            yield name, misbehaviour


def _options(core: Core, name: str) -> Mapping[str, Any]:
    """Take one use of a misbehaviour."""
    active = core.controls.active[name]
    core.controls.acted.append(name)
    if active.times is not None:
        active.times -= 1
        if active.times == 0:
            del core.controls.active[name]
    return active.options


def _scene(core: Core, exchange: Exchange, endpoint: str, name: str) -> Scene:
    return Scene(core, exchange, core.controls.active[name].options, endpoint)


def stand_in(core: Core, place: str, exchange: Exchange, endpoint: str) -> Answer | None:
    """Return what is answered in place of an endpoint, or None."""
    for name, misbehaviour in _due(core, place, Instead):
        scene = _scene(core, exchange, endpoint, name)
        if misbehaviour.when(scene):
            _options(core, name)
            return misbehaviour.act(scene)
    return None


def bend_answer(core: Core, place: str, exchange: Exchange, answer: Answer, endpoint: str) -> Answer:
    """Spoil an answer as the active misbehaviours say."""
    for name, misbehaviour in _due(core, place, BadAnswer):
        scene = _scene(core, exchange, endpoint, name)
        if misbehaviour.when(scene):
            _options(core, name)
            answer = misbehaviour.act(answer, scene)
    return answer


def bend_callback(core: Core, exchange: Exchange, params: Params) -> Params:
    """Spoil the parameters of an authorization response."""
    for name, misbehaviour in _due(core, "callback", BadCallback):
        params = misbehaviour.act(params, Scene(core, exchange, _options(core, name)))
    return params


def bend_draft(core: Core, place: str, draft: Draft) -> None:
    """Spoil a JWT before it is signed."""
    for name, misbehaviour in _due(core, place, BadDraft):
        misbehaviour.act(draft, _options(core, name))
