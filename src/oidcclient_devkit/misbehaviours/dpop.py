"""What a provider or an API can do wrong with proofs and nonces (RFC 9449).

They happen at requests that carry a proof: at the endpoints named by the option `at`, or at all that take proofs.
"""

import secrets
from collections.abc import Callable, Mapping
from email.utils import formatdate

from oidcclient_devkit.answers import Answer, error_answer
from oidcclient_devkit.bearer import TokenRefused, challenge
from oidcclient_devkit.proof_rules import SERVER_OF
from oidcclient_devkit.proofs import CLOCK_AHEAD, IGNORED_AT, proof_headers

from .kinds import BadAnswer, Instead, Scene
from .token import on_success

NONCE = "DPoP-Nonce"
NOT_NQCHAR = 'no"nonce\\at all'  # RFC 9449 section 8.1: no quotation mark, no backslash, no space
FOREIGN_ALG = "RS1"  # nobody signs with it
HUGE_NONCE = 100_000  # characters
FIRST_ERROR = 400  # HTTP
USE_NONCE = ("use_dpop_nonce", "The proof needs another nonce")


def carries_proof(scene: Scene) -> bool:
    """Tell whether a request brings a proof, at an endpoint that is meant."""
    at = scene.options.get("at", tuple(SERVER_OF))
    meant = (at,) if isinstance(at, str) else at
    return scene.endpoint in meant and bool(proof_headers(scene.exchange))


def _at_resource(scene: Scene) -> bool:
    return scene.endpoint in {"userinfo", "api"} and carries_proof(scene)


def _at_grant(grant_type: str) -> Callable[[Scene], bool]:
    return lambda scene: scene.endpoint == "token" and scene.exchange.value("grant_type") == grant_type


def _refuse(scene: Scene, error: str, description: str, **headers: str) -> Answer:
    """Refuse a proof as this endpoint would: 400 at the provider, 401 with a challenge where a token is taken."""
    if scene.endpoint in {"par", "token"}:
        answer = error_answer(error, description)
    else:
        answer = TokenRefused(401, error, description).answer(scene.core, scene.exchange)
    for name, value in headers.items():
        answer.replace_header(name.replace("_", "-"), value)
    return answer


def _moved(scene: Scene) -> str:
    seconds = float(scene.options.get("seconds", CLOCK_AHEAD))
    return formatdate(scene.core.clock.now() + seconds, usegmt=True)


def _iat_refused(scene: Scene) -> Answer:
    return _refuse(scene, "invalid_dpop_proof", "The iat is too far in the past", Date=_moved(scene))


def _clock_ahead(answer: Answer, scene: Scene) -> Answer:
    answer.replace_header("Date", _moved(scene))
    return answer


def _nonce(*values: str) -> Callable[[Answer, Scene], Answer]:
    """Replace the nonce of an answer."""

    def act(answer: Answer, scene: Scene) -> Answer:
        answer.headers = [pair for pair in answer.headers if pair[0] != NONCE]
        answer.headers += [(NONCE, str(scene.options.get("value", value))) for value in values]
        return answer

    return act


def _huge_nonce(answer: Answer, scene: Scene) -> Answer:
    return _nonce("n" * int(scene.options.get("size", HUGE_NONCE)))(answer, scene)


def _only_on_errors(answer: Answer, scene: Scene) -> Answer:
    return answer if answer.status >= FIRST_ERROR else _nonce()(answer, scene)


def _odd_challenge(answer: Answer, _scene: Scene) -> Answer:
    """Put all challenges into one field, oddly written (RFC 9110 section 11.6.1)."""
    found = [value for name, value in answer.headers if name == "WWW-Authenticate"]
    if found:
        odd = [f'{value.partition(" ")[0].swapcase()} x="a, DPoP b=c", {value.partition(" ")[2]}' for value in found]
        answer.replace_header("WWW-Authenticate", ", ".join(odd))
    return answer


def _only_on_success(answer: Answer, scene: Scene) -> Answer:
    return answer if answer.status < FIRST_ERROR else _nonce()(answer, scene)


def _mixed_statuses(answer: Answer, scene: Scene) -> Answer:
    """Swap 400 and 401 of a nonce challenge, as servers of the AT Protocol do."""
    if b'"use_dpop_nonce"' in answer.body:
        answer.status = 401 if scene.endpoint in {"par", "token"} else 400
    return answer


