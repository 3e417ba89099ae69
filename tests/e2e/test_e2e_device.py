"""A person allows another device in a real browser: Debian's Chromium on the devkit's device page (RFC 8628)."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

import oidcclient
from oidcclient_devkit import Provider
from tests.browser.chromium import CHROMIUM, RealBrowser
from tests.client.conftest import TEST_POLICY
from tests.e2e.test_e2e_chromium import PAGE_S, decide, wait_for_title

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium chromium-driver")


@pytest.fixture
def real_browser(tmp_path: Path) -> Iterator[RealBrowser]:
    """Run Chromium on "another device": this program knows nothing of it."""
    with RealBrowser(tmp_path / "profile", "--window-size=900,700") as browser:
        command = shlex.split(browser.command.replace("%s", "about:blank"))
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        yield browser
    process.wait(10)


def start(client: oidcclient.Client) -> tuple[oidcclient.PendingLogin, oidcclient.DeviceCode]:
    pending = client.start_login(via=oidcclient.Device(), timeout=90)
    assert pending.device_code is not None
    return pending, pending.device_code


def sign_in(driver: Chrome, provider: Provider) -> None:
    wait_for_title(driver, "sign in")
    driver.find_element(By.NAME, "username").send_keys("ann")
    driver.find_element(By.NAME, "password").send_keys(provider.users["ann"].password)
    driver.find_element(By.CSS_SELECTOR, "form button").click()


def test_a_person_types_the_code_and_allows_the_device(oidc_provider: Provider, real_browser: RealBrowser) -> None:
    """Then follows the link of a second sign-in, compares the code, and says no."""
    oidc_provider.set_device_codes(interval=0, lifetime=300)
    with oidcclient.Client(
        oidc_provider.issuer,
        oidc_provider.client_id,
        scopes=["openid", "email"],
        policy=TEST_POLICY,
        store=oidcclient.MemoryStore(),
    ) as client:
        pending, code = start(client)
        driver = real_browser.driver()
        driver.get(code.verification_uri)
        wait_for_title(driver, "connect a device")
        driver.find_element(By.NAME, "user_code").send_keys(code.user_code.lower())
        driver.find_element(By.CSS_SELECTOR, "form button").click()
        sign_in(driver, oidc_provider)
        text = wait_for_title(driver, "connect devkit")
        assert code.user_code in text
        decide(driver, "allow")
        wait_for_title(driver, "device connected")
        assert pending.wait().user.claims["email"] == "ann@example.com"

        pending, code = start(client)
        driver.get(pending.url)
        WebDriverWait(driver, PAGE_S).until(lambda page: code.user_code in page.page_source)
        decide(driver, "deny")
        WebDriverWait(driver, PAGE_S).until(lambda page: "got nothing" in page.page_source)
        with pytest.raises(oidcclient.LoginDenied):
            pending.wait()
