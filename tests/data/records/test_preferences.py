"""
Preference rows in all the ways people write them, and what is refused of them.

In: a file as TRL, OpenAI's users, LLaMA-Factory or a hand wrote it. Out: one prompt and two texts, or one line.
"""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.recipe import SourceSettings
from hanpuri.data.records.forms import open_rows
from hanpuri.data.records.preferences import as_messages, as_prompt, read_preference
from hanpuri.data.records.records import Reading
from hanpuri.errors import DataError

DROP = "or leave such rows out: `faults: drop`"
ASKED = {"role": "user", "content": "몇 시에 열어요?"}
GOOD, BAD = ({"role": "assistant", "content": content} for content in ("아홉 시요.", "몰라요."))
TURNS = [{"role": "system", "content": "짧게 답해요."}, ASKED, GOOD, {"role": "user", "content": "주말에는요?"}]
ROW = {"prompt": "몇 시에 열어요?", "input": "", "chosen": "아홉 시요.", "rejected": "몰라요."}


def read(folder: Path, *rows: object, name: str = "pairs.jsonl", **settings: object) -> list[dict[str, object]]:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return [record.fields for record in Reading(SourceSettings(path=path, **settings), "preference").records()]


def told(folder: Path, *rows: object, **settings: object) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, *rows, **settings)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # three texts, and what the prompt is about
        ({"prompt": "요약해 줘", "input": "긴 글", "chosen": "글", "rejected": "긴"}, {"input": "긴 글"}),
        # as others call the prompt
        ({"question": "몇 시에 열어요?", "chosen": "아홉 시요.", "rejected": "몰라요."}, {}),
        ({"instruction": "몇 시에 열어요?", "input": None, "chosen": "아홉 시요.", "rejected": "몰라요."}, {}),
        # TRL: a conversational preference with its prompt, and one that has it in both answers
        ({"prompt": [ASKED], "chosen": [GOOD], "rejected": [BAD]}, {}),
        ({"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]}, {}),
        # sets of the hub have it in both places, at times without the system message
        ({"prompt": "몇 시에 열어요?", "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]}, {}),
        ({"prompt": TURNS[1:], "chosen": [*TURNS, GOOD], "rejected": [*TURNS, BAD]}, {"prompt": TURNS}),
        # a conversation with two texts; a single message for an answer, as ShareGPT's readers write it
        ({"prompt": TURNS, "chosen": "아홉 시요.", "rejected": "몰라요."}, {"prompt": TURNS}),
        ({"conversations": [ASKED], "chosen": {"from": "gpt", "value": "아홉 시요."}, "rejected": BAD}, {}),
        # a model may have answered nothing
        ({"prompt": "몇 시에 열어요?", "chosen": "아홉 시요.", "rejected": ""}, {"rejected": ""}),
        (
            {"prompt": [ASKED], "chosen": [GOOD], "rejected": [{"role": "assistant", "content": ""}]},
            {"rejected": ""},
        ),
    ],
)
def test_a_row_is_read_however_it_is_written(tmp_path, row, expected):
    asked = {} if "input" not in expected else {"prompt": "요약해 줘", "chosen": "글", "rejected": "긴"}
    assert read(tmp_path, row) == [{**ROW, **asked, **expected}]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        # two answers that are the same, also where letters are typed apart
        (
            {**ROW, "rejected": "아홉 시요."},
            'found the same text in "chosen" and "rejected", expected two answers; '
            "leave the row out: it says nothing on which is better",
        ),
        (
            {**ROW, "chosen": "각", "rejected": "\u1100\u1161\u11a8"},
            'found the same text in "chosen" and "rejected", expected two answers; '
            "leave the row out: it says nothing on which is better",
        ),
        # no chosen answer, no rejected one
        ({**ROW, "chosen": ""}, 'found an empty text in "chosen", expected a text; fill it in'),
        ({**ROW, "rejected": None}, 'found null in "rejected", expected a text; fill it in'),
        (
            {**ROW, "prompt": [ASKED], "chosen": [{"role": "assistant", "content": ""}]},
            'found "" as the content of message 1 of "chosen", expected a text; fill it in',
        ),
        ({**ROW, "chosen": 3}, 'found a number in "chosen", expected a text; put it in quotes'),
        # no prompt
        ({**ROW, "prompt": ""}, 'found an empty text in "prompt", expected a text; fill it in'),
        ({**ROW, "prompt": None}, 'found null in "prompt", expected a text; fill it in'),
        (
            {**ROW, "prompt": []},
            'found no messages in "prompt", expected at least one; '
            'write [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]',
        ),
        # a prompt that asks nothing
        (
            {**ROW, "prompt": [ASKED, GOOD]},
            'found messages in "prompt" that end with assistant, expected user; end it with what is asked',
        ),
        (
            {"prompt": None, "chosen": [GOOD, GOOD], "rejected": [GOOD, BAD]},
            'found a prompt in "chosen" that ends with assistant, expected user; end it with what is asked',
        ),
        # answers to two questions
        (
            {**ROW, "chosen": [ASKED, GOOD], "rejected": [TURNS[-1], BAD]},
            'found another prompt in "rejected" than in "chosen", expected the same; '
            "give both answers the prompt that they answer",
        ),
        (
            {**ROW, "chosen": [TURNS[-1], GOOD], "rejected": [TURNS[-1], BAD]},
            'found another prompt in "chosen" than in "prompt", expected the same; '
            "give the row one prompt, in one of the two places",
        ),
        # an input has no place in a conversation
        (
            {**ROW, "prompt": TURNS, "input": "주말"},
            'found an input in "input" beside a conversation, expected messages alone; write it into the last message',
        ),
        ({**ROW, "input": 5}, 'found a number in "input", expected a text; put it in quotes'),
    ],
)
def test_a_row_that_says_nothing_is_refused_with_its_line(tmp_path, row, message):
    assert told(tmp_path, ROW, row) == f"pairs.jsonl:2: {message}; {DROP}"


