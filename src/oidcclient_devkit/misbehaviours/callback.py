"""Authorization responses that a client must refuse, or survive."""

from collections.abc import Callable, Mapping

from .kinds import BadCallback, Params, Scene

ATTACKER = "https://attacker.example"

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


CALLBACK: Mapping[str, BadCallback] = {
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
    "code_and_error": BadCallback(
        "has a code and an error", lambda params, _scene: [*params, ("error", "access_denied")]
    ),
    "unknown_parameters": BadCallback(
        "has parameters nobody knows, which do no harm",
        lambda params, _scene: [("session_state", "x.y"), *params, ("authuser", "0"), ("", "empty")],
    ),
}
