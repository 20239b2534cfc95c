"""
Reading the files that people have.

In: bytes on disk, or on standard input. Out: rows, or one line that says what was found, what was expected, the mend.
"""

import gzip
import io
import lzma
import os
import random
import sys
import threading
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from hanpuri.data.files.sources import Row, open_source
from hanpuri.errors import DataError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, so that messages hold bare file names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stdin(monkeypatch):
    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


def write(name: str, data: str | bytes) -> str:
    Path(name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return name


def texts(name: str, **options) -> list[str]:
    return [row.text for row in open_source(name, **options).rows()]


def told(name: str, **options) -> str:
    """What a person is told about a file that cannot be read."""
    with pytest.raises(DataError) as caught:
        list(open_source(name, **options).rows())
    return str(caught.value)


# --- what a row is


def test_a_line_of_text_is_a_row_that_knows_its_line_and_its_end():
    write("notes.txt", "쨰밌어요\r\n\n별로")
    assert list(open_source("notes.txt").rows()) == [
        Row("쨰밌어요", None, "notes.txt:1", "\r\n"),
        Row("", None, "notes.txt:2", "\n"),
        Row("별로", None, "notes.txt:3", ""),
    ]


def test_a_row_of_csv_keeps_its_other_columns_and_begins_where_its_first_line_is():
    write("reviews.csv", 'id,review\n1,"쨰밌\n어요"\n2,별로\r\n')
    assert list(open_source("reviews.csv").rows()) == [
        Row("쨰밌\n어요", {"id": "1", "review": "쨰밌\n어요"}, "reviews.csv:2", "\n"),
        Row("별로", {"id": "2", "review": "별로"}, "reviews.csv:4", "\r\n"),
    ]


def test_a_row_of_jsonl_keeps_its_other_fields_and_blank_lines_are_no_rows():
    write("reviews.jsonl", '{"id": 1, "text": "쨰밌어요"}\n\n \t\r\n{"text": null, "more": [1]}\n')
    assert list(open_source("reviews.jsonl").rows()) == [
        Row("쨰밌어요", {"id": 1, "text": "쨰밌어요"}, "reviews.jsonl:1"),
        Row("", {"text": None, "more": [1]}, "reviews.jsonl:4"),
    ]


@pytest.mark.parametrize(
    "character",
    [
        "\r",  # a bare carriage return
        "\v",
        "\f",
        "\x1c",  # file, group and record separators
        "\x1d",
        "\x1e",
        "\x85",  # next line
        "\u2028",  # line and paragraph separators
        "\u2029",
        "\0",
        "\ufeff",  # a byte order mark that does not stand at the file's begin
    ],
)
def test_a_line_ends_at_a_newline_and_nowhere_else(character):
    write("notes.txt", f"a{character}b\nc\n")
    assert texts("notes.txt") == [f"a{character}b", "c"]


def test_a_line_of_many_chunks_is_one_line():
    line = "가나다라마" * 100_000
    assert texts(write("notes.txt", f"{line}\n끝")) == [line, "끝"]


def test_a_blank_line_is_an_empty_cell_where_there_is_one_column_and_no_row_where_there_are_more():
    assert texts(write("one.csv", "text\na\n\nb\n")) == ["a", "", "b"]
    assert texts(write("two.csv", "\nid,text\n1,a\n\n2,b\n\n")) == ["a", "b"]


def test_an_empty_file_has_no_rows_but_csv_needs_a_header():
    assert texts(write("empty.txt", "")) == texts(write("empty.jsonl", "")) == []
    assert told(write("empty.csv", "")) == (
        "empty.csv: found no line, expected a header; name the columns in a first line"
    )


def test_rows_can_be_read_again():
    source = open_source(write("notes.txt", "a\nb\n"))
    assert [row.text for row in source.rows()] == [row.text for row in source.rows()] == ["a", "b"]


# --- which format


@pytest.mark.parametrize(
    ("name", "data", "format"),
    [
        ("a.txt", "쨰밌어요\n", "text"),
        ("a", "쨰밌어요\n", "text"),
        ("a.log", "쨰밌어요\n", "text"),
        ("a.csv", "text\n쨰밌어요\n", "csv"),
        ("A.CSV", "text\n쨰밌어요\n", "csv"),
        ("a.tsv", 'id\ttext\n1\t"쨰밌어요"\n', "tsv"),
        ("a.jsonl", '{"text": "쨰밌어요"}\n', "jsonl"),
        ("a.ndjson", '{"text": "쨰밌어요"}\n', "jsonl"),
    ],
)
def test_the_suffix_tells_the_format_whether_packed_or_not(name, data, format):
    write(name, data)
    write(f"{name}.gz", gzip.compress(data.encode()))
    write(f"{name}.XZ", lzma.compress(data.encode()))
    for path in (name, f"{name}.gz", f"{name}.XZ"):
        source = open_source(path)
        assert (source.format, [row.text for row in source.rows()]) == (format, ["쨰밌어요"])


def test_a_named_format_overrides_the_suffix():
    write("ratings.txt", "id\tdocument\n1\t쨰밌어요\n")
    assert texts("ratings.txt", format="tsv") == ["쨰밌어요"]
    assert texts("ratings.txt", format="txt") == ["id\tdocument", "1\t쨰밌어요"]


def test_an_unknown_format_is_a_wrong_call():
    with pytest.raises(
        ValueError, match=r"^unknown format 'jsonk', expected text, csv, tsv, jsonl or parquet; did you mean 'jsonl'\?$"
    ):
        open_source("a.txt", format="jsonk")


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("a.xlsx", "save the sheet as CSV UTF-8"),
        ("a.zip", "unpack it first; .gz and .xz are read as they are"),
        ("a.json", "write an object a line (jq -c '.[]' data.json > data.jsonl), or read it as it is with --format"),
    ],
)
def test_a_file_that_would_pass_for_text_and_is_none_is_refused_with_the_way_out(name, mend):
    found = f"{name} is a {Path(name).suffix} file, expected text, CSV, TSV, JSONL or Parquet"
    assert told(write(name, "[]\n")) == f"{found}; {mend}"
    assert texts(name, format="text") == ["[]"]


