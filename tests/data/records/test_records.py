"""
Records from the files that people have.

In: files and what a recipe says of them. Out: records, or one line with every fault of a file, and the mend.
"""

import gzip
import json
import lzma
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.recipe import FORMS, SourceSettings
from hanpuri.data.records.records import Reading, Record
from hanpuri.errors import DataError

DROP = "or leave such rows out: `faults: drop`"
CELLS = 'write a cell that holds a quote, a line end or the delimiter as "..." and each quote in it as ""'
SHAPE = 'write [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, so that messages hold bare file names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, data: str | bytes) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return name


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def reading(path: str, form: str = "text", /, **settings) -> Reading:
    return Reading(SourceSettings(path=Path(path), **settings), form)


def records(path: str, form: str = "text", /, **settings) -> list[Record]:
    return list(reading(path, form, **settings).records())


def fields(path: str, form: str = "text", /, **settings) -> list[dict]:
    return [record.fields for record in records(path, form, **settings)]


def told(path: str, form: str = "text", /, **settings) -> str:
    """What a person is told about a source that cannot be read."""
    with pytest.raises(DataError) as caught:
        records(path, form, **settings)
    return str(caught.value)


# --- what a record is


def test_a_line_of_text_is_a_record_and_a_blank_line_is_none():
    write("notes.txt", "방이 넓어요\r\n\n\r\n  \n조용해요")
    assert records("notes.txt") == [
        Record({"text": "방이 넓어요"}, "", "notes.txt", "notes.txt:1"),
        Record({"text": "  "}, "", "notes.txt", "notes.txt:4"),
        Record({"text": "조용해요"}, "", "notes.txt", "notes.txt:5"),
    ]


def test_a_row_of_a_table_keeps_its_id_group_and_label_as_text():
    write("reviews.csv", 'id,who,document,label\n7,kim,"방이\n넓어요",1\n8,,조용해요,\n')
    assert records("reviews.csv", name="review", fields={"text": "document", "group": "who"}) == [
        Record({"text": "방이\n넓어요"}, "7", "review", "reviews.csv:2", "kim", "1"),
        Record({"text": "조용해요"}, "8", "review", "reviews.csv:4", None, None),
    ]


def test_numbers_are_taken_as_ids_groups_and_labels_but_not_as_texts():
    write("a.jsonl", '{"id": 3, "text": "가", "group": 2.5, "label": true}\n{"id": null, "text": "나", "label": NaN}\n')
    assert [(record.id, record.group, record.label) for record in records("a.jsonl")] == [
        ("3", "2.5", "True"),
        ("", None, None),
    ]


@pytest.mark.parametrize(
    ("form", "row", "expected"),
    [
        ("text", {"text": "가"}, {"text": "가"}),
        ("pairs", {"clean": "값", "noisy": "갑", "more": 1}, {"noisy": "갑", "clean": "값"}),
        # columns of our own names, and what others call them
        (
            "instruction",
            {"instruction": "요약", "input": "글", "output": "답"},
            {"instruction": "요약", "input": "글", "output": "답"},
        ),
        ("instruction", {"question": "왜", "answer": "답"}, {"instruction": "왜", "input": "", "output": "답"}),
        (
            "instruction",
            {"prompt": "왜", "completion": "답", "context": "글"},
            {"instruction": "왜", "input": "글", "output": "답"},
        ),
        # two of a pair stay together
        (
            "instruction",
            {"question": "?", "prompt": "왜", "completion": "답"},
            {"instruction": "왜", "input": "", "output": "답"},
        ),
        # no input is an empty input
        (
            "instruction",
            {"instruction": "왜", "input": None, "output": "답"},
            {"instruction": "왜", "input": "", "output": "답"},
        ),
        (
            "preference",
            {"prompt": "왜", "chosen": "네", "rejected": "아니"},
            {"prompt": "왜", "input": "", "chosen": "네", "rejected": "아니"},
        ),
        (
            "messages",
            {"messages": [{"role": "user", "content": "왜"}, {"role": "assistant", "content": "답", "weight": 1}]},
            {"messages": [{"role": "user", "content": "왜"}, {"role": "assistant", "content": "답"}]},
        ),
        # as ShareGPT writes it
        (
            "messages",
            {"conversations": [{"from": "system", "value": "규칙"}, {"from": "gpt", "value": "답"}]},
            {"messages": [{"role": "system", "content": "규칙"}, {"role": "assistant", "content": "답"}]},
        ),
        # as JSON in a cell
        (
            "messages",
            {"messages": '[{"from": "human", "value": "왜"}, {"from": "gpt", "value": "답"}]'},
            {"messages": [{"role": "user", "content": "왜"}, {"role": "assistant", "content": "답"}]},
        ),
    ],
)
def test_each_form_is_read_with_its_fields_and_no_more(form, row, expected):
    write("a.jsonl", lines(row))
    write("a.json", json.dumps([row]))
    assert fields("a.jsonl", form) == fields("a.json", form) == [expected]
    assert tuple(expected) == FORMS[form]


