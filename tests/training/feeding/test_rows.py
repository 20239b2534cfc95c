"""Rows to train on and to watch by: which row is on which side, and what is refused."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from hanpuri.data.templates import Template
from hanpuri.errors import DataError
from hanpuri.training.feeding.rows import draw_rows, open_training_rows, render_rows
from hanpuri.training.recipe import RowsSettings

QUESTIONS = [f"{number}번 방은 몇 층인가요?" for number in range(200)]


def write_rows(path: Path, questions: list[str], answer: str = "아래층이에요.") -> Path:
    rows = [{"instruction": question, "output": f"{answer} {number}"} for number, question in enumerate(questions)]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def prepare(folder: Path, **splits: list[str]) -> Path:
    folder.mkdir()
    for split, texts in splits.items():
        rows = {"id": texts, "noisy": texts, "clean": texts}
        pyarrow.parquet.write_table(
            pa.table({key: pa.array(value, pa.string()) for key, value in rows.items()}), folder / f"{split}.parquet"
        )
    return folder


def asked(records) -> list[str]:
    return [record.fields["instruction"] for record in records]


def test_a_single_file_is_parted_by_what_its_rows_ask(tmp_path):
    path = write_rows(tmp_path / "faq.jsonl", QUESTIONS)
    rows = open_training_rows(RowsSettings(path=path, validation_share=0.2), seed=0)
    train, validation = asked(rows.train()), asked(rows.validation())
    assert sorted(train + validation) == sorted(QUESTIONS)
    assert 20 <= len(validation) <= 60
    assert rows.form == "instruction"
    assert rows.files == (path,)


def test_rows_that_ask_the_same_are_on_one_side_and_no_row_moves_when_others_are_added(tmp_path):
    settings = RowsSettings(path=write_rows(tmp_path / "a.jsonl", QUESTIONS), validation_share=0.2)
    before = set(asked(open_training_rows(settings, seed=0).validation()))
    twice = [*QUESTIONS, *(f"새 질문 {number}" for number in range(50)), *QUESTIONS]
    after = open_training_rows(settings.model_copy(update={"path": write_rows(tmp_path / "b.jsonl", twice)}), seed=0)
    held_out = asked(after.validation())
    assert before == {question for question in held_out if question in QUESTIONS}
    assert set(asked(after.train())) & set(held_out) == set()


def test_another_seed_holds_out_other_rows(tmp_path):
    settings = RowsSettings(path=write_rows(tmp_path / "a.jsonl", QUESTIONS), validation_share=0.2)
    first, second = (set(asked(open_training_rows(settings, seed=seed).validation())) for seed in (0, 1))
    assert first != second


def test_a_prepared_folder_brings_both_sides(tmp_path):
    folder = prepare(tmp_path / "pairs", train=["가", "나", "다"], validation=["라"], test=["마"])
    rows = open_training_rows(RowsSettings(path=folder), seed=0)
    assert [row.id for row in rows.train()] == ["가", "나", "다"]
    assert [row.id for row in rows.validation()] == ["라"]
    assert (rows.form, [file.name for file in rows.files]) == ("pairs", ["train.parquet", "validation.parquet"])


@pytest.mark.parametrize("splits", [{"train": ["가"]}, {"train": ["가"], "validation": []}])
def test_a_prepared_folder_without_validation_rows_has_nothing_to_watch_by(tmp_path, splits):
    rows = open_training_rows(RowsSettings(path=prepare(tmp_path / "pairs", **splits)), seed=0)
    assert [row.id for row in rows.train()] == ["가"]
    assert list(rows.validation()) == []


def test_fewer_rows_are_drawn_by_the_seed_and_in_their_order(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", QUESTIONS)
    settings = RowsSettings(path=path, validation_share=0, rows=20)
    some = asked(open_training_rows(settings, seed=0).train())
    assert len(some) == 20
    assert some == sorted(some, key=QUESTIONS.index)
    assert some == asked(open_training_rows(settings, seed=0).train())
    assert some != QUESTIONS[:20]
    assert some != asked(open_training_rows(settings, seed=1).train())


def test_a_file_of_its_own_to_watch_by_leaves_the_other_whole(tmp_path):
    train, other = write_rows(tmp_path / "a.jsonl", QUESTIONS), write_rows(tmp_path / "b.jsonl", ["몇 시예요?"])
    rows = open_training_rows(RowsSettings(path=train, validation=other), seed=0)
    assert asked(rows.train()) == QUESTIONS
    assert asked(rows.validation()) == ["몇 시예요?"]


def test_rows_to_watch_are_the_same_whatever_stands_beside_them(tmp_path):
    rows = list(open_training_rows(RowsSettings(path=write_rows(tmp_path / "a.jsonl", QUESTIONS)), seed=0).train())
    drawn = {row.where for row in draw_rows(rows, 20, seed=3)}
    fewer = [row for row in rows if row.where in drawn or int(row.where.rpartition(":")[2]) % 2]
    assert {row.where for row in draw_rows(fewer, 20, seed=3)} == drawn


def test_a_row_that_its_template_refuses_comes_as_its_error(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", QUESTIONS[:2])
    rows = open_training_rows(RowsSettings(path=path, validation_share=0), seed=0)
    for_pairs = Template(name="mine", prompt_pairs="{noisy}")
    errors = list(render_rows(for_pairs, rows.train()))
    assert [str(error).partition(":")[2][:1] for error in errors] == ["1", "2"]
    assert all(isinstance(error, DataError) for error in errors)


def test_what_cannot_be_trained_on_is_refused_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as error:
        open_training_rows(RowsSettings(path=tmp_path / "empty"), seed=0)
    assert str(error.value) == (
        f"{tmp_path}/empty: found no train.parquet in this folder, expected a prepared set;"
        " make one with `hanpuri prepare`, or give a file"
    )
    faq, pairs = (
        write_rows(tmp_path / "a.jsonl", QUESTIONS),
        prepare(tmp_path / "pairs", train=["가"]) / "train.parquet",
    )
    with pytest.raises(DataError) as error:
        open_training_rows(RowsSettings(path=faq, validation=pairs), seed=0)
    assert str(error.value) == (
        f"{pairs}: found rows of pairs, expected instruction as in {faq}; give both files the same fields"
    )


def test_rows_that_cannot_be_read_are_named_or_left_out_and_counted(tmp_path):
    sound = {"prompt": "찻잔 있어요?", "chosen": "네, 있어요.", "rejected": "아니요."}
    pairs = [sound, {**sound, "chosen": None}, {**sound, "prompt": ""}, {**sound, "prompt": "접시 있어요?"}]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(pair, ensure_ascii=False) for pair in pairs), encoding="utf-8")
    settings = RowsSettings(path=path, validation_share=0)
    with pytest.raises(DataError, match="found 2 faulty rows: line 2: "):
        list(open_training_rows(settings, seed=0).train())
    rows = open_training_rows(settings, seed=0, faults="drop")
    assert [row.where.rpartition(":")[2] for row in rows.train()] == ["1", "4"]
    assert rows.left_out() == 2
