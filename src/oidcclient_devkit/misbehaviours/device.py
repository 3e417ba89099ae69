"""Device authorization answers that a client must refuse, or survive (RFC 8628 section 3.2)."""

from collections.abc import Mapping

from oidcclient_devkit.answers import Answer

from .documents import body, change, huge, redirect, slow
from .kinds import BadAnswer, Scene
from .token import on_success, problem

HOSTILE_CODE = "AB\x1b[2J\x1b]0;title\x07\u202eCD"


def _set(name: str, value: str | None = None) -> BadAnswer:
    """Take a member out, or set it to `value`, which an option of that name replaces."""

    def act(answer: Answer, scene: Scene) -> Answer:
        return change(**{name: None if value is None else scene.options.get("value", value)})(answer, scene)

    does = f"has no {name}" if value is None else f"has a {name} that no client should use (option `value`)"
    return BadAnswer(does, on_success(act))


def _old_name(answer: Answer, scene: Scene) -> Answer:
    address = answer.json()["verification_uri"]
    return change(verification_uri=None, verification_url=address)(answer, scene)


DEVICE: Mapping[str, BadAnswer] = {
    "missing_device_code": _set("device_code"),
    "missing_user_code": _set("user_code"),
    "missing_verification_uri": _set("verification_uri"),
    "missing_expires_in": _set("expires_in"),
    "missing_complete_uri": BadAnswer(
        "has no verification_uri_complete, which is allowed", on_success(change(verification_uri_complete=None))
    ),
    "old_name": BadAnswer("calls the verification_uri verification_url, as Google does", on_success(_old_name)),
    "http_verification_uri": _set("verification_uri", "http://login.example.com/device"),
    "bad_verification_uri": _set("verification_uri", "javascript:alert(1)"),
    "bad_complete_uri": _set("verification_uri_complete", "file:///etc/passwd"),
    "hostile_user_code": _set("user_code", HOSTILE_CODE),
    "error": BadAnswer("is an error (options `status`, `error`)", problem(400, "unauthorized_client")),
    "too_many_requests": BadAnswer(
        "is 429 with Retry-After (option `retry_after`)", problem(429, "slow_down", ("Retry-After", "1"))
    ),
    "unavailable": BadAnswer(
        "is 503 with Retry-After (option `retry_after`)",
        problem(503, "temporarily_unavailable", ("Retry-After", "1")),
    ),
    "redirect": BadAnswer(
        "is a redirect to another host (option `location`)", redirect("https://attacker.example/device")
    ),
    "not_json": BadAnswer("is a web page", body(b"<!doctype html><title>Welcome</title>", "text/html")),
    "huge": BadAnswer("is larger than anyone should read (option `size` in bytes)", on_success(huge)),
    "slow": BadAnswer("takes long (option `seconds`)", slow),
}