def test_what_the_recipe_maps_comes_before_columns_of_our_own_names():
    write("a.csv", "text,본문\na,b\n")
    assert fields("a.csv", fields={"text": "본문"}) == [{"text": "b"}]


def test_conversations_in_cells_of_csv_and_in_nested_columns_of_parquet_are_read():
    import pyarrow
    from pyarrow import parquet

    messages = [{"role": "user", "content": "왜"}, {"role": "assistant", "content": "답"}]
    cell = json.dumps(messages, ensure_ascii=False).replace('"', '""')
    write("a.csv", f'id,messages\n1,"{cell}"\n')
    parquet.write_table(pyarrow.table({"id": [1], "messages": [messages], "n": [None]}), "a.parquet")
    for name, where in (("a.csv", "a.csv:2"), ("a.parquet", "a.parquet:1")):
        assert records(name, "messages") == [Record({"messages": messages}, "1", name, where)]


def test_a_column_that_the_first_row_lacks_is_found_in_those_behind_it():
    write("a.jsonl", lines({"text": "가"}, {"text": "나", "별점": 5}))
    assert [record.label for record in records("a.jsonl", fields={"label": "별점"})] == [None, "5"]


def test_a_source_can_be_read_again_and_counts_anew():
    write("a.jsonl", lines({"text": "가"}, {"text": ""}))
    source = reading("a.jsonl", faults="drop")
    assert list(source.records()) == list(source.records())
    assert (source.num_faults, len(source.notes)) == (1, 1)


def test_only_the_first_rows_are_read_where_the_recipe_says_so():
    write("many/a.txt", "1\n2\n")
    write("many/b.txt", "3\n4\n")
    assert [record["text"] for record in fields("many", rows=3)] == ["1", "2", "3"]
    assert [record["text"] for record in fields("many", rows=2)] == ["1", "2"]
    write("a.jsonl", lines({"text": "가"}) + "{\n")
    assert fields("a.jsonl", rows=1) == [{"text": "가"}]


def test_the_only_column_of_a_text_file_is_called_text():
    assert fields(write("a.txt", "가\n"), fields={"text": "text"}) == [{"text": "가"}]


# --- folders, packed files, encodings


def test_the_files_of_a_folder_are_read_in_order_of_name():
    write("data/b.txt", "3\n")
    write("data/a/z.json.xz", lzma.compress(b'{"data": [{"text": "1"}, {"text": "2"}]}'))
    write("data/c.csv.gz", gzip.compress(b"text\n4\n"))
    write("data/.DS_Store", b"\0")
    source = reading("data")
    assert [record.where for record in source.records()] == [
        "data/a/z.json.xz:1",
        "data/a/z.json.xz:1",
        "data/b.txt:1",
        "data/c.csv.gz:2",
    ]
    assert source.files == [Path("data/a/z.json.xz"), Path("data/b.txt"), Path("data/c.csv.gz")]


@pytest.mark.parametrize("encoding", ["cp949", "utf-16-le"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_encoding_is_found_and_said(encoding, mark):
    if mark and encoding == "cp949":
        mark = ""  # which has no mark
    data = f"{mark}id,text\r\n1,방이 넓어요\r\n".encode(encoding)
    for name, packed in (("a.csv", data), ("a.csv.gz", gzip.compress(data)), ("a.csv.xz", lzma.compress(data))):
        source = reading(write(name, packed))
        assert [record.fields for record in source.records()] == [{"text": "방이 넓어요"}]
        assert source.notes == [f"{name}: read as {encoding}"]


def test_of_utf_8_with_or_without_a_mark_nothing_is_said():
    for mark in (b"", b"\xef\xbb\xbf"):
        source = reading(write("a.csv", mark + "text\n넓어요\n".encode()))
        assert [record.fields for record in source.records()] == [{"text": "넓어요"}]
        assert source.notes == []


def test_the_encoding_is_said_where_only_the_first_rows_are_read():
    source = reading(write("a.txt", "넓어요\n조용해요\n".encode("cp949")), rows=1)
    assert len(list(source.records())) == 1
    assert source.notes == ["a.txt: read as cp949"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), min_size=1), min_size=1))
