"""Authorization responses that a client must refuse, or survive."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.pages.render import page

from .kinds import BadAnswer, BadCallback, Params, Scene

ATTACKER = "https://attacker.example"
HOSTILE = "<script>alert(1)</script>\x1b[2J\x1b]0;title\x07\u202e"

Act = Callable[[Params, Scene], Params]


def _replace(name: str, value: str) -> Act:
    return lambda params, scene: [
        (key, str(scene.options.get("value", value)) if key == name else old) for key, old in params
    ]


def _without(name: str) -> Act:
    return lambda params, _scene: [pair for pair in params if pair[0] != name]


def _twice(name: str, value: str | None = None) -> Act:
    """Send a parameter again, at the end, with the same value or another."""
    return lambda params, _scene: [*params, *((key, value or old) for key, old in params if key == name)]


def _error(params: Params, scene: Scene, issuer: str) -> Params:
    kept = [pair for pair in params if pair[0] == "state"]
    error = str(scene.options.get("error", "access_denied"))
    return [("error", error), ("error_description", "The devkit was told to."), *kept, ("iss", issuer)]


def _hostile(params: Params, scene: Scene) -> Params:
    return [
        (name, HOSTILE if name == "error_description" else value)
        for name, value in _error(params, scene, scene.core.issuer)
    ]


def _leaves(scene: Scene) -> bool:
    """Tell whether this request sends the browser back to the app: at once, or when the person has allowed it."""
    if scene.endpoint == "authorize":
        return scene.core.controls.sign_in_as is not None
    return _form_was_posted(scene)


def _form_was_posted(scene: Scene) -> bool:
    return scene.endpoint == "consent" and scene.exchange.method == "POST"


def _as_fragment(answer: Answer, _scene: Scene) -> Answer:
    location = answer.header("location") or ""
    answer.replace_header("Location", location.replace("?", "#", 1))
    return answer


def _as_form(answer: Answer, _scene: Scene) -> Answer:
    target, _, query = (answer.header("location") or "").partition("?")
    return page(
        "form_post.html",
        form_target=target,
        client={"client_name": "the app"},
        target=target,
        params=parse_qsl(query, keep_blank_values=True),
    )


def _with_307(answer: Answer, _scene: Scene) -> Answer:
    answer.status = 307
    return answer


CALLBACK: Mapping[str, BadCallback | BadAnswer] = {
    "wrong_iss": BadCallback("names another issuer (option `value`)", _replace("iss", ATTACKER)),
    "missing_iss": BadCallback("has no iss", _without("iss")),
    "two_iss": BadCallback("has iss twice, the second another one", _twice("iss", ATTACKER)),
    "wrong_state": BadCallback("has another state (option `value`)", _replace("state", "another-state")),
    "missing_state": BadCallback("has no state", _without("state")),
    "two_states": BadCallback("has state twice", _twice("state")),
    "two_codes": BadCallback("has code twice, the second another one", _twice("code", "another-code")),
    "wrong_code": BadCallback("has a code that was never issued (option `value`)", _replace("code", "another-code")),
    "no_code": BadCallback("has no code", _without("code")),
    "error": BadCallback(
        "is an error (option `error`)", lambda params, scene: _error(params, scene, scene.core.issuer)
    ),
    "error_with_wrong_iss": BadCallback(
        "is an error from another issuer", lambda params, scene: _error(params, scene, ATTACKER)
    ),
    "hostile_error": BadCallback("is an error with markup and escape sequences in it (option `error`)", _hostile),
    "fragment": BadAnswer("comes in the fragment, which no server sees", _as_fragment, _leaves),
    "form_post": BadAnswer("comes in a form that was not asked for", _as_form, _leaves),
    "status_307": BadAnswer(  # RFC 9700 section 4.12
        "is a 307 after the consent form, so that the browser posts the form to the app", _with_307, _form_was_posted
    ),
    "code_and_error": BadCallback(
        "has a code and an error", lambda params, _scene: [*params, ("error", "access_denied")]
    ),
    "unknown_parameters": BadCallback(
        "has parameters nobody knows, which do no harm",
        lambda params, _scene: [("session_state", "x.y"), *params, ("authuser", "0"), ("", "empty")],
    ),
}
