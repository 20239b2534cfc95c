"""`hanpuri adapt`: files in, a model's folder out, and one line for everything that cannot be."""

import re
from pathlib import Path

import pytest

from hanpuri.cli.adapting import Files, adapt
from tests.compact.adapting.conftest import draw_texts, write_copier


@pytest.fixture
def desk(tmp_path):
    """A file of clean texts, two that are wrong, and a model that has all to learn."""
    texts = draw_texts(220)
    (tmp_path / "reviews.csv").write_text("id,review\n" + "".join(f"1,{text}\n" for text in texts), encoding="utf-8")
    (tmp_path / "few.txt").write_text("방이 넓고 깨끗해서 좋았어요\n" * 3 + "뷁\n", encoding="utf-8")
    (tmp_path / "reviews.xlsx").write_bytes(b"PK")
    (tmp_path / "there").mkdir()
    write_copier(tmp_path / "copier")
    return tmp_path


def test_what_was_found_and_gained_is_told(desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    monkeypatch.setattr("hanpuri.compact.learning.export.SAMPLES_KEPT", 20_000)  # enough for a tiny network
    settings = {"passes": 10, "learning_rate": 2e-2, "share": 1.0}
    more = {"base": "copier", "general": None, "device": "cpu", "threads": 1, "keep": False, "as_json": False}
    adapt(Files(("reviews.csv",), "review", "utf-8", None), Path("mine"), settings=settings, **more)
    told = capsys.readouterr()
    assert told.err.splitlines()[:2] == [
        "220 rows: 198 texts to learn from, 22 kept apart to measure by",
        "warning: 198 texts are few; a thousand and more teach what words stand together",
    ]
    own, clean, general, took, ready = told.out.splitlines()
    assert re.fullmatch(r"your texts    0\.\d{4} ─► 0\.\d{4}   \+0\.\d{4} \(\+0\.\d{4} to \+0\.\d{4}\)", own)
    assert clean.startswith("left as is    1.0000 ─► ")
    assert general.startswith("other prose   0.")
    assert re.fullmatch(r"\d+,\d{3} characters read in .*: it helps", took)
    assert ready == "mine is ready: hanpuri restore --model mine …"
    assert not Path("mine.adapting").exists()
    with Path("mine/README.md").open(encoding="utf-8") as card:
        assert card.readline() == "# mine\n"


def test_phrases_stay_out_of_the_model_if_told_so(hanpuri, desk):
    told = "adapt --texts reviews.csv --column review --base copier --out mine --minutes 0.1"
    done = hanpuri(*told.split(), "--passes", "0.2", "--no-phrases", "--keep", "--threads", "1")
    assert done.code == 0, done.err
    assert (desk / "mine" / "model.onnx").is_file()
    assert not (desk / "mine" / "phrases.npz").exists()


def test_help_shows_examples(hanpuri):
    assert "hanpuri adapt --texts reviews.txt --out my-model" in hanpuri("adapt", "--help").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # four lines, two different texts
        (
            "--texts few.txt --out mine",
            "found 2 different texts with Hangul in 4 rows, expected 200 or more; give more",
        ),
        # a sheet that restore does not read either
        ("--texts reviews.xlsx --out mine", "reviews.xlsx is a .xlsx file, expected text, CSV, TSV, JSONL or Parquet"),
        ("--texts revews.csv --out mine", "revews.csv: found no such file; did you mean reviews.csv?"),
        (
            "--texts reviews.csv --column text --out mine",
            'reviews.csv:1: found no field "text", expected one of: id, review',
        ),
        ("--texts reviews.csv --out there", "there is there already; name another --out, or remove it"),
        (
            "--texts reviews.csv --base bse --out mine",
            "no model is called 'bse'; there are ",
        ),
        ("--texts reviews.csv --out mine --general no.txt", "no.txt: found no such file"),
        ("--texts reviews.csv --out mine --format xls", "--format is 'xls'; write one of text, txt, csv"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_leaves_nothing(hanpuri, desk, arguments, message):
    before = sorted(desk.iterdir())
    done = hanpuri("adapt", *arguments.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"hanpuri: {message}")
    assert done.err.count("\n") == 1
    assert sorted(desk.iterdir()) == before
