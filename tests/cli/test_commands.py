"""The commands that have no file here: train, export, models, doctor; and what all have in common."""

import ast
import json
import subprocess
import sys

import pytest

WITH_EXAMPLES = (
    *("restore", "obfuscate", "evaluate", "train", "export", "prepare", "export-data", "templates"),
    *("score", "sample", "prefer", "serve", "feedback", "keys", "adapt"),
)
COMMANDS = (*WITH_EXAMPLES, "models", "doctor")
SENTENCES = [
    "방이 넓고 깨끗해요.",
    "사장님이 친절하셨어요.",
    "침대가 푹신해서 잘 잤습니다.",
    "주차장이 좁아서 힘들었어요.",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_one_with_input_shows_examples(hanpuri, command):
    done = hanpuri(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Usage: hanpuri {command}" in done.out
    assert (f"hanpuri {command} " in done.out.partition("Examples")[2]) == (command in WITH_EXAMPLES)


def test_models_lists_both_sizes_with_their_bytes(hanpuri):
    models = {model["name"]: model for model in json.loads(hanpuri("models", "--json").out)}
    assert models["small"]["bytes"] <= 12_000_000
    assert models["base"]["bytes"] <= 40_000_000
    assert all(f"{name} " in hanpuri("models").out for name in models)


def test_doctor_restores_a_sentence_with_each_model(hanpuri):
    findings = json.loads(hanpuri("doctor", "--json").out)
    assert [model["works"] for model in findings["models"]] == [True, True]
    assert findings["libraries"]["onnxruntime"] != "not installed"


def test_training_stops_resumes_and_gives_a_model_that_restores(hanpuri, tmp_path):
    (tmp_path / "text.txt").write_text("\n".join(SENTENCES * 20) + "\n", encoding="utf-8")
    pairs = [{"noisy": text, "clean": text} for text in SENTENCES]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(
        "kind: compact\nname: tiny\n"
        "data: [{path: text.txt, weight: 1, final_weight: 1}]\n"
        "evaluation: [{name: own, path: pairs.jsonl}]\n"
        "network: {width: 64, num_layers: 1}\n"
        "training: {steps: 40, batch_tokens: 256, window_lengths: [32], warmup_steps: 5, learning_rate: 0.01,"
        " compile: false, precision: fp32}\n"
        "watch: {log_every: 10, save_every: 10}\n",
        encoding="utf-8",
    )
    stopped = json.loads(hanpuri("train", "tiny.yaml", "--stop-after", "0", "--json").out)
    assert (stopped["step"], stopped["finished"]) == (0, False)
    done = hanpuri("train", "tiny.yaml", "--json")
    finished = json.loads(done.out)
    assert (finished["step"], finished["finished"]) == (40, True)
    assert "40/40" in done.err
    assert hanpuri("restore", SENTENCES[0], "--model", "runs/tiny/model").code == 0
    assert hanpuri("export", "runs/tiny").out == "runs/tiny/model is ready\n"


def test_all_faults_of_a_recipe_are_named_at_once(hanpuri):
    done = hanpuri("train", "base", "--set", "training.stepz=3", "--set", "network.width=100")
    assert done.code == 2
    assert "network.width: Input should be a multiple of 64 (found 100)" in done.err
    assert "training.stepz: no such key, did you mean steps?" in done.err


def test_the_version_is_the_packages(hanpuri):
    from hanpuri import __version__

    assert hanpuri("--version").out == f"hanpuri {__version__}\n"


def test_the_command_line_loads_what_a_command_does_with_it():
    code = "import sys, hanpuri.cli.app; print({m.split('.')[1] for m in sys.modules if m.startswith('hanpuri.')})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert {"engines", "evaluation", "preferences", "rounds", "serving"} & ast.literal_eval(loaded) == set()


def test_importing_hanpuri_loads_no_heavy_library():
    code = "import sys, hanpuri; print([m for m in ('numpy', 'onnxruntime', 'torch', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_restoring_a_text_loads_nothing_that_reads_recipes():
    code = (
        "import sys; from hanpuri.cli.app import app;"
        "app(['restore', '념뭄', '--model', 'small'], standalone_mode=False);"
        "print([m for m in ('pydantic', 'yaml', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "너무\n[]\n"
