"""`hanpuri verdict` as a user meets it: once as a process of its own, and where it is stopped and goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hanpuri.cli import main
from hanpuri.noise.obfuscate import obfuscate

from .conftest import Outcome

SENTENCES = (Path(__file__).parents[1] / "cases" / "sentences.txt").read_text(encoding="utf-8").splitlines()
RECIPE = """\
kind: verdict
name: mine
rows: {path: pairs.jsonl}
candidates: [compact:small, compact:nobody]
good_enough: 0.8
"""


@pytest.fixture
def desk(tmp_path):
    pairs = ({"noisy": obfuscate(clean, seed=0).noisy, "clean": clean} for clean in SENTENCES[:36])
    lines = "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)
    (tmp_path / "pairs.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "my.yaml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def call(desk, monkeypatch, capsys):
    """Run a command here: a process of its own takes a second to start."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.chdir(desk)
        monkeypatch.setattr("sys.argv", ["hanpuri", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), told.out, told.err)

    return run


def test_a_table_and_advice_are_printed_and_the_folder_tells_more(hanpuri, desk):
    done = hanpuri("verdict", "my.yaml")
    assert (done.code, done.err) == (0, "")
    head, echo, small, gap, advice, *rest = done.out.splitlines()
    assert re.split(r"  +", head)[:6] == ["candidate", "score", "over echo", "p", "over the best", "p"]
    assert re.split(r"  +", head)[6:] == ["seconds", "price of 1,000", "failed", "copied", "wrong length"]
    score = r"[01]\.\d{3} \([01]\.\d{3} to [01]\.\d{3}\)"
    assert re.fullmatch(rf"echo +{score} +– +– +-0\.\d{{3}} +< 0\.001 +0\.0 +– +0 +100% +0%", echo)
    assert re.fullmatch(rf"compact:small +{score} +\+0\.\d{{3}} +< 0\.001 +– +– +\d\.\d +– +0 +0% +0%", small)
    assert gap == ""
    assert re.match(r"a shipped model does it: compact:small reaches (0\.9|1\.0)", advice)
    left_out, *steps = rest
    assert left_out.startswith("  compact:nobody was left out: ")
    assert steps == [
        "  → use compact:small, and check it on fresh rows: hanpuri evaluate",
        "verdicts/mine/verdict.html tells more",
    ]
    assert (desk / "verdicts" / "mine" / "verdict.html").is_file()


def test_json_is_what_stands_in_the_folder(call, desk):
    done = call("verdict", "my.yaml", "--json", "--out", "there", "--set", "good_enough=0.05")
    found = json.loads(done.out)
    assert found == json.loads((desk / "there" / "mine" / "verdict.json").read_text(encoding="utf-8"))
    assert (found["good_enough"], found["advice"]["kind"]) == (0.05, "the data is not ready")


def test_a_dry_run_says_who_would_be_asked_and_writes_nothing(call, desk):
    done = call("verdict", "my.yaml", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "36 test rows, no training rows",
        "would be asked:",
        "  echo",
        "  compact:small (shipped)",
        "  compact:nobody (trained)",
    ]
    assert not (desk / "verdicts").exists()
    found = json.loads(call("verdict", "my.yaml", "--dry-run", "--json").out)
    assert [one["label"] for one in found["candidates"]][:2] == ["echo", "compact:small"]


BAD = [
    (("mine.yaml",), "no recipe is called 'mine.yaml'; did you mean my.yaml?"),
    (
        ("my.yaml", "--set", "good_enough=80"),
        "my.yaml: good_enough: good_enough is a share, above 0 and at most 1 (found 80); mend these keys, or see the"
        " shipped recipes",
    ),
    (
        ("my.yaml", "--set", "rows.path=pears.jsonl"),
        "pears.jsonl: found no such file; did you mean pairs.jsonl?",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_a_fault_is_one_line(call, arguments, message):
    done = call("verdict", *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"hanpuri: {message}\n")


def test_a_page_that_cannot_be_written_is_one_line(call, desk):
    (desk / "verdicts" / "mine" / "verdict.html").mkdir(parents=True)
    done = call("verdict", "my.yaml")
    told = "hanpuri: verdicts/mine cannot be written: Is a directory; make room for it\n"
    assert (done.code, done.out, done.err) == (2, "", told)
    assert json.loads((desk / "verdicts" / "mine" / "verdict.json").read_text(encoding="utf-8"))["name"] == "mine"


def test_after_ctrl_c_the_same_command_goes_on(call, desk):
    command = [sys.executable, "-m", "hanpuri", "verdict", "my.yaml", "--set", "decoding.batch_size=1"]
    process = subprocess.Popen(command, cwd=desk, stderr=subprocess.PIPE, text=True, env={**os.environ})
    answers = desk / "verdicts" / "mine" / "answers"
    while process.poll() is None and not list(answers.glob("compact*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from here" in said
    assert call("verdict", "my.yaml", "--set", "decoding.batch_size=1").code == 0
    kept = [path.read_text(encoding="utf-8").count("\n") for path in answers.glob("compact*")]
    assert kept == [36]
