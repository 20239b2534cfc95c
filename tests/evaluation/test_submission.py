"""The file that a competition asks for: every id, in the test file's order."""

import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanpuri.engines.base import Answer
from hanpuri.errors import DataError
from hanpuri.evaluation.submission import write_submission


def answer(text: str) -> Answer:
    return Answer(text, len(text), finished=True)


def test_ids_stay_and_a_missing_answer_is_the_text_as_it_was(rows_of, tmp_path):
    answers = [answer('너무, "좋아요"'), Answer.failed("gone"), answer("")]
    write_submission(tmp_path / "a.csv", rows_of(("녀무", None), ("뱡이", None), ("가", None)), answers)
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == 'ID,output\n1,"너무, ""좋아요"""\n2,뱡이\n3,\n'


def test_a_missing_answer_to_a_question_is_empty(rows_of, tmp_path):
    write_submission(tmp_path / "a.csv", rows_of(("몇 시예요?", None), form="instruction"), [Answer.failed("gone")])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "ID,output\n1,\n"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")), min_size=1, max_size=4))
def test_any_text_is_read_back_as_it_was_written(rows_of, tmp_path, texts):
    write_submission(tmp_path / "a.csv", rows_of(*(("가", None) for _ in texts)), [answer(text) for text in texts])
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert [row["output"] for row in csv.DictReader(file)] == texts


def test_an_id_that_stands_twice_is_refused_and_the_old_file_stays(rows_of, tmp_path):
    row_set = rows_of(("가", None), ("나", None))
    twice = type(row_set)("rows", row_set.path, "pairs", (row_set.rows[0],) * 2, "0")
    (tmp_path / "a.csv").write_text("old", encoding="utf-8")
    with pytest.raises(DataError) as error:
        write_submission(tmp_path / "a.csv", twice, [answer("가")] * 2)
    assert str(error.value) == (
        "rows.jsonl:1: found the id 1 a second time, first at rows.jsonl:1; give every row an id of its own"
    )
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "old"


def test_a_place_that_cannot_be_written_is_refused(rows_of, tmp_path):
    with pytest.raises(DataError, match="found no folder"):
        write_submission(tmp_path / "none" / "a.csv", rows_of(("가", None)), [answer("가")])
