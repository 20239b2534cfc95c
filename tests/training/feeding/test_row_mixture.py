"""Rows of several sources, mixed by weight: how many of each, which ones, what no other source may train on."""

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hanpuri.errors import DataError
from hanpuri.training.feeding.row_mixture import deal
from hanpuri.training.feeding.rows import TrainingRows, open_training_rows
from hanpuri.training.feeding.shares import SourceTally
from hanpuri.training.preflight.rendering import share_lines
from hanpuri.training.recipe import RowsSettings

from .test_rows import prepare

sources_of_any_size = st.lists(
    st.tuples(st.floats(1e-3, 1e3), st.integers(1, 10_000)), min_size=1, max_size=6
)  # (weight, rows)


@given(sources_of_any_size, st.none() | st.integers(1, 50_000), st.floats(1, 8))
def test_shares_are_what_was_asked_for_to_within_one_row(sources, rows, repeat):
    weights, sizes = zip(*sources, strict=True)
    counts = deal(weights, sizes, rows=rows, repeat=repeat)
    whole = sum(counts)
    for weight, count in zip(weights, counts, strict=True):
        assert abs(count - whole * Fraction(weight) / sum(map(Fraction, weights))) < 1


@given(sources_of_any_size, st.none() | st.integers(1, 50_000), st.floats(1, 8))
def test_no_source_is_gone_through_more_often_than_may_be_and_no_row_more_than_its_neighbours(sources, rows, repeat):
    weights, sizes = zip(*sources, strict=True)
    counts = deal(weights, sizes, rows=rows, repeat=repeat)
    assert 0 < sum(counts) <= (sum(sizes) if rows is None else rows)
    assert all(count <= repeat * size for count, size in zip(counts, sizes, strict=True))


def write(path: Path, *questions: str) -> Path:
    rows = [{"instruction": question, "output": f"{path.stem}의 답"} for question in questions]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def many(about: str, number: int) -> list[str]:
    return [f"{about} {place}" for place in range(number)]


def mix(*sources: dict, seed: int = 0, **told) -> TrainingRows:
    told = {"validation_share": 0, **told}
    return open_training_rows(RowsSettings.model_validate({"sources": sources, **told}), seed)


def asked(records) -> list[str]:
    return [record.fields["instruction"] for record in records]


@pytest.fixture
def faq(tmp_path) -> Path:
    return write(tmp_path / "faq.jsonl", *many("숙소", 90))


@pytest.fixture
def mine(tmp_path) -> Path:
    return write(tmp_path / "mine.jsonl", *many("식당", 20))


def test_a_small_source_gives_rows_again_and_a_large_one_only_some(faq, mine):
    rows = mix({"path": faq, "weight": 3}, {"path": mine, "weight": 1})
    times = Counter(asked(rows.train()))
    about = Counter(question.split()[0] for question in times.elements())
    assert about == {"숙소": 83, "식당": 27}  # 110 rows in all, as in both files
    assert Counter(times[question] for question in many("식당", 20)) == {1: 13, 2: 7}
    assert max(times[question] for question in many("숙소", 90)) == 1
    assert rows.files == (faq, mine)
    assert rows.mixture.notes() == ()


