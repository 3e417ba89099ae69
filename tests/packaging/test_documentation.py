"""The documentation speaks of what is there."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import oidcclient
from oidcclient._words import errors

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PYTHON = re.compile(r"^( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_python_example_is_python(page: Path) -> None:
    for indent, code in PYTHON.findall(page.read_text("utf-8")):
        compile(re.sub(f"^{indent}", "", code, flags=re.MULTILINE), name_of(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_public_name_in_an_example_exists(page: Path) -> None:
    for _, code in PYTHON.findall(page.read_text("utf-8")):
        names = set(re.findall(r"\boidcclient\.(\w+)", code))
        assert not [name for name in names if not hasattr(oidcclient, name)]


def test_the_how_to_on_testing_works_as_written(tmp_path: Path) -> None:
    page = ROOT / "docs" / "how-to" / "testing.md"
    code = "\n".join(code for _, code in PYTHON.findall(page.read_text("utf-8")))
    (tmp_path / "test_app.py").write_text(code, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "4 passed" in result.stdout, result.stdout


def test_the_errors_page_names_every_error() -> None:
    classes = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.OidcError)}
    rows = re.findall(r"^\| \**`(\w+)`\** \|", (ROOT / "docs" / "errors.md").read_text("utf-8"), re.MULTILINE)
    assert {row for row in rows if row[0].isupper()} == classes


def test_every_page_of_the_documentation_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text("utf-8")
    missing = [page for page in (ROOT / "docs").rglob("*.md") if page.relative_to(ROOT / "docs").as_posix() not in menu]
    assert not missing
