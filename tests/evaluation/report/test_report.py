"""
The report of an evaluation: one page, there whole or not at all.

In: evaluations. Out: report.html. What it looks like is tested in test_browser.py.
"""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hanpuri.engines.base import Answer
from hanpuri.errors import DataError, EngineError
from hanpuri.evaluation.report import report
from hanpuri.evaluation.report.origin import Origin
from hanpuri.evaluation.report.report import check_libraries, report_page, write_report
from hanpuri.pages.page import render

OF_PAIRS = ["In short", "Scores: reviews", "Slices: reviews", "Rows: reviews", "Letters", "Confidence"]
AT_THE_END = ["Speed and memory", "Failures", "Origin"]


@pytest.fixture
def two(restored):
    sure = Answer("방이 작아오", 6, finished=True, confidence=(0.9,) * 6)
    first = restored(("방이 작아요", sure), ("문", "문"), ("넓어요", Answer.failed("503 after 2 tries")), engine="one")
    return [first, restored(("방이 작아요", "방이 작아요"), ("문", "뭉"), ("넓어요", "넓어"), engine="two")]


def headings(evaluations, **options) -> list[str]:
    return [section.title for section in report_page(evaluations, **options).sections]


# --- the page


def test_a_page_on_pairs_has_all_sections(two, origin):
    assert headings(two, origin=origin) == [*OF_PAIRS, *AT_THE_END]


def test_answers_to_questions_have_no_letters(evaluated, origin):
    one = evaluated([({"instruction": "바다는?", "output": "동쪽"}, "서쪽")])
    assert headings([one], origin=origin) == [
        "In short",
        *[f"{name}: reviews" for name in ("Scores", "Slices", "Rows")],
        *AT_THE_END,
    ]


def test_conversations_are_asked_by_their_last_question(evaluated, origin):
    turns = [{"role": "user", "content": "바다는?"}, {"role": "assistant", "content": "동쪽"}]
    html = render(report_page([evaluated([({"messages": turns}, "서쪽")])], origin=origin))
    assert re.search(r"<dt>asked</dt><dd><bdi lang=\"ko\">.*바다는\?</bdi>", html)


def test_a_file_without_right_answers_is_reported_too(evaluated, origin):
    one = evaluated([({"instruction": "바다는?"}, "동쪽")])
    shown = headings([one], origin=origin)
    assert "Rows: reviews" not in shown
    assert {"In short", "Failures", "Origin"} <= set(shown)


def test_each_file_has_its_sections_and_letters_are_counted_over_all(two, restored, origin):
    page = report_page([*two, restored(("방이", "바이"), engine="one", file="prose")], origin=origin)
    titles = [section.title for section in page.sections]
    assert [title for title in titles if title.startswith("Scores")] == ["Scores: reviews", "Scores: prose"]
    assert titles.count("Letters") == 1
    assert page.lead == "2 engines on 2 files of 4 rows."
    assert "one: of 8 syllables, 2 became another one" in render(page)


def test_files_whose_names_differ_by_signs_alone_get_headings_of_their_own(two, restored, origin):
    same = [restored(("방", "방"), file=name) for name in ("a b", "a-b", "a+b")]
    titles = [title for title in headings(same, origin=origin) if title.startswith("Scores")]
    assert titles == ["Scores: a b", "Scores: a-b (2)", "Scores: a+b (3)"]


def test_the_origin_says_how_to_measure_it_again(two, origin):
    html = render(report_page(two, origin=origin))
    assert "To measure it again: hanpuri evaluate &#39;a b.jsonl&#39;" in html
    assert "2026-11-22 09:30+00:00" in html
    assert two[0].row_set.sha256 in html
    assert "not installed" not in html
    assert "Linux" in render(report_page(two, origin=Origin.now()))


def test_runs_are_shown_where_there_are_any(two, tmp_path, origin):
    (tmp_path / "recipe.yaml").write_text("kind: sft\nname: faq", encoding="utf-8")
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 1, "loss": 2.0}), encoding="utf-8")
    assert headings(two, runs=[tmp_path], origin=origin) == [
        *OF_PAIRS,
        *AT_THE_END[:2],
        "Training of the models",
        "Origin",
    ]


def test_differences_that_are_given_are_not_reckoned_again(two, origin, monkeypatch):
    monkeypatch.setattr(report, "compare_with_first", lambda *_: pytest.fail("reckoned again"))
    report_page(two, comparisons={}, origin=origin)


# --- the file


def test_the_same_facts_give_the_same_bytes(two, tmp_path, origin):
    for name in ("one.html", "two.html"):
        write_report(tmp_path / name, two, origin=origin, title="겨루기")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert "<title>겨루기</title>" in (tmp_path / "one.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "reviews.jsonl", "two.html"]


def test_half_a_surrogate_pair_stops_nothing(restored, tmp_path, origin):
    write_report(tmp_path / "report.html", [restored(("반쪽\ud800", "반쪽\ud801"))], origin=origin)
    assert "반쪽\\ud800" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_folder_that_is_not_there_is_told(two, tmp_path, origin):
    path = tmp_path / "none" / "report.html"
    with pytest.raises(DataError) as caught:
        write_report(path, two, origin=origin)
    expected = f"{path}: found no folder {path.parent}, expected one to write into; make it: mkdir -p {path.parent}"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (("no_such_one",), "the report needs the library no_such_one, which is not installed"),
        (("no_such_one", "nor_this"), "the report needs the libraries no_such_one, nor_this, which are not installed"),
    ],
)
def test_a_missing_library_is_told_before_the_work(missing, said, monkeypatch):
    check_libraries()
    monkeypatch.setattr(report, "LIBRARIES", (*missing, "jinja2"))
    with pytest.raises(EngineError) as caught:
        check_libraries()
    assert str(caught.value) == f'{said}; install it: pip install "hanpuri[evaluate]"'


def test_importing_the_report_loads_no_library_for_it():
    program = "import hanpuri.evaluation.report.report, sys; print({'jinja2', 'matplotlib', 'torch'} & {*sys.modules})"
    root = Path(__file__).parents[3]
    finished = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, timeout=60, check=True)
    assert finished.stdout.strip() == b"set()"


# --- a wrong call


def test_no_evaluation_and_one_twice_are_refused(two):
    with pytest.raises(ValueError, match=r"^found no evaluation, expected 1 or more$"):
        report_page([])
    again = replace(two[1], engine="one")
    with pytest.raises(ValueError, match=r"^one was evaluated twice on reviews, expected each engine once a file$"):
        report_page([two[0], again])
