"""The tools around the tests: nothing is skipped in CI, and a person's machine is left alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import parts

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\ndef test_it(): pytest.skip('no browser')",
        "import pytest\n@pytest.mark.skipif(True, reason='no browser')\ndef test_it(): ...",
        "import pytest\npytest.skip('no browser', allow_module_level=True)",
        "import pytest\n@pytest.fixture\ndef browser(): pytest.skip('no browser')\ndef test_it(browser): ...",
    ],
    ids=["in the test", "by a mark", "a whole module", "in a fixture"],
)
def test_a_skip_is_a_failure_in_ci_alone(source: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(source, "utf-8")
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
    in_ci, outside = (
        subprocess.run(command, cwd=tmp_path, env=os.environ | {"CI": ci}, capture_output=True, text=True, check=False)
        for ci in ("true", "")
    )
    assert in_ci.returncode in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}
    assert "CI skips nothing" in in_ci.stdout
    assert "1 skipped" in outside.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such shell")
def test_a_run_in_the_background_can_test_ctrl_c(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    source = "import signal\ndef test_it(): assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    (tmp_path / "test_it.py").write_text(source, "utf-8")
    pytest_ = f"{sys.executable} -m pytest -q -p no:cacheprovider --rootdir {tmp_path} {tmp_path}"
    for extra in ("", " -n 1"):
        command = ["sh", "-c", f"{pytest_}{extra} & wait $!"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == pytest.ExitCode.OK, result.stdout


def test_a_missing_part_is_named_with_its_tests_and_the_command_that_installs_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parts.report([part for part in parts.PARTS if "chromium" in part.packages])
    said = capsys.readouterr().out
    assert "MISSING: Chromium" in said
    assert "SKIPPED: a login in a real browser" in said
    assert said.count("sudo apt-get install --no-install-recommends chromium chromium-driver\n") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no root")
def test_nobody_but_root_on_debian_has_parts_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not parts.may_install()


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_a_missing_part_fails_in_ci_alone(ci: str, status: int) -> None:
    program = "import sys; from tools import parts; parts.may_install = lambda: False; sys.exit(parts.main())"
    environment = {"PATH": "", "CI": ci}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == status
    assert "MISSING: Node.js" in result.stdout
