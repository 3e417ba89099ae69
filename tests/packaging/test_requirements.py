"""What is declared, what is pinned and what is installed agree."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = [ROOT, ROOT / "src" / "oidcclient_dpop", ROOT / "src" / "oidcclient_devkit"]
OURS = {"oidcclient", "oidcclient-dpop", "oidcclient-devkit"}
PINNED_FILES = ["base.txt", "dev.txt"]


def declared() -> list[Requirement]:
    """Return the dependencies of the three distributions and of their builds, without those among them."""
    found = []
    for project in PROJECTS:
        content = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
        texts = [*content["project"].get("dependencies", []), *content["build-system"]["requires"]]
        found += [Requirement(text) for text in texts]
    return [requirement for requirement in found if canonicalize_name(requirement.name) not in OURS]


def pinned(name: str) -> dict[str, str]:
    """Return the version of each distribution that a requirements file pins."""
    lines = (ROOT / "requirements" / name).read_text("utf-8").splitlines()
    pairs = [line.split("==", 1) for line in lines if "==" in line and not line.startswith(("#", " "))]
    return {canonicalize_name(distribution): version.split()[0] for distribution, version in pairs}


@pytest.mark.parametrize("name", PINNED_FILES)
def test_every_declared_dependency_is_pinned_to_a_version_it_allows(name: str) -> None:
    pins = pinned(name)
    for requirement in declared():
        version = pins.get(canonicalize_name(requirement.name), "absent")
        assert version in requirement.specifier, f"{requirement} is pinned as {version}: edit base.in, then `make lock`"


def test_base_and_development_requirements_pin_the_same_versions() -> None:
    assert pinned("base.txt").items() <= pinned("dev.txt").items()


@pytest.mark.parametrize("name", [*PINNED_FILES, "peers.txt", "peers-atproto.txt"])
def test_every_pin_has_a_hash_and_names_no_address(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    assert len(re.findall(r"^\S+==.*\\\n +--hash=sha256:", text, re.MULTILINE)) == len(pinned(name)) > 0