# --- which field


def test_the_only_column_holds_the_text_whatever_its_name():
    assert texts(write("a.csv", "소감\n쨰밌어요\n")) == ["쨰밌어요"]
    assert texts(write("a.jsonl", '{"소감": "쨰밌어요"}')) == ["쨰밌어요"]


@pytest.mark.parametrize("field", ["text", "review", "noisy", "content", "document"])
def test_among_more_columns_one_with_a_telling_name_holds_the_text(field):
    assert open_source(write("a.csv", f"id,{field}\n")).field == field


def test_of_more_telling_names_the_first_of_the_list_counts():
    assert open_source(write("a.csv", "document,content,noisy,review\n")).field == "review"


def test_a_named_field_is_taken_before_a_telling_one():
    assert texts(write("a.csv", "text,소감\na,b\n"), field="소감") == ["b"]


@pytest.mark.parametrize(
    ("columns", "field", "message"),
    [
        # a slip of the hand
        (
            "id,review,stars",
            "revew",
            'a.csv:1: found no field "revew", expected one of: id, review, stars; did you mean --field review?',
        ),
        # the wrong case
        ("id,Text", "TEXT", 'a.csv:1: found no field "TEXT", expected one of: id, Text; did you mean --field Text?'),
        # nothing like it
        ("id,n", "소감", 'a.csv:1: found no field "소감", expected one of: id, n; name one of them with --field'),
        # nothing asked for, nothing telling
        (
            "id,stars",
            None,
            "a.csv:1: found the fields id, stars, expected text, review, noisy, content or document; "
            "name the text's field with --field",
        ),
        # one name for two columns: a record could hold only one of them
        ("a,text,a", None, 'a.csv:1: found two columns named "a", expected one; give each column a name of its own'),
        # one column, because it is no CSV
        ("id\ttext", None, "a.csv:1: found tabs, expected commas between the columns; read it with --format tsv"),
    ],
)
def test_a_field_that_is_not_there_is_told_with_those_that_are(columns, field, message):
    assert told(write("a.csv", columns + "\n"), field=field) == message


