"""The how-to on protecting an API, followed word by word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.resource_server.django_site import set_up

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "protecting-an-api.md"


def test_what_the_page_shows_runs_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    set_up()
    monkeypatch.setenv("DPOP_NONCE_SECRET", "5a" * 32)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - our own page
    assert {"resource", "protected", "me", "Me", "tokens", "replay", "nonces"} <= names.keys()
