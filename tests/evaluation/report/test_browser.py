"""
The report of an evaluation in a real browser: it opens, shows all, asks nobody, and runs nothing.

In: rows of all kinds, hostile ones too, answered by three engines. Out: what chromium, without a window or a net, makes
of the page. The browser is that of the variable HANPURI_BROWSER, or the first of chromium, chromium-browser and
google-chrome.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from hanpuri.engines.base import GREEDY, Answer
from hanpuri.evaluation.evaluate import Evaluation, evaluate
from hanpuri.evaluation.report.report import write_report
from hanpuri.evaluation.rows import read_rows

SCRIPT = "<script>document.title = 'it ran'; alert(1)</script>"
HANDLER = '"><img src="https://example.org/x.png" onerror="document.title = \'it ran\'"><svg onload="alert(1)">'
LONG = "끝없이긴낱말" * 60
ROWS = (SCRIPT, HANDLER, LONG, "방이 좁지만 깨끗해요", "\u202e거꾸로 가요", "가\n나\0다", "의자와 창문", "문이 없다")


class Told:
    """An engine that answers with the rows' clean texts, changed in some way."""

    identity = "told"

    def __init__(self, name: str, answers: Sequence[Answer]) -> None:
        self.name, self.answers = name, list(answers)

    def prompt(self, row, name):
        return str(row["noisy"])

    def generate(self, rows, decoding=GREEDY, *, names=()):
        return [self.answers[int(str(row["noisy"]).split()[0])] for row in rows]


def answers(change, *, sure: float = 0.0) -> Iterator[Answer]:
    for number, row in enumerate(ROWS):
        text = change(row)
        if number == 0 and not sure:
            yield Answer.failed(f"{SCRIPT}: 503 after 5 tries")
        else:
            yield Answer(text, len(text), number != 1, confidence=(sure,) * len(text) if sure else ())


def hostile_evaluations(folder: Path) -> list[Evaluation]:
    path = folder / "리뷰 <b>.jsonl"
    levels = ("easy", HANDLER)
    rows = [{"noisy": f"{n} {row}", "clean": row, "level": levels[n % 2]} for n, row in enumerate(ROWS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    read = read_rows(path)
    engines = (
        Told("openai:http://127.0.0.1:8000/v1#a-model-with-a-rather-long-name,aligned=airbnb", answers(str)),
        Told(SCRIPT, answers(lambda row: row.replace("이", "가"), sure=0.9)),
        Told(HANDLER, answers(lambda row: row[1:] + "요")),
    )
    return [evaluate(engine, read, GREEDY, unchanged_clean=False) for engine in engines]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    run = folder / "run"
    run.mkdir()
    (run / "recipe.yaml").write_text(json.dumps({"kind": SCRIPT, "model": {"path": HANDLER}}), encoding="utf-8")
    lines = [{"step": step, "loss": 1 / step} for step in range(1, 30)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    write_report(folder / "report.html", hostile_evaluations(folder), runs=[run], title=SCRIPT)
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


def test_no_row_and_no_name_runs(page):
    assert page.title() == SCRIPT
    assert page.evaluate("document.querySelectorAll('script, img, iframe, link, [onload], [onerror]').length") == 0


def test_rows_are_folded_and_open_with_a_click(page):
    folded = page.locator("details")
    assert folded.count() == 3  # two engines, and the rows on which they differ
    row = folded.first.locator("dl.lines").first
    assert not row.is_visible()
    folded.first.locator("summary").click()
    assert row.is_visible()


def test_what_is_wrong_is_seen_down_to_the_letter(page):
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    wrong = page.locator("mark", has_text="가").first
    assert wrong.locator("rt").inner_text() == "→이"
    assert wrong.get_attribute("title") == "lead ㄱ, right is ㅇ, vowel ㅏ, right is ㅣ (이)"
    assert page.evaluate("getComputedStyle(document.querySelector('mark')).borderBottomWidth") == "2px"
    assert page.evaluate("getComputedStyle(document.querySelector('del')).textDecorationLine") == "line-through"
    assert page.evaluate("getComputedStyle(document.querySelector('ins')).borderTopStyle") == "dashed"
    notes = "[...document.querySelectorAll('rt')].every(note => note.getBoundingClientRect().height > 0)"
    assert page.evaluate(notes)


def test_every_plot_has_a_size_a_title_and_words_for_what_it_shows(page):
    titles = page.locator("figure h3").all_inner_texts()
    assert {f"Leads of {SCRIPT}", f"Vowels of {SCRIPT}", "Confidence and truth", "Training loss"} <= set(titles)
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect()).map(box => [box.width, box.height])"
    )
    assert len(sizes) == len(titles) == len(set(titles))
    assert all(width > 250 and height > 50 for width, height in sizes)
    assert all(page.locator("figcaption").all_inner_texts())


def test_no_text_of_a_plot_is_cut_off_at_its_edge(page):
    outside = page.evaluate(
        """[...document.querySelectorAll('svg text')].filter(text => {
            const box = text.getBoundingClientRect(), all = text.ownerSVGElement.getBoundingClientRect();
            return box.left < all.left - 1 || box.right > all.right + 1 || box.bottom > all.bottom + 1;
        }).map(text => text.textContent)"""
    )
    assert outside == []


def test_nothing_makes_the_page_wider_than_the_window_folded_or_not(page):
    for shut in ("one.open = false", "one.open = true"):
        page.evaluate(f"document.querySelectorAll('details').forEach(one => {{ {shut} }})")
        assert page.evaluate("document.documentElement.scrollWidth") == page.evaluate("window.innerWidth")


def test_every_link_leads_to_a_heading_and_ids_are_there_once(page):
    targets = page.evaluate(
        """[...document.querySelectorAll('nav a')].map(
            link => document.getElementById(decodeURIComponent(link.hash.slice(1)))?.tagName
        )"""
    )
    assert set(targets) == {"H2"}
    assert len(targets) == page.locator("h2").count()
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))
