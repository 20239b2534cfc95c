"""`hanpuri prepare`, as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REVIEWS = [
    "방이 넓고 깨끗해서 좋았어요",
    "방이  넓고 깨끗해서 좋았어요!!",
    "사장님이 정말 친절하셨어요",
    "조식이 맛있고 종류가 많아요",
    "주차장이 좁아서 조금 불편했어요",
    "연락은 010-1234-5678로 주세요 꼭이요",
]


@pytest.fixture
def desk(tmp_path):
    lines = ["id,review", *(f"{number},{text}" for number, text in enumerate(REVIEWS))]
    (tmp_path / "reviews.csv").write_bytes("\r\n".join(lines).encode("cp949"))
    (tmp_path / "my.yaml").write_text(
        "kind: prepare\nname: reviews\nform: text\n"
        "sources: [{path: reviews.csv, fields: {text: review, id: id}}]\n"
        "clean: {mask: [phone]}\n"
        "split: {validation: 0, test: 0}\n",
        encoding="utf-8",
    )
    return tmp_path


def test_a_file_from_excel_becomes_a_training_set_and_the_summary_tells_how(hanpuri, desk):
    done = hanpuri("prepare", "my.yaml", "--processes", "1")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "          6 rows read",
        "         -1 exact_duplicate",
        "          5 in train",
        "warning: the train split has 5 rows, under 100: a model learns them by heart"
        "; add rows, or look below for the step that takes them",
        "warning: reviews.csv: read as cp949"
        "; look at these rows; then write the encoding into the recipe, or mend the file",
        "prepared/reviews/report.html tells more",
    ]
    assert "<svg" in (desk / "prepared" / "reviews" / "report.html").read_text(encoding="utf-8")


def test_json_gives_the_folder_and_all_facts(hanpuri, desk):
    facts = json.loads(hanpuri("prepare", "my.yaml", "--json", "--set", "augment.copies=2").out)
    assert (facts["folder"], facts["form"]) == ("prepared/reviews", "pairs")
    assert facts["sources"][0]["notes"] == ["reviews.csv: read as cp949"]
    assert facts["augmentation"]["copies"] == 10


def test_explain_tells_a_rows_way_by_id_and_by_place(hanpuri, desk):
    hanpuri("prepare", "my.yaml")
    assert hanpuri("prepare", "my.yaml", "--explain", "5").out.splitlines() == [
        "5  reviews.csv  reviews.csv:7",
        'read       {"text": "연락은 010-1234-5678로 주세요 꼭이요"}',
        "mask.phone text: '연락은 010-1234-5678로 주세요 꼭이요' → '연락은 [전화번호]로 주세요 꼭이요'",
        "split      train",
        'row        {"id": "5", "source": "reviews.csv", "where": "reviews.csv:7", '
        '"text": "연락은 [전화번호]로 주세요 꼭이요"}',
    ]
    ways = [hanpuri("prepare", "my.yaml", "--explain", f"reviews.csv:{line}").out for line in (2, 3)]
    assert sorted("left out   exact_duplicate, the row " in way for way in ways) == [False, True]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["my.yaml", "--explain", "77"],
            "hanpuri: prepared/reviews holds no finished preparation; run the same command without --explain first\n",
        ),
        (
            ["my.yml"],
            "hanpuri: no recipe is called 'my.yml'; did you mean my.yaml?\n",
        ),
        (
            ["base"],
            "hanpuri: {recipes}/base.yaml: kind is 'compact', expected one of prepare; write e.g. `kind: prepare`\n",
        ),
        (
            ["my.yaml", "--set", "sources.0.fields.text=revew"],
            'hanpuri: reviews.csv:1: found no column "revew" for text, expected one of: id, review'
            "; did you mean `fields: {text: review}`?\n",
        ),
        (
            ["my.yaml", "--set", "clean.mask=[fone]", "--set", "split.tset=0.1"],
            "hanpuri: my.yaml: clean.mask.0: Input should be 'email', 'resident', 'card' or 'phone' (found 'fone')"
            "; split.tset: no such key, did you mean test?; mend these keys, or see the shipped recipes\n",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(hanpuri, desk, arguments, error):
    from hanpuri.cli.recipes import SHIPPED

    done = hanpuri("prepare", *arguments)
    assert (done.code, done.out, done.err) == (2, "", error.replace("{recipes}", str(SHIPPED)))


START = """
import signal, sys
from hanpuri.cli import main
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background deaf to it
    main()
