"""
What people send in from the first tab: it arrives with what they agreed to, once, and goes away again.

In: a restoration, and what a person makes of it. Out: rows of the service's own database.
"""

import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Page, Route, expect

from ..conftest import Served

NOISY, CLEAN = "확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"
SENT = "#feedback-said"


@pytest.fixture
def page(visit) -> Page:
    opened = visit()
    opened.restore(NOISY, CLEAN)
    return opened.page


def number(page: Page) -> str:
    expect(page.locator(SENT)).to_contain_text("접수 번호")
    return page.locator(SENT).inner_text().rpartition(" ")[2]


def stored(served: Served, identity: str) -> dict[str, object] | None:
    """What the database holds under a number."""
    [path] = served.folder.glob("*.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        names = {row["name"] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name in sorted(names - {"alembic_version"}):
            for row in database.execute(f"SELECT * FROM {name}"):
                values = dict(row)
                if str(values.get("id", "")).replace("-", "") == identity.replace("-", ""):
                    return values
    return None


def test_a_correction_arrives_without_consent_unless_it_is_given_and_can_be_deleted(page, served):
    expect(page.locator("#correct")).to_be_disabled()
    page.locator("#edit").click()
    page.locator("#by-hand").fill(CLEAN + "!")
    expect(page.locator("#accept")).to_be_disabled()
    page.locator("#correct").click()
    identity = number(page)
    kept = stored(served, identity)
    assert kept is not None
    assert (kept["noisy"], kept["restored"], kept["corrected"]) == (NOISY, CLEAN, CLEAN + "!")
    assert not kept["consent"]
    expect(page.locator("#correct")).to_be_disabled()  # the same is not sent twice
    page.locator("#forget").click()
    expect(page.locator(SENT)).to_have_text("보낸 것을 모두 지웠어요.")
    assert stored(served, identity) is None
    expect(page.locator("#forget")).to_be_hidden()


def test_a_right_restoration_is_accepted_with_consent(page, served):
    page.get_by_label("보낸 글을 모델 학습에 써도 좋아요").check()
    page.locator("#accept").click()
    kept = stored(served, number(page))
    assert kept is not None
    assert (kept["noisy"], kept["restored"], bool(kept["accepted"]), bool(kept["consent"])) == (
        NOISY,
        CLEAN,
        True,
        True,
    )
    expect(page.locator("#accept")).to_be_disabled()
    page.locator("#noisy").fill(NOISY + " " + NOISY)
    expect(page.locator("#accept")).to_be_enabled()
    expect(page.locator(SENT)).to_be_empty()


def test_what_got_no_answer_is_sent_again_under_its_number_and_stored_once(visit, served):
    opened = visit()
    opened.expected.append("status of 503")
    opened.restore(NOISY, CLEAN)
    page = opened.page
    numbers: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        numbers.append(route.request.post_data_json["id"])
        if len(numbers) == 1:
            route.fetch()
            route.fulfill(status=503, headers={"Retry-After": "0"}, json={"error": "gone", "mend": "again"})
        else:
            route.continue_()

    page.route("**/v1/feedback", lose_the_first_answer)
    page.locator("#accept").click()
    assert number(page) == numbers[0]
    assert numbers == [numbers[0]] * 2
    assert stored(served, numbers[0]) is not None


def test_no_text_is_kept_in_the_browser(page):
    assert page.evaluate("[{...localStorage}, {...sessionStorage}, document.cookie]") == [{}, {}, ""]
    assert page.evaluate("indexedDB.databases()") == []


def test_consent_is_asked_anew_when_the_page_is_come_back_to(page):
    page.locator("#consent").check()
    page.goto(page.url.partition("#")[0] + "docs")
    page.go_back()
    expect(page.locator("#consent")).not_to_be_checked()


def test_the_focus_stays_beside_a_button_that_is_used_up(page):
    page.locator("#accept").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#forget")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#consent")).to_be_focused()
