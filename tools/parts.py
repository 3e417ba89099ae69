"""See to the parts of the system that the tests need: a browser, Node.js, a display, fonts, a message bus.

As root on Debian, which is a container or CI, what is missing is installed. Anywhere else the system is left alone:
what is missing is named, with the tests that are then skipped and the one command that installs it. With CI=true a
part that is still missing is a failure.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

INTEROP = Path(__file__).resolve().parent.parent / "tests" / "interop"
# Debian 12 has Node.js 18, on which the provider starts and then refuses every code. npm has newer ones as packages.
NODE_NEEDED = "process.exit(URL.parse && require('node:crypto').hash && globalThis.crypto ? 0 : 1)"
NODE_BESIDE = "22.23.3"
NODE_MACHINES = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}
APT = ["apt-get", "-o", "DPkg::Lock::Timeout=120"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the system: how it is found, the Debian packages it is in, the tests that need it."""

    name: str
    tests: str
    packages: tuple[str, ...]
    present: Callable[[], bool]
    linux_only: bool = False


def has_program(*names: str) -> bool:
    """Tell whether one of these programs can be started by its name."""
    return any(shutil.which(name) for name in names)


PARTS: tuple[Part, ...] = (
    Part(
        name="Chromium with its driver",
        tests="a login in a real browser (tests/browser)",
        packages=("chromium", "chromium-driver"),
        present=lambda: (
            has_program("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
            and has_program("chromedriver")
        ),
    ),
    Part(
        name="Node.js with npm",
        tests="a login at a provider that is not ours (tests/interop)",
        packages=("nodejs", "npm"),
        present=lambda: has_program("node") and has_program("npm"),
    ),
    Part(
        name="Xvfb, a display without a screen",
        tests="a login in a browser with a window (tests/browser)",
        packages=("xvfb",),
        present=lambda: has_program("Xvfb"),
        linux_only=True,
    ),
    Part(
        name="DejaVu fonts",
        tests="none, but the pages in screenshots are hardly readable (tests/browser)",
        packages=("fonts-dejavu-core",),
        present=lambda: Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf").exists(),
        linux_only=True,
    ),
    Part(
        name="a keyring with its message bus",
        tests="sessions whose key is in the system's own keyring (tests/store)",
        packages=("dbus", "dbus-daemon", "gnome-keyring"),
        present=lambda: all(map(has_program, ("dbus-run-session", "dbus-daemon", "gnome-keyring-daemon"))),
        linux_only=True,
    ),
)


KEY_STORES = Part(
    name="key stores: a software TPM, a software token, an agent",
    tests="keys that cannot be copied (tests/dpop_stores)",
    packages=("swtpm", "softhsm2", "openssh-client"),
    present=lambda: all(map(has_program, ("swtpm", "softhsm2-util", "ssh-agent"))),
    linux_only=True,
)
STAND_INS = Part(
    name="a C compiler with OpenSSL's headers",
    tests="stand-ins for the key stores of Windows and macOS (tests/dpop_stores)",
    packages=("gcc", "libc6-dev", "libssl-dev"),
    present=lambda: has_program("gcc") and Path("/usr/include/openssl/evp.h").exists(),
    linux_only=True,
)
REDIS = Part(
    name="Redis",
    tests="proofs that several workers remember together (tests/dpop_server)",
    packages=("redis-server",),
    present=lambda: has_program("redis-server"),
    linux_only=True,
)
CALLERS = Part(
    name="git and kubectl",
    tests="tokens for both, asked for by themselves (tests/cli)",
    packages=("git", "kubernetes-client"),
    present=lambda: all(map(has_program, ("git", "kubectl"))),
    linux_only=True,
)
SHELLS = Part(
    name="the shells bash, zsh and fish",
    tests="completion at the prompt (tests/cli)",
    packages=("bash", "zsh", "fish"),
    present=lambda: all(map(has_program, ("bash", "zsh", "fish"))),
    linux_only=True,
)
PARTS = (*PARTS, KEY_STORES, STAND_INS, REDIS, CALLERS, SHELLS)
WINE = Part(
    name="wine with a cross compiler",
    tests="what runs on a Windows Python (tests/windows)",
    packages=("wine", "wine64", "gcc-mingw-w64-x86-64"),
    present=lambda: all(map(has_program, ("wine", "wineserver", "x86_64-w64-mingw32-gcc"))),
    linux_only=True,
)
if platform.machine() == "x86_64":  # the Windows Python is for no other machine
    PARTS = (*PARTS, WINE)


def missing_parts() -> list[Part]:
    """Return the parts that this system should have and has not."""
    return [part for part in PARTS if (sys.platform == "linux" or not part.linux_only) and not part.present()]


def packages_of(parts: Sequence[Part]) -> list[str]:
    """Return the Debian packages of these parts, in order."""
    return [package for part in parts for package in part.packages]


def may_install() -> bool:
    """Tell whether this is a Debian system that is ours to change."""
    return has_program("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0


def install(parts: Sequence[Part]) -> None:
    """Install the packages of these parts; what fails is found missing afterwards."""
    packages = packages_of(parts)
    print("installing:", *packages, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        subprocess.run([*APT, "--quiet=2", *arguments], env=environment, check=False)


def report(parts: Sequence[Part]) -> None:
    """Say loudly what is missing, which tests it costs and which command installs it."""
    print("=" * 100)
    for part in parts:
        print(f"MISSING: {part.name}\n   SKIPPED: {part.tests}")
    packages = " ".join(packages_of(parts))
    print(f"On Debian and Ubuntu this installs it: sudo apt-get install --no-install-recommends {packages}")
    print("=" * 100, flush=True)


def npm(*arguments: str) -> bool:
    """Run npm in tests/interop; nothing that it installs is run by it."""
    program = shutil.which("npm")
    if program is None:
        return False
    command = [program, *arguments, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    return subprocess.run(command, cwd=INTEROP, check=False).returncode == 0


def install_node_modules() -> bool:
    """Install what tests/interop/package-lock.json pins, if it has changed since."""
    lock = INTEROP / "package-lock.json"
    installed = INTEROP / "node_modules" / ".package-lock.json"
    if not lock.exists() or (installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime):
        return True
    return npm("ci")


def node_fits() -> bool:
    """Tell whether the system's Node.js, or one beside the provider, is new enough for it."""
    beside = map(str, INTEROP.glob("node_modules/node-*/bin/node"))
    found = [node for node in (shutil.which("node"), *beside) if node is not None]
    return any(subprocess.run([node, "-e", NODE_NEEDED], check=False).returncode == 0 for node in found)


def install_node_beside() -> bool:
    """Install a Node.js beside the provider, in this tree alone, where the system's is too old."""
    machine = NODE_MACHINES.get(platform.machine()) if sys.platform == "linux" else None
    return node_fits() or (machine is not None and npm("install", "--no-save", f"node-{machine}@{NODE_BESIDE}"))


def main() -> int:
    """Return the exit status: 1 if CI lacks a part."""
    missing = missing_parts()
    if missing and may_install():
        install(missing)
        missing = missing_parts()
    if missing:
        report(missing)
    provider = install_node_modules() and install_node_beside()
    if not provider:
        print("MISSING: the provider in tests/interop, which npm installs, or a Node.js that runs it", flush=True)
    return int(os.environ.get("CI") == "true" and (bool(missing) or not provider))


if __name__ == "__main__":
    sys.exit(main())
