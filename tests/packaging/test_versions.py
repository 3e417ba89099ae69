"""One version for the three distributions."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools import bump

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copied_tree(tmp_path: Path) -> Path:
    """Return a copy of all that a new version changes."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for file in [*ROOT.glob("src/*/__init__.py"), *ROOT.glob("src/*/pyproject.toml")]:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return tmp_path


def run_bump(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(tree / "tools" / "bump.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_three_versions_agree() -> None:
    assert len(bump.version_files()) == 3
    assert len(bump.versions()) == 1


def test_the_add_on_asks_for_the_core_of_its_own_series() -> None:
    (version,) = bump.versions()
    content = tomllib.loads((ROOT / "src" / "oidcclient_dpop" / "pyproject.toml").read_text("utf-8"))
    assert bump.core_of_the_series(version).strip('"') in content["project"]["dependencies"]


def test_bump_changes_all_three_and_the_add_ons_requirement(copied_tree: Path) -> None:
    assert run_bump(copied_tree, "7.8.9").returncode == 0
    texts = [file.read_text("utf-8") for file in copied_tree.glob("src/*/__init__.py")]
    assert sum('__version__ = "7.8.9"' in text for text in texts) == 3
    assert '"oidcclient>=7.8,<7.9"' in (copied_tree / "src" / "oidcclient_dpop" / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("arguments", [(), ("7.8",), ("v7.8.9",), ("7.8.9", "7.8.9")])
def test_bump_refuses_what_is_no_version(copied_tree: Path, arguments: tuple[str, ...]) -> None:
    result = run_bump(copied_tree, *arguments)
    assert result.returncode == 2
    assert "usage" in result.stderr
