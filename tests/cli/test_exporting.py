"""`hanpuri export-data` as a user has it."""

import json

import pytest

PAIR = {"id": "7f3a", "noisy": "뱡뮤니 않 닷혀욧", "clean": "방문이 안 닫혀요"}


@pytest.fixture(autouse=True)
def pairs(tmp_path):
    text = "".join(json.dumps({**PAIR, "id": str(number)}, ensure_ascii=False) + "\n" for number in range(10))
    (tmp_path / "pairs.jsonl").write_text(text, encoding="utf-8")


def test_the_command_explains_itself_with_examples(hanpuri):
    done = hanpuri("export-data", "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage: hanpuri export-data" in done.out
    assert "hanpuri export-data " in done.out.partition("Examples")[2]


def test_a_file_is_written_and_its_counts_are_printed_as_json(hanpuri, tmp_path):
    done = hanpuri("export-data", "pairs.jsonl", "--format", "openai", "--out", "o.jsonl", "--system", "짧게", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "out": "o.jsonl",
        "id_file": "o.jsonl.rows.jsonl",
        "format": "openai",
        "form": "pairs",
        "rows": 10,
        "bytes": (tmp_path / "o.jsonl").stat().st_size,
        "maybe_too_long": 0,
    }
    first = json.loads((tmp_path / "o.jsonl").read_text(encoding="utf-8").partition("\n")[0])
    assert [message["role"] for message in first["messages"]] == ["system", "user", "assistant"]


def test_a_file_is_written_and_its_counts_are_printed_as_a_table(hanpuri, tmp_path):
    options = ("--instruction", "고치세요", "--id-file", "ids.jsonl", "--limit-bytes", "2000")
    done = hanpuri("export-data", "pairs.jsonl", "--format", "alpaca", "--out", "a.json", *options)
    assert (done.code, done.err) == (0, "")
    size = (tmp_path / "a.json").stat().st_size
    assert [line.split() for line in done.out.splitlines()] == [
        ["out", "a.json"],
        ["id_file", "ids.jsonl"],
        ["format", "alpaca"],
        ["form", "pairs"],
        ["rows", "10"],
        ["bytes", f"{size:,}"],
        ["maybe_too_long", "0"],
    ]
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))[9] == {
        "instruction": "고치세요",
        "input": PAIR["noisy"],
        "output": PAIR["clean"],
    }


def test_lines_that_may_be_too_long_are_told_of(hanpuri, tmp_path):
    pair = {"noisy": "가" * 50_000, "clean": "가" * 50_000}
    (tmp_path / "long.jsonl").write_text(json.dumps(pair) + "\n", encoding="utf-8")
    assert hanpuri("export-data", "long.jsonl", "--format", "gemini", "--out", "g.jsonl").out.splitlines()[-1] == (
        "1 line of over 131,072 bytes may be over the 131,072 tokens that gemini takes: count their tokens"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("pairs.jsonl", "--format", "opnai", "--out", "o.jsonl"),
            'hanpuri: found the format "opnai", expected one of openai, gemini, alpaca, messages, koalpaca;'
            " did you mean openai?\n",
        ),
        (
            ("pair.jsonl", "--format", "openai", "--out", "o.jsonl"),
            "hanpuri: pair.jsonl: found no such file; did you mean pairs.jsonl?\n",
        ),
    ],
)
def test_a_fault_is_one_line_and_exit_code_2(hanpuri, arguments, expected):
    done = hanpuri("export-data", *arguments)
    assert (done.code, done.out, done.err) == (2, "", expected)