def test_a_field_that_was_written_in_single_letters_is_the_nearest_one():
    write("a.csv", "id,\u1105\u1175\u1107\u1172\n")  # 리뷰, as macOS decomposes it
    assert told("a.csv", field="리뷰").endswith("did you mean --field \u1105\u1175\u1107\u1172?")


def test_a_text_file_has_no_field():
    assert told(write("a.txt", ""), field="text") == (
        'a.txt: found a text file, which has no field "text"; leave out --field, or say what the file is with --format'
    )


# --- broken rows


CELLS = 'write a cell that holds a quote, a line end or the delimiter as "..." and each quote in it as ""'


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        # too many cells, too few
        ("a.csv", "id,text\n1,a\n2,b,c\n", f"a.csv:3: found 3 cells, expected 2 (id, text); {CELLS}"),
        ("a.tsv", "id\ttext\n1\n", f"a.tsv:2: found 1 cell, expected 2 (id, text); {CELLS}"),
        # behind a row of two lines
        ("a.csv", 'id,text\n1,"a\nb"\n2\n', f"a.csv:4: found 1 cell, expected 2 (id, text); {CELLS}"),
        # a quote that is never closed, and one that goes on behind its end
        ("a.csv", 'id,text\n1,"a\n2,b\n', f"a.csv:2: found a cell whose closing quote is missing; {CELLS}"),
        ("a.csv", 'id,text\n1,"a"b\n', f"a.csv:2: found a broken row (',' expected after '\"'); {CELLS}"),
        # all faults of a file at once, but not hundreds of them
        (
            "a.csv",
            "id,text\n1\n2,b\n3\n",
            f"a.csv:2: found 1 cell, expected 2 (id, text) (faulty too: line 4); {CELLS}",
        ),
        (
            "a.csv",
            "id,text\n" + "1\n" * 9,
            f"a.csv:2: found 1 cell, expected 2 (id, text) (faulty too: lines 3, 4, 5, 6 ...); {CELLS}",
        ),
        # no JSON
        (
            "a.jsonl",
            '{"text": "a"}\n{"text": }\n',
            "a.jsonl:2: found a line that is no JSON (Expecting value at column 10), expected an object; "
            'write the line as {"text": "..."}',
        ),
        # numbers and brackets beyond what Python reads
        (
            "a.jsonl",
            '{"text": ' + "1" * 5000 + "}",
            "a.jsonl:1: found a line that is no JSON (Exceeds the limit (4300 digits) for integer string conversion: "
            "value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit), expected an object; "
            'write the line as {"text": "..."}',
        ),
        # JSON, but no object
        ("a.jsonl", '["a"]\n', 'a.jsonl:1: found a list, expected an object; write the line as {"text": "..."}'),
        ("a.jsonl", "null\n", 'a.jsonl:1: found null, expected an object; write the line as {"text": "..."}'),
        # no field, with and without one like it
        (
            "a.jsonl",
            '{"text": "a"}\n{"texts": "b"}\n',
            'a.jsonl:2: found no field "text" but texts; rename "texts" to "text"',
        ),
        ("a.jsonl", '{"text": "a"}\n{}\n', 'a.jsonl:2: found no field "text" but none at all; give the row its "text"'),
        # no string
        (
            "a.jsonl",
            '{"text": 1.5}\n',
            'a.jsonl:1: found a number in the field "text", expected a string; '
            "put it in quotes, or name the text's field with --field",
        ),
        (
            "a.jsonl",
            '{"text": false}\n',
            'a.jsonl:1: found a truth value in the field "text", expected a string; '
            "put it in quotes, or name the text's field with --field",
        ),
    ],
)
def test_a_broken_row_is_told_with_its_line(name, data, message):
    assert told(write(name, data)) == message


def test_brackets_a_million_deep_are_a_fault_and_no_crash():
    assert told(write("a.jsonl", '{"text": ' + "[" * 1_000_000)).startswith("a.jsonl:1: found a line that is no JSON (")


