"""docs/standards.md names functions and tests; each of them exists."""

from __future__ import annotations

import importlib
import re
from functools import reduce
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "standards.md").read_text(encoding="utf-8")
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    if "node_modules" not in path.parts
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| section"))
]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_map_is_a_table_of_four_columns_without_gaps() -> None:
    assert len(ROWS) > 80
    for row in ROWS:
        assert len(row) == 4, row
        assert all(row), row
        assert quoted(row[2]), row
        assert quoted(row[3]), row


@pytest.mark.parametrize("name", sorted({name for row in ROWS for name in quoted(row[2])}))
def test_each_function_of_the_map_exists(name: str) -> None:
    parts = (name if name.startswith("oidcclient_dpop.") else f"oidcclient.{name}").split(".")
    last = next(place for place, part in enumerate(parts) if place and not is_module(parts[: place + 1]))
    found = reduce(getattr, parts[last:], importlib.import_module(".".join(parts[:last])))
    assert callable(found)


def is_module(parts: list[str]) -> bool:
    return (ROOT / "src").joinpath(*parts).is_dir() or (ROOT / "src").joinpath(*parts).with_suffix(".py").is_file()


def test_each_test_of_the_map_exists() -> None:
    named = {name for name in quoted(PAGE) if name.startswith("test_")}
    assert named - TESTS == set()
