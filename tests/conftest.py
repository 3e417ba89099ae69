"""Rules for every test: none is skipped in CI, and how much hypothesis draws."""

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# A test that sets max_examples itself escapes `make soak`, so none does.
settings.register_profile(
    "test",
    deadline=None,  # a shared machine pauses when it likes
    derandomize=True,  # a failure in CI is one of the change, not of luck
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "soak",
    settings.get_profile("test"),
    derandomize=False,
    max_examples=int(os.environ.get("OIDCCLIENT_FUZZ_EXAMPLES", "20000")),
)
settings.load_profile("soak" if "OIDCCLIENT_FUZZ_EXAMPLES" in os.environ else "test")

# A shell that starts a run in the background has it ignore Ctrl-C, and every program that a test starts would too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _fail_if_skipped_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI skips nothing: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_skipped_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped_in_ci(report)
    return report
