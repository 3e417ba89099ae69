"""Token and PAR answers that a client must refuse, or survive."""

from collections.abc import Callable, Mapping
from typing import Any

from oidcclient_devkit.answers import Answer, error_answer, json_answer
from oidcclient_devkit.grant_rules import DEVICE_CODE
from oidcclient_devkit.store import REQUEST_URI_PREFIX

from .documents import body, change, huge, redirect, slow
from .kinds import BadAnswer, Scene

MAC = "mac"  # a token type that was never finished
TERMINAL_ATTACK = "line one\nline two\x1b[2J\x1b]0;title\x07\u202egnp.exe"


def on_success(act: Callable[[Answer, Scene], Answer]) -> Callable[[Answer, Scene], Answer]:
    """Leave answers that are errors already alone."""
    return lambda answer, scene: act(answer, scene) if answer.status < 400 else answer  # noqa: PLR2004 - HTTP


def problem(status: int, error: str, *headers: tuple[str, str]) -> Callable[[Answer, Scene], Answer]:
    """Answer with an error; the options `status`, `error` and `retry_after` change it."""

    def act(_answer: Answer, scene: Scene) -> Answer:
        options = scene.options
        answer = error_answer(
            str(options.get("error", error)), "The devkit was told to.", int(options.get("status", status))
        )
        answer.headers += headers
        if "retry_after" in options:
            answer.replace_header("Retry-After", str(options["retry_after"]))
        return answer

    return act


def _polls(scene: Scene) -> bool:
    return scene.exchange.value("grant_type") == DEVICE_CODE


def _set(**members: Any) -> Callable[[Answer, Scene], Answer]:
    return on_success(change(**members))


def _escapes(_answer: Answer, _scene: Scene) -> Answer:
    return json_answer({"error": "invalid_grant\x1b[31m", "error_description": TERMINAL_ATTACK}, 400)


def _other_case(answer: Answer, _scene: Scene) -> Answer:
    return answer.with_json(answer.json() | {"token_type": answer.json()["token_type"].swapcase()})


def _duplicate_access_token(answer: Answer, _scene: Scene) -> Answer:
    text = answer.body.rstrip().removesuffix(b"}")
    return Answer(answer.status, answer.headers, text + b', "access_token": "another"}')


def _expired_at_once(answer: Answer, scene: Scene) -> Answer:
    scene.core.store.pushed.pop(str(answer.json().get("request_uri")), None)
    return answer


def _with_status(status: int) -> Callable[[Answer, Scene], Answer]:
    return lambda answer, _scene: Answer(status, answer.headers, answer.body)


TOKEN: Mapping[str, BadAnswer] = {
    "type_mac": BadAnswer("has token_type mac", _set(token_type=MAC)),
    "type_in_other_case": BadAnswer("writes the token_type in other case, which is allowed", on_success(_other_case)),
    "missing_token_type": BadAnswer("has no token_type", _set(token_type=None)),
    "missing_access_token": BadAnswer("has no access_token", _set(access_token=None)),
    "empty_access_token": BadAnswer("has an empty access_token", _set(access_token="")),
    "missing_refresh_token": BadAnswer("has no refresh_token", _set(refresh_token=None)),
    "missing_scope": BadAnswer("has no scope, so it is as asked for", _set(scope=None)),
    "unknown_members": BadAnswer(
        "has members nobody knows, which do no harm", _set(**{"https://example.com/x": [1], "x": {"y": 1}})
    ),
    "not_json": BadAnswer("is a web page", body(b"<!doctype html><title>Welcome</title>", "text/html")),
    "not_an_object": BadAnswer("is a JSON list", body(b"[]")),
    "duplicate_members": BadAnswer("has access_token twice", on_success(_duplicate_access_token)),
    "huge": BadAnswer("is larger than anyone should read (option `size` in bytes)", on_success(huge)),
    "escape_sequences": BadAnswer("is an error with control characters and escape sequences in it", _escapes),
    "scope_changed": BadAnswer("grants another scope", _set(scope="openid everything")),
    "expires_in_string": BadAnswer("has expires_in as a string", _set(expires_in="300")),
    "expires_in_negative": BadAnswer("has a negative expires_in", _set(expires_in=-1)),
    "expires_in_missing": BadAnswer("has no expires_in", _set(expires_in=None)),
    "redirect": BadAnswer(
        "is a redirect to another host (option `location`)", redirect("https://attacker.example/token")
    ),
    "invalid_grant": BadAnswer("is the error invalid_grant", problem(400, "invalid_grant")),
    "too_many_requests": BadAnswer(
        "is 429 with Retry-After (option `retry_after`)", problem(429, "slow_down", ("Retry-After", "1"))
    ),
    "unavailable": BadAnswer(
        "is 503 with Retry-After (option `retry_after`)",
        problem(503, "temporarily_unavailable", ("Retry-After", "1")),
    ),
    "pending": BadAnswer(
        "is authorization_pending, whatever was decided (device code)", problem(400, "authorization_pending"), _polls
    ),
    "slow_down": BadAnswer("is slow_down (device code)", problem(400, "slow_down"), _polls),
    "slow": BadAnswer("takes long (option `seconds`)", slow),
}

PAR: Mapping[str, BadAnswer] = {
    "status_200": BadAnswer("answers 200 instead of 201", on_success(_with_status(200))),
    "missing_request_uri": BadAnswer("has no request_uri", _set(request_uri=None)),
    "missing_expires_in": BadAnswer("has no expires_in", _set(expires_in=None)),
    "foreign_request_uri": BadAnswer(
        "has a request_uri that was never issued", _set(request_uri=f"{REQUEST_URI_PREFIX}unknown")
    ),
    "error": BadAnswer("is an error (options `status`, `error`)", problem(400, "invalid_request")),
    "too_many_requests": BadAnswer(
        "is 429 with Retry-After (option `retry_after`)", problem(429, "slow_down", ("Retry-After", "1"))
    ),
    "unavailable": BadAnswer(
        "is 503 with Retry-After (option `retry_after`)",
        problem(503, "temporarily_unavailable", ("Retry-After", "1")),
    ),
    "huge": BadAnswer("is larger than anyone should read (option `size` in bytes)", on_success(huge)),
    "redirect": BadAnswer(
        "is a redirect to another host (option `location`)", redirect("https://attacker.example/par")
    ),
    "expired_at_once": BadAnswer("forgets the request as soon as it was pushed", on_success(_expired_at_once)),
    "not_json": BadAnswer("is a web page", body(b"<!doctype html><title>Welcome</title>", "text/html")),
    "slow": BadAnswer("takes long (option `seconds`)", slow),
}

REVOKE: Mapping[str, BadAnswer] = {
    "error": BadAnswer("is an error (options `status`, `error`)", problem(400, "unsupported_token_type")),
    "unavailable": BadAnswer(
        "is 503 with Retry-After (option `retry_after`)",
        problem(503, "temporarily_unavailable", ("Retry-After", "1")),
    ),
    "redirect": BadAnswer(
        "is a redirect to another host (option `location`)", redirect("https://attacker.example/revoke")
    ),
    "huge": BadAnswer("is larger than anyone should read (option `size` in bytes)", huge),
    "slow": BadAnswer("takes long (option `seconds`)", slow),
}
