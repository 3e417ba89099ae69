"""Run part of the tests on a Windows Python, under wine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dpop_stores.standin_libraries import FOLDER_VARIABLE, SOURCES, compile_library
from tools import wine

TIMEOUT_S = 400.0  # it takes one minute on two cores of its own
CNG = "tests/dpop_stores/test_dpop_store_cng_contract.py"
STAND_INS = [SOURCES / "ncrypt.c", Path(__file__).with_name("cng_constants.c")]
CHOSEN = [
    "tests/windows/winside",
    "tests/protocol",
    "tests/redirect",
    "tests/browser/test_browser_address.py",
    "tests/browser/test_browser_detection.py",
    "tests/client/test_client_login.py",
    "tests/client/test_client_async.py",
    CNG,
]
LEFT_OUT = {
    "tests/protocol/test_protocol_standards_map.py": "it imports Redis and others, and is the same everywhere",
    f"{CNG}::test_contract_each_status_that_is_known_has_words_and_a_hint": "many, and the same here",
    f"{CNG}::test_contract_the_key_says_whether_it_is_hardware_and_not_the_providers_name": "likewise",
    f"{CNG}::test_contract_without_a_tpm_the_next_store_is_taken": "likewise",
    f"{CNG}::test_elsewhere_than_on_windows_it_says_so": "for the systems that are not Windows",
    f"{CNG}::test_contract_a_library_that_cannot_be_loaded_is_a_reason": "likewise",
    f"{CNG}::TestContractOfTheTpm": "the same as of both",
    f"{CNG}::TestContractOfTheSoftware": "likewise",
    "tests/client/test_client_async.py::test_sixty_sign_ins_wait_at_once_and_starve_nothing": "slow",
    "tests/redirect/test_redirect_process.py::"
    "test_ctrl_c_ends_a_waiting_program_within_a_second_idle_connections_or_not": "winside has one for Windows",
}
# It says itself how it ended: under wine 8 a process whose threads still wait may never end (see wine.run).
PROGRAM = (
    "import os, sys, pytest; code = int(pytest.main(sys.argv[1:])); "
    "print('tests ended with', code, flush=True); os._exit(code)"
)
PYTEST = [
    *("-c", PROGRAM, "--quiet", "-p", "no:cacheprovider"),
    "--capture=sys",  # files take a third of the time under wine
    *("-p", "oidcclient_devkit.pytest_plugin", "-p", "tests.windows.short_names"),
    *("-m", "not hypothesis"),  # what it draws is the same here
    # wine 8 lacks a call on sockets that trio needs (SIO_BASE_HANDLE); without an event loop nothing differs
    *("-k", "not [trio] and not [sync]"),
    *(f"--deselect={name}" for name in LEFT_OUT),
]


@pytest.mark.xdist_group("windows")
@pytest.mark.skipif(not wine.is_possible(), reason=f"no wine; on Debian this installs it: {wine.INSTALL}")
def test_what_is_chosen_passes_on_windows(tmp_path: Path) -> None:
    for source in STAND_INS:
        compile_library(source, tmp_path / f"{source.stem}.dll", wine.COMPILER, ["bcrypt"])
    env = {FOLDER_VARIABLE: f"Z:{tmp_path}"}  # wine's name for the folders of Linux
    result = wine.run([*PYTEST, *CHOSEN], timeout=TIMEOUT_S, env=env, last_line=b"tests ended with ")
    if "tests ended with 0" not in result.stdout:
        pytest.fail(result.stdout, pytrace=False)
    assert int(re.findall(r"(\d+) passed", result.stdout)[-1]) > 0


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE))


def test_windows_has_the_versions_that_linux_has() -> None:
    ours = pins(wine.ROOT / "requirements" / "dev.txt")
    theirs = pins(wine.WHEELS)
    differing = {name for name, version in theirs.items() if ours.get(name, version) != version}
    assert not differing, "run: python tools/wine.py --lock"


@pytest.mark.parametrize("path", [wine.WHEELS, wine.PYTHON], ids=lambda path: path.name)
def test_every_pin_for_windows_has_a_hash_and_names_no_address(path: Path) -> None:
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[a-z0-9-]+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