def test_the_same_seed_takes_the_same_rows_and_another_one_others(faq, mine):
    sources = {"path": faq, "weight": 1}, {"path": mine, "weight": 3}
    first, again, other = (asked(mix(*sources, seed=seed).train()) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_where_copies_are_not_enough_the_whole_mix_shrinks_and_it_is_said(faq, mine):
    rows = mix({"path": faq}, {"path": mine}, repeat=1)
    assert len(asked(rows.train())) == 40
    assert rows.mixture.notes() == (
        f"the mix has 40 rows, not 110: {mine} has 20 and its share is 50.0%;"
        " lower its weight, or raise data.repeat (1)",
    )


def test_what_is_trained_on_very_often_or_not_at_all_is_said(faq, mine):
    often = mix({"path": faq, "weight": 1}, {"path": mine, "weight": 10}, repeat=9)
    assert often.mixture.notes() == (f"{mine} is gone through 5.0 times an epoch: lower its weight, or data.repeat",)
    never = mix({"path": faq, "weight": 1000}, {"path": mine, "weight": 1}, rows=50)
    assert never.mixture.notes() == (f"no row of {mine} is trained on: its share is 0.10% of 50",)


def test_rows_of_the_whole_and_of_one_source_may_be_fewer(faq, mine):
    rows = mix({"path": faq, "rows": 5}, {"path": mine}, rows=12)
    about = Counter(question.split()[0] for question in asked(rows.train()))
    assert about == {"숙소": 6, "식당": 6}
    assert len({question for question in asked(rows.train()) if question.startswith("숙소")}) == 5
    assert [dealt.there for dealt in rows.mixture.dealt] == [5, 20]


def test_a_source_may_name_its_columns_in_its_own_way(faq, tmp_path):
    (tmp_path / "other.csv").write_text("물음,대답\n언제 여나요?,아홉 시요.\n", encoding="utf-8")
    fields = {"instruction": "물음", "output": "대답"}
    rows = mix({"path": faq, "rows": 1}, {"path": tmp_path / "other.csv", "fields": fields})
    assert asked(rows.train())[1] == "언제 여나요?"


# --- what is watched by


def test_what_is_asked_in_two_sources_is_on_one_side(tmp_path):
    common = many("둘 다", 100)
    first = write(tmp_path / "first.jsonl", *common, *many("하나", 50))
    second = write(tmp_path / "second.jsonl", *common, *many("둘", 50))
    rows = mix({"path": first}, {"path": second}, validation_share=0.3)
    learnt, watched = set(asked(rows.train())), asked(rows.validation())
    assert learnt & set(watched) == set()
    assert {question for question, number in Counter(watched).items() if number == 2} <= set(common)
    assert [dealt.there + dealt.held_out for dealt in rows.mixture.dealt] == [150, 150]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 12).map(str), min_size=1, max_size=12), min_size=2, max_size=4),
    st.integers(0, 5),
)
def test_no_question_is_ever_on_both_sides(tmp_path_factory, questions, seed):
    folder = tmp_path_factory.mktemp("sources")
    paths = [write(folder / f"{place}.jsonl", *some) for place, some in enumerate(questions)]
    rows = mix(*({"path": path} for path in paths), seed=seed, validation_share=0.3)
    watched = set(asked(rows.validation()))
    if any(set(some) <= watched for some in questions):
        with pytest.raises(DataError, match="found no row to train on that is not held out"):
            list(rows.train())
    else:
        assert not watched & set(asked(rows.train()))


def test_what_a_prepared_folder_watches_by_is_trained_on_in_no_other_source(tmp_path):
    folder = prepare(tmp_path / "prepared", train=["가", "나", "다"], validation=["라", "마"])
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(
        "".join(json.dumps({"noisy": f"{text}!", "clean": text}) + "\n" for text in "라바사아"), encoding="utf-8"
    )
    rows = mix({"path": folder}, {"path": pairs})
    assert [row.fields["clean"] for row in rows.validation()] == ["라", "마"]
    assert {row.fields["clean"] for row in rows.train()} <= set("가나다바사아")
    assert [(dealt.there, dealt.held_out) for dealt in rows.mixture.dealt] == [(3, 2), (3, 1)]


def test_a_file_to_watch_by_stands_for_all_sources(faq, mine, tmp_path):
    watched = write(tmp_path / "watched.jsonl", "숙소 3", "처음 듣는 말")
    rows = mix({"path": faq}, {"path": mine}, validation=watched, validation_share=0.3)
    assert asked(rows.validation()) == ["숙소 3", "처음 듣는 말"]
    assert "숙소 3" not in asked(rows.train())
    assert [dealt.there for dealt in rows.mixture.dealt] == [89, 20]
    assert rows.files == (faq, mine, watched)


# --- what each source has, said


