"""
The third tab: two models side by side, blind until the vote.

In: a noisy text that both models restore; where they have to differ, an answer of /v1/compare that a test holds. Out:
what people see before and after the vote, and what the service was sent.
"""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from .conftest import Visit

NOISY, CLEAN = "확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"


@pytest.fixture
def page(shared_page: Visit) -> Iterator[Page]:
    """The page that these tests share, with this tab open."""
    shared_page.page.locator("#tab-compare").click()
    yield shared_page.page
    shared_page.page.unroute_all()


def differ(page: Page, left: str = "화장실이 너무 작아요", right: str = "화장신이 너무 작어요") -> list[dict]:
    """Let the two texts differ, as they do on harder ones: on which ones they do depends on training."""
    votes: list[dict] = []

    def compare(route) -> None:
        sides = {"left": {"text": left, "edits": []}, "right": {"text": right, "edits": []}}
        route.fulfill(json={"comparison": "token", "noisy": NOISY, "same": left == right} | sides)

    def vote(route) -> None:
        votes.append(json.loads(route.request.post_data))
        models = {"left": "small", "right": "base"}
        route.fulfill(status=201, json={"id": votes[-1]["id"], "models": models})

    page.route("**/v1/compare", compare)
    page.route("**/v1/feedback", vote)
    return votes


LINES = """all => all.map((one) => {
    const words = document.createRange();
    words.selectNodeContents(one);
    return words.getClientRects().length;
})"""


def compare(page: Page, text: str = NOISY) -> None:
    page.locator("#compare-text").fill(text)
    page.locator("#compare-form button[type=submit]").click()
    expect(page.locator("#compare-result")).to_be_focused()


def test_a_real_vote_goes_to_the_service_and_is_taken_back(visit, served):
    visited = visit(path="/#compare")
    page = visited.page
    # The examples are those on which the shipped models differed; if new ones agree on all, new examples are due.
    page.locator("#compare-example").click()
    expect(page.locator("#compare-result")).to_be_focused()
    for _ in range(4):
        if page.locator("#compare-voting").is_visible():
            break
        page.locator("#compare-next").click()
        expect(page.locator("#compare-result")).to_be_focused()
    assert page.locator("#compare-left mark").count() == page.locator("#compare-right mark").count() > 0
    assert "base" not in page.locator("#compare").inner_text()
    visited.screenshot("compare-blind")
    page.locator("#compare-consent").check()
    page.locator("#compare-vote-right").click()
    expect(page.locator("#compare-tally")).to_be_visible()
    names = {page.locator(f"#compare-{side}-name").inner_text() for side in ("left", "right")}
    assert names == {"base", "small"}
    expect(page.locator("#compare-next")).to_be_focused()
    assert visited.violations() == []
    visited.screenshot("compare-told")
    with page.expect_response("**/v1/feedback/*") as deleted:
        page.locator("#compare-forget").click()
    assert deleted.value.status == 204
    expect(page.locator("#compare-said")).to_have_text("보낸 표를 모두 지웠어요.")
    expect(page.locator("#compare-result")).to_be_hidden()  # with the names that were told for the vote
    expect(page.locator("#compare-tally")).to_be_hidden()


def test_the_same_text_twice_needs_no_vote(page):
    compare(page)
    expect(page.locator("#compare-left")).to_have_text(CLEAN)
    expect(page.locator("#compare-right")).to_have_text(CLEAN)
    expect(page.locator("#compare-differing")).to_have_text("두 모델의 결과가 똑같아요. 투표하지 않아도 돼요.")
    assert page.locator("#compare-voting").is_hidden()
    assert page.locator("#compare-result mark").count() == 0
    page.keyboard.press("1")  # votes for nothing
    assert page.locator("#compare-tally").is_hidden()


def test_keys_vote_once_a_text_and_the_tally_counts(visit):
    page = visit(path="/#compare").page
    votes = differ(page)
    page.locator("#compare-text").press_sequentially("1")  # a digit, where people write
    for number, choice in enumerate(("left", "right", "both", "neither"), start=1):
        compare(page)
        assert page.locator("#compare-left mark").all_inner_texts() == ["실", "아"]
        assert page.locator("#compare-right mark").all_inner_texts() == ["신", "어"]
        assert page.locator("#compare-left-name").inner_text() == ""
        page.keyboard.press("Control+1")
        page.keyboard.press("5")
        page.keyboard.press(str(number))
        expect(page.locator("#compare-left-name")).to_have_text("small")
        expect(page.locator("#compare-vote-said")).to_have_text("고마워요! A는 small, B는 base 모델이에요.")
        assert page.locator(f"#compare-vote-{choice}").get_attribute("aria-pressed") == "true"
        expect(page.locator("#compare-consent")).to_be_disabled()  # it was asked for the vote that is sent
        page.locator("#compare-result").focus()
        page.keyboard.press("1")  # a second vote on the same text is none
        told = {"kind": "vote", "comparison": "token", "noisy": NOISY, "choice": choice, "consent": False}
        texts = {"left": "화장실이 너무 작아요", "right": "화장신이 너무 작어요"}
        assert {name: value for name, value in votes[-1].items() if name not in ("id", "visitor")} == told | texts
    assert len(votes) == len({vote["id"] for vote in votes}) == 4
    assert len({vote["visitor"] for vote in votes}) == 1
    rows = page.locator("#compare-counts tr")
    read = [rows.nth(row).locator("th, td").all_inner_texts() for row in range(rows.count())]
    assert read == [["base", "1", "1", "1", "1"], ["small", "1", "1", "1", "1"]]


