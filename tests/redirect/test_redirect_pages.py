"""What the person sees, and the headers it comes with."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient._shell.redirect import pages
from oidcclient._shell.redirect.answers import empty_answer, page_answer, redirect_answer
from oidcclient._words.receiver import LoginOutcome

OK = LoginOutcome(ok=True)
NASTY = "<script>alert(1)</script>\x1b[31m\u202e&\"'\x00\r\nSet-Cookie: a=b"
ALL: dict[str, Callable[[str], pages.Page]] = {
    "signed in": lambda app: pages.result_page(OK, app),
    "signed in, own words": lambda app: pages.result_page(LoginOutcome(ok=True, message=NASTY), app),
    "failed": lambda app: pages.result_page(LoginOutcome(ok=False), app),
    "failed, own words": lambda app: pages.result_page(LoginOutcome(ok=False, message=NASTY, detail=NASTY), app),
    "finishing": lambda app: pages.finishing_page(app, "/done/a?wait"),
    "not ours": pages.not_ours_page,
    "no answer": pages.no_answer_page,
    "start failed": pages.start_failed_page,
    "stopped": pages.stopped_page,
}
every_page = pytest.mark.parametrize("page", ALL.values(), ids=ALL.keys())


class Outline(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: pages.Page) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def words(page: pages.Page) -> str:
    """Return the text of the body."""
    return " ".join(Outline(page).text.partition("}\n")[2].rpartition("}")[2].split())


def test_success_says_where_and_what_now() -> None:
    page = pages.result_page(OK, "Photo Sorter")
    assert page.status == 200
    assert words(page) == (
        "✓Signed in You are signed in to Photo Sorter. You can close this tab and go back to Photo Sorter."
    )


def test_success_may_name_who() -> None:
    page = pages.result_page(LoginOutcome(ok=True, message="Signed in as ann@example.com."), "gh")
    assert "Signed in as ann@example.com. You can close this tab and go back to gh." in words(page)


def test_failure_never_looks_like_success() -> None:
    page = pages.result_page(LoginOutcome(ok=False, message="The answer was not for us.", detail="nonce"), "gh")
    assert page.status == 400
    assert words(page) == (
        "✕Not signed in The answer was not for us. "
        "You can close this tab and go back to gh, which says what to do. For support: nonce"
    )


@every_page
def test_a_page_is_accessible(page: Callable[[str], pages.Page]) -> None:
    outline = Outline(page("gh"))
    assert outline.named("html") == [{"lang": "en"}]
    assert len(outline.named("h1")) == len(outline.named("title")) == len(outline.named("main")) == 1
    assert [div["role"] for div in outline.named("div")] in (["status"], ["alert"])
    assert {"charset": "utf-8"} in outline.named("meta")
    assert "prefers-color-scheme: dark" in outline.text
    (sign,) = outline.named("span")
    assert sign == {"aria-hidden": "true"}


@every_page
def test_a_page_has_no_script_loads_nothing_and_leads_nowhere(page: Callable[[str], pages.Page]) -> None:
    outline = Outline(page(NASTY))
    allowed = {"html", "head", "meta", "title", "style", "body", "main", "div", "h1", "span", "p", "code"}
    assert {tag for tag, _ in outline.elements} <= allowed
    assert {name for _, attributes in outline.elements for name in attributes} <= {
        "lang",
        "charset",
        "name",
        "content",
        "class",
        "role",
        "aria-hidden",
    }
    assert "url(" not in outline.text
    assert "http" not in outline.text


@every_page
def test_reflected_text_is_escaped_and_shows_its_control_characters(page: Callable[[str], pages.Page]) -> None:
    content = page(NASTY).content.decode()
    assert "<script" not in content
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", content)


def test_reflected_text_is_cut() -> None:
    page = pages.result_page(LoginOutcome(ok=False, message="a" * 9999, detail="b" * 9999), "c" * 9999)
    content = page.content.decode()
    assert max(len(run) for run in re.findall(r"a+|b+|c+", content)) < 300
    assert len(content) < 5000


@given(st.text(max_size=40))
def test_whatever_text_is_reflected_makes_one_page_of_our_elements(text: str) -> None:
    page = pages.result_page(LoginOutcome(ok=False, message=text, detail=f"a{text}"), text)
    tags = re.findall(r"<([a-z][a-z0-9]*)", page.content.decode())
    assert " ".join(tags) == "html head meta meta title style body main div h1 span p p p code"


def test_the_style_hash_is_that_of_the_style_sent() -> None:
    content = pages.stopped_page("gh").content.decode()
    style = content.partition("<style>")[2].partition("</style>")[0]
    policy = dict(pages.PAGE_HEADERS)["Content-Security-Policy"]
    assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}';" in policy


HEADERS = (
    "Connection: close\r\n"
    "Cache-Control: no-store\r\n"
    f"Content-Security-Policy: default-src 'none'; style-src 'sha256-{pages._STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "\r\n"
)


def test_a_page_has_exactly_these_headers() -> None:
    assert page_answer(pages.Page(200, "é".encode())) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 2\r\n"
        + HEADERS.encode()
        + "é".encode()
    )


def test_the_finishing_page_asks_for_the_result_by_itself() -> None:
    assert b"\r\nRefresh: 0; url=/done/a?wait\r\n" in page_answer(pages.finishing_page("gh", "/done/a?wait"))
    assert b"\r\nRefresh:" not in page_answer(pages.result_page(OK, "gh"))


def test_a_redirect_and_an_empty_answer_have_exactly_these_headers() -> None:
    assert redirect_answer(303, "/done/a") == (
        b"HTTP/1.1 303 See Other\r\nLocation: /done/a\r\nContent-Length: 0\r\n" + HEADERS.encode()
    )
    assert empty_answer(404) == b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n" + HEADERS.encode()
    assert empty_answer(405, allow="GET") == (
        b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n" + HEADERS.encode()
    )
