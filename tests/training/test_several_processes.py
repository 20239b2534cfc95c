"""Training in two processes: what one process of twice the batch learns, written and said once."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file
from torch.testing import assert_close

from hanpuri.errors import ModelError
from hanpuri.runs.metrics import read_lines
from hanpuri.training.processes import joined

from ..conftest import SENTENCES

SCRIPT = Path(__file__).with_name("launched_runs.py")
TRAINING = {"steps": 6, "batch_size": 2, "learning_rate": 1e-2, "warmup": 0}
WATCH = {"log_every": 1, "evaluate_every": 2}
ANSWERS = {"rows": 3, "max_new_tokens": 4, "measures": ["char_accuracy"]}
ROWS = {
    "kind": "sft",
    "name": "rows",
    "data": {"path": "rows.jsonl", "validation": "watched.jsonl"},
    "examples": {"template": "koalpaca"},
    "adapter": {"r": 4, "dropout": 0},
    "training": TRAINING,
    "watch": {**WATCH, "generation": ANSWERS, "best_by": "char_accuracy", "early_stopping": {"patience": 2}},
}
PAIRS = {
    "kind": "dpo",
    "name": "pairs",
    "data": {"path": "pairs.jsonl", "validation": "judged.jsonl"},
    "examples": {"template": "koalpaca"},
    "training": {**TRAINING, "steps": 2},
    "watch": WATCH,
}
TEXT = {
    "kind": "pretrain",
    "name": "text",
    "model": {"scratch": {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "max_positions": 64}},
    "tokenizer": {"train": {"vocab_size": 400, "min_frequency": 1}},
    "data": {"corpora": [{"path": "text.txt"}], "validation": 0.1},
    "max_length": 32,
    "training": TRAINING,
    "watch": WATCH,
}


@pytest.fixture(scope="module")
def launched(tiny_model, tmp_path_factory):
    """Launch all of them, once: loading the libraries takes longer than the runs."""
    desk = tmp_path_factory.mktemp("desk")
    drawn = random.Random(0)
    words = " ".join(SENTENCES).split()

    def text(most):
        return " ".join(drawn.sample(words, drawn.randint(1, most)))

    for name, count in (("rows", 24), ("watched", 7)):
        rows = [{"instruction": text(8), "input": "", "output": text(6)} for _ in range(count)]
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        (desk / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for name, count in (("pairs", 8), ("judged", 7)):  # 7: the last ones fall to one process alone
        rows = [{"prompt": text(8), "chosen": text(6), "rejected": f"{text(6)}."} for _ in range(count)]
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        (desk / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (desk / "text.txt").write_text("\n".join(text(20) for _ in range(200)), encoding="utf-8")
    own = {"model": {"path": str(tiny_model("llama"))}}
    for recipe in ({**ROWS, **own}, {**PAIRS, **own}, TEXT):
        (desk / f"{recipe['name']}.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    done = subprocess.run([sys.executable, SCRIPT, desk], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return desk / "runs", json.loads(done.stdout.splitlines()[-1])


def figures_of(folder):
    """Figures by the step, those of a clock left out."""
    lines = [line for line in read_lines(folder / "metrics.jsonl") if "event" not in line]
    return [
        {name: value for name, value in line.items() if name not in ("time", "tokens_per_second")} for line in lines
    ]


def events_of(folder):
    return [(line["event"], line["step"]) for line in read_lines(folder / "metrics.jsonl") if "event" in line]


def result_of(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("two", "one"),
    [
        ("rows", "rows-by-one"),  # an adapter; its rows differ in length: equal tokens at each step are equal rows
        ("text", "text-by-one"),  # a new model, whose run was stopped and killed on the way
        ("sharded", "text-by-one"),  # each process holds half of the weights
        ("pairs", "pairs-by-one"),  # pairs of answers, with a frozen model beside the one that learns
    ],
)
def test_two_processes_learn_what_one_learns_with_twice_the_batch(launched, two, one):
    runs, _ = launched
    # sums of a few hundred nats are exact to fewer places behind the point
    assert figures_of(runs / two) == [pytest.approx(line, rel=1e-5, abs=1e-5) for line in figures_of(runs / one)]
    together, alone = result_of(runs / two), result_of(runs / one)
    assert together["tokens"] == alone["tokens"]
    assert together["scores"] == pytest.approx(alone["scores"], rel=1e-5, abs=1e-5)
    assert together["parameters"] == alone["parameters"]


def test_sharded_processes_save_shards_to_go_on_from_and_a_whole_model_in_the_end(launched):
    runs, _ = launched
    assert (runs / "sharded" / "checkpoints" / "checkpoint-6" / "pytorch_model_fsdp_0").is_dir()
    together, alone = (load_file(runs / name / "model" / "model.safetensors") for name in ("sharded", "text-by-one"))
    assert_close(together, alone, atol=1e-3, rtol=0)


def test_the_first_process_alone_makes_the_folder_and_speaks(launched):
    runs, told = launched
    assert told["rows by two"]["codes"] == [0, 0]
    assert f"{Path('runs') / 'rows' / 'adapter'} is ready" in " ".join(told["rows by two"]["out"][0].split())
    assert (told["rows by two"]["out"][1], told["rows by two"]["err"][1]) == ("", "")
    assert sorted(path.name for path in (runs / "rows").iterdir()) == sorted(
        path.name for path in (runs / "rows-by-one").iterdir()
    )
    assert len(json.loads((runs / "rows" / "environment.json").read_text(encoding="utf-8"))["starts"]) == 1
    assert [event for event, _ in events_of(runs / "rows")].count("started") == 1
    logged = (runs / "rows" / "train.log").read_text(encoding="utf-8")
    assert logged.count("started: 6 steps") == 1
    assert not list(runs.rglob("*.part"))


def test_a_ctrl_c_told_to_one_process_stops_both_after_the_step_and_is_said_once(launched):
    _, told = launched
    assert told["interrupted"]["codes"] == [130, 130]
    assert told["interrupted"]["err"][0].endswith("hanpuri: stopped\n")
    assert told["interrupted"]["err"][1] == ""


def test_processes_that_were_stopped_and_killed_go_on_from_the_last_checkpoint(launched):
    runs, told = launched
    assert told["killed"]["codes"] == [-9, -9]
    assert told["gone on"]["codes"] == [0, 0]
    resumed = [step for event, step in events_of(runs / "text") if event == "resumed"]
    assert resumed == [3, 4]  # saved at ctrl-C; killed at step 5, saved at 4
    assert result_of(runs / "text")["finished"]


def test_a_run_of_two_processes_is_not_gone_on_with_by_one(launched):
    _, told = launched
    assert told["gone on by one"]["codes"] == [2]
    assert told["gone on by one"]["err"][0].endswith(
        "hanpuri: runs/text was begun by 2 processes, and is gone on with by 1 process; launch as many as before, or"
        " give the run another name\n"
    )


def test_sharded_processes_that_find_other_scores_stop_together_and_keep_the_best_by_those_of_the_first(launched):
    runs, told = launched
    assert told["of two minds"]["codes"] == [0, 0]
    result = result_of(runs / "minds")
    assert (result["steps"], result["best_step"]) == (4, 2)
    assert result["stopped_early"] == "no better char_accuracy in 1 evaluations"
    assert result["scores"]["char_accuracy"] == 0.8
    best = runs / "minds" / "checkpoints" / "checkpoint-2"
    assert (best / "pytorch_model_fsdp.bin").is_file()
    assert_close(load_file(runs / "minds" / "model" / "model.safetensors"), load_file(best / "model.safetensors"))


def test_a_fault_that_all_processes_find_is_said_once(launched):
    runs, told = launched
    found = "hanpuri: none.jsonl: found no such file"
    assert (told["no data"]["codes"][0], told["no data"]["err"][1]) == (2, "")
    assert told["no data"]["err"][0].startswith(found)
    assert not (runs / "none").exists()
    assert (told["too fast"]["codes"][0], told["too fast"]["err"][1]) == (2, "")
    last = told["too fast"]["err"][0].splitlines()[-1]
    assert last.startswith("hanpuri: step 2: found a gradient of nan at a learning rate of ")


def test_the_first_version_of_fsdp_is_refused(monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"}.items():
        monkeypatch.setenv(name, value)
    told = "the launcher asks for FSDP version 1, expected 2; launch with --fsdp_version 2"
    with pytest.raises(ModelError, match=f"^{told}$"), joined("cpu"):
        pass
