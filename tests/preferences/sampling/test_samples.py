"""Sampled answers are written to a file and read back as they were."""

import json
import math
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanpuri.errors import DataError
from hanpuri.preferences.pairs import write_lines
from hanpuri.preferences.sampling import read_samples, sample_line
from hanpuri.preferences.sampling.gains import gains_of
from hanpuri.preferences.sampling.page import gains_page, write_page
from tests.preferences.drawn_rows import sampled

GOOD = {"asked": {"noisy": "쨰밌"}, "answers": [{"text": "재밌", "score": 1.0}]}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(st.text(), st.none() | st.floats(-5, 5)), min_size=1), st.none() | st.text())
def test_what_was_written_is_read_as_it_was(tmp_path, drawn, right):
    one = sampled(*drawn, greedy=drawn[0] if drawn[0][1] is not None else None, right=right)
    path = tmp_path / "samples.jsonl"
    write_lines(path, [sample_line(one)])
    assert repr(read_samples(path)) == repr([one])  # nan is not itself


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "found a line that is no JSON"),
        ({"noisy": "쨰밌"}, "found the fields noisy, expected asked and answers"),
        ({**GOOD, "answers": []}, "found the fields asked, answers, expected asked and answers"),
        ({**GOOD, "asked": {"level": 3}}, "found no question in asked"),
        ({**GOOD, "reference": 5}, "found a number as the reference, expected a text or null"),
        ({**GOOD, "answers": ["재밌"]}, "found a string among the answers, expected an object with a text"),
        ({**GOOD, "answers": [{"text": "재밌", "score": "1"}]}, "found a string as a score, expected a number or null"),
        (
            {**GOOD, "answers": [{"text": "재밌", "score": -math.inf}]},
            "found a score too large to add up, expected a number or null",
        ),
        (  # a whole number that no float holds
            {**GOOD, "answers": [{"text": "재밌", "score": 10**400}]},
            "found a score too large to add up, expected a number or null",
        ),
    ],
)
def test_a_line_that_holds_no_samples_is_named(tmp_path, line, message):
    path = tmp_path / "samples.jsonl"
    second = line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)
    path.write_text(f"{json.dumps(GOOD)}\n{second}\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"^{re.escape(f'{path}:2: {message}')}"):
        read_samples(path)


def test_a_file_without_rows_or_without_itself_is_refused(tmp_path):
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(DataError, match=r"none\.jsonl: found no row, expected rows with answers; give a file that "):
        read_samples(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match=r"found no such file"):
        read_samples(tmp_path / "away.jsonl")


def test_the_page_shows_gains_and_rows_and_takes_no_text_for_markup(tmp_path):
    rows = [
        sampled(("째밌", 0.5), ("<b>재밌</b>", 1.0), greedy=("째밌", 0.5)),
        sampled(("다…", 0.0), ("다…", 0.0), greedy=("!no", float("nan")), number=2),
    ]
    facts = {"engine": "echo", "samples": 2, "scores": ["char_accuracy"], "file": "rows.jsonl"}
    path = tmp_path / "report.html"
    write_page(path, facts, gains_of(rows, threshold=0.9), rows)
    html = path.read_text(encoding="utf-8")
    assert "&lt;b&gt;재밌&lt;/b&gt;" in html
    assert "Rows with all answers the same: 1." in html
    assert "greedy answer, 0.5000" in html
    titles = [section.title for section in gains_page(facts, gains_of(rows, threshold=0.9), rows).sections]
    assert titles == ["In short", "Gain", "Answers that teach nothing", "Rows", "Origin"]


def test_a_page_of_rows_without_scores_says_so_and_draws_nothing():
    rows = [sampled(("다…", None))]
    page = gains_page({}, gains_of(rows), rows)
    assert [section.title for section in page.sections] == ["In short", "Answers that teach nothing", "Origin"]
