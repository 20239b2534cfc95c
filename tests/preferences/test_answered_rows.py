"""Files of answers to score: every form, what was sampled, scores that were kept; or one line on what is wrong."""

import json
from types import SimpleNamespace

import pytest

from hanpuri.errors import DataError
from hanpuri.preferences.answered_rows import KeptScores, read_answered, score_rows

NOISY = {"noisy": "쨰밌", "clean": "재밌"}
PREFERENCE = {"prompt": "쨰밌", "input": "", "chosen": "재밌", "rejected": "째밌어"}
CHAT = {"messages": [{"role": "user", "content": "안녕?"}, {"role": "assistant", "content": "네."}]}
SAMPLED = {
    "id": "7",
    "where": "a.jsonl:7",
    "asked": {"noisy": "쨰밌"},
    "reference": "재밌",
    "answers": [
        {"text": "재밌", "score": 0.1, "num_tokens": 2, "finished": True},
        {"text": "", "score": None, "num_tokens": 0, "finished": False, "failure": "too long"},
    ],
    "greedy": {"text": "째밌어", "score": 0.2, "num_tokens": 3, "finished": True},
}


class ByLength:
    """Scores an answer by its length, and keeps what it was asked."""

    identity = "by length"

    def __init__(self):
        self.asked = []

    def score(self, rows, answers, names=()):
        self.asked += zip(names, answers, strict=True)
        return [float(len(answer)) for answer in answers]


@pytest.fixture
def file_of(tmp_path):
    def write(*rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


def scored(path, kept=None, model=None):
    rows = read_answered(path)
    given = score_rows(model or ByLength(), rows, KeptScores(kept), batch_size=1)
    return [row.write(scores) for row, scores in given]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (NOISY, {**NOISY, "score": 2.0}),
        ({**NOISY, "id": 3}, {**NOISY, "id": "3", "score": 2.0}),
        (
            {"instruction": "몇 시?", "output": "아홉 시요."},
            {"instruction": "몇 시?", "input": "", "output": "아홉 시요.", "score": 6.0},
        ),
        (CHAT, {**CHAT, "score": 2.0}),
        (PREFERENCE, {**PREFERENCE, "chosen_score": 2.0, "rejected_score": 3.0}),
        # what never came has no score
        (
            SAMPLED,
            {
                **SAMPLED,
                "answers": [{**SAMPLED["answers"][0], "score": 2.0}, SAMPLED["answers"][1]],
                "greedy": {**SAMPLED["greedy"], "score": 3.0},
            },
        ),
    ],
)
def test_each_form_gets_its_scores_behind_what_it_was(file_of, row, expected):
    assert scored(file_of(row)) == [expected]


def test_columns_of_another_name_are_mapped(file_of):
    path = file_of({"review": "쨰밌", "right": "재밌"})
    (row,) = read_answered(path, fields={"noisy": "review", "clean": "right"})
    assert (row.fields, row.answers, row.where) == (NOISY, ("재밌",), f"{path}:1")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"text": "가"}], "rows.jsonl:1: found a text alone, expected a question and an answer to score"),
        ([{"stars": 3}], "rows.jsonl: found no fields of one form, expected "),
        ([SAMPLED, {"asked": {"noisy": "가"}}], "rows.jsonl:2: found the fields asked, expected asked and answers"),
        ([PREFERENCE, {"prompt": "가"}], "rows.jsonl"),
    ],
)
def test_what_has_no_answer_is_said_with_its_line(file_of, rows, expected):
    path = file_of(*rows)
    with pytest.raises(DataError) as error:
        read_answered(path)
    assert error.value.message.startswith(f"{path.parent}/{expected}")


def test_what_was_kept_is_not_scored_again_and_equal_answers_once(file_of, tmp_path):
    path = file_of(NOISY, NOISY, {"noisy": "쨰밌", "clean": "째"})
    model = ByLength()
    first = scored(path, tmp_path / "kept", model)
    assert [text for _, text in model.asked] == ["재밌", "째"]
    with (tmp_path / "kept").open("ab") as file:
        file.write(b'{"key": "half')  # killed in the middle of a line
    again = ByLength()
    assert scored(path, tmp_path / "kept", again) == first
    assert again.asked == []
    other = SimpleNamespace(identity="another", score=lambda rows, answers, names: [9.0] * len(answers))
    assert [row["score"] for row in scored(path, tmp_path / "kept", other)] == [9.0] * 3
    assert len(KeptScores(tmp_path / "kept")) == 4


def test_a_file_that_keeps_something_else_is_refused(tmp_path):
    (tmp_path / "kept").write_text('{"key": "a", "text": "가"}\n', encoding="utf-8")
    with pytest.raises(DataError) as error:
        KeptScores(tmp_path / "kept")
    assert str(error.value) == (
        f"{tmp_path}/kept:1: found a line that is no kept score; remove this file to score anew"
    )


def test_progress_is_told_in_answers(file_of):
    told = []
    rows = read_answered(file_of(PREFERENCE, PREFERENCE))
    given = score_rows(ByLength(), rows, KeptScores(None), batch_size=4, on_progress=lambda *one: told.append(one))
    assert [scores for _, scores in given] == [(2.0, 3.0)] * 2
    assert told == [(2, 4), (4, 4)]
