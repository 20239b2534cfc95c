"""Data sets by name: folders on disk, as the `datasets` library reads them, and what is said where there is none."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from hanpuri.data.files.hub import read_hub
from hanpuri.errors import DataError

MEND = "check `hub` and `hub_split`; without a network, download it elsewhere and give the files as `path`"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, *rows: dict) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def told(name: str, split: str = "train") -> str:
    with pytest.raises(DataError) as caught:
        list(read_hub(name, split))
    return str(caught.value)


def test_rows_of_a_folder_of_jsonl_and_of_parquet_are_read():
    import pyarrow
    from pyarrow import parquet

    rows = [{"id": 1, "messages": [{"role": "user", "content": "왜"}]}, {"id": 2, "messages": []}]
    write("chats/train.jsonl", *rows)
    write("chats/test.jsonl", rows[1])
    assert list(read_hub("chats", "train")) == rows
    assert list(read_hub("chats", "test")) == rows[1:]
    Path("packed").mkdir()
    parquet.write_table(pyarrow.Table.from_pylist(rows), "packed/a.parquet")
    assert list(read_hub("packed", "train")) == rows


def test_a_split_that_is_not_there_is_told_with_those_that_are():
    write("chats/train.jsonl", {"id": 1})
    assert told("chats", "tset") == (
        f"chats: found no data set that can be read (Bad split: tset. Available splits: ['train']); {MEND}"
    )


def test_a_folder_without_data_and_a_name_without_a_network_are_told(monkeypatch):
    Path("empty").mkdir()
    assert told("empty") == (
        "empty: found no data set that can be read "
        f"(The directory at {Path('empty').resolve()} doesn't contain any data files); {MEND}"
    )
    # Offline from the start: else the library dials five times before it says so.
    monkeypatch.setattr(importlib.import_module("datasets.config"), "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(importlib.import_module("huggingface_hub.constants"), "HF_HUB_OFFLINE", True)
    message = told("someone/reviews")
    assert message.startswith("someone/reviews: found no data set that can be read (Couldn't reach ")
    assert message.endswith(f"; {MEND}")


def test_a_row_that_breaks_on_the_way_is_told():
    write("chats/train.jsonl", {"id": 1})
    Path("chats/train.jsonl").write_text('{"id": 1}\n{"id": \n', encoding="utf-8")
    assert told("chats").startswith("chats: found no data set that can be read (")


def test_without_the_library_the_mend_is_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert told("someone/reviews") == (
        "someone/reviews: found no datasets library, expected it for `hub`; "
        'install it: pip install "hanpuri[llm]", or give the files as `path`'
    )
