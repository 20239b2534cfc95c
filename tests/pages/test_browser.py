"""
The report of a training set in a real browser: it opens, shows all, asks nobody, and runs nothing.

In: facts with rows of all kinds, hostile ones too. Out: what chromium, without a window or a net, makes of the page.
The browser is that of the variable HANPURI_BROWSER, or the first of chromium, chromium-browser and google-chrome.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from hanpuri.data.quality.facts import (
    AugmentationFacts,
    Cluster,
    DuplicateFacts,
    Facts,
    OverlapFacts,
    SourceFacts,
    SplitFacts,
    StepFacts,
    TokenFacts,
)
from hanpuri.data.quality.measures import text_measures
from hanpuri.data.quality.report import write_report
from hanpuri.data.quality.warnings import find_warnings

SCRIPT = "<script>document.title = 'it ran'; alert(1)</script>"
HANDLER = '"><img src="https://example.org/x.png" onerror="document.title = \'it ran\'"><svg onload="alert(1)">'
LONG = "끝없이긴낱말" * 200
ROWS = (SCRIPT, HANDLER, LONG, "방이 좁지만 깨끗해요", "\u202e거꾸로", "가\n나\0다", "반쪽\ud800")
PLOTS = [
    "Rows left after each step",
    "Clusters of nearly the same rows",
    "Length of the rows",
    "Balance of the labels",
    "Changes by rule of the noise",
    "Tokens in an example",
]


def hostile_facts() -> Facts:
    """Facts in which every text that comes from the data tries to get out of its place."""
    labels = {row[:60]: 10 for row in ROWS}
    lengths = {len(row): 30 for row in ROWS}
    return Facts(
        name=SCRIPT,
        form="pairs",
        seed=0,
        sources=(SourceFacts(HANDLER, 900, 2, (f"{SCRIPT}: read as cp949",)),),
        steps=(StepFacts("white_space", changed=7), StepFacts("exact_duplicate", dropped=200)),
        splits=(SplitFacts("train", 690, labels, {"short": 690}, lengths), SplitFacts("validation", 0)),
        duplicates=DuplicateFacts(200, 40, {2: 20, 7: 3}, (Cluster(7, 0.875, ROWS),)),
        overlaps=(OverlapFacts(SCRIPT, 3, ROWS),),
        augmentation=AugmentationFacts(3450, 2, {"airbnb": 3450}, {"1.0": 3450}, 100, {"lead": 812, "vowel": 1204}),
        tokens=(TokenFacts(HANDLER, 32_000, {40: 600, 70: 90}, 64, "truncate", truncated=90),),
        diversity={"clean": text_measures([row for row in ROWS for _ in range(2)])},
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, hostile_facts())
    return folder / "report.html"


@pytest.fixture(scope="module", params=[(1280, "light"), (390, "light"), (1280, "dark")], ids=["desk", "phone", "dark"])
def opened(browser: Browser, report: Path, request) -> Iterator[tuple[Page, list[str]]]:
    """The page, and what the browser says and does besides showing it: requests, errors, dialogs."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True)
    page, seen = context.new_page(), []
    page.on("console", lambda message: seen.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: seen.append(f"error: {error}"))
    page.on("request", lambda asked: seen.append(asked.url))
    page.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.goto(report.as_uri())
    yield page, seen
    context.close()


@pytest.fixture
def page(opened) -> Page:
    return opened[0]


def test_the_page_opens_in_silence_and_asks_for_nothing_else(opened, report):
    page, seen = opened
    page.wait_for_load_state("networkidle")
    assert seen == [report.as_uri()]
    assert page.evaluate("document.compatMode") == "CSS1Compat"


def test_no_row_of_the_data_runs(page):
    assert page.title() == f"Training set {SCRIPT}"
    assert page.evaluate("document.querySelectorAll('script, img, iframe, link, [onload], [onerror]').length") == 0
    assert page.locator("bdi", has_text=SCRIPT).first.is_visible()


def test_every_plot_has_a_size_a_title_and_words_for_what_it_shows(page):
    assert page.locator("figure h3").all_inner_texts() == PLOTS
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect()).map(box => [box.width, box.height])"
    )
    assert len(sizes) == len(PLOTS)
    assert all(width > 250 and height > 50 for width, height in sizes)
    assert page.get_by_role("img").count() == len(PLOTS)
    assert all(page.locator("figcaption").all_inner_texts())


def test_no_text_of_a_plot_is_cut_off_at_its_edge(page):
    outside = page.evaluate(
        """[...document.querySelectorAll('svg text')].filter(text => {
            const box = text.getBoundingClientRect(), all = text.ownerSVGElement.getBoundingClientRect();
            return box.left < all.left - 1 || box.right > all.right + 1 || box.bottom > all.bottom + 1;
        }).map(text => text.textContent)"""
    )
    assert outside == []


def test_nothing_makes_the_page_wider_than_the_window(page):
    assert page.evaluate("document.documentElement.scrollWidth") == page.evaluate("window.innerWidth")


def test_warnings_stand_first_and_can_be_seen(page):
    assert page.locator("h2").first.inner_text() == "Warnings"
    notices = page.locator("ul.notices li")
    assert notices.count() == len(find_warnings(hostile_facts())) > 5
    assert all(notice.is_visible() for notice in notices.all())
    told = page.locator("ul.notices").inner_text()
    assert "The validation split has no rows." in told
    assert f"{SCRIPT}: read as cp949." in told


def test_every_link_leads_to_a_heading(page):
    targets = page.evaluate("[...document.querySelectorAll('nav a')].map(a => document.querySelector(a.hash)?.tagName)")
    assert set(targets) == {"H2"}
    assert len(targets) == page.locator("h2").count()


def test_ids_are_there_once(page):
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))


def test_rows_are_korean_and_each_keeps_to_its_place(page):
    assert page.evaluate("[...document.querySelectorAll('bdi')].every(row => row.lang === 'ko')")
    assert page.locator("bdi", has_text="거꾸로").count() > 0


def test_text_stands_out_from_its_ground_in_light_and_in_dark(page):
    colours = """[...document.querySelectorAll('p, td, th, figcaption, .mend, svg text')].map(element => {
        const style = getComputedStyle(element);
        let ground = element;
        while (ground && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
        return [element instanceof SVGElement ? style.fill : style.color, getComputedStyle(ground).backgroundColor];
    })"""
    for text, ground in {tuple(pair) for pair in page.evaluate(colours)}:
        assert contrast(text, ground) >= 4.5, (text, ground)  # what WCAG 2 asks of ordinary text


def contrast(one: str, other: str) -> float:
    """How much lighter one colour is than the other: 1 to 21 (WCAG 2, section 1.4.3)."""
    lights = sorted(light(colour) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def light(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
