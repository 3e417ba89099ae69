"""Metadata and JWKS documents that a client must refuse, or survive."""

from collections.abc import Callable, Mapping
from typing import Any

from oidcclient_devkit.answers import Answer, json_answer
from oidcclient_devkit.keys import SigningKey

from .kinds import BadAnswer, Scene

HUGE = 8 * 1024 * 1024  # bytes
SLOW = 30.0  # seconds
PLAIN_HTTP = "http://login.example.com/token"
NO_WEB_PAGE = "file:///etc/passwd"  # what a browser must never be opened with
ATTACKER = "https://attacker.example"


def change(**members: Any) -> Callable[[Answer, Scene], Answer]:
    """Set members of a JSON answer; None takes one out."""

    def act(answer: Answer, _scene: Scene) -> Answer:
        value = {name: old for name, old in answer.json().items() if name not in members}
        return answer.with_json(value | {name: new for name, new in members.items() if new is not None})

    return act


def body(content: bytes, content_type: str = "application/json") -> Callable[[Answer, Scene], Answer]:
    """Send something else, with the right status."""
    return lambda _answer, _scene: Answer(200, [("Content-Type", content_type)], content)


def huge(answer: Answer, scene: Scene) -> Answer:
    """Add a member of `size` bytes."""
    return answer.with_json(answer.json() | {"padding": "x" * int(scene.options.get("size", HUGE))})


def slow(answer: Answer, scene: Scene) -> Answer:
    """Wait `seconds` before answering."""
    answer.delay += float(scene.options.get("seconds", SLOW))
    return answer


def redirect(location: str) -> Callable[[Answer, Scene], Answer]:
    """Redirect to `location` of the options, or to this one."""

    def act(_answer: Answer, scene: Scene) -> Answer:
        return Answer(302, [("Location", str(scene.options.get("location", location)))])

    return act


def redirect_loop(_answer: Answer, scene: Scene) -> Answer:
    """Redirect to the same address, for ever."""
    return Answer(302, [("Location", scene.core.address(scene.exchange.path))])


def duplicate(member: str) -> Callable[[Answer, Scene], Answer]:
    """Send a member twice, the bad value last: most JSON parsers take the last."""

    def act(answer: Answer, _scene: Scene) -> Answer:
        text = answer.body.rstrip().removesuffix(b"}")
        return Answer(answer.status, answer.headers, text + b', "%s": "https://attacker.example"}' % member.encode())

    return act


def _issuer_with_slash(answer: Answer, scene: Scene) -> Answer:
    return change(issuer=f"{scene.core.issuer}/")(answer, scene)


def _wrong_issuer(answer: Answer, scene: Scene) -> Answer:
    return change(issuer=scene.options.get("issuer", "https://attacker.example"))(answer, scene)


def _authorization_endpoint(answer: Answer, scene: Scene) -> Answer:
    return change(authorization_endpoint=str(scene.options.get("value", NO_WEB_PAGE)))(answer, scene)


def _mixed_up(answer: Answer, scene: Scene) -> Answer:
    """Send people to another provider, and have its code sent here (RFC 9700 section 4.4)."""
    other = str(scene.options.get("issuer", ATTACKER))
    changed = change(authorization_endpoint=f"{other}/authorize", pushed_authorization_request_endpoint=None)
    return changed(answer, scene)


def _lists_alg_none(answer: Answer, scene: Scene) -> Answer:
    algs = ["none", "HS256", *answer.json()["id_token_signing_alg_values_supported"]]
    return change(id_token_signing_alg_values_supported=algs)(answer, scene)


def _only_rfc8414(answer: Answer, scene: Scene) -> Answer:
    if scene.exchange.path.endswith("/oauth-authorization-server"):
        return answer
    return json_answer({"error": "not_found"}, 404)


def _change_keys(change_one: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Answer, Scene], Answer]:
    def act(answer: Answer, _scene: Scene) -> Answer:
        return answer.with_json({"keys": [change_one(dict(key)) for key in answer.json()["keys"]]})

    return act


def _decoys(answer: Answer, scene: Scene) -> Answer:
    """Put keys before the real ones that have their kid but another kty, use or alg."""
    real: list[dict[str, Any]] = [key for key in answer.json()["keys"] if key["use"] == "sig"]
    keys = scene.core.keys
    decoys: list[dict[str, Any]] = []
    for key in real:
        other: SigningKey = keys.foreign("ES256" if key["kty"] != "EC" else "RS256")
        same: SigningKey = keys.foreign(key["alg"])
        decoys += [
            {**other.public(), "kid": key["kid"]},
            {**same.public(), "kid": key["kid"], "use": "enc"},
            {**same.public(), "kid": key["kid"], "alg": "RS512" if key["kty"] == "RSA" else "ES384"},
        ]
    return answer.with_json({"keys": [*decoys, *real]})


