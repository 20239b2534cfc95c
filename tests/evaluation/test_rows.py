"""Files of every format and form become rows; nothing of an answer is left in what an engine is given."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.errors import DataError
from hanpuri.evaluation.rows import read_rows

PAIR = {"noisy": "확잠실읾", "clean": "화장실이"}
TALK = [
    {"role": "system", "content": "짧게 답하세요."},
    {"role": "user", "content": "주차장이 있나요?"},
    {"role": "assistant", "content": "네."},
    {"role": "user", "content": "얼마인가요?"},
    {"role": "assistant", "content": "무료입니다."},
]


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Write rows as JSONL, or a text as it is, and read the file."""
    monkeypatch.chdir(tmp_path)

    def write_and_read(rows, name="rows.jsonl", **options):
        text = rows if isinstance(rows, str) else "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_rows((tmp_path / name).relative_to(tmp_path), **options)

    return write_and_read


FORMS = [
    # rows, form, what the engine is given, the question, the answer
    (PAIR, "pairs", {"noisy": "확잠실읾"}, "확잠실읾", "화장실이"),
    ({"instruction": "요약해 줘", "input": "긴 글", "output": "글"}, "instruction", None, "요약해 줘\n\n긴 글", "글"),
    ({"question": "몇 시예요?", "answer": "세 시요."}, "instruction", None, "몇 시예요?", "세 시요."),
    ({"messages": TALK}, "messages", {"messages": TALK[:-1]}, "얼마인가요?", "무료입니다."),
    ({"messages": TALK[:-1]}, "messages", {"messages": TALK[:-1]}, "얼마인가요?", None),
    ({"messages": json.dumps(TALK[1:3])}, "messages", {"messages": TALK[1:2]}, "주차장이 있나요?", "네."),
    # The columns of a competition, of training rows and of test rows.
    (
        {"ID": "TEST_1", "input": "확잠실읾", "output": "화장실이"},
        "pairs",
        {"noisy": "확잠실읾"},
        "확잠실읾",
        "화장실이",
    ),
    ({"ID": "TEST_1", "input": "확잠실읾"}, "pairs", {"noisy": "확잠실읾"}, "확잠실읾", None),
    ({"noisy": "확잠실읾"}, "pairs", {"noisy": "확잠실읾"}, "확잠실읾", None),
    ({"question": "몇 시예요?"}, "instruction", {"instruction": "몇 시예요?", "input": ""}, "몇 시예요?", None),
    ({"noisy": "확잠실읾", "clean": ""}, "pairs", {"noisy": "확잠실읾"}, "확잠실읾", ""),  # nothing is an answer too
]


@pytest.mark.parametrize(("row", "form", "fields", "asked", "reference"), FORMS)
def test_the_columns_tell_the_form(read, row, form, fields, asked, reference):
    row_set = read([row])
    (found,) = row_set.rows
    assert (row_set.form, found.asked, found.reference) == (form, asked, reference)
    assert fields is None or found.fields == fields
    assert row_set.has_references == (reference is not None)


def test_every_format_gives_the_same_rows(read, tmp_path):
    import pyarrow
    import pyarrow.parquet

    expected = read([{"id": "7", **PAIR, "level": "easy"}]).rows[0]
    header, line = "id,noisy,clean,level", "7,확잠실읾,화장실이,easy"
    pyarrow.parquet.write_table(
        pyarrow.table({"id": [7], "level": ["easy"], **{k: [v] for k, v in PAIR.items()}}), "a.parquet"
    )
    found = [
        read(f"{header}\n{line}\n", "a.csv").rows[0],
        read(f"{header}\n{line}\n".replace(",", "\t"), "a.tsv").rows[0],
        read(json.dumps([{"id": 7, **PAIR, "level": "easy"}]), "a.json").rows[0],
        read_rows(tmp_path / "a.parquet").rows[0],
    ]
    for row in found:
        assert (row.id, row.fields, row.reference, row.slices) == (
            *(expected.id, expected.fields, expected.reference, expected.slices),
        )


def test_a_row_has_its_own_id_or_its_number(read):
    assert [row.id for row in read([{"id": "a", **PAIR}, {"id": None, **PAIR}, PAIR]).rows] == ["a", "2", "3"]


def test_the_columns_of_slices_are_known_or_named(read):
    row = {**PAIR, "level": "easy", "rules": "['1-3', '5-1']", "source": "reviews", "stars": 3, "label": None}
    assert read([row]).rows[0].slices == {
        "level": ("easy",),
        "rule": ("1-3", "5-1"),
        "source": ("reviews",),
        "length": ("1-20",),
    }
    assert read([row], slice_columns=["stars"]).rows[0].slices["stars"] == ("3",)
    assert read([{**row, "length": 9}], slice_columns=["length"]).rows[0].slices["column length"] == ("9",)
    assert read([{**row, "rules": ["2-1"]}]).rows[0].slices["rule"] == ("2-1",)


WRITTEN = [
    # a cell, the values
    ("['1-3', '5-1']", ("1-3", "5-1")),  # as Python writes a list
    ('["1-3", "it\'s"]', ("1-3", "it's")),  # as JSON does
    ("[1, 2, 1]", ("1", "2")),
    ("[]", ()),
    ("[oops", ("[oops",)),
    ("a, b", ("a, b",)),
    (True, ("True",)),
]


