"""What a kill -9 and a full disk leave: real signals and real limits, in processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hanpuri.runs.metrics import read_lines

from .conftest import random_rows

SCRIPT = Path(__file__).with_name("killed_runs.py")


@pytest.fixture(scope="module")
def ended(tiny_model, tmp_path_factory):
    """Run all of them, once: loading the libraries takes longer than the runs."""
    folder = tmp_path_factory.mktemp("ended")
    rows = [(row.input_ids.tolist(), row.labels.tolist()) for row in random_rows(16, 0)]
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    command = [sys.executable, SCRIPT, tiny_model("llama"), folder, folder / "rows.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1]), done.stderr


def figures_of(folder):
    """Figures by the step, those of a clock left out."""
    lines = [line for line in read_lines(folder / "metrics.jsonl") if "event" not in line]
    return [[value for name, value in line.items() if name not in ("time", "tokens_per_second")] for line in lines]


def test_a_run_killed_at_any_step_and_within_a_save_goes_on_from_the_last_whole_checkpoint(ended):
    folder, told, _ = ended
    killed = {"signal": "SIGKILL", "said": None}
    assert told["killed at a step"] == {**killed, "found": ["checkpoint-2"]}
    assert told["killed in a save"] == {**killed, "found": ["checkpoint-2", "checkpoint-4", "saving"]}
    assert told["gone on"] == {"signal": None, "said": [True, 8], "found": ["checkpoint-6", "checkpoint-8"]}
    assert figures_of(folder / "cut") == [pytest.approx(line, abs=1e-5) for line in figures_of(folder / "whole")]
    started = [
        line["message"] for line in read_lines(folder / "cut" / "metrics.jsonl") if line.get("event") == "resumed"
    ]
    assert started == [f"resumed at step {step} of 8" for step in (2, 4)]


def test_a_full_disk_costs_the_saves_that_it_does_not_take(ended):
    _, told, _ = ended
    full = told["full"]["said"]
    assert (full["finished"], full["step"]) == (True, 8)
    failed = [step for step, _ in full["events"]]
    assert failed == [4]  # there was room again before step 6
    assert full["events"][0][1].endswith("training goes on, the next save tries again")


def test_a_disk_that_stays_full_ends_the_run_with_its_mend_and_the_same_command_goes_on(ended):
    folder, told, stderr = ended
    full = told["full"]["said"]
    assert full["kept"] == ["checkpoint-2"]
    assert full["error"].startswith(f"{folder}/full-to-the-end/checkpoints: the last step could not be saved: ")
    assert full["error"].endswith("bytes; the same command then goes on from step 2")
    assert full["then"] is True
    assert "Traceback" not in stderr
