"""
The first tab, as people use it: they write, read, choose, correct, copy.

In: texts written for these tests. Out: what stands on the right, what is marked, what the list offers.
"""

import re
import unicodedata

import pytest
from playwright.sync_api import Page, Route, expect

from hanpuri.compact.restoring.runtime import Restorer

NOISY, CLEAN = "확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"
MARKS = "#restored [data-position]"


@pytest.fixture(scope="module")
def library() -> Restorer:
    return Restorer("base", threads=1)


def syllable(page: Page, position: int):
    return page.locator(f'#restored [data-position="{position}"]')


def answer(noisy: str, text: str, alternatives: dict[int, list[tuple[str, float]]], model: str = "base") -> dict:
    """An answer of the service in which it is told what is unsure."""
    confidences = [alternatives[place][0][1] if place in alternatives else 1.0 for place in range(len(text))]
    pairs = enumerate(zip(noisy, text, strict=True))
    return {
        "model": model,
        "milliseconds": 1.0,
        "noisy": noisy,
        "text": text,
        "edits": [
            {"position": place, "noisy": one, "restored": other, "confidence": confidences[place]}
            for place, (one, other) in pairs
            if one != other
        ],
        "confidences": confidences,
        "alternatives": [
            {"position": place, "choices": [{"text": one, "confidence": share} for one, share in choices]}
            for place, choices in alternatives.items()
        ],
    }


def unsure(page: Page) -> None:
    """Let the service be unsure of one syllable: which ones it is unsure of by itself depends on its training."""
    told = answer("밤이 춥꼬", "방이 춥고", {0: [("방", 0.5), ("밤", 0.3), ("밥", 0.1)]})
    page.route("**/v1/restore", lambda route: route.fulfill(json=told))


def test_text_is_restored_while_it_is_written_and_changes_are_marked(opened):
    page = opened.page
    page.locator("#noisy").press_sequentially(NOISY, delay=20)
    expect(page.locator("#restored")).to_have_text(CLEAN)
    changed = [place for place, (one, other) in enumerate(zip(NOISY, CLEAN, strict=True)) if one != other]
    assert page.locator(MARKS).evaluate_all("all => all.map(one => Number(one.dataset.position))") == changed
    style = "one => [getComputedStyle(one).borderBottomStyle, getComputedStyle(one).borderBottomWidth]"
    assert syllable(page, 0).evaluate(style)[0] in ("solid", "dotted")  # seen without colour
    assert re.fullmatch(r"8자 바뀜 · \d+ms", page.locator("#restored-count").inner_text())
    expect(page.locator("#restored-spoken")).to_have_text(f"되살렸어요. 11자 가운데 8자가 바뀌었어요. {CLEAN}")


def test_a_choice_takes_the_place_of_a_syllable_by_mouse(opened):
    page = opened.page
    unsure(page)
    opened.restore("밤이 춥꼬", "방이 춥고")
    assert syllable(page, 0).get_attribute("class") == "unsure"
    assert syllable(page, 0).get_attribute("aria-label") == "방, 원래 글자 밤, 확신 50%"
    syllable(page, 0).click()
    options = page.locator("#choices-list [role=option]")
    assert options.all_inner_texts() == ["방\n50%", "밤\n30%", "밥\n10%"]
    expect(page.locator("#choices-title")).to_have_text("‘밤’ 자리에 올 글자")
    options.filter(has_text="밥").click()
    expect(page.locator("#restored")).to_have_text("밥이 춥고")
    expect(page.locator("#choices")).to_be_hidden()
    expect(syllable(page, 0)).to_be_focused()
    expect(page.locator("#restored-said")).to_have_text("글자를 바꿨어요.")


def test_a_sure_syllable_offers_what_was_written(opened):
    unsure(opened.page)
    opened.restore("밤이 춥꼬", "방이 춥고")
    syllable(opened.page, 4).click()
    assert opened.page.locator("#choices-list [role=option]").all_inner_texts() == ["고\n100%", "꼬\n쓴 그대로"]