def test_whatever_is_in_a_text_its_file_gives_it_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("texts") / "a"
    rows = [{"text": text} for text in texts]
    for suffix, data in ((".txt", "\n".join(texts)), (".jsonl", lines(*rows)), (".json", json.dumps(rows))):
        path.with_suffix(suffix).write_text(data, encoding="utf-8", newline="")
        source = Reading(SourceSettings(path=path.with_suffix(suffix), encoding="utf-8"), "text")
        expected = [text.removeprefix("\ufeff") if suffix == ".txt" and not n else text for n, text in enumerate(texts)]
        assert [record.fields["text"] for record in source.records()] == [text for text in expected if text]


# --- faults of a file


@pytest.mark.parametrize(
    ("name", "data", "form", "mapped", "message"),
    [
        # nothing in it
        ("a.txt", "", "text", {}, "a.txt: found an empty file (0 bytes), expected rows; take it out of the recipe"),
        ("a.csv", "", "text", {}, "a.csv: found an empty file (0 bytes), expected rows; take it out of the recipe"),
        ("a.jsonl", "", "text", {}, "a.jsonl: found an empty file (0 bytes), expected rows; take it out of the recipe"),
        # no row in it
        ("a.txt", "\n\n", "text", {}, "a.txt: found no rows, expected at least one; take it out of the recipe"),
        ("a.csv", "text\n", "text", {}, "a.csv: found no rows, expected at least one; take it out of the recipe"),
        ("a.jsonl", "\n", "text", {}, "a.jsonl: found no rows, expected at least one; take it out of the recipe"),
        ("a.json", "[]", "text", {}, "a.json: found no rows, expected at least one; take it out of the recipe"),
        # no column for the text: one that is likely, one that is like it, none
        (
            "a.csv",
            "id,document,label\n1,a,0\n",
            "text",
            {},
            'a.csv:1: found no column "text", expected one of: id, document, label; '
            "did you mean `fields: {text: document}`?",
        ),
        (
            "a.csv",
            "id,document\n1,a\n",
            "text",
            {"text": "documnet"},
            'a.csv:1: found no column "documnet" for text, expected one of: id, document; '
            "did you mean `fields: {text: document}`?",
        ),
        (
            "a.csv",
            "id,소감\n1,a\n",
            "text",
            {},
            'a.csv:1: found no column "text", expected one of: id, 소감; '
            "say which of them it is: `fields: {text: ...}`",
        ),
        # all that is missing at once
        (
            "a.tsv",
            "nosy\tcleen\tstars\na\tb\t1\n",
            "pairs",
            {"label": "star"},
            'a.tsv:1: found no column "noisy" and no column "clean" and no column "star" for label, expected one of: '
            "nosy, cleen, stars; did you mean `fields: {noisy: nosy, clean: cleen, label: stars}`?",
        ),
        (
            "a.jsonl",
            '{"q": "왜", "answr": "답"}\n',
            "instruction",
            {},
            'a.jsonl: found no column "instruction" (question, prompt) and no column "output" (answer, completion), '
            "expected one of: q, answr; did you mean `fields: {output: answr}`?",
        ),
        (
            "a.jsonl",
            "{}\n",
            "messages",
            {},
            'a.jsonl: found no column "messages" (conversations), expected one of: none at all; '
            "say which of them it is: `fields: {messages: ...}`",
        ),
        # a column that gives another field already is not proposed
        (
            "a.csv",
            "noisy,gold\n갑,값\n",
            "pairs",
            {},
            'a.csv:1: found no column "clean", expected one of: noisy, gold; '
            "say which of them it is: `fields: {clean: ...}`",
        ),
        # two columns of one name
        (
            "a.csv",
            "text,text\na,b\n",
            "text",
            {},
            'a.csv:1: found two columns named "text", expected one; give each column a name of its own',
        ),
        # tabs in a CSV
        (
            "a.csv",
            "id\ttext\n1\ta\n",
            "text",
            {},
            "a.csv:1: found tabs, expected commas between the columns; read it with `format: tsv`",
        ),
        # a quote that is never closed: all rows behind it would be lost with it
        (
            "a.csv",
            'text\na\n"b\nc\n',
            "text",
            {},
            f"a.csv:3: found a cell whose closing quote is missing; {CELLS}",
        ),
        # a JSON file that was cut off, or holds an object a line
        (
            "a.json",
            '[{"text": "가"},\n',
            "text",
            {},
            "a.json:2: found the end of the file, expected ] behind the last element; "
            "write the rows as a list of objects: [{...}, {...}]",
        ),
        (
            "a.json",
            '{"text": "가"}\n{"text": "나"}\n',
            "text",
            {},
            "a.json:1: found an object a line, expected a list of them; say that it is JSONL: `format: jsonl`",
        ),
        # text where rows with columns are asked for
        (
            "ratings.txt",
            "id\tdocument\n1\ta\n",
            "text",
            {"text": "document"},
            'ratings.txt: found a text file, which has no column "document"; '
            "leave out `fields`, or say what the file is: `format: tsv`",
        ),
        (
            "a.txt",
            "a\n",
            "pairs",
            {},
            "a.txt: found a text file, expected rows with noisy and clean; say what the file is: `format: tsv`",
        ),
    ],
)
def test_what_is_wrong_with_a_file_as_a_whole_is_told_once(name, data, form, mapped, message):
    write(name, data)
    assert told(name, form, fields=mapped) == message
    assert told(name, form, fields=mapped, faults="drop") == message


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        # what the recipe names does not fit
        (
            "가\n값\n".encode("cp949"),
            "utf-8",
            "a.txt:1: found the byte 0xb0, expected utf-8; the file reads as cp949: `encoding: cp949`",
        ),
        # no encoding fits
        (
            "값이\n싸".encode() + b"\xff\n",
            "auto",
            "a.txt:2: found the byte 0xff, expected utf-8; "
            "neither utf-8, cp949 nor utf-16 fits: mend the line, or name the file's `encoding`",
        ),
        # another one far behind what was looked at
        (
            b"good\n" * 300_000 + "값\n".encode("cp949"),
            "auto",
            "a.txt:300001: found the byte 0xb0, expected utf-8; the file reads as cp949: `encoding: cp949`",
        ),
        (
            b"",
            "cp948",
            'found the encoding "cp948", expected one that Python knows; did you mean `encoding: cp949`?',
        ),
    ],
)
def test_an_encoding_that_does_not_fit_is_told_in_the_words_of_the_recipe(data, encoding, message):
    assert told(write("a.txt", data), encoding=encoding) == message