def _stale(answer: Answer, scene: Scene) -> Answer:
    return answer.with_json({"keys": [key.public() for key in scene.core.keys.older]})


def _private(answer: Answer, scene: Scene) -> Answer:
    return answer.with_json(scene.core.keys.private_jwks())


METADATA: Mapping[str, BadAnswer] = {
    "wrong_issuer": BadAnswer("names another issuer (option `issuer`)", _wrong_issuer),
    "issuer_with_slash": BadAnswer("adds a slash to the issuer", _issuer_with_slash),
    "http_endpoint": BadAnswer(
        "has a token endpoint on plain http off loopback",
        change(token_endpoint=PLAIN_HTTP),
    ),
    "bad_authorization_endpoint": BadAnswer(
        "has an authorization endpoint that is no web page (option `value`)", _authorization_endpoint
    ),
    "mixed_up": BadAnswer("sends people to another provider (option `issuer`)", _mixed_up),
    "lists_alg_none": BadAnswer("offers ID Tokens with alg none and HS256", _lists_alg_none),
    "no_pkce": BadAnswer("has no code_challenge_methods_supported", change(code_challenge_methods_supported=None)),
    "no_iss_parameter": BadAnswer(
        "does not say that responses carry iss", change(authorization_response_iss_parameter_supported=None)
    ),
    "unknown_members": BadAnswer(
        "has members nobody knows, which do no harm",
        change(**{"https://example.com/unknown": {"a": [1]}, "x": True}),
    ),
    "missing_token_endpoint": BadAnswer("has no token_endpoint", change(token_endpoint=None)),
    "no_dpop": BadAnswer("has no dpop_signing_alg_values_supported", change(dpop_signing_alg_values_supported=None)),
    "huge": BadAnswer("is larger than anyone should read (option `size` in bytes)", huge),
    "wrong_content_type": BadAnswer(
        "comes as text/html", lambda answer, _: Answer(200, [("Content-Type", "text/html")], answer.body)
    ),
    "not_json": BadAnswer("is a web page", body(b"<!doctype html><title>Welcome</title>")),
    "not_an_object": BadAnswer("is a JSON list", body(b"[]")),
    "duplicate_members": BadAnswer("has issuer twice", duplicate("issuer")),
    "redirect_to_other_host": BadAnswer(
        "is a redirect to another host (option `location`)",
        redirect("https://attacker.example/.well-known/openid-configuration"),
    ),
    "redirect_to_http": BadAnswer(
        "is a redirect to plain http off loopback (option `location`)",
        redirect("http://login.example.com/.well-known/openid-configuration"),
    ),
    "redirect_loop": BadAnswer("is a redirect to itself", redirect_loop),
    "only_rfc8414": BadAnswer("is 404 on the OIDC path and there on the RFC 8414 path", _only_rfc8414),
    "slow": BadAnswer("takes long (option `seconds`)", slow),
}

JWKS: Mapping[str, BadAnswer] = {
    "unknown_kid": BadAnswer(
        "lists the keys under other ids", _change_keys(lambda key: {**key, "kid": f"other-{key['kid']}"})
    ),
    "no_kid": BadAnswer(
        "lists the keys without ids", _change_keys(lambda key: {k: v for k, v in key.items() if k != "kid"})
    ),
    "decoys": BadAnswer("lists decoys with the same kid but another kty, use or alg first", _decoys),
    "stale": BadAnswer("lists the keys of before the last rotation alone", _stale),
    "wrong_use": BadAnswer("says that the keys are for encryption", _change_keys(lambda key: {**key, "use": "enc"})),
    "private": BadAnswer("publishes the private keys", _private),
    "huge": BadAnswer("is larger than anyone should read (option `size` in bytes)", huge),
    "empty": BadAnswer("has no keys", change(keys=[])),
    "not_json": BadAnswer("is a web page", body(b"<!doctype html><title>Welcome</title>")),
    "redirect_to_other_host": BadAnswer(
        "is a redirect to another host (option `location`)", redirect("https://attacker.example/jwks")
    ),
    "slow": BadAnswer("takes long (option `seconds`)", slow),
}