def test_rows_before_a_broken_one_are_given():
    source = open_source(write("a.jsonl", '{"text": "a"}\n{"text": "b"}\n{\n'))
    rows = source.rows()
    assert [next(rows).text, next(rows).text] == ["a", "b"]
    with pytest.raises(DataError, match=r"^a\.jsonl:3: "):
        next(rows)


def test_a_cell_of_5_mb_is_read():
    cell = "가" * 1_700_000
    assert texts(write("a.csv", f"id,text\n1,{cell}\n2,b\n")) == [cell, "b"]


def test_a_quote_that_is_never_closed_does_not_eat_the_memory():
    write("a.csv", 'id,text\n1,"' + "가나다라마바사아자차\n" * 2_000_000)
    assert told("a.csv").startswith("a.csv:2: found a cell whose closing quote is missing")


def test_zero_bytes_and_half_surrogate_pairs_are_text_like_any_other():
    assert texts(write("a.csv", 'text\na\0b\n"\0"\n')) == ["a\0b", "\0"]
    assert texts(write("a.jsonl", r'{"text": "a\ud800\u0000b"}')) == ["a\ud800\0b"]


# --- encodings


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-8-sig", b"\xef\xbb\xbf"),
        ("cp949", b""),
        ("euc-kr", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-32-be", b"\x00\x00\xfe\xff"),
    ],
)
def test_a_file_is_read_in_its_encoding_without_its_byte_order_mark(encoding, mark):
    write("a.csv", mark + "text\r\n재밌어요\r\n".encode(encoding.removesuffix("-sig")))
    asked = encoding.removesuffix("-le").removesuffix("-be") if mark else encoding
    source = open_source("a.csv", encoding=asked)
    assert (source.columns, [row.text for row in source.rows()], source.mark) == (("text",), ["재밌어요"], mark)


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (
            "값\n싸요\n".encode("cp949"),
            "utf-8",
            "a.txt:1: found the byte 0xb0, expected utf-8; the file reads as cp949: --encoding cp949",
        ),
        # the third line is the first that is no ASCII
        (
            "a\nb\n값\n".encode("cp949"),
            "utf-8",
            "a.txt:3: found the byte 0xb0, expected utf-8; the file reads as cp949: --encoding cp949",
        ),
        # far behind what is looked at first
        (
            b"good\n" * 300_000 + "값\n".encode("cp949"),
            "utf-8",
            "a.txt:300001: found the byte 0xb0, expected utf-8; the file reads as cp949: --encoding cp949",
        ),
        (
            "\ufeff값\n".encode("utf-16-le"),
            "utf-8",
            "a.txt:1: found the byte 0xff, expected utf-8; the file reads as utf-16: --encoding utf-16",
        ),
        # without a mark
        (
            "값이 싸요, 또 올게요\n".encode("utf-16-le"),
            "utf-8",
            "a.txt:1: found the byte 0xac, expected utf-8; the file reads as utf-16: --encoding utf-16",
        ),
        (
            "읽었어요\n".encode(),
            "cp949",
            "a.txt:1: found the byte 0xec, expected cp949; the file reads as utf-8: --encoding utf-8",
        ),
        # one bad byte in a file that is what it should be: no other encoding is to blame
        (
            "값이\n싸".encode() + b"\xff\n",
            "utf-8",
            "a.txt:2: found the byte 0xff, expected utf-8; "
            "neither utf-8, cp949 nor utf-16 fits: mend the line, or name the file's --encoding",
        ),
        # cut off within a character
        (
            "값이\n싸".encode()[:-1],
            "utf-8",
            "a.txt:2: found the byte 0xec, expected utf-8; "
            "neither utf-8, cp949 nor utf-16 fits: mend the line, or name the file's --encoding",
        ),
        # half a surrogate pair, as some programs write it
        (
            b"a\n\xed\xa0\x80\n",
            "utf-8",
            "a.txt:2: found the byte 0xed, expected utf-8; "
            "neither utf-8, cp949 nor utf-16 fits: mend the line, or name the file's --encoding",
        ),
    ],
)
def test_bytes_of_another_encoding_are_told_with_the_one_that_fits(data, encoding, message):
    assert told(write("a.txt", data), encoding=encoding) == message