class Made:
    """What a row became: its name, and tokens."""

    def __init__(self, record, tokens: int) -> None:
        self.id, self.tokens = record.id or record.where, tokens


def test_what_each_source_has_is_counted_while_its_rows_pass(faq, mine):
    rows = mix({"path": faq, "weight": 3}, {"path": mine, "weight": 1})
    tally = SourceTally(rows.mixture)
    made = (Made(record, 10) for record in rows.train() if "숙소 8" not in record.fields["instruction"])
    passed = list(tally.passing(made, lambda one: (one.tokens, 4)))
    first, second = tally.shares()
    assert (first.asked, first.rows, first.there, first.copies, first.tokens) == (
        0.75,
        len(passed) - 27,
        90,
        0,
        10 * (len(passed) - 27),
    )
    assert (second.rows, second.copies, second.trained_tokens, second.given) == (27, 7, 4 * 27, 27 / len(passed))


def test_rows_of_one_place_pass_uncounted(faq):
    rows = open_training_rows(RowsSettings(path=faq, validation_share=0), seed=0)
    tally = SourceTally(rows.mixture)
    assert len(list(tally.passing((Made(record, 1) for record in rows.train()), lambda one: (1, 1)))) == 90
    assert (tally.shares(), tally.notes(), share_lines(tally.shares())) == ((), (), [])


def test_the_table_before_a_run_lays_names_to_the_left_and_numbers_to_the_right(faq, mine):
    rows = mix({"path": faq, "weight": 3}, {"path": mine, "weight": 1})
    tally = SourceTally(rows.mixture)
    list(tally.passing((Made(record, 10) for record in rows.train()), lambda one: (one.tokens, 4)))
    _, head, *lines = (line.replace(str(faq.parent) + "/", "") for line in share_lines(tally.shares()))
    assert head.split() == ["source", "asked", "given", "rows", "of", "copies", "tokens", "trained"]
    assert [line.split() for line in lines] == [
        ["faq.jsonl", "75.0%", "75.5%", "83", "90", "0", "830", "332"],
        ["mine.jsonl", "25.0%", "24.5%", "27", "20", "7", "270", "108"],
    ]
    assert len({len(line) for line in share_lines(tally.shares())[1:]}) == 1


# --- what is refused


def test_sources_of_two_forms_are_refused_in_one_line(faq, tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"noisy": "넙어요", "clean": "넓어요"}\n', encoding="utf-8")
    for told in ({"sources": [{"path": faq}, {"path": pairs}]}, {"sources": [{"path": faq}], "validation": pairs}):
        with pytest.raises(DataError) as error:
            open_training_rows(RowsSettings.model_validate(told), seed=0)
        assert str(error.value) == (
            f"{pairs}: found rows of pairs, expected instruction as in {faq};"
            " mix sources of one form, or say what a row is with data.form"
        )


def test_a_source_of_which_all_is_held_out_is_refused(faq, tmp_path):
    other = write(tmp_path / "other.jsonl", "숙소 3", "숙소 4")
    with pytest.raises(DataError) as error:
        list(mix({"path": faq}, {"path": other}, validation=other).train())
    assert str(error.value) == (
        f"{other}: found no row to train on that is not held out, expected some;"
        " take it out of data.sources, or give it more rows"
    )


REFUSED = [
    # neither
    ({}, "give either `path` or `sources`"),
    # both
    ({"path": "a", "sources": [{"path": "b"}]}, "give either `path` or `sources`"),
    # one source twice: whose rows would copies be?
    (
        {"sources": [{"path": "a"}, {"path": "a"}]},
        "a stands twice in `sources`, give it once with both weights together",
    ),
    # no share at all
    ({"sources": [{"path": "a", "weight": 0}]}, "Input should be greater than 0"),
    ({"sources": [{"path": "a", "weight": float("inf")}]}, "Input should be a finite number"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_what_is_no_mix_is_refused(fields, message):
    with pytest.raises(ValidationError) as error:
        RowsSettings.model_validate(fields)
    (fault,) = error.value.errors()
    assert fault["msg"].removeprefix("Value error, ") == message
