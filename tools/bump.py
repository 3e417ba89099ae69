"""Give the three distributions one new version: `python tools/bump.py 0.2.0`.

The add-on asks for the core of the same series, so that line changes as well.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "src"
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
CORE = re.compile(r'"oidcclient>=[\d.]+,<[\d.]+"')
RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def version_files() -> list[Path]:
    """Return the files that hold a version, in order."""
    return sorted(SOURCES.glob("*/__init__.py"))


def versions() -> set[str]:
    """Return the versions that the distributions have now: one, unless something went wrong."""
    return {found for file in version_files() for found in VERSION.findall(file.read_text("utf-8"))}


def core_of_the_series(version: str) -> str:
    """Return the requirement for a core that fits an add-on of this version."""
    release = RELEASE.fullmatch(version)
    if release is None:
        raise ValueError(f"a version has three numbers, and {version!r} has not")
    major, minor, _ = map(int, release.groups())
    return f'"oidcclient>={major}.{minor},<{major}.{minor + 1}"'


def replace(file: Path, pattern: re.Pattern[str], replacement: str) -> None:
    """Replace all that matches in a file, if there is something."""
    before = file.read_text("utf-8")
    after = pattern.sub(replacement, before)
    if after != before:
        file.write_text(after, "utf-8")


def bump(version: str) -> None:
    """Write the version into the three distributions."""
    core = core_of_the_series(version)
    for file in version_files():
        replace(file, VERSION, f'__version__ = "{version}"')
    for file in SOURCES.glob("*/pyproject.toml"):
        replace(file, CORE, core)


def main(arguments: Sequence[str]) -> int:
    """Return the exit status: 2 without a version."""
    if len(arguments) != 1 or not RELEASE.fullmatch(arguments[0]):
        print(f"usage: python tools/bump.py MAJOR.MINOR.PATCH (now: {', '.join(sorted(versions()))})", file=sys.stderr)
        return 2
    bump(arguments[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
