"""
The second tab: sliders, seed and strength make noise while people write, and it goes back to the first tab.

In: texts written for these tests. Out: what the page shows is what `hanpuri.obfuscate` makes with the same settings.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from hanpuri.noise.airbnb import Sliders
from hanpuri.noise.obfuscate import obfuscate

from .conftest import Visit

CLEAN = "화장실이 너무 작아요 😀 ok"


@pytest.fixture
def page(shared_page: Visit) -> Page:
    """The page that these tests share, with this tab open as it is at first."""
    page = shared_page.page
    page.locator("#tab-obfuscate").click()
    page.locator("#obfuscate-text").fill("")
    page.locator("#obfuscate-middle").click()
    page.locator("#obfuscate-strength").fill("1")
    page.locator("#obfuscate-seed").fill("1")
    page.locator("#obfuscate-profile").select_option("airbnb")
    expect(page.locator("#obfuscate-noisy")).to_be_empty()
    return page


def shown(page: Page, expected: str) -> None:
    expect(page.locator("#obfuscate-noisy")).to_have_text(expected)


def test_noise_appears_while_people_write_and_what_changed_is_marked(page):
    page.locator("#obfuscate-text").press_sequentially(CLEAN, delay=5)
    made = obfuscate(CLEAN, seed=1)
    shown(page, made.noisy)
    marks = page.locator("#obfuscate-noisy mark")
    assert marks.all_inner_texts() == [edit.after for edit in made.edits]
    assert marks.evaluate_all("all => all.map((one) => one.title)") == [edit.before for edit in made.edits]
    counts = f"{len(CLEAN)}자 가운데 {len(made.edits)}자를 바꿨어요."
    expect(page.locator("#obfuscate-count")).to_have_text(counts)
    page.locator("#obfuscate-text").fill(" ")
    shown(page, "")
    expect(page.locator("#obfuscate-copy")).to_be_disabled()
    expect(page.locator("#obfuscate-restore")).to_be_disabled()


def test_every_slider_moves_by_twentieths_and_counts(page):
    page.locator("#obfuscate-text").fill(CLEAN)
    shown(page, obfuscate(CLEAN, seed=1).noisy)
    moved = {}
    for number, name in enumerate(("liaison", "doubling", "change", "tail_insertion"), start=1):
        slider = page.locator(f"#obfuscate-{name}")
        slider.focus()
        for _ in range(number):
            page.keyboard.press("ArrowLeft")
        moved[name] = round(0.5 - 0.05 * number, 2)
        expect(page.locator(f"#obfuscate-{name}-value")).to_have_text(f"{50 - 5 * number}%")
        assert slider.get_attribute("aria-valuetext") == f"{50 - 5 * number}%"
    shown(page, obfuscate(CLEAN, seed=1, sliders=Sliders(**moved)).noisy)
    page.locator("#obfuscate-middle").click()
    shown(page, obfuscate(CLEAN, seed=1).noisy)
    page.locator("#obfuscate-strength").focus()
    page.keyboard.press("Home")
    shown(page, CLEAN)
    expect(page.locator("#obfuscate-count")).to_have_text(f"{len(CLEAN)}자 가운데 0자를 바꿨어요.")


def test_profile_and_seed_count_and_a_roll_draws_another_seed(page):
    page.locator("#obfuscate-text").fill(CLEAN)
    page.locator("#obfuscate-seed").fill("7")
    shown(page, obfuscate(CLEAN, seed=7).noisy)
    page.locator("#obfuscate-profile").select_option("hand")
    shown(page, obfuscate(CLEAN, seed=7, profile="hand").noisy)
    page.locator("#obfuscate-roll").click()
    seed = int(page.locator("#obfuscate-seed").input_value())
    assert seed != 7
    shown(page, obfuscate(CLEAN, seed=seed, profile="hand").noisy)


def test_a_seed_that_is_none_is_said(page):
    page.locator("#obfuscate-text").fill(CLEAN)
    for seed in ("-1", "1.5"):
        page.locator("#obfuscate-seed").fill(seed)
        expect(page.locator("#obfuscate-fault")).to_have_text("시드는 0 이상의 정수여야 해요.")
        shown(page, "")
        page.locator("#obfuscate-seed").fill("")  # an empty field is the seed 0
        shown(page, obfuscate(CLEAN, seed=0).noisy)
        expect(page.locator("#obfuscate-fault")).to_be_empty()


def test_too_long_a_text_is_said_before_it_is_sent(page):
    page.locator("#obfuscate-text").fill("가" * 10_003)
    fault = "글이 너무 길어요. 10,000자까지 쓸 수 있는데 3자 넘었어요."
    expect(page.locator("#obfuscate-fault")).to_have_text(fault)


def test_the_noise_is_copied_and_taken_to_the_first_tab(page):
    page.locator("#obfuscate-text").fill("화장실이 너무 작아요")
    noisy = obfuscate("화장실이 너무 작아요", seed=1).noisy
    shown(page, noisy)
    page.locator("#obfuscate-copy").click()
    expect(page.locator("#obfuscate-said")).to_have_text("복사했어요.")
    assert page.evaluate("navigator.clipboard.readText()") == noisy
    page.locator("#obfuscate-restore").click()
    expect(page.locator("#noisy")).to_have_value(noisy)
    expect(page.locator("#noisy")).to_be_focused()
    expect(page.locator("#restored")).to_have_text(re.compile("작아요$"))


@pytest.mark.parametrize(
    ("width", "scheme", "language"), [(1280, "light", "ko"), (390, "dark", "en")], ids=["desk", "phone-dark"]
)
def test_the_tab_is_accessible_and_fits(visit, width, scheme, language):
    visited = visit(width=width, scheme=scheme, language=language, path="/#obfuscate")
    page = visited.page
    assert page.evaluate("scrollY") == 0  # the address does not scroll the tabs away
    page.locator("#obfuscate-example").click()
    expect(page.locator("#obfuscate-noisy")).not_to_be_empty()
    page.locator("#obfuscate-seed").fill("-1")
    expect(page.locator("#obfuscate-fault")).not_to_be_empty()
    page.locator("#obfuscate-seed").fill("3")
    expect(page.locator("#obfuscate-noisy mark").first).to_be_visible()
    visited.screenshot(f"obfuscate-{width}-{scheme}")
    assert visited.violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    label = {"ko": "이어 쓰기", "en": "Liaison"}
    assert page.get_by_role("slider", name=label[language]).count() == 1
    page.locator("#language").click()
    other = {"ko": "en", "en": "ko"}[language]
    assert page.get_by_role("slider", name=label[other]).count() == 1