"""


def test_ctrl_c_ends_all_processes_and_says_how_to_go_on(hanpuri, tmp_path):
    (tmp_path / "start.py").write_text(START, "utf-8")
    texts = "".join(f"방 {number}번은 창이 크고 {number * 7}호보다 조용했어요\n" for number in range(12_000))
    (tmp_path / "reviews.txt").write_text(texts, "utf-8")
    (tmp_path / "my.yaml").write_text("kind: prepare\nname: x\nform: text\nsources: [{path: reviews.txt}]\n", "utf-8")
    command = [sys.executable, "start.py", "prepare", "my.yaml", "--processes", "2"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, **streams)
    while not list(tmp_path.rglob("*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)  # which also waits until no process of the pool holds the pipes
    assert (process.returncode, out, err) == (130, "", "the same command goes on from here\nhanpuri: stopped\n")
    assert "rows read" in hanpuri("prepare", "my.yaml").out


LONG = 100 * 1024 * 1024

# What users bring, and what is said about it.
BAD = [
    ("empty.csv", b"", "empty.csv: found an empty file (0 bytes), expected rows; take it out of the recipe"),
    (
        "short.csv",
        b"id,text\n1,a\n2\n",
        "short.csv:3: found 1 cell, expected 2 (id, text)"
        '; write a cell that holds a quote, a line end or the delimiter as "..." and each quote in it as ""'
        "; or leave such rows out: `faults: drop`",
    ),
    (
        "mixed.jsonl",
        b'{"text": "a"}\n{"text": 5}\n{"text": ["a"]}\n',
        'mixed.jsonl: found 2 faulty rows: line 2: found a number in "text", expected a text'
        '; line 3: found a list in "text", expected a text; put it in quotes; or leave such rows out: `faults: drop`',
    ),
    (
        "ids.jsonl",
        b'{"number": 1, "text": "a"}\n{"number": 1, "text": "b"}\n',
        "ids.jsonl:2: found the id '1', which ids.jsonl:1 has too"
        "; give each row an id of its own, or leave `id` out of `fields`",
    ),
    (
        "long.jsonl",
        b'{"text": "' + b"a" * LONG + b'"}\n',
        "long.jsonl:1: found a line of more than 10,000,000 characters, expected less"
        "; put each row on a line of its own",
    ),
]


@pytest.mark.parametrize(("name", "content", "error"), BAD, ids=[name for name, _, _ in BAD])
def test_a_bad_file_is_told_in_one_clear_line(hanpuri, tmp_path, name, content, error):
    (tmp_path / name).write_bytes(content)
    fields = "{id: number}" if name == "ids.jsonl" else "{}"
    recipe = f"kind: prepare\nname: x\nform: text\nsources: [{{path: {name}, fields: {fields}}}]\n"
    (tmp_path / "my.yaml").write_text(recipe, "utf-8")
    done = hanpuri("prepare", "my.yaml")
    assert (done.code, done.out, done.err) == (2, "", f"hanpuri: {error}\n")


def test_a_template_with_a_field_that_rows_lack_is_told_before_the_work(hanpuri, tmp_path):
    (tmp_path / "faq.jsonl").write_text('{"question": "네?", "answer": "네."}\n', "utf-8")
    (tmp_path / "odd.yaml").write_text("prompt_no_input: '{noisy}:'\n", "utf-8")
    (tmp_path / "my.yaml").write_text(
        "kind: prepare\nname: x\nform: instruction\nsources: [{path: faq.jsonl}]\nexamples: {template: odd.yaml}\n",
        "utf-8",
    )
    done = hanpuri("prepare", "my.yaml")
    assert (done.code, done.out, done.err) == (
        2,
        "",
        "hanpuri: a row: the template odd names {noisy} in prompt_no_input, the row has output, instruction, input"
        "; take it out of the template, or give the row this field\n",
    )
    assert not (tmp_path / "prepared").exists()


def test_a_tokenizer_without_an_end_is_told_before_the_work(hanpuri, tmp_path):
    import tokenizers

    tokenizers.Tokenizer(tokenizers.models.BPE({"네": 0}, [])).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "faq.jsonl").write_text('{"question": "네?", "answer": "네."}\n', "utf-8")
    (tmp_path / "my.yaml").write_text(
        "kind: prepare\nname: x\nform: instruction\nsources: [{path: faq.jsonl}]\n"
        "examples: {template: koalpaca, tokenizers: [tokenizer.json]}\n",
        "utf-8",
    )
    done = hanpuri("prepare", "my.yaml")
    assert (done.code, done.out) == (2, "")
    assert "has no eos token, expected one to end a text with" in done.err
    assert not (tmp_path / "prepared").exists()
