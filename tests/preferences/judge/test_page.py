"""
The page of a judge: its figures, and hostile texts in a real browser.

In: pairs whose answers and replies are scripts, judged by a real server. Out: what chromium makes of judge.html.
"""

import json
import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

from hanpuri.errors import DataError
from hanpuri.preferences.judge import open_judge
from hanpuri.preferences.judge.feedback import Feedback, judge_material
from hanpuri.preferences.judge.judge import Cost
from hanpuri.preferences.judge.labelled import Labelled
from hanpuri.preferences.judge.material import Material, Pair
from hanpuri.preferences.judge.page import save_page
from hanpuri.preferences.judge.recipe import JudgeRecipe
from hanpuri.recipe import check_settings
from tests.engines.servers import serving

from .players import recipe_of, says

SCRIPT = "<script>document.title = 'it ran'; alert(1)</script>"
HANDLER = '"><img src="https://example.org/x.png" onerror="document.title = \'it ran\'"><svg onload="alert(1)">'
TEXTS = (SCRIPT, HANDLER, "끝없이긴낱말" * 60, "\u202e거꾸로 가요", "가\n나\0다", "의자와 창문")
SECTIONS = [
    "In short",
    "Outcomes",
    "Agreement with people",
    "Position",
    "Length",
    "Cost",
    "Pairs to read",
]


def hostile(texts: dict[str, str]) -> str:
    """Take the longer answer, with a reply that is a script; of some pairs the first place, or nothing at all."""
    if "창문" in texts["질문"]:
        return SCRIPT
    place = "거꾸로" in texts["질문"] or len(texts["답 A"]) > len(texts["답 B"])
    return f"{HANDLER}\n판정: {'A' if place else 'B'}"


@pytest.fixture(scope="module")
def feedback(tmp_path_factory) -> Feedback:
    path = tmp_path_factory.mktemp("given") / f"{SCRIPT.replace('/', '')}.jsonl"
    pairs = tuple(Pair(f"{path}:{n}", {"prompt": text}, text + "!", text) for n, text in enumerate(TEXTS, 1))
    labels = [Labelled(pair, side) for pair, side in zip(pairs, ["first", "second", "tie"] * 2, strict=True)]
    with serving(says(hostile)) as server:
        recipe = check_settings("judge.yaml", JudgeRecipe, recipe_of(server))
        with open_judge(recipe) as judge:
            return judge_material(judge, Material(path, "preferences", pairs, len(pairs)), labels, itself=True)


@pytest.fixture(scope="module")
def page(feedback, tmp_path_factory):
    """The page in a browser, and what that says and does besides showing it."""
    path = save_page(feedback, tmp_path_factory.mktemp("judged"))
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("HANPURI_BROWSER") or next(filter(None, map(shutil.which, names)), None)
    assert found, "found no browser, expected chromium: install it (apt install chromium), or set HANPURI_BROWSER"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True)
        page = browser.new_context(viewport={"width": 390, "height": 844}, offline=True).new_page()
        seen: list[str] = []
        page.on("console", lambda message: seen.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("request", lambda asked: seen.append(asked.url))
        page.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path.as_uri())
        page.wait_for_load_state("networkidle")
        assert seen == [path.as_uri()]
        yield page
        browser.close()


def test_the_figures_are_those_of_the_pairs(feedback):
    assert feedback.outcomes == {"first": 4, "second": 0, "tie": 0, "disagreement": 1, "unjudged": 1}
    told = feedback.as_dict()
    assert told["agreement"]["decided"]["value"] == 0.33333  # of first, second, second
    assert (told["agreement"]["num_decided"], told["agreement"]["labels"]) == (3, 6)
    assert (told["position"]["pairs"], told["position"]["contradicted"]["value"]) == (5, 0.2)
    assert told["longer_wins"]["all"] == {"pairs": 4, "won": {"value": 1.0, "low": 1.0, "high": 1.0}}
    assert told["longer_wins"]["file"]["won"]["value"] == 1.0
    assert told["longer_wins"]["people"]["won"]["value"] == 0.5
    assert told["judges_itself"] is True


def test_all_sections_are_there_and_no_row_runs(page, feedback):
    assert page.title() == "Judge: tiny"
    assert page.locator("h2").all_inner_texts() == SECTIONS
    assert page.evaluate("document.querySelectorAll('script, img, iframe, link, [onload], [onerror]').length") == 0
    assert page.locator("nav a").count() == len(SECTIONS)


def test_pairs_can_be_read_with_all_that_was_said_of_them(page):
    captions = page.locator("details summary").all_inner_texts()
    assert captions[:3] == ["not what people say: 5 of 5 pairs", "disagreement: 1 of 1 pairs", "unjudged: 1 of 1 pairs"]
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    unread = page.locator("details").nth(2).inner_text()
    assert unread.count(SCRIPT) == 6  # three tries in both orders
    assert "no verdict stands in the last line" in unread
    assert page.evaluate("document.documentElement.scrollWidth") == page.evaluate("window.innerWidth")


def test_what_speaks_against_the_judge_is_said_first(page):
    told = page.locator("main, body").first.inner_text()
    assert "the judge wrote these answers itself" in told
    assert "its agreement with people is not surely above chance" in told
    assert "1 of 6 pairs are unjudged" in told


def test_a_page_without_pairs_and_labels_says_so(tmp_path):
    empty = Feedback(Material(tmp_path / "a.jsonl", "samples", (), 0), "tiny", "openai:x", "verdict", {}, (), Cost())
    html = save_page(empty, tmp_path / "judged").read_text(encoding="utf-8")
    assert "No labels of people were given, so nobody knows whether this judge is right." in html
    assert "There is no pair." in html
    assert json.loads((tmp_path / "judged" / "judge.json").read_text(encoding="utf-8"))["agreement"] is None


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, feedback):
    (tmp_path / "judged").write_text("", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        save_page(feedback, tmp_path / "judged")
    assert caught.value.message == f"{tmp_path}/judged cannot be written: File exists"
