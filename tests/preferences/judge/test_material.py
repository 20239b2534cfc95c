"""Files of pairs, samples and labels: what becomes a pair, and what is named as a fault."""

import json
import math

import pytest

from hanpuri.engines.base import Answer
from hanpuri.errors import DataError
from hanpuri.evaluation.rows import EvalRow
from hanpuri.preferences.judge.labelled import read_labels
from hanpuri.preferences.judge.material import Pair, choose_pairs, read_material
from hanpuri.preferences.pairs import write_lines
from hanpuri.preferences.sampling.drawing import Sampled
from hanpuri.preferences.sampling.samples import sample_line


def write(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def sampled(number: int, *answers: tuple[str, float]) -> Sampled:
    row = EvalRow(str(number), f"reviews.jsonl:{number}", {"noisy": "쨰밌"}, "쨰밌", "재밌", {})
    texts, scores = zip(*answers, strict=True)
    return Sampled(row, tuple(Answer(text, 2, finished=text != "잘림") for text in texts), scores)


def test_preference_rows_are_pairs_with_the_chosen_answer_first(tmp_path):
    rows = [
        {"prompt": "몇 시예요?", "chosen": "두 시요.", "rejected": "몰라요.", "source": "mistakes"},
        {"prompt": "요약해 줘", "input": "긴 글", "chosen": "글", "rejected": "말", "id": "a7"},
    ]
    found = read_material(write(tmp_path / "pairs.jsonl", *rows))
    assert (found.origin, found.num_rows) == ("preferences", 2)
    assert found.pairs[0] == Pair(f"{tmp_path}/pairs.jsonl:1", {"prompt": "몇 시예요?"}, "두 시요.", "몰라요.")
    assert found.pairs[1].asked == {"prompt": "요약해 줘", "input": "긴 글"}
    assert found.pairs[1].id == "a7"


def test_samples_give_the_best_answer_beside_each_other_text(tmp_path):
    one = sampled(1, ("째밌", 0.5), ("재밌", 1.0), ("재밌", 1.0), ("잘림", 0.9), (" ", 0.0), ("제밌", math.nan))
    write_lines(tmp_path / "samples.jsonl", [sample_line(one), sample_line(sampled(2, ("재밌", 1.0), ("재밌", 1.0)))])
    found = read_material(tmp_path / "samples.jsonl")
    assert (found.origin, found.num_rows) == ("samples", 2)
    assert [(pair.first, pair.second) for pair in found.pairs] == [("재밌", "째밌"), ("재밌", "제밌")]
    assert [(pair.first_score, pair.second_score) for pair in found.pairs] == [(1.0, 0.5), (1.0, None)]
    assert found.pairs[0].asked == {"prompt": "쨰밌"}
    assert [(one.where, one.why) for one in found.left_out] == [("reviews.jsonl:2", "fewer than two answers differ")]


@pytest.mark.parametrize(
    ("which", "most", "places"),
    [
        ("best", None, [(1, 0), (1, 2), (1, 3)]),
        ("best", 2, [(1, 0), (1, 2)]),
        ("all", None, [(1, 0), (1, 2), (1, 3), (0, 2), (0, 3), (2, 3)]),
        ("all", 4, [(1, 0), (1, 2), (1, 3), (0, 2)]),
    ],
)
def test_pairs_of_answers_are_chosen_by_score_up_to_a_limit(which, most, places):
    answers = [
        (Answer(text, 1, finished=True), score) for text, score in zip("가나다라", (0.5, 1, 0.2, 0.1), strict=True)
    ]
    assert choose_pairs(answers, which, most) == places


def test_without_scores_the_first_answer_stands_beside_the_others():
    answers = [(Answer(text, 1, finished=True), math.nan) for text in "가나다"]
    assert choose_pairs(answers, "best", None) == [(0, 1), (0, 2)]


BAD = [
    ({"noisy": "쨰밌", "clean": "재밌"}, '{path}: found no column "prompt"'),  # rows of another form
    ({"prompt": "몇 시?", "chosen": "두 시"}, '{path}: found no column "rejected"'),
    ({"asked": {}, "answers": []}, "{path}:1: found the fields asked, answers, expected asked and answers"),
]


@pytest.mark.parametrize(("row", "message"), BAD)
def test_a_file_of_something_else_is_refused(tmp_path, row, message):
    path = write(tmp_path / "rows.jsonl", row)
    with pytest.raises(DataError) as caught:
        read_material(path)
    assert caught.value.message.startswith(message.format(path=path))


def test_a_file_that_is_not_there_is_named(tmp_path):
    for read in (read_material, read_labels):
        with pytest.raises(DataError) as caught:
            read(tmp_path / "pears.jsonl")
        assert caught.value.message == f"{tmp_path}/pears.jsonl: found no such file"


LABELLED = {"prompt": "몇 시예요?", "first": "두 시요.", "second": "몰라요."}
LABELS = [
    (LABELLED | {"label": "first"}, "first"),
    (LABELLED | {"label": "tie"}, "tie"),
    ({"prompt": "몇 시예요?", "chosen": "두 시요.", "rejected": "몰라요.", "label": "rejected"}, "second"),
    ({"noisy": "쨰밌", "chosen": "재밌", "rejected": "째밌", "label": "chosen"}, "first"),
    ({"instruction": "요약", "input": "긴 글", "first": "글", "second": "", "label": "first", "by": "지은"}, "first"),
]


@pytest.mark.parametrize(("row", "label"), LABELS)
def test_a_label_names_a_side_or_a_tie(tmp_path, row, label):
    (found,) = read_labels(write(tmp_path / "people.jsonl", row))
    assert found.label == label


def test_a_labelled_pair_is_the_same_as_one_of_a_file(tmp_path):
    pair = {"prompt": "요약", "input": "긴 글", "chosen": "글", "rejected": "말"}
    (labelled,) = read_labels(write(tmp_path / "people.jsonl", pair | {"label": "chosen"}))
    (given,) = read_material(write(tmp_path / "pairs.jsonl", pair)).pairs
    asked = {"instruction": "요약", "input": "긴 글", "first": "글", "second": "말", "label": "first"}
    (told,) = read_labels(write(tmp_path / "more.jsonl", asked))
    assert labelled.pair.key == given.key == told.pair.key


FAULTS = [
    ({"label": "better"}, "found the label 'better', expected first, second or tie"),
    ({"label": "chosen"}, "found the label 'chosen', expected first, second or tie"),  # no side is called so here
    ({"label": None}, "found the label None, expected first, second or tie"),
    ({"first": 3, "label": "first"}, 'found a number in "first", expected a text'),
    (
        {"prompt": "", "label": "first"},
        "found no question, expected one in prompt, noisy, instruction or messages",
    ),
    (
        {"prompt": [3], "label": "first"},
        "found no question, expected one in prompt, noisy, instruction or messages",
    ),
]


@pytest.mark.parametrize(("more", "message"), FAULTS)
def test_a_faulty_label_is_named_with_its_line_and_the_other_faulty_lines(tmp_path, more, message):
    path = write(tmp_path / "people.jsonl", LABELLED | {"label": "tie"}, LABELLED | more, LABELLED, [])
    with pytest.raises(DataError) as caught:
        read_labels(path)
    assert caught.value.message == f"{path}:2: {message} (faulty too: lines 3, 4)"


def test_a_file_without_a_label_is_refused(tmp_path):
    (tmp_path / "people.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_labels(tmp_path / "people.jsonl")
    assert caught.value.message == f"{tmp_path}/people.jsonl: found no row, expected labelled pairs"
