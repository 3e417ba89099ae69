"""A fuzzer that sees which lines it reaches finds no error but the documented one."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = int(os.environ.get("OIDCCLIENT_FUZZ_SECONDS", "20"))
LUCK = "0" if "OIDCCLIENT_FUZZ_SECONDS" in os.environ else "1"  # libFuzzer takes 0 for another seed each time
ENOUGH_A_SECOND = 20  # on the slowest of machines; some thousands are usual


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is for Linux on x86-64")
def test_a_guided_fuzzer_finds_only_the_documented_error(tmp_path: Path) -> None:
    """Its process is without coverage's measurement: it has one of its own, and ends without saving ours."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    limits = [f"-max_total_time={SECONDS}", f"-seed={LUCK}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=4096"]
    said = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.dpop_server.guided",
            *limits,
            "-print_final_stats=1",
            f"-artifact_prefix={tmp_path}/",
        ],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + 120,
    )
    assert said.returncode == 0, (said.stdout + said.stderr)[-6_000:]
    runs = re.search(r"number_of_executed_units: (\d+)", said.stderr)
    assert runs is not None, said.stderr[-6_000:]
    assert int(runs[1]) > ENOUGH_A_SECOND * SECONDS
