"""`hanpuri restore` and `hanpuri obfuscate`: every form of input and output, and what is said about wrong ones."""

import json
import subprocess
import sys

import pytest

NOISY, CLEAN = "확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"


def test_an_argument_is_restored_to_one_line(hanpuri):
    assert hanpuri("restore", NOISY).out == CLEAN + "\n"


def test_standard_input_is_restored_line_by_line_and_keeps_its_missing_end(hanpuri):
    done = hanpuri("restore", stdin=f"{NOISY}\n\n{NOISY}".encode())
    assert (done.code, done.out) == (0, f"{CLEAN}\n\n{CLEAN}")


def test_a_pipe_of_both_commands_gives_the_text_back(hanpuri):
    clean = "사장님이 친절하시고 방도 깨끗해서 잘 쉬다 왔습니다."
    noisy = hanpuri("obfuscate", "--seed", "3", stdin=clean.encode()).out
    assert noisy != clean
    assert hanpuri("restore", stdin=noisy.encode()).out == clean


def test_a_csv_keeps_its_columns_and_gets_one_more(hanpuri, tmp_path):
    (tmp_path / "in.csv").write_text(f"id,review\n1,{NOISY}\n", encoding="utf-8")
    done = hanpuri("restore", "--file", "in.csv", "--field", "review", "--out", "out.csv")
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == f"id,review,restored\n1,{NOISY},{CLEAN}\n"


def test_a_parquet_column_is_restored(hanpuri, tmp_path):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": [1], "review": [NOISY]}), tmp_path / "in.parquet")
    hanpuri("restore", "--file", "in.parquet", "--column", "review", "--out", "out.parquet")
    assert parquet.read_table(tmp_path / "out.parquet").to_pylist() == [{"id": 1, "review": NOISY, "restored": CLEAN}]


def test_a_file_may_be_restored_onto_itself(hanpuri, tmp_path):
    path = tmp_path / "reviews.jsonl"
    path.write_text(json.dumps({"text": NOISY}) + "\n", encoding="utf-8")
    assert hanpuri("restore", "--file", "reviews.jsonl", "--out", "reviews.jsonl", "--into", "text").code == 0
    assert json.loads(path.read_text(encoding="utf-8")) == {"text": CLEAN}


def test_json_gives_the_edits_and_a_confidence_for_each_character(hanpuri):
    answer = json.loads(hanpuri("restore", NOISY, "--json").out)
    assert (answer["noisy"], answer["text"]) == (NOISY, CLEAN)
    assert len(answer["confidence"]) == len(CLEAN)
    assert answer["edits"][0].keys() == {"position", "noisy", "restored", "confidence"}
    rebuilt = list(NOISY)
    for edit in answer["edits"]:
        assert rebuilt[edit["position"]] == edit["noisy"]
        rebuilt[edit["position"]] = edit["restored"]
    assert "".join(rebuilt) == CLEAN


HIDDEN, SHOWN = "ㄱr격二 녀뮤 비싸욘", "가격이 너무 비싸요"


def test_a_wide_reach_reads_what_is_hidden_and_tells_how(hanpuri, tmp_path):
    answer = json.loads(hanpuri("restore", HIDDEN, "--reach", "wide", "--json").out)
    assert (answer["noisy"], answer["text"], len(answer["confidence"])) == (HIDDEN, SHOWN, len(SHOWN))
    assert [(edit["noisy"], edit["restored"], edit["kind"]) for edit in answer["edits"]][:2] == [
        ("ㄱr", "가", "pieces"),
        ("二", "이", "hanja"),
    ]
    shown = hanpuri("restore", HIDDEN, "--reach", "wide", "--show", "edits").out
    assert shown == f"✗ {HIDDEN}\n✓ {SHOWN}\n  pieces: ㄱr→가\n  hanja: 二→이\n\n"
    (tmp_path / "hidden.txt").write_text(f"{HIDDEN}\n", encoding="utf-8")
    assert hanpuri("restore", "--file", "hidden.txt", "--reach", "wide", "--model", "small").out == f"{SHOWN}\n"


def test_json_of_obfuscate_gives_edits_that_rebuild_the_noisy_text(hanpuri):
    answer = json.loads(hanpuri("obfuscate", CLEAN, "--json", "--seed", "5").out)
    rebuilt = list(answer["clean"])
    for edit in answer["edits"]:
        assert rebuilt[edit["position"]] == edit["before"]
        rebuilt[edit["position"]] = edit["after"]
    assert "".join(rebuilt) == answer["noisy"] != CLEAN


def test_the_same_seed_gives_the_same_noise_and_equal_rows_differ(hanpuri):
    once = hanpuri("obfuscate", "--seed", "9", stdin=f"{CLEAN}\n{CLEAN}\n".encode()).out
    assert hanpuri("obfuscate", "--seed", "9", stdin=f"{CLEAN}\n{CLEAN}\n".encode()).out == once
    assert len(set(once.splitlines())) == 2