def test_a_place_where_nothing_is_or_nothing_to_read_is_told():
    kinds = "text, CSV, TSV, JSONL, JSON or Parquet"
    write("reviews.csv", "text\n")
    assert told("revews.csv") == "revews.csv: found no such file; did you mean reviews.csv?"
    assert told(write("a.xlsx", "PK")) == f"a.xlsx is a .xlsx file, expected {kinds}; save the sheet as CSV UTF-8"
    Path("none").mkdir()
    assert told("none") == f"none: found no file in the folder, expected files of {kinds}; check the path"
    write("data/a.txt", "가\n")
    write("data/b.xlsx", "PK")
    write("data/old/README", "!")
    message = (
        "data: found b.xlsx (save the sheet as CSV UTF-8), old/README, "
        f"expected only files of {kinds}; take them out of the folder, or say what all its files are: `format: text`"
    )
    assert told("data") == message
    assert len(records("data", format="text")) == 3


@pytest.mark.parametrize(
    ("name", "pack", "message"),
    [
        (
            "big.jsonl",
            bytes,
            "big.jsonl:1: found a line of more than 10,000,000 characters, expected less; "
            "put each row on a line of its own",
        ),
        (
            "big.csv.gz",
            gzip.compress,
            "big.csv.gz:1: found a line of more than 10,000,000 characters, expected less; "
            "put each row on a line of its own",
        ),
        # a JSON file may be one line, but no row of it
        (
            "big.json.gz",
            gzip.compress,
            "big.json.gz:1: found an element of more than 10,000,000 characters, expected less; "
            "look for a quote or bracket that is not closed",
        ),
    ],
)
def test_a_line_of_100_mb_is_refused_before_it_fills_the_memory(name, pack, message):
    write(name, pack(b'[{"text": "' + b"a" * 100_000_000))
    tracemalloc.start()
    assert told(name) == message
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80_000_000