def _foreign_algs(scene: Scene) -> Answer:
    answer = _refuse(scene, "invalid_dpop_proof", "The alg is not allowed")
    algs = str(scene.options.get("algs", FOREIGN_ALG))
    answer.replace_header("WWW-Authenticate", challenge("DPoP", {"error": "invalid_dpop_proof", "algs": algs}))
    return answer


def _bearer_challenge(scene: Scene) -> Answer:
    answer = _refuse(scene, "invalid_token", "Only Bearer is known here")
    answer.replace_header("WWW-Authenticate", challenge("Bearer", {"realm": "devkit", "error": "invalid_token"}))
    return answer


def _spend(answer: Answer, scene: Scene) -> Answer:
    if b'"use_dpop_nonce"' in answer.body:
        store, value = scene.core.store, scene.exchange.value
        spent = store.codes.get(value("code") or ""), store.refresh_tokens.get(value("refresh_token") or "")
        for one in spent:
            if one is not None:
                one.used = True
    return answer


def _says_bearer(answer: Answer, _scene: Scene) -> Answer:
    return answer.with_json(answer.json() | {"token_type": "Bearer"})


def _unchanged(answer: Answer, _scene: Scene) -> Answer:
    return answer  # the endpoint asked whether this is switched on


DPOP: Mapping[str, BadAnswer | Instead] = {
    "nonce_loop": Instead(
        "asks for a new nonce, whatever the proof",
        lambda scene: _refuse(scene, *USE_NONCE, DPoP_Nonce=secrets.token_urlsafe(24)),
        carries_proof,
    ),
    "challenge_without_nonce": Instead(
        "asks for a nonce without giving one", lambda scene: _refuse(scene, *USE_NONCE), carries_proof
    ),
    "iat_refused": Instead(
        "refuses the iat, whatever it is, with a Date that is ahead (option `seconds`)", _iat_refused, carries_proof
    ),
    "proof_refused": Instead(
        "refuses every proof, with a Date that is right",
        lambda scene: _refuse(scene, "invalid_dpop_proof", "The proof was used before"),
        carries_proof,
    ),
    "foreign_algs": Instead(
        "refuses the alg and names algs that nobody has (option `algs`; API and userinfo)", _foreign_algs, _at_resource
    ),
    "bearer_challenge": Instead(
        "refuses the token with a challenge for Bearer alone (API and userinfo)", _bearer_challenge, _at_resource
    ),
    "clock_ahead": BadAnswer(
        "checks proofs and dates answers with a clock that is ahead (option `seconds`)", _clock_ahead, carries_proof
    ),
    "wrong_nonce": BadAnswer(
        "gives a nonce that is never accepted (option `value`)", _nonce("never-accepted"), carries_proof
    ),
    "invalid_nonce": BadAnswer(
        "gives a nonce with characters that none has (option `value`)", _nonce(NOT_NQCHAR), carries_proof
    ),
    "two_nonces": BadAnswer("gives two nonces", _nonce("one-nonce", "another-nonce"), carries_proof),
    "nonce_only_on_success": BadAnswer(
        "gives nonces with answers that are no errors only", _only_on_success, carries_proof
    ),
    "nonce_only_on_errors": BadAnswer(
        "gives nonces with errors only, as IdentityServer does", _only_on_errors, carries_proof
    ),
    "huge_nonce": BadAnswer(
        "gives a nonce that is longer than any header should be (option `size`)", _huge_nonce, carries_proof
    ),
    "odd_challenge": BadAnswer(
        "puts all challenges into one header, oddly written but as HTTP allows it (API and userinfo)",
        _odd_challenge,
        _at_resource,
    ),
    "mixed_statuses": BadAnswer(
        "asks for a nonce with 401 at the provider and with 400 at the API", _mixed_statuses, carries_proof
    ),
    "spent_first": BadAnswer(
        "spends the code or the refresh token before it asks for a nonce",
        _spend,
        lambda scene: scene.endpoint == "token" and carries_proof(scene),
    ),
    "type_bearer": BadAnswer(
        "calls a bound token Bearer (tokens only)",
        on_success(_says_bearer),
        lambda scene: scene.endpoint == "token" and carries_proof(scene),
    ),
    **{
        name.partition(".")[2]: BadAnswer(
            f"ignores the proof of the grant {grant_type} and issues Bearer tokens", _unchanged, _at_grant(grant_type)
        )
        for grant_type, name in IGNORED_AT.items()
    },
}
