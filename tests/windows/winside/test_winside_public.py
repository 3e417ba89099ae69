"""The library on Windows: all of it is there."""

import subprocess
import sys

import pytest

import oidcclient
import oidcclient.hooks
import oidcclient.protocol

PUBLIC = [(module, name) for module in (oidcclient, oidcclient.hooks, oidcclient.protocol) for name in module.__all__]


def test_this_is_windows() -> None:
    assert sys.platform == "win32"


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=[f"{module.__name__}.{name}" for module, name in PUBLIC])
def test_every_public_name_is_there(module: object, name: str) -> None:
    assert getattr(module, name) is not None


def test_the_library_is_imported_without_a_word() -> None:
    program = [sys.executable, "-W", "error", "-c", "import oidcclient; oidcclient.Client"]
    ended = subprocess.run(program, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