def test_a_row_of_9_mb_is_read_and_so_are_rows_of_20_mb_in_one_line_of_json():
    text = "a" * 9_000_000
    write("a.jsonl", lines({"text": text}))
    write("a.json", json.dumps([{"text": text}] * 2))
    assert [len(row["text"]) for row in fields("a.jsonl") + fields("a.json")] == [9_000_000] * 3


def test_faulty_parquet_is_told_in_the_words_of_the_recipe():
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": [1], "text": [5]}), "a.parquet")
    mend = "name the text's column with `fields`"
    assert told("a.parquet") == f'a.parquet: found int64 in the column "text", expected strings; {mend}'
    write("b.parquet", b"PAR1 but no more")
    assert told("b.parquet").endswith("; write it anew, or say `format`")
    parquet.write_table(pyarrow.table({"text": ["가", None, ""]}), "c.parquet")
    assert told("c.parquet") == (
        'c.parquet: found 2 faulty rows: row 2: found null in "text", expected a text; '
        f'row 3: found an empty text in "text", expected a text; fill it in; {DROP}'
    )


# --- faults of rows


@pytest.mark.parametrize(
    ("name", "data", "form", "message"),
    [
        # one column too few
        ("a.csv", "id,text\n1,a\n2\n", "text", f"a.csv:3: found 1 cell, expected 2 (id, text); {CELLS}; {DROP}"),
        # no JSON
        (
            "a.jsonl",
            '{"text": "a"}\n{"text": }\n',
            "text",
            "a.jsonl:2: found a line that is no JSON (Expecting value at column 10), expected an object; "
            f'write the row as {{"text": "..."}}; {DROP}',
        ),
        (
            "a.json",
            '[{"prompt": "왜", "chosen": "네", "rejected": "아니"},\n[]]',
            "preference",
            "a.json:2: found a list, expected an object; "
            f'write the row as {{"prompt": "...", "chosen": "...", "rejected": "..."}}; {DROP}',
        ),
        (
            "a.jsonl",
            "[]\n",
            "messages",
            "a.jsonl:1: found a list, expected an object; "
            f'write the row as {{"messages": [{{"role": "user", "content": "..."}}, ...]}}; {DROP}',
        ),
        # a field that is not there, with and without one like it
        (
            "a.jsonl",
            lines({"noisy": "갑", "clean": "값"}, {"noisy": "갑", "claen": "값"}),
            "pairs",
            f'a.jsonl:2: found no "clean" but noisy, claen; rename "claen" to "clean"; {DROP}',
        ),
        (
            "a.jsonl",
            lines({"noisy": "갑", "clean": "값"}, {}),
            "pairs",
            f'a.jsonl:2: found no "noisy" but none at all; give the row its "noisy"; {DROP}',
        ),
        # nothing in it
        (
            "a.jsonl",
            lines({"instruction": "왜", "output": None}),
            "instruction",
            f'a.jsonl:1: found null in "output", expected a text; fill it in; {DROP}',
        ),
        (
            "a.csv",
            "question,answer\n왜,\n",
            "instruction",
            f'a.csv:2: found an empty text in "answer", expected a text; fill it in; {DROP}',
        ),
        # mixed types
        (
            "a.jsonl",
            lines({"text": "가"}, {"text": 5}),
            "text",
            f'a.jsonl:2: found a number in "text", expected a text; put it in quotes; {DROP}',
        ),
        (
            "a.jsonl",
            lines({"prompt": "왜", "completion": "답", "context": ["글"]}),
            "instruction",
            f'a.jsonl:1: found a list in "context", expected a text; put it in quotes; {DROP}',
        ),
        (
            "a.jsonl",
            lines({"text": "가", "label": [1]}),
            "text",
            f'a.jsonl:1: found a list in "label", expected a text or a number; name another column; {DROP}',
        ),
        # an element of a JSON file, at its line
        (
            "a.json",
            '[\n {"text": "가"},\n {"text": false}\n]',
            "text",
            f'a.json:3: found a truth value in "text", expected a text; put it in quotes; {DROP}',
        ),
    ],
)
def test_a_faulty_row_is_told_with_its_line_and_the_mend(name, data, form, message):
    assert told(write(name, data), form) == message


USER, ASSISTANT = {"role": "user", "content": "왜"}, {"role": "assistant", "content": "답"}


