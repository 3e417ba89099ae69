"""A page in a real browser signs in to the devkit with a WebCrypto key that cannot be exported, and calls the API."""

from __future__ import annotations

import functools
import shlex
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from oidcclient_devkit import Provider
from tests.browser.chromium import CHROMIUM, RealBrowser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium chromium-driver")

PAGE = Path(__file__).parent / "page"
PAGE_S = 30.0  # seconds for one page on a busy machine


class Quiet(SimpleHTTPRequestHandler):
    extensions_map = {"": "application/octet-stream", ".html": "text/html", ".js": "text/javascript"}  # noqa: RUF012 - the base class has it so

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """Serve the page on an origin of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(PAGE))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One Chromium for all tests; each has a provider, and so origins, of its own."""
    with RealBrowser(tmp_path_factory.mktemp("page") / "profile", "--window-size=900,700") as browser:
        started = subprocess.Popen(
            shlex.split(browser.command % "about:blank"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        yield browser.driver()
    started.wait(10)


def wait_for_title(driver: Chrome, *words: str) -> str:
    def found(page: Chrome) -> bool:
        return any(word in page.title.lower() for word in words)

    WebDriverWait(driver, PAGE_S).until(found)
    return driver.title


def sign_in(driver: Chrome, provider: Provider, page: str) -> dict[str, str]:
    """Sign ann in by hand, and return what the page shows in the end."""
    provider.add_client("page", redirect_uris=(page,), application_type="web")
    driver.get(f"{page}?{urlencode({'issuer': provider.issuer, 'client_id': 'page', 'api': provider.api})}")
    driver.find_element(By.ID, "sign-in").click()
    wait_for_title(driver, "sign in")
    name = driver.find_element(By.NAME, "username")
    name.clear()
    name.send_keys("ann")
    driver.find_element(By.NAME, "password").send_keys(provider.users["ann"].password)
    driver.find_element(By.CSS_SELECTOR, "form button").click()
    wait_for_title(driver, "allow")
    driver.find_element(By.CSS_SELECTOR, "button[value=allow]").click()
    wait_for_title(driver, "done", "failed")
    return {cell.get_attribute("id") or "": cell.text for cell in driver.find_elements(By.CSS_SELECTOR, "td")}


@pytest.mark.parametrize("nonces", ["off", "required"])
def test_a_page_with_a_key_that_cannot_be_exported(
    oidc_provider: Provider, driver: Chrome, page: str, tmp_path: Path, nonces: Any
) -> None:
    """RFC 9449 section 2: a page that is attacked can use its key while it is open, and not take it away."""
    oidc_provider.dpop_nonces(as_=nonces, rs=nonces)
    oidc_provider.allow_origins(page.rstrip("/"))
    shown = sign_in(driver, oidc_provider, page)
    driver.save_screenshot(str(tmp_path / "page.png"))
    assert "error" not in shown, shown
    assert shown["extractable"] == "false"
    assert shown["export"].startswith("InvalidAccessError")
    assert shown["token type"] == "DPoP"
    assert shown["refreshed"] == "true"
    assert shown["bound to"] == shown["thumbprint"]
    assert shown["userinfo"] == "ann@example.com"
    assert '"name": "Ann Example"' in shown["api"]
    assert shown["another key"] == "401 invalid_token"
    assert shown["no key"].startswith('401 Bearer realm="devkit", error="invalid_token"')
    assert shown["authorization endpoint"].startswith("TypeError")
    assert driver.current_url == page  # the code has left the address
    refused = [request.endpoint for request in oidc_provider.requests if request.status in {400, 401}]
    # The page forgets its nonces when it leaves; then come another key, no key, and the endpoint that is for people.
    assert refused == [*(["par", "token", "api"] if nonces == "required" else []), "api", "api", "authorize"]


def test_a_page_of_another_origin_gets_nowhere(oidc_provider: Provider, driver: Chrome, page: str) -> None:
    """The test above would pass with an endpoint that lets everybody read it."""
    oidc_provider.allow_origins("https://app.example")
    about = {"issuer": oidc_provider.issuer, "client_id": oidc_provider.client_id, "api": oidc_provider.api}
    driver.get(f"{page}?{urlencode(about)}")
    driver.find_element(By.ID, "sign-in").click()
    assert wait_for_title(driver, "failed", "sign in") == "Failed"
    assert "Failed to fetch" in driver.find_element(By.ID, "error").text
    assert oidc_provider.count("par") == 0
