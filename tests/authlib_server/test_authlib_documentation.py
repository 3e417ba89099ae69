"""The page on authorization servers speaks of what is there."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

from oidcclient_dpop.server import authlib

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "protecting-an-authorization-server.md").read_text("utf-8")


def test_what_the_examples_import_is_there() -> None:
    statements = [
        node
        for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and "flask" not in str(node.module)
    ]
    assert statements
    for node in statements:
        module = importlib.import_module(str(node.module))
        assert not [alias.name for alias in node.names if not hasattr(module, alias.name)]


def test_the_page_names_every_public_part() -> None:
    errors = {name for name in authlib.__all__ if name.endswith("Error")}
    assert not [name for name in set(authlib.__all__) - errors if name not in PAGE]