def test_the_view_of_edits_shows_before_and_after_without_colours_in_a_pipe(hanpuri):
    assert hanpuri("restore", NOISY, "--show", "edits").out == f"✗ {NOISY}\n✓ {CLEAN}\n\n"


def test_the_view_of_confidence_names_the_lowest(hanpuri):
    assert "lowest confidence 0." in hanpuri("restore", NOISY, "--show", "confidence").out


def test_bytes_that_are_no_text_come_back_as_the_same_bytes(hanpuri):
    command = [sys.executable, "-m", "hanpuri", "restore", b"\xff\xfe ok"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"\xff\xfe ok\n"


def test_a_lone_surrogate_in_jsonl_survives(hanpuri):
    done = hanpuri("restore", "--format", "jsonl", "--field", "t", stdin=b'{"t": "\\ud800 ok"}\n')
    assert json.loads(done.out) == {"t": "\ud800 ok", "restored": "\ud800 ok"}


def test_a_reader_that_leaves_a_pipe_early_is_no_fault(tmp_path):
    # 110 KB of output, more than a pipe takes: the process is still writing when the reader leaves.
    (tmp_path / "many.txt").write_text("념뭄\n" * 16_000, encoding="utf-8")
    command = [sys.executable, "-m", "hanpuri", "restore", "--model", "small", "--file", str(tmp_path / "many.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as restore:
        assert restore.stdout.readline() == "너무\n".encode()
        restore.stdout.close()
        assert restore.stderr.read() == b""
        assert restore.wait(timeout=60) == 0


def test_each_line_is_answered_before_the_next_one_comes():
    command = [sys.executable, "-m", "hanpuri", "restore", "--each-line", "--model", "small"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as restore:
        for _ in range(2):
            restore.stdin.write("념뭄\n".encode())
            restore.stdin.flush()
            assert restore.stdout.readline() == "너무\n".encode()
        restore.stdin.close()
        assert restore.wait(timeout=30) == 0


# what is given, what is said: one line, exit code 2
WRONG = [
    (["restore", "--file", "nope.csv"], "nope.csv: found no such file; did you mean note.csv?"),
    (
        ["restore", "--file", "note.csv", "--field", "reviw"],
        'note.csv:1: found no field "reviw", expected one of: id, review; did you mean --field review?',
    ),
    (
        ["restore", "--file", "broken.jsonl", "--field", "text", "--out", "out.jsonl"],
        "broken.jsonl:2: found a line that is no JSON (Expecting value at column 9), expected an object; "
        'write the line as {"text": "..."}',
    ),
    (
        ["restore", "--file", "cp949.txt"],
        "cp949.txt:1: found the byte 0xb3, expected utf-8; the file reads as cp949: --encoding cp949",
    ),
    (["restore", "x", "--model", "bsae"], "no model is called 'bsae'; there are small, base; did you mean base?"),
    (["restore", "x", "--show", "all"], "--show is 'all'; write one of edits, confidence"),
    (["restore", "x", "--reach", "far"], "--reach is 'far'; write one of syllables, wide"),
    (
        ["restore", "x", "--reach", "wide", "--feasible", "hand"],
        "--feasible was given with --reach wide; leave one of them out",
    ),
    (
        ["restore", "x", "--spacing"],
        "--spacing was given without --reach wide; add --reach wide, or leave it out",
    ),
    (["restore", "x", "--feasible", "all"], "no noise profile is called 'all'; write one of airbnb, hand"),
    (
        ["restore", "x", "--file", "note.csv"],
        "texts were given together with --file or --out; give either texts or files",
    ),
    (
        ["restore", "--file", "note.csv", "--json", "--out", "x"],
        "--json and --show write to standard output; leave out --out, and use > to keep what they print",
    ),
    (
        ["restore", "x", "--threads", "0"],
        "Invalid value for '--threads': 0 is not in the range x>=1; see hanpuri restore --help",
    ),
    (["obfuscate", "x", "--profile", "all"], "no noise profile is called 'all'; write one of airbnb, hand"),
    (
        ["evaluate", "note.csv"],
        "note.csv: found the fields id, review, expected noisy, clean; instruction, output; or messages;"
        " rename the fields",
    ),
    (["train", "bse"], "no recipe is called 'bse'; did you mean base?"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(given) for given, _ in WRONG])
def test_a_wrong_call_says_in_one_line_what_to_mend(hanpuri, tmp_path, arguments, message):
    (tmp_path / "note.csv").write_text("id,review\n1,념뭄\n", encoding="utf-8")
    (tmp_path / "broken.jsonl").write_text('{"text":"념뭄"}\n{"text":\n', encoding="utf-8")
    (tmp_path / "cp949.txt").write_bytes("너무\n작아요\n".encode("cp949"))
    done = hanpuri(*arguments)
    assert done.err.startswith("hanpuri: ")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err == f"hanpuri: {message}\n"
    assert not (tmp_path / "out.jsonl").exists()


def test_an_output_that_cannot_be_written_is_known_before_anything_is_read(hanpuri):
    done = hanpuri("restore", "--out", "no/such/folder/x.txt", stdin=b"x\n")
    assert done.code == 2
    assert "found no folder" in done.err
