"""
Which files a path stands for.

In: files and folders. Out: the files that are read, in order of name, each with its format.
"""

from pathlib import Path

import pytest

from hanpuri.data.files.folders import list_files, row_format
from hanpuri.errors import DataError

KINDS = "text, CSV, TSV, JSONL, JSON or Parquet"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def listed(path: str, format: str | None = None) -> list[tuple[str, str]]:
    return [(file.as_posix(), told) for file, told in list_files(Path(path), format)]


def told(path: str) -> str:
    with pytest.raises(DataError) as caught:
        list_files(Path(path), None)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.txt", "text"),
        ("a.tsv.gz", "tsv"),
        ("A.JSON", "json"),
        ("a.json.xz", "json"),
        ("a.ndjson", "jsonl"),
        ("a.parquet", "parquet"),
        # no name that tells
        ("a.log", None),
        ("README", None),
        ("json", None),
    ],
)
def test_the_suffix_tells_the_format(name, format):
    assert row_format(Path(name)) == format


def test_a_file_whose_name_does_not_tell_is_text_unless_a_format_is_named():
    touch("a.log", "a.csv")
    assert listed("a.log") == [("a.log", "text")]
    assert listed("a.log", "jsonl") == [("a.log", "jsonl")]
    assert listed("a.csv", "text") == [("a.csv", "text")]


def test_a_folder_is_read_with_its_folders_in_order_of_name_and_hidden_files_are_left_out():
    touch("data/b.csv", "data/가/a.txt", "data/a/2.json", "data/a/10.json", "data/.git/x.txt", "data/.DS_Store")
    assert listed("data") == [
        ("data/a/10.json", "json"),
        ("data/a/2.json", "json"),
        ("data/b.csv", "csv"),
        ("data/가/a.txt", "text"),
    ]


def test_in_a_folder_a_file_of_another_kind_is_refused_unless_a_format_is_named():
    touch("data/a.txt", "data/b.zip", "data/c.md", "data/d.parquet.gz")
    assert told("data") == (
        "data: found b.zip (unpack it first; .gz and .xz are read as they are), c.md, "
        f"d.parquet.gz (unpack it, it packs itself), expected only files of {KINDS}; "
        "take them out of the folder, or say what all its files are: --format text"
    )
    assert len(listed("data", "text")) == 4


def test_of_hundreds_of_files_of_another_kind_twenty_are_listed():
    touch(*(f"data/{number:03}.png" for number in range(120)))
    assert ", 019.png and 100 more, expected only files of " in told("data")


def test_nothing_to_read_is_told():
    Path("data").mkdir()
    assert told("data") == f"data: found no file in the folder, expected files of {KINDS}; check the path"
    assert told("dat") == "dat: found no such file; did you mean data?"
    touch("a.xls")
    assert told("a.xls") == f"a.xls is a .xls file, expected {KINDS}; save the sheet as CSV UTF-8"
