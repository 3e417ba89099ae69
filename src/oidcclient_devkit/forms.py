"""The forms of a page."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

from typing_extensions import override


@dataclass(slots=True)
class Form:
    """A form: its fields with their values, and its buttons by name."""

    action: str
    method: str
    fields: list[tuple[str, str, str]] = field(default_factory=list)  # name, type, value
    buttons: dict[str, list[str]] = field(default_factory=dict)

    @property
    def wants_password(self) -> bool:
        """Whether this is a sign-in form."""
        return any(kind == "password" for _, kind, _ in self.fields)

    @property
    def only_hidden(self) -> bool:
        """Whether this is a page that hands values on (OAuth 2.0 Form Post Response Mode)."""
        return bool(self.fields) and not self.buttons and all(kind == "hidden" for _, kind, _ in self.fields)

    def encode(self, values: dict[str, str], *, press: str | None) -> bytes:
        """Fill the form in and press the decision button of that value."""
        pairs = [(name, values.get(name, value)) for name, _, value in self.fields]
        if press is not None:
            pairs.append(("decision", press))
        return urlencode(pairs).encode()


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(found.get("action", ""), found.get("method", "get").upper())
            self.forms.append(self._open)
        if self._open is None or "name" not in found:
            return
        if tag == "input":
            self._open.fields.append((found["name"], found.get("type", "text"), found.get("value", "")))
        if tag == "button":
            self._open.buttons.setdefault(found["name"], []).append(found.get("value", ""))

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def parse_forms(html: str) -> list[Form]:
    """Return the forms of a page, in order."""
    parser = _Forms()
    parser.feed(html)
    parser.close()
    return parser.forms
