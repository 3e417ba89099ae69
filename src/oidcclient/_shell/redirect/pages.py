"""The pages a person sees in the browser: plain HTML, no script, every word of theirs escaped."""

from __future__ import annotations

import html
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from oidcclient._words.errors import printable
from oidcclient._words.receiver import LoginOutcome

__all__ = [
    "PAGE_HEADERS",
    "Page",
    "finishing_page",
    "no_answer_page",
    "not_ours_page",
    "result_page",
    "start_failed_page",
    "stopped_page",
]

APP_NAME_CHARACTERS = 80  # a longer name would not fit a heading

_STYLE = """
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d5d9df;
  --ok: #116932; --bad: #a8121f; --busy: #0a53b0 }
@media (prefers-color-scheme: dark) { :root { --ground: #111418; --card: #1b2027; --ink: #eceff3; --soft: #a3adb8;
  --line: #353d47; --ok: #62d48a; --bad: #ff9a94; --busy: #86bdff } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground);
  color: var(--ink); font: 1.0625rem/1.55 system-ui, sans-serif }
main { width: 100%; max-width: 32rem; padding: 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; border-top: .3rem solid currentColor; overflow-wrap: anywhere }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; display: flex; gap: .75rem; align-items: baseline }
p { margin: .5rem 0 0; color: var(--ink) }
.ok { color: var(--ok) } .bad { color: var(--bad) } .busy { color: var(--busy) }
.detail { margin-top: 1.25rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .9375rem }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode("ascii")
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The table row "Page headers": no script, nothing loaded or sent, in no frame, not sniffed, not kept, not referred.
PAGE_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", _POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
# kind: the sign before the heading (the heading's words say the same), and how urgently a screen reader speaks it
_KINDS = {"ok": ("✓", "status"), "bad": ("✕", "alert"), "busy": ("…", "status")}
_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main class="{kind}">
<div role="{role}">
<h1><span aria-hidden="true">{sign}</span>{heading}</h1>
{paragraphs}
</div>
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """
    A page, ready to be sent.

    Args:
        status: Its HTTP status.
        content: The HTML.
        next_address: Where the browser goes by itself once it shows the page; empty is nowhere.
    """

    status: int
    content: bytes
    next_address: str = ""


def result_page(outcome: LoginOutcome, app_name: str) -> Page:
    """Say what came of the sign-in; only ever made after every check."""
    app = _app(app_name)
    if outcome.ok:
        said = _shown(outcome.message) or f"You are signed in to {app}."
        return _page(200, "ok", "Signed in", (f"{said} You can close this tab and go back to {app}.",), app)
    said = _shown(outcome.message) or "The sign-in was not completed."
    return _page(
        400,
        "bad",
        "Not signed in",
        (said, f"You can close this tab and go back to {app}, which says what to do."),
        app,
        detail=_shown(outcome.detail),
    )


def finishing_page(app_name: str, next_address: str) -> Page:
    """Say that the result is not known yet; the browser shows this and goes on to ask for it, without a script."""
    app = _app(app_name)
    said = ("This takes longer than usual.", "This page shows the result as soon as there is one.")
    return _page(200, "busy", f"Finishing signing in to {app}", said, app, next_address=next_address)


def not_ours_page(app_name: str) -> Page:
    """Say that this response does not belong to the sign-in that is waited for."""
    app = _app(app_name)
    said = (
        f"It does not belong to the sign-in that {app} is waiting for, so nothing was done with it.",
        f"Close this tab. To sign in to {app}, use its newest tab or start again from {app}.",
    )
    return _page(400, "bad", "This is not the sign-in we started", said, app)


def no_answer_page(app_name: str) -> Page:
    """Say that the address held no answer. A fragment never leaves the browser, and no script of ours reads it."""
    app = _app(app_name)
    said = (
        "The sign-in page sent you back without an answer that can be read here.",
        f"If this address holds a #, the provider answers in a way that {app} cannot read: tell whoever runs {app}.",
        f"Otherwise start again from {app}.",
    )
    return _page(400, "bad", "There is no answer in this address", said, app)


def start_failed_page(app_name: str) -> Page:
    """Say that there is no address to send the browser to."""
    app = _app(app_name)
    said = ("The provider's sign-in page could not be opened.", f"Go back to {app} to see why, and close this tab.")
    return _page(503, "bad", "The sign-in could not be started", said, app)


def stopped_page(app_name: str) -> Page:
    """Say that the program stopped waiting."""
    app = _app(app_name)
    said = ("It was stopped before it was complete.", f"To sign in, start again from {app}.")
    return _page(503, "bad", "The sign-in was stopped", said, app)


def _page(
    status: int,
    kind: str,
    heading: str,
    paragraphs: tuple[str, ...],
    app: str,
    *,
    detail: str = "",
    next_address: str = "",
) -> Page:
    """Fill the template; every text is escaped here and nowhere else."""
    sign, role = _KINDS[kind]
    shown = [f"<p>{html.escape(text)}</p>" for text in paragraphs]
    if detail:
        shown.append(f'<p class="detail">For support: <code>{html.escape(detail)}</code></p>')
    content = _TEMPLATE.format(
        title=html.escape(heading if app in heading else f"{heading} - {app}"),
        style=_STYLE,
        kind=kind,
        role=role,
        sign=sign,
        heading=html.escape(heading),
        paragraphs="\n".join(shown),
    )
    return Page(status, content.encode(), next_address)


def _shown(text: str) -> str:
    """Cap the length and make control characters visible (the table row "Reflected text"); escaping comes later."""
    return printable(text.strip())


def _app(app_name: str) -> str:
    return printable(app_name, APP_NAME_CHARACTERS)