@pytest.mark.parametrize(
    ("messages", "found", "mend"),
    [
        ([], 'found no messages in "messages", expected at least one', SHAPE),
        (None, 'found null in "messages", expected a list of messages', SHAPE),
        ("왜?", 'found a text that is no JSON in "messages", expected a list of messages', SHAPE),
        (USER, 'found an object in "messages", expected a list of messages', SHAPE),
        (["왜"], 'found a string as message 1 of "messages", expected an object', SHAPE),
        (
            [USER, {"role": "assistent", "content": "답"}],
            'found the role "assistent" in message 2 of "messages", expected system, user or assistant',
            'did you mean "assistant"?',
        ),
        (
            [{"role": "tool", "content": "답"}],
            'found the role "tool" in message 1 of "messages", expected system, user or assistant',
            "name one of these roles",
        ),
        (
            [{"content": "답"}],
            'found no role in message 1 of "messages", expected system, user or assistant',
            "name one of these roles",
        ),
        (
            [USER, {"role": "assistant", "content": ""}],
            'found "" as the content of message 2 of "messages", expected a text',
            "fill it in",
        ),
        (
            [USER, {"role": "assistant"}],
            'found null as the content of message 2 of "messages", expected a text',
            "fill it in",
        ),
        (
            [USER, ASSISTANT, USER],
            'found messages in "messages" that end with user, expected assistant',
            "end it with the assistant's answer",
        ),
    ],
)
def test_a_broken_conversation_is_told(messages, found, mend):
    write("a.jsonl", lines({"messages": [USER, ASSISTANT]}, {"messages": messages}))
    assert told("a.jsonl", "messages") == f"a.jsonl:2: {found}; {mend}; {DROP}"


def test_all_faults_of_a_file_come_at_once():
    write("a.csv", "id,text\n1\n2,b\n3,\n4,d,e\n")
    assert told("a.csv") == (
        "a.csv: found 3 faulty rows: line 2: found 1 cell, expected 2 (id, text); "
        'line 4: found an empty text in "text", expected a text; '
        f"line 5: found 3 cells, expected 2 (id, text); {CELLS}; fill it in; {DROP}"
    )


def test_of_thousands_of_faults_twenty_are_listed_and_all_counted():
    write("a.jsonl", lines({"text": "가"}) + '{"text": 1}\n' * 5000)
    message = told("a.jsonl")
    assert message.startswith('a.jsonl: found 5,000 faulty rows: line 2: found a number in "text", expected a text; ')
    assert message.endswith(
        'line 21: found a number in "text", expected a text; and 4,980 more; put it in quotes; ' + DROP
    )


def test_records_before_the_first_fault_are_given_and_none_behind_it():
    write("a.jsonl", lines({"text": "1"}, {"text": 2}, {"text": "3"}))
    rows = reading("a.jsonl").records()
    assert next(rows).fields["text"] == "1"
    with pytest.raises(DataError):
        next(rows)


def test_faults_are_left_out_and_counted_where_the_recipe_says_so():
    write("a.jsonl", "{\n" * 1500 + lines({"text": "가"}, {"text": 2}, {"text": "다"}))
    source = reading("a.jsonl", faults="drop")
    assert [record.fields["text"] for record in source.records()] == ["가", "다"]
    assert source.num_faults == 1501
    (note,) = source.notes
    assert note.startswith("a.jsonl: left out 1,501 faulty rows: line 1: found a line that is no JSON (")
    assert note.endswith("; and 1,481 more")


def test_row_faults_are_told_before_bytes_that_cannot_be_decoded_behind_them():
    rows = lines({"text": 1}, *({"text": "가"} for _ in range(30_000))).encode()
    assert told(write("a.jsonl", rows + b"\xff\n"), encoding="utf-8").startswith("a.jsonl:1: found a number in ")


# --- data sets by name


def test_a_folder_given_as_the_name_of_a_data_set_is_read_by_the_library():
    write("chats/train.jsonl", lines({"id": 1, "question": "왜", "answer": "답"}))
    source = Reading(SourceSettings(hub="chats"), "instruction")
    assert list(source.records()) == [
        Record({"instruction": "왜", "input": "", "output": "답"}, "1", "chats", "chats:1")
    ]
    assert source.files == []


def test_without_the_library_the_mend_is_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError) as caught:
        list(Reading(SourceSettings(hub="someone/chats"), "text").records())
    assert str(caught.value) == (
        "someone/chats: found no datasets library, expected it for `hub`; "
        'install it: pip install "hanpuri[llm]", or give the files as `path`'
    )
