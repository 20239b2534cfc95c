"""
The switch for text hidden by other signs: what is marked where lengths differ, what is told, and that choices stay.

In: texts written for these tests. Out: what stands on the right, what each mark stands for, what is told of the kinds.
"""

import re

from playwright.sync_api import Page, expect

from hanpuri.compact.editing.kinds import KINDS as FOUND_BY_MODEL
from hanpuri.unhiding.normalising import KINDS

HIDDEN, CLEAR = "ㄱr격二 녀뮤 비싸욘 ✧ ♤ ≥ㅁ≤", "가격이 너무 비싸요"


def turn_on(page: Page) -> None:
    page.locator("#wide").check()


def syllable(page: Page, position: int):
    return page.locator(f'#restored [data-position="{position}"]')


def test_the_switch_reads_what_is_hidden_and_tells_how(opened):
    page = opened.page
    opened.restore("ㄱr격二 녀뮤 비싸욘", "ㄱr거二 너무 비싸요")
    turn_on(page)
    opened.restore(HIDDEN, CLEAR)
    expect(page.locator("#restored-kinds")).to_have_text("닮은 낱자 1 · 한자 1 · 기호 1")
    assert re.fullmatch(r"6곳 바뀜 · \d+ms", page.locator("#restored-count").inner_text())
    page.locator("#language").click()
    expect(page.locator("#restored-kinds")).to_have_text("look-alike letters 1 · Hanja 1 · signs 1")
    assert opened.violations() == []
    page.locator("#language").click()


def test_every_kind_has_words_on_the_page(opened):
    script = "() => import('/page/js/words/all.js').then(({words}) => Object.keys(words))"
    words = {key.removeprefix("restore.kind_") for key in opened.page.evaluate(script) if "restore.kind_" in key}
    assert words == {*KINDS, *FOUND_BY_MODEL} - {"sound"}


def test_a_mark_tells_what_it_stands_for_though_lengths_differ(opened):
    page = opened.page
    turn_on(page)
    opened.restore(HIDDEN, CLEAR)
    assert syllable(page, 0).get_attribute("class") == "changed rewritten"
    assert syllable(page, 0).evaluate("one => getComputedStyle(one).borderBottomStyle") == "dashed"
    assert syllable(page, 0).get_attribute("aria-label").startswith("가, 원래 글자 ㄱr, 확신")
    assert syllable(page, 4).get_attribute("aria-label").startswith("너, 원래 글자 녀, 확신")
    syllable(page, 2).click()
    expect(page.locator("#choices-title")).to_have_text("‘二’ 자리에 올 글자 · 한자")


def test_a_choice_takes_the_right_place_and_stays_when_the_text_goes_on(opened):
    page = opened.page
    turn_on(page)
    opened.restore(HIDDEN, CLEAR)
    syllable(page, 0).click()
    page.locator("#choices-list [role=option]").filter(has_text="ㄱr").click()
    expect(page.locator("#restored")).to_have_text("ㄱr격이 너무 비싸요")
    page.locator("#noisy").fill(f"{HIDDEN} 낟는")
    expect(page.locator("#restored")).to_have_text(re.compile("^ㄱr격이 너무 비싸요 "))
    page.locator("#wide").uncheck()
    expect(page.locator("#restored")).to_contain_text("≥ㅁ≤")
    expect(page.locator("#restored-kinds")).to_be_hidden()
