"""
The page for everyone: axe-core finds nothing serious, phones show it without scrolling sideways, tabs go by keyboard.

In: each tab in both languages, light and dark, with results, an open list, a fault. Out: what axe-core says; pictures.
"""

import pytest
from playwright.sync_api import expect

NOISY, CLEAN = "확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"


@pytest.mark.parametrize(("language", "width", "scheme"), [("ko", 1280, "light"), ("en", 390, "dark")])
def test_nothing_serious_is_wrong_in_any_state(visit, language, width, scheme):
    opened = visit(language=language, width=width, scheme=scheme)
    page = opened.page
    opened.screenshot(f"empty-{language}-{width}-{scheme}")
    opened.restore(NOISY, CLEAN)
    page.locator("#accept").click()
    expect(page.locator("#forget")).to_be_visible()
    page.locator("#restored [data-position]").nth(3).click()
    assert opened.violations() == [], "with results and an open list"
    opened.screenshot(f"restored-{language}-{width}-{scheme}")
    page.keyboard.press("Escape")
    page.locator("#edit").click()
    page.evaluate("import('/page/js/notice.js').then(({notify}) => notify('notice.busy', {seconds: 3}))")
    assert opened.violations() == [], "edited by hand, with a notice"
    page.locator("#noisy").fill("가" * 10_001)
    expect(page.locator("#noisy-fault")).not_to_be_empty()
    assert opened.violations() == [], "with a fault"
    for tab in ("obfuscate", "compare"):
        page.locator(f"#tab-{tab}").click()
        assert opened.violations() == [], tab


def test_nothing_is_wider_than_the_window(opened):
    page = opened.page
    page.locator("#noisy").fill("끝없이긴낱말" * 40 + NOISY)
    expect(page.locator("#restored [data-position]").first).to_be_visible()
    for width in (320, 360, 390, 768, 1920):
        page.set_viewport_size({"width": width, "height": 844})
        for tab in ("restore", "obfuscate", "compare"):
            page.locator(f"#tab-{tab}").click()
            assert page.evaluate("document.documentElement.scrollWidth") == width, tab
    page.locator("#tab-restore").click()
    page.set_viewport_size({"width": 1280, "height": 844})


def test_motion_is_left_out_where_it_is_not_wanted(opened):
    duration = "one => getComputedStyle(one).transitionDuration"
    copy = opened.page.locator("#copy")
    assert copy.evaluate(duration) != "0s"
    opened.page.emulate_media(reduced_motion="reduce")
    assert copy.evaluate(duration) == "0s"
    opened.page.emulate_media(reduced_motion="no-preference")


def test_on_paper_stand_the_texts_alone(opened):
    opened.restore(NOISY, CLEAN)
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert opened.page.locator("#restored").evaluate("one => getComputedStyle(one).color") == "rgb(35, 39, 43)"
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(opened.page.locator("#noisy")).to_be_hidden()  # a text box would be cut at the end of the paper
    expect(opened.page.locator("#restore .printed")).to_have_text(NOISY)
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(opened.page.locator(".printed")).to_have_count(0)
    for hidden in (".tabs", "#copy", "#feedback", "#files", "#language"):
        expect(opened.page.locator(hidden)).to_be_hidden()
    expect(opened.page.locator("#restored")).to_be_visible()
    opened.page.emulate_media(media="screen", color_scheme="light")
