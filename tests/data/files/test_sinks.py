"""
Writing rows back.

In: a source and restored texts. Out: a file that holds all there was, and the texts; or the file that was there before.
"""

import gzip
import io
import json
import lzma
import os
import sys
import tracemalloc
from contextlib import suppress
from importlib import import_module
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hanpuri.data.files.formats import Row
from hanpuri.data.files.sinks import open_sink
from hanpuri.data.files.sources import open_source
from hanpuri.errors import DataError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, so that messages hold bare file names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, data: str | bytes) -> str:
    Path(name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return name


def copy(name: str, to: str, restore=str, *, into: str = "restored", **options) -> bytes:
    """Send every row of a file through `restore`, and give what was written."""
    source = open_source(name, **options)
    with open_sink(to, source, into=into) as sink:
        for row in source.rows():
            sink.write(row, restore(row.text))
    return Path(to).read_bytes() if to != "-" else b""


def told(name: str, to: str, restore=str, **options) -> str:
    """What a person is told about an output that cannot be written; nothing may be left of it."""
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    with pytest.raises(DataError) as caught:
        copy(name, to, restore, **options)
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    return str(caught.value)


# --- what is written


@pytest.mark.parametrize(
    ("name", "data", "to", "expected"),
    [
        # text: a line a line
        ("a.txt", "가\r\n\n나", "b.txt", "가!\r\n!\n나!"),
        # tables: all columns, and one more
        ("a.csv", "id,text\n1,가\n", "b.csv", "id,text,restored\n1,가,가!\n"),
        ("a.tsv", "id\ttext\r\n1\t가\r\n", "b.tsv", "id\ttext\trestored\r\n1\t가\t가!\r\n"),
        (
            "a.jsonl",
            '{"z": 1.5, "text": "가", "a": [true, null]}\n',
            "b.jsonl",
            '{"z": 1.5, "text": "가", "a": [true, null], "restored": "가!"}\n',
        ),
        # a null stays one
        ("a.jsonl", '{"text": null}\n', "b.jsonl", '{"text": null, "restored": null}\n'),
        ("a.jsonl", '{"text": null}\n', "b.csv", "text,restored\n,\n"),
        # a name that tells no format keeps the source's
        ("a.csv", "text\n가\n", "b.out", "text,restored\n가,가!\n"),
        # one table into another
        ("a.csv", "id,text\r\n1,가\r\n", "b.tsv", "id\ttext\trestored\r\n1\t가\t가!\r\n"),
        ("a.csv", "id,text\r\n1,가", "b.jsonl", '{"id": "1", "text": "가", "restored": "가!"}\n'),
        ("a.tsv", "id\ttext\n1\t가,나\n", "b.csv", 'id,text,restored\n1,"가,나","가,나!"\n'),
        (
            "a.jsonl",
            '{"text": "가", "n": 1, "l": ["나"], "t": true, "o": null}\n{"text": "다"}\n',
            "b.csv",
            'text,n,l,t,o,restored\n가,1,"[""나""]",true,,가!\n다,,,,,다!\n',
        ),
        # texts into a table
        ("a.txt", "가\r\n나", "b.csv", "text,restored\n가,가!\n나,나!\n"),
        ("a.txt", "가\n", "b.tsv", "text\trestored\n가\t가!\n"),
        ("a.txt", "가\r\n", "b.jsonl", '{"text": "가", "restored": "가!"}\n'),
        # no rows at all
        ("a.txt", "", "b.txt", ""),
        ("a.txt", "", "b.csv", "text,restored\n"),
        ("a.csv", "id,text", "b.csv", "id,text,restored"),
        ("a.jsonl", "\n\n", "b.jsonl", ""),
        ("a.jsonl", "", "b.csv", ""),
    ],
)
def test_a_row_is_written_with_its_text(name, data, to, expected):
    write(name, data)
    assert copy(name, to, lambda text: text + "!").decode() == expected


def test_a_column_that_is_there_is_replaced_in_its_place():
    write("a.csv", "text,id\n가,1\n")
    assert copy("a.csv", "b.csv", lambda _: "나", into="text") == "text,id\n나,1\n".encode()
    assert copy("a.csv", "b.csv", lambda _: "나", into="id") == "text,id\n가,나\n".encode()
    write("a.txt", "가\n")
    assert copy("a.txt", "b.jsonl", lambda _: "나", into="text") == '{"text": "나"}\n'.encode()


def test_a_file_read_in_a_named_format_is_written_in_it_under_the_same_suffix():
    write("ratings.txt", "id\tdocument\n1\t가\n")
    assert copy("ratings.txt", "b.txt", format="tsv") == "id\tdocument\trestored\n1\t가\t가\n".encode()
    write("a.csv", "가,나\n")
    assert gzip.decompress(copy("a.csv", "b.csv.gz", format="text")) == "가,나\n".encode()


def test_the_output_is_packed_as_its_name_says_and_the_same_rows_give_the_same_bytes():
    write("a.csv.xz", lzma.compress("text\n가\n".encode()))
    packed = copy("a.csv.xz", "b.csv.gz")
    assert gzip.decompress(packed) == "text,restored\n가,가\n".encode()
    assert copy("a.csv.xz", "c.csv.gz") == packed
    assert lzma.decompress(copy("a.csv.xz", "d.csv.xz")) == "text,restored\n가,가\n".encode()
    assert copy("a.csv.xz", "e.csv") == "text,restored\n가,가\n".encode()


def test_half_a_surrogate_pair_is_escaped_in_its_row_alone():
    data = b'{"text": "\xea\xb0\x80"}\n{"text": "\\ud800\xea\xb0\x80"}\n'
    assert copy(write("a.jsonl", data), "b.jsonl", into="text") == (
        b'{"text": "\xea\xb0\x80"}\n{"text": "\\ud800\\uac00"}\n'
    )


@pytest.mark.parametrize(
    ("encoding", "asked"),
    [
        ("utf-8-sig", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-8", "utf-8-sig"),
        ("cp949", "cp949"),
        ("utf-16", "utf-16"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_the_encoding_and_the_byte_order_mark_stay(encoding, asked):
    data = "text,id\r\n가,1\r\n".encode(encoding)
    assert copy(write("a.csv", data), "b.csv", into="text", encoding=asked) == data


def test_a_big_endian_mark_stays_big_endian():
    data = b"\xfe\xff" + "가\n".encode("utf-16-be")
    assert copy(write("a.txt", data), "b.txt", encoding="utf-16") == data


def test_jsonl_made_of_another_format_is_utf_8_without_a_mark():
    write("a.csv", "text\n가\n".encode("utf-16"))
    assert copy("a.csv", "b.jsonl", encoding="utf-16") == '{"text": "가", "restored": "가"}\n'.encode()


def test_rows_may_be_left_out_or_change_places():
    source = open_source(write("a.txt", "1\n2\r\n3"))
    rows = list(source.rows())
    with open_sink("b.txt", source) as sink:
        for row in (rows[2], rows[0]):
            sink.write(row, row.text)
    assert Path("b.txt").read_bytes() == b"3\n1\n"


# --- round trips

# Line separators of all kinds, what CSV and JSON treat in a special way, and Hangul, more often than chance has it.
SPECIAL = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\ufeff\0\t ,;\"'\\{}가값ㅋ\u1100\U0001f600"
ANY_TEXT = st.text(st.one_of(st.sampled_from(SPECIAL), st.characters(exclude_categories=["Cs"])))
NAMES = st.text(st.sampled_from("ab가\n\r ,\"'"), min_size=1)
MANY = settings(max_examples=100, deadline=None)  # each example writes files


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that all examples of a property share."""
    return tmp_path_factory.mktemp("round_trip")


@MANY
@given(ANY_TEXT, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-be"]), st.sampled_from(["", ".gz", ".xz"]))
@example("\ufeff", "utf-8", "")
@example("\ufeff\ufeffa\r\r\n", "utf-8", "")
def test_any_text_comes_back_byte_for_byte(place, text, encoding, suffix):
    before, after = place / "a.txt", place / f"b.txt{suffix}"
    before.write_bytes(text.encode(encoding))
    copy(str(before), str(after), encoding=encoding)
    copy(str(after), str(place / "c.txt"), encoding=encoding)
    assert (place / "c.txt").read_bytes() == before.read_bytes()


@MANY
@given(st.binary())
def test_any_bytes_come_back_or_are_told_to_be_no_utf_8(place, data):
    before, after = place / "a.txt", place / "b.txt"
    before.write_bytes(data)
    with suppress(DataError):
        assert copy(str(before), str(after)) == data


@MANY
@given(
    st.lists(NAMES, min_size=1, max_size=3, unique=True).flatmap(
        lambda names: st.tuples(st.just(names), st.lists(st.tuples(*[ANY_TEXT for _ in names])))
    ),
    st.sampled_from([".csv", ".tsv", ".jsonl"]),
    st.sampled_from([".csv", ".tsv", ".jsonl"]),
)
def test_any_cells_come_back_through_any_two_tables(place, table, first, second):
    names, rows = table
    texts, before, between, after = place / "a.jsonl", place / f"b{first}", place / f"c{second}", place / "d.jsonl"
    records = [dict(zip(names, row, strict=True)) for row in rows]
    texts.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    if not records:
        return  # JSONL without a row has no columns, and CSV needs some
    for here, there in ((texts, before), (before, between), (between, after)):
        copy(str(here), str(there), field=names[0], into=names[0])
    assert [row.record for row in open_source(after, field=names[0]).rows()] == records


@MANY
@given(
    st.lists(st.tuples(ANY_TEXT, ANY_TEXT)),
    st.sampled_from([",", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_a_minimal_csv_comes_back_byte_for_byte(place, rows, delimiter, ending, is_cut):
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if set(text) & {delimiter, '"', "\n", "\r"} else text

    data = "".join(delimiter.join(map(cell, row)) + ending for row in [("id", "text"), *rows])
    before, after = place / ("a.csv" if delimiter == "," else "a.tsv"), place / "b.out"
    before.write_bytes(data.removesuffix(ending if is_cut else "").encode())
    assert copy(str(before), str(after), into="text") == before.read_bytes()


@MANY
@given(st.lists(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text())))))
def test_any_jsonl_comes_back_byte_for_byte(place, records):
    lines = [json.dumps({**record, "text": "가"}, ensure_ascii=False) + "\n" for record in records]
    before, after = place / "a.jsonl", place / "b.jsonl"
    before.write_bytes("".join(lines).encode())
    assert copy(str(before), str(after), into="text", field="text") == before.read_bytes()


@MANY
@given(st.text(st.one_of(st.sampled_from("가\n\ud800\udfff"), st.characters(exclude_categories=[]))))
def test_any_restored_text_is_held_by_jsonl_half_surrogate_pairs_too(place, text):
    before, after = place / "a.txt", place / "b.jsonl"
    before.write_bytes(b"a\n")
    copy(str(before), str(after), lambda _: text)
    (row,) = open_source(after, field="restored").rows()
    assert row.text.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


# --- whole or not at all


def test_input_and_output_may_be_one_file():
    write("a.csv", "id,text\n1,가\n")
    assert copy("a.csv", "a.csv", lambda _: "나", into="text") == "id,text\n1,나\n".encode()
    assert [path.name for path in Path().iterdir()] == ["a.csv"]


def test_a_file_is_not_there_before_it_is_whole_and_not_at_all_after_a_failure():
    source = open_source(write("a.txt", "1\n2\n"))
    write("b.txt", "old")

    def fail_half_way() -> None:
        with open_sink("b.txt", source) as sink:
            sink.write(next(source.rows()), "new")
            assert Path("b.txt").read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert Path("b.txt").read_bytes() == b"old"
    assert sorted(path.name for path in Path().iterdir()) == ["a.txt", "b.txt"]


def test_a_fault_in_the_input_leaves_the_old_output():
    write("b.jsonl", "old")
    assert told(write("a.jsonl", '{"text": "a"}\n{\n'), "b.jsonl").startswith("a.jsonl:2: ")


def test_a_new_file_gets_the_usual_permissions_and_an_old_one_keeps_its_own():
    write("a.txt", "1\n")
    mask = os.umask(0o027)
    try:
        copy("a.txt", "b.txt")
    finally:
        os.umask(mask)
    assert Path("b.txt").stat().st_mode & 0o777 == 0o640
    Path("b.txt").chmod(0o604)
    copy("a.txt", "b.txt")
    assert Path("b.txt").stat().st_mode & 0o777 == 0o604


def test_a_link_stays_a_link_and_the_file_behind_it_is_written():
    write("a.txt", "1\n")
    write("behind.txt", "old")
    Path("link.txt").symlink_to("behind.txt")
    copy("a.txt", "link.txt")
    assert (Path("link.txt").is_symlink(), Path("behind.txt").read_bytes()) == (True, b"1\n")


def test_a_link_into_a_folder_that_is_not_there_is_told_with_the_folder():
    write("a.txt", "1\n")
    Path("link.txt").symlink_to("no/b.txt")
    folder = Path("no").absolute()
    with pytest.raises(DataError) as caught:
        copy("a.txt", "link.txt")
    assert str(caught.value) == (
        f"link.txt: found no folder {folder}, expected one to write into; make it: mkdir -p {folder}"
    )


def test_a_device_is_written_into_and_not_replaced():
    copy(write("a.txt", "1\n"), "/dev/null")
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet"])
def test_a_full_disk_is_told(name):
    if name == "a.parquet":
        parquet = import_module("pyarrow.parquet")
        parquet.write_table(import_module("pyarrow").table({"text": ["가"]}), name)
    else:
        write(name, '{"text": "가"}\n')
    assert told(name, "/dev/full", format=Path(name).suffix[1:]) == (
        "/dev/full: cannot be written to its end (No space left on device); make room, or write elsewhere"
    )


# --- outputs that cannot be written


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("no/b.txt", "no/b.txt: found no folder no, expected one to write into; make it: mkdir -p no"),
        ("folder", "folder: found a folder, expected the name of a file to write; name a file in it"),
        ("a.txt/b.txt", "a.txt/b.txt: cannot be written (Not a directory); name another file"),
        # renaming to it would fail, but only after all the work
        ("a" * 300, f"{'a' * 300}: cannot be written (File name too long); name another file"),
        ("b.xlsx", "b.xlsx is a .xlsx file, expected text, CSV, TSV, JSONL or Parquet; save the sheet as CSV UTF-8"),
        (
            "b.parquet",
            "b.parquet: found rows of text, which do not become parquet; name the output .txt, .csv, .tsv or .jsonl",
        ),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_a_row_is_read(to, message):
    Path("folder").mkdir()
    source = open_source(write("a.txt", "1\n"))
    with pytest.raises(DataError) as caught:
        open_sink(to, source)
    assert str(caught.value) == message


def test_a_table_does_not_become_text():
    assert told(write("a.csv", "text\n가\n"), "b.txt") == (
        "b.txt: found rows of csv, which do not become text; name the output .csv, .tsv or .jsonl"
    )


def test_a_file_that_may_not_be_written_is_not_replaced(monkeypatch):
    write("a.txt", "1\n")
    write("b.txt", "old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser, as whom tests may run, could
    assert told("a.txt", "b.txt") == (
        "b.txt: found no permission to write it; name another file, or allow it: chmod u+w b.txt"
    )


def test_a_folder_that_may_not_be_written_into_is_told(monkeypatch):
    def refuse(path, mode):
        if mode == "xb":
            raise PermissionError(13, "Permission denied")
        return open(path, mode)

    write("a.txt", "1\n")
    monkeypatch.setattr(Path, "open", refuse)
    assert told("a.txt", "b.txt") == (
        "b.txt: found no permission to write into .; name another file, or allow it: chmod u+w ."
    )


@pytest.mark.parametrize(
    ("name", "data", "to", "restored", "message"),
    [
        # a line that would become two
        (
            "a.txt",
            "1\n",
            "b.txt",
            "가\n나",
            "a.txt:1: found a line end in the restored text, expected one line; "
            "name the output .csv or .jsonl, which can hold it",
        ),
        # what the encoding does not hold
        (
            "a.txt",
            "1\n",
            "b.txt",
            "\ud800",
            "a.txt:1: found '\\ud800', expected what utf-8 can hold; name the output .jsonl, which can hold it",
        ),
        # a column that came too late
        (
            "a.jsonl",
            '{"text": "가"}\n{"text": "나", "id": 1}\n',
            "b.csv",
            "가",
            'a.jsonl:2: found the field "id", expected those of the first row (text, restored); '
            "name the output .jsonl, which can hold it",
        ),
    ],
)
def test_a_text_that_the_output_cannot_hold_is_told(name, data, to, restored, message):
    assert told(write(name, data), to, lambda _: restored) == message


def test_a_text_that_cp949_cannot_hold_is_told():
    write("a.txt", "가\n".encode("cp949"))
    assert told("a.txt", "b.txt", lambda _: "😀", encoding="cp949") == (
        "a.txt:1: found '😀', expected what cp949 can hold; name the output .jsonl, which can hold it"
    )


# --- standard output


def test_standard_output_gets_each_row_at_once(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfid,text\r\n1,a\r\n2,b\r\n")))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw)))
    source = open_source("-", format="csv")
    with open_sink("-", source) as sink:
        seen = []
        for row in source.rows():
            sink.write(row, row.text)
            seen.append(raw.getvalue())
    assert seen == [
        b"\xef\xbb\xbfid,text,restored\r\n1,a,a\r\n",
        b"\xef\xbb\xbfid,text,restored\r\n1,a,a\r\n2,b,b\r\n",
    ]
    assert not sys.stdout.buffer.closed


def test_a_reader_that_has_gone_is_left_to_the_caller(monkeypatch):
    def refuse() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=SimpleNamespace(write=len, flush=refuse)))
    source = open_source(write("a.txt", "1\n"))
    with pytest.raises(BrokenPipeError), open_sink("-", source) as sink:
        sink.write(next(source.rows()), "1")


# --- Parquet


def test_parquet_comes_back_as_it_was_with_the_texts_beside():
    pyarrow = import_module("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table(
        {
            "time": pyarrow.array(range(1500), pyarrow.timestamp("ns", "Asia/Seoul")),
            "text": ["가", None, ""] * 500,
            "price": pyarrow.array(["1.10", None, "2.20"] * 500).cast(pyarrow.decimal128(9, 2)),
            "tags": [{"a": [1, None]}, None, {"a": []}] * 500,
            "kind": pyarrow.array(["x", "y", "x"] * 500).dictionary_encode(),
        }
    )
    parquet.write_table(table, "a.parquet")
    copy("a.parquet", "b.parquet", lambda text: text + "!")
    after = parquet.read_table("b.parquet")
    assert after.column_names == [*table.column_names, "restored"]
    assert after.drop_columns("restored").equals(table)
    assert after["restored"].to_pylist() == ["가!", None, "!"] * 500
    assert parquet.read_metadata("b.parquet").num_row_groups == 1
    copy("a.parquet", "a.parquet", lambda text: text + "!", into="text")
    assert parquet.read_table("a.parquet")["text"].to_pylist() == ["가!", None, "!"] * 500


def test_rows_of_parquet_may_be_left_out_or_change_places():
    pyarrow = import_module("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": range(1500), "text": ["가"] * 1500}), "a.parquet")
    source = open_source("a.parquet")
    rows = list(source.rows())
    with open_sink("b.parquet", source) as sink:
        for number in (1400, 3, 1, 1000):
            sink.write(rows[number], str(number))
    assert parquet.read_table("b.parquet").select(["id", "restored"]).to_pylist() == [
        {"id": number, "restored": str(number)} for number in (1400, 3, 1, 1000)
    ]


def test_parquet_without_rows_keeps_its_columns():
    pyarrow = import_module("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": pyarrow.array([], pyarrow.string())}), "a.parquet")
    copy("a.parquet", "b.parquet")
    assert parquet.read_table("b.parquet").column_names == ["text", "restored"]


def test_parquet_becomes_nothing_else_and_nothing_of_it_is_left_after_a_failure():
    pyarrow = import_module("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": ["가"]}), "a.parquet")
    for to in ("b.csv", "-"):
        name = "stdout" if to == "-" else to
        message = f"{name}: found rows of Parquet, expected a Parquet output; name it .parquet"
        assert told("a.parquet", to) == message
    assert told("a.parquet", "b.parquet", lambda _: "\ud800") == (
        "a.parquet:1: found '\\ud800' in the text, expected what utf-8 can hold; take it out"
    )


def test_a_row_from_elsewhere_is_no_row_of_parquet():
    pyarrow = import_module("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": ["가"]}), "a.parquet")
    source = open_source("a.parquet")
    with (
        pytest.raises(ValueError, match=r"^b\.csv:2 is no row of a Parquet source$"),
        open_sink("b.parquet", source) as sink,
    ):
        sink.write(Row("가", {"text": "가"}, "b.csv:2"), "나")


# --- memory


@pytest.mark.parametrize(
    ("name", "head", "line"),
    [
        ("a.txt", "", "가나다라 " * 400 + "\n"),
        ("a.csv", "id,text\n", "1," + "가나다라 " * 400 + "\n"),
        ("a.jsonl", "", '{"id": 1, "text": "' + "가나다라 " * 400 + '"}\n'),
    ],
)
def test_memory_stays_flat_over_a_file_of_50_mb(name, head, line):
    with Path(name).open("w", encoding="utf-8") as file:
        file.write(head)
        file.writelines(repeat(line, 50_000_000 // len(line.encode())))
    tracemalloc.start()
    try:
        source = open_source(name)
        with open_sink(f"b{Path(name).suffix}", source) as sink:
            for row in source.rows():
                sink.write(row, row.text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000
