"""A person signs in through a real browser: Debian's Chromium, started as the system browser, on the devkit's pages."""

from __future__ import annotations

import threading
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

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium chromium-driver")

PAGE_S = 30.0  # seconds for one page on a busy machine


@pytest.fixture
def real_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealBrowser]:
    with RealBrowser(tmp_path / "profile", "--window-size=900,700") as browser:
        monkeypatch.setenv("OIDCCLIENT_FLOW", "browser")  # no display here, and none is needed
        monkeypatch.setenv("BROWSER", browser.command)
        yield browser
    for thread in threading.enumerate():
        if thread.name == "oidcclient-browser":
            thread.join(10)


class SignIn(threading.Thread):
    """`login()` as a program calls it, beside the person."""

    def __init__(self, client: oidcclient.Client, via: oidcclient.Loopback | None = None) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.via = via
        self.session: oidcclient.Session | None = None
        self.error: oidcclient.OidcError | None = None

    def run(self) -> None:
        try:
            self.session = self.client.login(via=self.via, timeout=90)
        except oidcclient.OidcError as error:
            self.error = error


def wait_for_title(driver: Chrome, words: str) -> str:
    WebDriverWait(driver, PAGE_S).until(lambda page: words.lower() in page.title.lower())
    return str(driver.find_element(By.TAG_NAME, "body").text)


def sign_in_as_ann(driver: Chrome, provider: Provider) -> None:
    wait_for_title(driver, "sign in")
    name = driver.find_element(By.NAME, "username")
    name.clear()
    name.send_keys("ann")
    driver.find_element(By.NAME, "password").send_keys(provider.users["ann"].password)
    driver.find_element(By.CSS_SELECTOR, "form button").click()
    wait_for_title(driver, "allow")


def decide(driver: Chrome, value: str) -> None:
    driver.find_element(By.CSS_SELECTOR, f"button[value={value}]").click()


def client_of(provider: Provider, client_id: str | None = None) -> oidcclient.Client:
    return oidcclient.Client(
        provider.issuer,
        client_id or provider.client_id,
        scopes=["openid", "profile", "email"],
        policy=TEST_POLICY,
        store=oidcclient.MemoryStore(),
    )


def test_a_person_signs_in_through_chromium(
    oidc_provider: Provider, real_browser: RealBrowser, capfd: pytest.CaptureFixture[str]
) -> None:
    with client_of(oidc_provider) as client:
        attempt = SignIn(client)
        attempt.start()
        driver = real_browser.driver()
        sign_in_as_ann(driver, oidc_provider)
        decide(driver, "allow")
        text = wait_for_title(driver, "signed in")
        attempt.join(PAGE_S)
        assert attempt.error is None
        assert attempt.session is not None
        assert attempt.session.user.claims["email"] == "ann@example.com"
        assert "close this tab" in text
        assert "code=" not in driver.current_url
        assert not any("code=" in str(entry) for entry in driver.execute_script("return [document.referrer]"))
    said = capfd.readouterr()
    assert said.out == ""
    assert "If nothing opens, visit:  http://127.0.0.1:" in said.err


def test_a_person_says_no_in_chromium(oidc_provider: Provider, real_browser: RealBrowser) -> None:
    with client_of(oidc_provider) as client:
        attempt = SignIn(client)
        attempt.start()
        driver = real_browser.driver()
        sign_in_as_ann(driver, oidc_provider)
        decide(driver, "deny")
        text = wait_for_title(driver, "not signed in")
        attempt.join(PAGE_S)
        assert isinstance(attempt.error, oidcclient.LoginDenied)
        assert "access_denied" in text


def test_the_page_never_says_signed_in_before_the_tokens_were_checked(
    oidc_provider: Provider, real_browser: RealBrowser
) -> None:
    """`peers.md`: success pages that lie."""
    oidc_provider.misbehave("id_token.wrong_key")
    with client_of(oidc_provider) as client:
        attempt = SignIn(client)
        attempt.start()
        driver = real_browser.driver()
        sign_in_as_ann(driver, oidc_provider)
        decide(driver, "allow")
        text = wait_for_title(driver, "not signed in")
        attempt.join(PAGE_S)
        assert isinstance(attempt.error, oidcclient.IDTokenRefused)
        assert "You are signed in" not in text
