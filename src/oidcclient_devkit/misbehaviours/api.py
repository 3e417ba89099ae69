"""What a protected API can answer that a client must not be led astray by."""

from collections.abc import Callable, Mapping

from oidcclient_devkit.answers import Answer, json_answer
from oidcclient_devkit.bearer import challenge, tries_dpop

from .documents import redirect
from .kinds import BadAnswer, Scene
from .token import problem


def _challenge(status: int, error: str, **parameters: str) -> Callable[[Answer, Scene], Answer]:
    """Refuse with a challenge for the scheme that was tried; the options replace its parameters."""

    def act(_answer: Answer, scene: Scene) -> Answer:
        told = {name: str(scene.options.get(name, value)) for name, value in parameters.items()}
        scheme = "DPoP" if tries_dpop(scene.exchange) else "Bearer"
        header = challenge(scheme, {"error": error, **told})
        return json_answer({"error": error}, status, [("WWW-Authenticate", header)])

    return act


API: Mapping[str, BadAnswer] = {
    "no_challenge": BadAnswer("is 401 without WWW-Authenticate", lambda _answer, _scene: Answer(401)),
    "token_refused": BadAnswer("refuses every token as invalid_token", _challenge(401, "invalid_token")),
    "insufficient_scope": BadAnswer(
        "wants another scope (option `scope`)", _challenge(403, "insufficient_scope", scope="everything")
    ),
    "step_up": BadAnswer(  # RFC 9470 section 3
        "wants a stronger sign-in, whatever it was (options `acr_values`, `max_age`)",
        _challenge(401, "insufficient_user_authentication", acr_values="phr", max_age="0"),
    ),
    "unavailable": BadAnswer(
        "is 503 with Retry-After (option `retry_after`)",
        problem(503, "temporarily_unavailable", ("Retry-After", "1")),
    ),
    "redirect_to_other_host": BadAnswer(
        "is a redirect to another host (option `location`)", redirect("https://attacker.example/me")
    ),
}