@pytest.mark.parametrize(("cell", "values"), WRITTEN)
def test_a_list_in_a_cell_is_read_as_a_list(read, cell, values):
    assert read([{**PAIR, "rules": cell}]).rows[0].slices.get("rule", ()) == values


def test_another_encoding_is_read_where_it_is_named(read, tmp_path):
    (tmp_path / "old.csv").write_bytes("noisy,clean\n뮤료,무료\n".encode("cp949"))
    assert read_rows(tmp_path / "old.csv", encoding="cp949").rows[0].reference == "무료"
    with pytest.raises(DataError, match="utf-8"):
        read_rows(tmp_path / "old.csv")


def test_columns_of_other_names_are_mapped(read):
    row_set = read([{"review": "확잠실읾", "truth": "화장실이"}], fields={"noisy": "review", "clean": "truth"})
    assert (row_set.form, row_set.rows[0].asked, row_set.rows[0].reference) == ("pairs", "확잠실읾", "화장실이")


def test_a_file_is_known_by_its_name_and_its_bytes(read):
    first, again, other = read([PAIR], "a.jsonl"), read([PAIR], "b.test.jsonl"), read([PAIR, PAIR], "c.jsonl")
    assert [one.name for one in (first, again, other)] == ["a", "b.test", "c"]
    assert first.sha256 == again.sha256 != other.sha256


FAULTY = [
    # rows, error
    ([], "rows.jsonl holds no rows; give a file with the fields noisy and clean"),
    (
        [{"noisy": "가", "clean": None}, PAIR],
        "rows.jsonl:1: found no answer, and other rows have one; fill it in",
    ),
    (
        [PAIR, {"noisy": "가"}, {"noisy": "나"}, PAIR],
        "rows.jsonl:2: found no answer, and other rows have one (faulty too: line 3); fill it in",
    ),
    (
        [PAIR, {"noisy": " ", "clean": "가"}],
        "rows.jsonl:2: the field noisy is empty, expected a question; take the row out",
    ),
    ([{"noisy": 5, "clean": "가"}], "rows.jsonl:1: the field noisy is a number, expected a text; put it in quotes"),
    ([{"noisy": "가", "clean": ["가"]}], "rows.jsonl:1: the field clean is a list, expected a text; put it in quotes"),
    (
        [PAIR, {"question": "몇 시예요?", "answer": "세 시요."}],  # two forms in a file
        'rows.jsonl:2: found no "noisy" but question, answer; give all rows the same fields',
    ),
    (
        [{"이름": "가", "나이": "나"}],
        "rows.jsonl: found the fields 이름, 나이, expected noisy, clean; instruction, output; or messages;"
        " rename the fields",
    ),
    (
        [{"messages": [{"role": "assistant", "content": "네."}]}],
        "rows.jsonl:1: found no question before the last answer; give the assistant a turn to answer",
    ),
    (
        [{"messages": [{"role": "bot", "content": "네."}]}],
        'rows.jsonl:1: found the role "bot" in message 1 of "messages", expected system, user or assistant;'
        " name one of these roles",
    ),
    ('{"noisy": \n', None),  # no JSON: the reader's own words
]


@pytest.mark.parametrize(("rows", "message"), FAULTY)
def test_faulty_files_are_refused_before_anything_is_asked(read, rows, message):
    with pytest.raises(DataError) as error:
        read(rows)
    assert (
        str(error.value).startswith("rows.jsonl:1: found a line that is no JSON")
        if message is None
        else (str(error.value) == message)
    )


def test_many_faults_are_told_at_once_and_the_rest_counted(read):
    with pytest.raises(DataError, match=r"\(faulty too: lines 2, 3, 4, 5 …\)"):
        read([{"noisy": "", "clean": "가"}] * 9)


OPTIONS = [
    # name, text, options, error
    ("a.txt", "확잠실읾\n", {}, "a.txt: found a text file, expected rows with fields; give JSONL, CSV, TSV or Parquet"),
    ("a.csv", "noisy,clean\n", {}, "a.csv holds no rows; give a file with the fields noisy and clean"),
    (
        "a.csv",
        "noisy,clean\n가,가\n",
        {"slice_columns": ["level"]},
        "a.csv: found no column level to slice by, expected one of: noisy, clean; name one of them",
    ),
    (
        "a.csv",
        "noisy,clean\n가,가\n",
        {"form": "text"},
        "a.csv: rows of the form text have no right answer; give messages, pairs, instruction",
    ),
]


@pytest.mark.parametrize(("name", "text", "options", "message"), OPTIONS)
def test_what_cannot_be_read_so_is_refused(read, name, text, options, message):
    with pytest.raises(DataError) as error:
        read(text, name, **options)
    assert str(error.value) == message


def test_a_file_that_is_not_there_is_refused_with_the_nearest_name(read, tmp_path):
    read([PAIR], "pairs.jsonl")
    with pytest.raises(DataError, match=r"did you mean pairs\.jsonl"):
        read_rows(tmp_path.relative_to(tmp_path) / "pair.jsonl")


@given(question=st.text(min_size=1), answer=st.text(min_size=1))
def test_the_answer_is_never_given_to_an_engine(question, answer, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    secret = f"비밀{answer}"
    path.write_text(json.dumps({"instruction": f"?{question}", "output": secret}) + "\n", encoding="utf-8")
    (row,) = read_rows(path).rows
    assert row.reference == secret
    assert row.fields == {"instruction": f"?{question}", "input": ""}