@pytest.mark.parametrize(
    ("encoding", "mend"),
    [
        ("cp948", "did you mean --encoding cp949?"),
        ("utf-9", "did you mean --encoding utf-8?"),
        # codecs that make no bytes of text
        ("base64", "Korean files are utf-8, cp949 or utf-16"),
        ("한글", "Korean files are utf-8, cp949 or utf-16"),
        ("\0", "Korean files are utf-8, cp949 or utf-16"),
    ],
)
def test_an_unknown_encoding_is_told_with_the_nearest(encoding, mend):
    message = f'found the encoding "{encoding}", expected one that Python knows; {mend}'
    assert told(write("a.txt", ""), encoding=encoding) == message


# --- files that are not there


def test_a_missing_file_is_told_with_the_nearest_name():
    write("reviews.csv", "")
    assert told("revews.csv") == "revews.csv: found no such file; did you mean reviews.csv?"
    assert told("소감.csv") == "소감.csv: found no such file; check the path"
    assert told("data/a.csv") == "data/a.csv: found no folder data, expected a file in it; check the path"


def test_a_link_to_nowhere_is_a_missing_file():
    Path("link").symlink_to("nowhere")
    assert told("link") == "link: found no such file; check the path"


def test_a_folder_is_no_file():
    Path("data.csv").mkdir()
    assert told("data.csv") == "data.csv: found a folder, expected a file; name a file in it"


def test_a_file_as_a_folder_is_told_as_the_system_tells_it():
    write("a.txt", "")
    assert told("a.txt/b.txt") == "a.txt/b.txt: cannot be read (Not a directory); check the path and the disk"
    assert told("가" * 300) == f"{'가' * 300}: cannot be read (File name too long); check the path and the disk"


def test_a_file_that_may_not_be_read_is_told(monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    write("a.txt", "")
    monkeypatch.setattr(Path, "open", refuse)  # the superuser, as whom tests may run, could read it anyway
    assert told("a.txt") == "a.txt: found a file that you may not read; allow it: chmod u+r a.txt"


def test_a_packed_file_that_is_none_or_is_cut_off_is_told():
    mend = "pack it anew, or take the suffix off if it is not packed"
    write("a.txt.gz", "plain")
    assert told("a.txt.gz") == f"a.txt.gz: found no sound .gz file (Not a gzipped file (b'pl')); {mend}"
    write("a.txt.gz", gzip.compress(b"plain" * 999)[:-8])
    cut_off = "Compressed file ended before the end-of-stream marker was reached"
    assert told("a.txt.gz") == f"a.txt.gz: found no sound .gz file ({cut_off}); {mend}"
    write("a.txt.xz", "plain")
    assert told("a.txt.xz") == f"a.txt.xz: found no sound .xz file (Input format not supported by decoder); {mend}"


# --- standard input and pipes


def test_standard_input_is_text_unless_a_format_is_named(stdin):
    stdin("쨰밌어요\n".encode())
    assert list(open_source("-").rows()) == [Row("쨰밌어요", None, "stdin:1")]
    stdin(b"\xef\xbb\xbftext,id\na,1\n")
    source = open_source(Path("-"), format="csv")
    assert [row.where for row in source.rows()] == ["stdin:2"]
    assert (source.columns, source.num_bytes, source.bytes_read()) == (("text", "id"), None, None)


def test_opening_standard_input_reads_nothing_of_it(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    open_source("-", format="jsonl")


def test_a_fault_in_standard_input_is_told_before_the_rest_has_come(stdin):
    stdin(b'{"text": 1}\n{\n')
    assert told("-", format="jsonl").startswith('stdin:1: found a number in the field "text", expected a string; ')


def test_standard_input_can_be_read_once(stdin):
    stdin(b"a\n")
    source = open_source("-")
    assert len(list(source.rows())) == 1
    with pytest.raises(ValueError, match=r"^stdin can be read only once$"):
        source.rows()


def test_a_pipe_with_a_name_is_read_like_standard_input():
    os.mkfifo("pipe.csv")
    writer = threading.Thread(target=write, args=("pipe.csv", "text\n쨰밌어요\n"))
    writer.start()
    source = open_source("pipe.csv")
    assert [row.text for row in source.rows()] == ["쨰밌어요"]
    assert source.num_bytes is None
    writer.join()


def test_a_byte_order_mark_that_comes_in_pieces_is_taken_off(monkeypatch):
    pieces = iter([b"\xef", b"\xbb", b"\xbfa\n", b""])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read1=lambda _size: next(pieces))))
    assert texts("-") == ["a"]