def test_all_of_it_goes_by_keyboard_alone(visit):
    page = visit().page
    unsure(page)
    for name in ("건너뛰기", "English", "되살리기"):
        page.keyboard.press("Tab")
        assert name in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#obfuscate")).to_be_visible()
    assert page.url.endswith("#obfuscate")
    page.keyboard.press("Home")
    expect(page.locator("#restore")).to_be_visible()
    for _ in range(2):  # "비우기", then the text
        page.keyboard.press("Tab")
    page.keyboard.insert_text("밤이 춥꼬")
    expect(page.locator("#restored")).to_have_text("방이 춥고")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.position") == "0":
            break
    page.keyboard.press("ArrowRight")
    expect(syllable(page, 4)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    options = page.locator("#choices-list [role=option]")
    expect(options.nth(0)).to_be_focused()
    page.keyboard.press("End")
    expect(options.nth(2)).to_be_focused()
    page.keyboard.press("Escape")
    expect(syllable(page, 0)).to_be_focused()
    expect(page.locator("#restored")).to_have_text("방이 춥고")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#restored")).to_have_text("밤이 춥고")
    expect(page.locator("#choices")).to_be_hidden()


def test_choices_stay_while_the_text_goes_on_elsewhere(opened):
    page = opened.page
    opened.restore(NOISY, CLEAN)
    syllable(page, 9).click()
    page.locator("#choices-list [role=option]").filter(has_text="앙").click()
    expect(page.locator("#restored")).to_have_text("화장실이 너무 작앙요")
    page.locator("#noisy").press("Home")
    page.keyboard.insert_text("그 ")
    expect(syllable(page, 11)).to_have_text("앙")
    assert syllable(page, 11).get_attribute("class") == "changed chosen"
    assert syllable(page, 11).get_attribute("aria-label") == "앙, 직접 고른 글자"


def test_the_restored_text_is_edited_by_hand_and_edits_can_be_brought_back(opened):
    page = opened.page
    opened.restore(NOISY, CLEAN)
    page.locator("#edit").click()
    by_hand = page.locator("#by-hand")
    expect(by_hand).to_be_focused()
    assert by_hand.input_value() == CLEAN
    by_hand.fill("화장실이 정말 너무 작아요")
    page.locator("#edit").click()
    expect(page.locator("#restored")).to_have_text("화장실이 정말 너무 작아요")
    page.locator("#noisy").press("End")
    page.locator("#noisy").press_sequentially("!")
    expect(page.locator("#restored")).to_have_text(CLEAN + "!")
    page.locator("#undo").click()
    expect(page.locator("#restored")).to_have_text("화장실이 정말 너무 작아요")
    expect(page.locator("#undo")).to_be_hidden()
    expect(page.locator("#edit")).to_be_focused()


def test_the_text_is_copied_as_it_stands(opened):
    page = opened.page
    told = answer("밤이 춥꼬\n\n\t😢 ", "방이 춥고\n\n\t😢 ", {})
    page.route("**/v1/restore", lambda route: route.fulfill(json=told))
    opened.restore(told["noisy"], "방이 춥고 😢")  # `to_have_text` takes all white space for one blank
    page.locator("#copy").click()
    expect(page.locator("#restored-said")).to_have_text("복사했어요.")
    assert page.evaluate("navigator.clipboard.readText()") == told["text"]


def test_where_the_browser_forbids_the_clipboard_the_old_way_copies(visit):
    opened = visit()
    page = opened.page
    opened.restore(NOISY, CLEAN)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.locator("#copy").click()
    expect(page.locator("#restored-said")).to_have_text("복사했어요.")


def test_examples_are_restored_and_clearing_can_be_taken_back(opened):
    page = opened.page
    page.locator("[data-example='0']").click()
    expect(page.locator("#restored")).to_have_text(re.compile("^숙소는 사진보다"))
    written = page.locator("#noisy").input_value()
    page.locator("#clear").click()
    expect(page.locator("#restored")).to_be_empty()
    expect(page.locator("#copy")).to_be_disabled()
    page.keyboard.press("Control+z")
    assert page.locator("#noisy").input_value() == written
    expect(page.locator("#restored")).to_have_text(re.compile("^숙소는 사진보다"))


TEXTS = (
    f"👩‍👩‍👧‍👦 {NOISY} 👍🏽 {NOISY}",  # joined emoji, one with a colour of skin
    f"𝒜 {NOISY} ไทย עברית {NOISY}",  # beyond 16 bits; other scripts, one from right to left
    unicodedata.normalize("NFD", NOISY),  # letters one by one, as macOS writes file names
    f"<b>{NOISY}</b> &amp; <script>alert(1)</script>",  # nothing is read as HTML
    f"{NOISY}\n\n\t{NOISY}  \u3000!",  # white space of all kinds
)


def test_marks_stand_where_the_library_has_its_edits_whatever_stands_around(opened, library):
    page = opened.page
    for text, expected in zip(TEXTS, library.restore(TEXTS, alternatives=1), strict=True):
        page.locator("#noisy").fill("")
        expect(page.locator("#restored")).to_be_empty()
        page.locator("#noisy").fill(text)
        expect(page.locator(MARKS).first).to_be_visible()
        assert page.locator("#restored").evaluate("one => one.textContent") == expected.text
        marks = page.locator(MARKS).evaluate_all("all => all.map(one => [+one.dataset.position, one.textContent])")
        places = sorted({edit.position for edit in expected.edits} | set(expected.alternatives))
        assert marks == [[place, expected.text[place]] for place in places]
    assert page.locator("#restored :is(b, script)").count() == 0


def test_an_older_answer_never_takes_the_place_of_a_newer_one(opened):
    page = opened.page
    held: list[Route] = []

    def answer_late(route: Route) -> None:
        if route.request.post_data_json["text"] == "먼저":
            held.append(route)
        else:
            route.continue_()

    page.route("**/v1/restore", answer_late)
    page.locator("#noisy").fill("먼저")
    expect(page.locator("#restored")).to_have_attribute("aria-busy", "true")
    page.locator("#noisy").fill(NOISY)
    expect(page.locator("#restored")).to_have_text(CLEAN)
    assert len(held) == 1
    held[0].fulfill(json=answer("먼저", "먼지", {}))
    page.wait_for_timeout(100)
    assert page.locator("#restored").inner_text() == CLEAN


def test_a_syllable_that_is_being_composed_is_restored_and_left_alone(opened):
    page, typing = opened.page, opened.context.new_cdp_session(opened.page)
    page.locator("#noisy").focus()
    typing.send("Input.insertText", {"text": NOISY[:-1]})
    for step in ("ㅇ", "요", "욤"):
        typing.send("Input.imeSetComposition", {"text": step, "selectionStart": 1, "selectionEnd": 1})
    expect(page.locator("#restored")).to_have_text(CLEAN)
    assert page.locator("#noisy").input_value() == NOISY
    typing.send("Input.insertText", {"text": "욤"})
    assert page.locator("#noisy").input_value() == NOISY


def test_what_is_too_long_is_said_before_it_is_sent(opened):
    page = opened.page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.locator("#noisy").fill("가" * 10_321)
    told = "한 번에 10,000자까지 되살릴 수 있어요. 321자를 줄이거나, 아래에서 파일로 올려 주세요."
    expect(page.locator("#noisy-fault")).to_have_text(told)
    expect(page.locator("#restored")).to_be_empty()
    assert sent == []
    assert page.locator("#noisy-count").inner_text() == "10,321 / 10,000자"


def test_another_model_answers_when_it_is_chosen(visit):
    opened = visit()
    page = opened.page
    opened.restore(NOISY, CLEAN)
    assert page.locator("#model option").all_inner_texts() == ["base", "small"]
    with page.expect_request("**/v1/restore") as asked:
        page.locator("#model").select_option("small")
    assert asked.value.post_data_json["model"] == "small"
    expect(page.locator("#restored")).not_to_be_empty()


def test_a_long_text_is_drawn_in_little_time(opened):
    page = opened.page
    noisy, clean = (text * 833 for text in ("확잠실읾 념뭄 잙앙욤 ", "화장실이 너무 작아요 "))
    told = answer(noisy.strip(), clean.strip(), {})
    page.route("**/v1/restore", lambda route: route.fulfill(json=told))
    page.locator("#noisy").fill(noisy)
    expect(page.locator("#restored")).to_have_text(clean.strip())
    assert page.locator(MARKS).count() == 833 * 8
    draw = "import('/page/js/restored.js').then(({draw}) => { const start = performance.now(); draw();"
    milliseconds = page.evaluate(draw + " document.body.offsetHeight; return performance.now() - start; })")
    assert milliseconds < 2_000  # some 100 on a quiet machine
