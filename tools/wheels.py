"""Build the three distributions, and install wheels into an empty environment with only what they declare."""

import hashlib
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
PROJECTS: Mapping[str, Path] = {
    "oidcclient": ROOT,
    "oidcclient-dpop": ROOT / "src" / "oidcclient_dpop",
    "oidcclient-devkit": ROOT / "src" / "oidcclient_devkit",
}
PINS = ROOT / "requirements" / "base.txt"
PINS_OF_EXTRAS = ROOT / "requirements" / "dev.txt"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def build(project: Path, kind: Literal["sdist", "wheel"], folder: Path) -> Path:
    """Build with the hatchling of this environment, and return the file."""
    before = set(folder.iterdir())
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    subprocess.run(command, cwd=project, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (built,) = set(folder.iterdir()) - before
    return built


def new_environment(folder: Path) -> Path:
    """Make an environment with nothing in it, not even pip, and return its Python."""
    venv.create(folder, with_pip=False, symlinks=sys.platform != "win32")
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install(wheels: Sequence[Path], python: Path, *, extra: str = "") -> None:
    """Install wheels, with an extra if one is named, and what they declare, as the project pins it with hashes."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text("".join(f"{requirement(wheel, extra)}\n" for wheel in wheels), "utf-8")
        pins = str(PINS_OF_EXTRAS if extra else PINS)
        command = [*PIP, "--python", str(python), "install", "--require-hashes", "-r", str(wanted), "-c", pins]
        subprocess.run(command, check=True)


def requirement(wheel: Path, extra: str = "") -> str:
    """Return the line of a requirements file that asks for this very file."""
    distribution = wheel.name.split("-", 1)[0].replace("_", "-")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{distribution}{f'[{extra}]' if extra else ''} @ {wheel.as_uri()} --hash=sha256:{digest}"