# --- how far it has come


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_the_bytes_read_grow_up_to_the_size_of_the_file(pack):
    suffix = {bytes: "", gzip.compress: ".gz", lzma.compress: ".xz"}[pack]
    source = open_source(write(f"a.txt{suffix}", pack(random.Random(0).randbytes(1 << 20).hex().encode() + b"\nend\n")))
    counts = [source.bytes_read() for _ in source.rows()]
    assert counts == sorted(counts)
    assert source.bytes_read() == source.num_bytes == Path(f"a.txt{suffix}").stat().st_size


@pytest.mark.parametrize("num_bytes", [7715, 7716, 7717, 7721, 7722])
def test_a_checksum_that_is_left_to_read_at_the_end_counts(num_bytes):
    # Packed, these are a few bytes more than one block of the disk buffer: all text is there before they are read.
    text = random.Random(num_bytes).randbytes(num_bytes).hex().encode() + b"\nend\n"
    source = open_source(write("a.txt.xz", lzma.compress(text)))
    assert [row.text for row in source.rows()][-1] == "end"
    assert source.bytes_read() == source.num_bytes


# --- Parquet


def test_parquet_is_read_batch_after_batch():
    pyarrow = import_module("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"id": range(1500), "review": ["쨰밌어요", None, ""] * 500})
    parquet.write_table(table, "a.parquet")
    source = open_source("a.parquet")
    rows = list(source.rows())
    assert [row.text for row in rows] == ["쨰밌어요", "", ""] * 500
    assert dict(rows[1000].record) == {"id": 1000, "review": None}
    assert (rows[1000].where, source.columns, source.field) == ("a.parquet:1001", ("id", "review"), "review")
    assert source.bytes_read() == source.num_bytes


def test_texts_in_parquet_may_be_dictionary_encoded_or_large():
    pyarrow = import_module("pyarrow")
    from pyarrow import parquet

    for column in (pyarrow.array(["a", None]).dictionary_encode(), pyarrow.array(["a", None], pyarrow.large_string())):
        parquet.write_table(pyarrow.table({"text": column}), "a.parquet")
        assert texts("a.parquet") == ["a", ""]


def test_faulty_parquet_is_told(stdin):
    pyarrow = import_module("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": [1], "text": [b"a"]}), "a.parquet")
    mend = "name the text's column with --field"
    assert told("a.parquet") == f'a.parquet: found binary in the column "text", expected strings; {mend}'
    assert told("a.parquet", field="id") == f'a.parquet: found int64 in the column "id", expected strings; {mend}'
    assert told("a.parquet", field="txt") == (
        'a.parquet: found no field "txt", expected one of: id, text; did you mean --field text?'
    )
    write("b.parquet", b"PAR1 but no more")
    assert told("b.parquet").startswith("b.parquet: found no sound Parquet (")
    assert told("b.parquet").endswith("; write it anew, or say --format")
    assert told("b.parquet.gz") == ("b.parquet.gz: found Parquet in .gz, expected .parquet; unpack it, it packs itself")
    assert told("no.parquet").startswith("no.parquet: found no such file; ")
    stdin(b"PAR1")
    assert told("-", format="parquet") == "stdin: found Parquet in a pipe, expected a file; save it to a file first"


def test_without_pyarrow_the_mend_is_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write("a.parquet", "")
    assert told("a.parquet") == (
        'found no pyarrow, expected it for Parquet files; install it: pip install "hanpuri[parquet]"'
    )