def test_a_vote_that_fails_is_sent_again_under_its_id(visit):
    visited = visit(path="/#compare", language="en")
    visited.expected.append("status of 500")
    page = visited.page
    votes = differ(page)
    refused = []

    def refuse(route) -> None:
        refused.append(json.loads(route.request.post_data)["id"])
        route.fulfill(status=500, json={"error": "x", "mend": "y"}) if len(refused) == 1 else route.fallback()

    page.route("**/v1/feedback", refuse)
    compare(page)
    page.keyboard.press("3")
    expect(page.locator("#compare-vote-said")).to_have_text("The service has a problem. Please try again later.")
    expect(page.locator("#compare-vote-both")).to_be_focused()
    page.locator("#compare-vote-both").click()
    expect(page.locator("#compare-vote-said")).to_have_text("Thank you! A was small, B was base.")
    assert [vote["id"] for vote in votes] == [refused[0]]


@pytest.mark.parametrize("renewed", ["same", "swapped", "other"])
def test_a_vote_on_what_was_compared_before_a_restart_goes_with_a_new_comparison(page, shared_page, renewed):
    left, right = "화장실이 너무 작아요", "화장신이 너무 작어요"
    differ(page, left, right)
    compare(page)
    after = {"same": (left, right), "swapped": (right, left), "other": (left, "화장시리")}[renewed]
    page.unroute_all()
    votes = differ(page, *after)
    answered = []

    def forget_once(route) -> None:
        answered.append(route)
        route.fulfill(status=422, json={"error": "x", "mend": "y"}) if len(answered) == 1 else route.fallback()

    page.route("**/v1/feedback", forget_once)
    shared_page.expected.append("status of 422")
    page.keyboard.press("1")
    told = {
        "same": "고마워요! A는 small, B는 base 모델이에요.",
        "swapped": "고마워요! A는 base, B는 small 모델이에요.",
        "other": "그사이 서비스가 새로 시작돼서 이 표는 보낼 수 없어요. 다시 비교해 주세요.",
    }
    expect(page.locator("#compare-vote-said")).to_have_text(told[renewed])
    sent = [(vote["choice"], vote["left"], vote["right"]) for vote in votes]
    assert sent == {"same": [("left", left, right)], "swapped": [("right", right, left)], "other": []}[renewed]


def test_who_writes_on_is_not_taken_to_the_result_where_digits_are_votes(page):
    votes = differ(page)
    page.locator("#compare-text").fill(NOISY)
    with page.expect_response("**/v1/compare"):
        page.evaluate("document.getElementById('compare-form').requestSubmit()")
    expect(page.locator("#compare-result")).to_be_visible()
    page.keyboard.press("1")
    assert page.locator("#compare-text").input_value() == NOISY + "1"
    assert votes == []


def test_texts_of_other_lengths_are_marked_between_their_common_ends(page):
    differ(page, "방이 좁아요 😀", "방이 아주 좁아요 😀")
    compare(page)
    assert page.locator("#compare-left mark").count() == 0
    assert "".join(page.locator("#compare-right mark").all_inner_texts()) in ("아주 ", " 아주")


def test_no_text_and_too_long_a_text_are_said(visit):
    page = visit(path="/#compare", language="en").page
    page.locator("#compare-form button[type=submit]").click()
    expect(page.locator("#compare-fault")).to_have_text("Please give a text first.")
    page.locator("#compare-text").fill("가" * 10_001)
    page.locator("#compare-form button[type=submit]").click()
    fault = "The text is too long: up to 10,000 characters are taken, 1 are too many."
    expect(page.locator("#compare-fault")).to_have_text(fault)
    page.locator("#language").click()
    expect(page.locator("#compare-fault")).to_contain_text("글이 너무 길어요.")


def test_a_service_that_takes_no_feedback_compares_without_a_vote(visit):
    page = visit(path="/#compare").page
    page.route("**/v1/service", lambda route: route.fulfill(json=route.fetch().json() | {"feedback": False}))
    page.reload()
    expect(page.locator("#version")).not_to_be_empty()
    what = "두 모델이 같은 글을 되살려요. 어느 쪽이 어느 모델인지는 알려 드리지 않아요."
    expect(page.locator("#compare-what")).to_have_text(what)
    differ(page)
    compare(page)
    expect(page.locator("#compare-no-votes")).to_have_text("이 서비스는 투표를 받지 않아요.")
    assert page.locator("#compare-voting").is_hidden()


def test_a_service_of_one_model_shows_no_such_tab(visit, serve):
    page = visit(serve("--model", "small", "--database", "none")).page
    expect(page.locator("#tab-compare")).to_be_hidden()


@pytest.mark.parametrize(
    ("width", "scheme", "language"), [(1280, "dark", "ko"), (390, "light", "en")], ids=["dark", "phone"]
)
def test_the_tab_is_accessible_and_fits(visit, width, scheme, language):
    visited = visit(width=width, scheme=scheme, language=language, path="/#compare")
    page = visited.page
    differ(page)
    compare(page)
    page.keyboard.press("2")
    expect(page.locator("#compare-tally")).to_be_visible()
    assert visited.violations() == []
    visited.screenshot(f"compare-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.set_viewport_size({"width": min(width, 360), "height": 844})
    lines = page.locator("#compare-tally :is(th:first-child, th:nth-child(2), th:last-child)").evaluate_all(LINES)
    assert set(lines) == {1}  # no word of the tally is broken


def test_the_address_opens_a_tab_when_it_is_written_by_hand(page):
    page.evaluate("location.hash = '#obfuscate'")
    expect(page.locator("#obfuscate")).to_be_visible()
    page.evaluate("location.hash = '#nothing'")
    expect(page.locator("#obfuscate")).to_be_visible()
