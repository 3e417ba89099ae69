"""Take the pictures that the documentation shows, from a real sign-in in a real browser.

python tools/screenshots.py [FOLDER]
"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import oidcclient  # noqa: E402 - the tests are found through the line above
from oidcclient_devkit import Provider  # noqa: E402 - the tests are found through the line above
from tests.browser.chromium import RealBrowser  # noqa: E402 - the tests are found through the line above
from tests.e2e.test_e2e_chromium import SignIn, client_of, decide, sign_in_as_ann, wait_for_title  # noqa: E402 - the tests are found through the line above

APP = "Photo Album"


def take(folder: Path, name: str, *, allow: bool, dark: bool) -> None:
    """Sign in or refuse, and take a picture of each page on the way."""
    suffix = "-dark" if dark else ""
    flags = ["--window-size=820,900", *(["--force-dark-mode"] if dark else [])]
    with tempfile.TemporaryDirectory() as profile, Provider() as provider:
        provider.add_client("photo-app", client_name=APP)
        with RealBrowser(Path(profile) / "profile", *flags) as browser, client_of(provider, "photo-app") as client:
            os.environ |= {"OIDCCLIENT_FLOW": "browser", "BROWSER": browser.command}
            attempt = SignIn(client, oidcclient.Loopback(app_name=APP))
            attempt.start()
            driver = browser.driver()
            wait_for_title(driver, "sign in")
            driver.save_screenshot(str(folder / f"sign-in{suffix}.png"))
            sign_in_as_ann(driver, provider)
            driver.save_screenshot(str(folder / f"consent{suffix}.png"))
            decide(driver, "allow" if allow else "deny")
            wait_for_title(driver, "signed in" if allow else "not signed in")
            driver.save_screenshot(str(folder / f"{name}{suffix}.png"))
            attempt.join(30)


def main() -> None:
    """Take all pictures, light and dark."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for dark in (False, True):
        take(folder, "refused", allow=False, dark=dark)
        take(folder, "result", allow=True, dark=dark)


if __name__ == "__main__":
    main()
