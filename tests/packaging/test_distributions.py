"""The three distributions as a user gets them: built, and installed with only what they declare."""

import email.parser
import json
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import wheels

pytestmark = pytest.mark.xdist_group("packaging")  # one worker builds and installs for all of them

BESIDE = {"pyproject.toml", "README.md", "LICENSE"}  # what lies beside a package and is no part of it
BESIDE_SDIST = {"CHANGELOG.md", "PKG-INFO", ".gitignore"}
IMPORT_ALL = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
missing = []
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith(".__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            missing.append(error.name)
print(json.dumps(missing))
"""
# What an extra brings, a web framework that a program is built on, and pytest, which alone loads its plug-in.
MAY_BE_ABSENT = {
    "oidcclient": {"click", "rich", "segno", "tomlkit"},
    "oidcclient-dpop": {"asgiref", "django", "fastapi", "pkcs11", "redis", "rest_framework"},
    "oidcclient-devkit": {"pytest"},
}


@dataclass(frozen=True, slots=True)
class Distribution:
    """The two files of one distribution, and where its source lies."""

    name: str
    wheel: Path
    sdist: Path

    @property
    def package(self) -> str:
        """Return the name under which it is imported."""
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        return wheels.ROOT / "src" / self.package

    def metadata(self) -> Message:
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            return email.parser.BytesParser().parsebytes(archive.read(name))

    def requirements(self) -> list[Requirement]:
        return [Requirement(text) for text in self.metadata().get_all("Requires-Dist", [])]


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with one distribution and what it declares."""

    distribution: Distribution
    python: Path

    def run(self, code: str, *arguments: str) -> str:
        command = [str(self.python), "-I", "-c", code, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Distribution]:
    folder = tmp_path_factory.mktemp("built")
    return {
        name: Distribution(name, wheels.build(project, "wheel", folder), wheels.build(project, "sdist", folder))
        for name, project in wheels.PROJECTS.items()
    }


@pytest.fixture(scope="session", params=wheels.PROJECTS)
def distribution(request: pytest.FixtureRequest, built: Mapping[str, Distribution]) -> Distribution:
    name: str = request.param
    return built[name]


@pytest.fixture(scope="session")
def installed(
    distribution: Distribution, built: Mapping[str, Distribution], tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    python = wheels.new_environment(tmp_path_factory.mktemp("environment"))
    wheels.install([needed.wheel for needed in with_ours(distribution, built)], python)
    return Installed(distribution, python)


def with_ours(distribution: Distribution, built: Mapping[str, Distribution]) -> list[Distribution]:
    """Return the distribution and those of ours it declares, which no registry needs to have."""
    declared = [built[requirement.name] for requirement in distribution.requirements() if requirement.name in built]
    found = [distribution, *(needed for direct in declared for needed in with_ours(direct, built))]
    return list({needed.name: needed for needed in found}.values())


def package_files(distribution: Distribution) -> set[str]:
    """Return the files that make up the package, named from the folder it lies in."""
    return {
        file.relative_to(distribution.source.parent).as_posix()
        for file in distribution.source.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.name not in BESIDE
    }


def test_the_wheel_holds_the_package_and_nothing_else(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == package_files(distribution)
    assert f"{distribution.package}/py.typed" in found


def test_the_sdist_holds_the_package_and_what_builds_it(distribution: Distribution) -> None:
    with tarfile.open(distribution.sdist) as archive:
        files = {name.split("/", 1)[1] for name in archive.getnames()}
    assert files >= BESIDE
    prefix, outside = ("src/", "") if distribution.name == "oidcclient" else ("", f"{distribution.package}/")
    assert {outside + name.removeprefix(prefix) for name in files - BESIDE - BESIDE_SDIST} == package_files(
        distribution
    )


def test_the_sdist_builds_the_identical_wheel(distribution: Distribution, tmp_path: Path) -> None:
    shutil.unpack_archive(distribution.sdist, tmp_path)
    (unpacked,) = tmp_path.iterdir()
    folder = tmp_path / "built"
    folder.mkdir()
    assert wheels.build(unpacked, "wheel", folder).read_bytes() == distribution.wheel.read_bytes()


def test_the_metadata_says_what_it_is_and_for_whom(distribution: Distribution) -> None:
    metadata = distribution.metadata()
    assert metadata["Name"] == distribution.name
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Summary"]
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_every_dependency_says_from_which_release_on(distribution: Distribution) -> None:
    assert all(requirement.specifier for requirement in distribution.requirements())


def test_every_module_imports_with_the_declared_dependencies_alone(installed: Installed) -> None:
    missing = json.loads(installed.run(IMPORT_ALL, installed.distribution.package))
    assert set(missing) <= MAY_BE_ABSENT[installed.distribution.name]


def test_the_core_is_installed_without_the_others(built: Mapping[str, Distribution]) -> None:
    assert with_ours(built["oidcclient"], built) == [built["oidcclient"]]


def test_the_core_holds_no_dpop_code(built: Mapping[str, Distribution]) -> None:
    """Installing the add-on is the opt-in: without it no DPoP code (RFC 9449 section 4.2) is on the machine."""
    with zipfile.ZipFile(built["oidcclient"].wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".py")]
        texts = [archive.read(name).decode() for name in names]
    assert not [name for name in names if "dpop" in name.lower()]
    for word in ("oidcclient_dpop", "dpop+jwt", '"htu"', '"htm"'):
        assert not [name for name, text in zip(names, texts, strict=True) if word in text], word


def test_importing_a_distribution_loads_none_of_its_dependencies(installed: Installed) -> None:
    code = "import importlib, json, sys; importlib.import_module(sys.argv[1]); print(json.dumps(list(sys.modules)))"
    loaded = json.loads(installed.run(code, installed.distribution.package))
    assert {"authlib", "anyio", "cryptography", "httpx", "joserfc", "keyring", "starlette"}.isdisjoint(loaded)
