"""Pages for people, with headers that allow them nothing but their own style."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.redirects import origin_source
from oidcclient_devkit.why import cut

HERE = Path(__file__).parent
SCOPE_WORDS = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your email address",
    "offline_access": "Keep access while you are away",
    "api": "Use the devkit's API for you",
}


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def style_sheet() -> bytes:
    """Return the style sheet."""
    return (HERE / "style.css").read_bytes()


def page(template: str, *, status: int = 200, form_target: str | None = None, **values: Any) -> Answer:
    """Render a page; `form_target` is where a form may end up besides this provider."""
    body = _templates().get_template(template).render(scope_words=SCOPE_WORDS, **values)
    targets = "'self'" if form_target is None else f"'self' {origin_source(form_target)}"
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {targets}"
    )
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", policy),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
    ]
    return Answer(status, headers, body.encode(), why=str(values.get("problem", "")))


def error_page(status: int, title: str, why: str, facts: Sequence[tuple[str, str]] = ()) -> Answer:
    """Tell a person that it did not work, and a developer why."""
    answer = page("error.html", status=status, title=title, why=why, facts=facts, code=status)
    answer.why = "\n".join([cut(f"{title}: {why}"), *(cut(f"{name}: {value}") for name, value in facts)])
    return answer