def test_faulty_rows_can_be_left_out_and_are_counted(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [ROW, {**ROW, "rejected": ROW["chosen"]}, {**ROW, "prompt": ""}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    reading = Reading(SourceSettings(path=path, faults="drop"), "preference")
    assert [record.fields for record in reading.records()] == [ROW]
    assert reading.num_faults == 2
    assert reading.notes == [
        f'{path}: left out 2 faulty rows: line 2: found the same text in "chosen" and "rejected", expected two answers;'
        ' line 3: found an empty text in "prompt", expected a text'
    ]


def test_a_file_of_texts_without_a_prompt_is_refused_as_a_whole(tmp_path):
    # TRL's implicit prompt in texts: where it ends, nobody can tell
    row = {"text": "하늘은", "chosen": "하늘은 파래요.", "rejected": "하늘은 초록색이에요."}
    assert told(tmp_path, row) == (
        'pairs.jsonl: found no column "prompt" (question, instruction, conversations), '
        "expected one of: text, chosen, rejected; say which of them it is: `fields: {prompt: ...}`"
    )
    assert told(tmp_path, {"chosen": [GOOD], "rejected": [BAD]}) == (
        'pairs.jsonl:1: found no prompt before the answer in "chosen", expected one; '
        f'write it into "prompt", or as messages before both answers; {DROP}'
    )


def test_columns_can_be_mapped(tmp_path):
    row = {"물음": [ASKED], "좋음": "아홉 시요.", "나쁨": "몰라요."}
    fields = {"prompt": "물음", "chosen": "좋음", "rejected": "나쁨"}
    assert read(tmp_path, row, fields=fields) == [ROW]


def test_the_form_is_told_by_the_fields(tmp_path):
    path = tmp_path / "pairs.jsonl"
    row = {"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD], "source": "mistakes"}
    path.write_text(json.dumps(row), encoding="utf-8")
    reading = open_rows(path)
    assert (reading.form, [record.fields for record in reading.records()]) == ("preference", [ROW])


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        {"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"prompt": [ASKED], "chosen": [GOOD], "rejected": [BAD]},
    ],
)
def test_parquet_is_read_too(tmp_path, row):
    path = tmp_path / "pairs.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), path)
    reading = Reading(SourceSettings(path=path), "preference")
    assert [record.fields for record in reading.records()] == [ROW]


def test_a_csv_has_texts(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text('prompt,chosen,rejected\n"[1, 2]는 뭐예요?",목록이요.,\n', encoding="utf-8")
    (record,) = Reading(SourceSettings(path=path), "preference").records()
    assert record.fields == {"prompt": "[1, 2]는 뭐예요?", "input": "", "chosen": "목록이요.", "rejected": ""}


messages = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": st.text()})
message_lists = st.lists(messages, max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content"]), inner),
    max_leaves=6,
)
COLUMNS = {field: field for field in ("prompt", "input", "chosen", "rejected")}


@given(st.dictionaries(st.sampled_from([*COLUMNS]), json_values | message_lists))
def test_any_row_is_read_or_told_what_is_wrong_with_it(values):
    found = read_preference(values, COLUMNS)
    if isinstance(found, tuple):
        problem, mend = found
        assert problem.startswith("found ")
        assert mend
        return
    assert [*found] == [*COLUMNS]
    assert found["chosen"] != found["rejected"]
    if not isinstance(found["prompt"], str):
        assert found["prompt"][-1]["role"] == "user"
        assert not found["input"]
    assert read_preference(found, COLUMNS) == found


@given(st.text() | st.lists(messages, min_size=1, max_size=4).filter(lambda turns: len(turns) > 1))
def test_a_prompt_comes_back_from_messages_as_it_was(prompt):
    assert as_prompt(as_messages(prompt)) == prompt
