"""What a person reads when something went wrong: each error has its message, and its exit code."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient.cli import exits, messages
from tests.cli.calling import check_shape

HERE = Path(__file__).parent
SNAPSHOT = HERE / "messages.txt"
SOURCES = [
    *(HERE.parents[1] / "src" / "oidcclient").rglob("*.py"),
    *(HERE.parents[1] / "src" / "oidcclient_dpop").rglob("*.py"),
]


def classes() -> list[type[oidcclient.OidcError]]:
    """Return every class of error, in the order of their names."""
    found = [getattr(oidcclient, name) for name in oidcclient.__all__]
    return [kind for kind in found if inspect.isclass(kind) and issubclass(kind, oidcclient.OidcError)]


def make(kind: type[oidcclient.OidcError], rule: str | None = None, **more: Any) -> oidcclient.OidcError:
    """Return an error as the library would raise it."""
    if issubclass(kind, oidcclient.OAuthError):
        return kind(rule or "some_error", error_description="Words of the provider")
    if issubclass(kind, oidcclient.TransportError):
        return kind("GET https://login.example.com/ timed out", **more)
    return kind("this is what happened", rule=rule, **more)


def samples() -> Iterator[tuple[str, oidcclient.OidcError]]:
    """Return every kind of message there is."""
    for kind in classes():
        yield kind.__name__, make(kind)
        for known, rule in messages.ADVICE:
            if known is kind and rule is not None:
                yield f"{kind.__name__}, rule {rule}", make(kind, rule)
    for code in messages.OAUTH_ADVICE:
        yield f"OAuthError, {code}", make(oidcclient.OAuthError, code)
    yield (
        "with all fields",
        oidcclient.IDTokenRefused(
            "the ID Token is for somebody else",
            rule="aud",
            section="OIDC Core 3.1.3.7 step 3",
            expected="cli",
            received="another \x1b[31mclient",
        ),
    )


def written() -> str:
    """Return all messages as one text."""
    parts = [
        f"== {name} (exit code {exits.code_of(error)})\n{messages.as_text(error, 'work')}\n"
        for name, error in samples()
    ]
    return "\n".join(parts)


def test_the_messages_are_those_that_were_looked_at() -> None:
    if os.environ.get("OIDCCLIENT_SNAPSHOTS") == "write":
        SNAPSHOT.write_text(written(), "utf-8")
    assert written() == SNAPSHOT.read_text("utf-8"), "look at them, then run again with OIDCCLIENT_SNAPSHOTS=write"


@pytest.mark.parametrize("error", [error for _, error in samples()], ids=[name for name, _ in samples()])
def test_every_message_says_what_to_do_in_words_for_a_terminal(error: oidcclient.OidcError) -> None:
    advice = messages.advice(error)
    assert advice
    assert not messages.SPEAKS_PYTHON.search(advice)
    assert "{profile}" not in advice
    assert "\x1b" not in messages.as_text(error)
    check_shape("error", messages.as_json(error))


def test_every_class_has_an_exit_code() -> None:
    assert {kind.__name__: exits.code_of(make(kind)) for kind in classes()} == {
        "OidcError": 1,
        "LoginRequired": 4, "SessionExpired": 4, "KeyLost": 4, "StepUpRequired": 4,
        "RemoteError": 1, "DiscoveryRefused": 1, "CallbackRefused": 1, "IDTokenRefused": 1, "ResponseRefused": 1,
        "DowngradeRefused": 1, "OAuthError": 6, "LoginDenied": 6,
        "TransportError": 7,
        "LocalError": 1, "StoreError": 8, "KeyUnavailable": 8, "BrowserUnavailable": 4, "LoginTimedOut": 5,
        "LoginCancelled": 2,
        "UsageError": 3,
    }  # fmt: skip
    assert set(exits.MEANINGS) == set(range(9))


def hints() -> Iterator[tuple[str, str, str | None]]:
    """Return every hint that the library gives, with the error's class and rule."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if isinstance(getattr(oidcclient, name, None), type) and (text := words_of(given.get("hint"))):
                yield name, text, words_of(given.get("rule")) or None


def words_of(node: ast.expr | None) -> str:
    """Return the words of a text in the source; what is filled in at run time is left out."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(words_of(part) if isinstance(part, ast.Constant) else "X" for part in node.values)
    return ""


def test_no_hint_of_the_library_speaks_of_calls_at_the_command_line() -> None:
    found = list(hints())
    assert len(found) > 60
    for name, hint, rule in found:
        kind = getattr(oidcclient, name)
        if issubclass(kind, oidcclient.OAuthError):
            continue
        error = make(kind, hint=hint) if issubclass(kind, oidcclient.TransportError) else make(kind, rule, hint=hint)
        assert not messages.SPEAKS_PYTHON.search(messages.advice(error)), (name, hint)


def test_a_hint_that_says_more_than_usual_is_kept() -> None:
    error = oidcclient.StoreError("no", hint="Take it from them: chmod go-rwx '/x'.", rule="mode")
    assert messages.advice(error) == "Take it from them: chmod go-rwx '/x'."
    named = oidcclient.LoginRequired(
        "no", hint="Sign in again; or, if the session was stored with another store, choose it."
    )
    assert messages.advice(named) == named.hint
