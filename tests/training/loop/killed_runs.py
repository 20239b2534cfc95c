"""
Runs that end as a machine ends them, each in a process of its own. Started by `test_kill`.

In: the folder of a tiny model and a folder for the runs. Out: one line of JSON, what was found after each end.
"""

import gc
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path

import torch

from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.errors import ModelError
from hanpuri.runs import Run
from hanpuri.training.feeding.datasets import from_examples
from hanpuri.training.loading.models import load_model, quiet_loading
from hanpuri.training.loop.trainer import LoopResult, Material, run_loop
from hanpuri.training.loop.watching import Watch
from hanpuri.training.recipe import SftRecipe

MODEL, FOLDER, ROWS = (Path(one) for one in [*sys.argv, "", "", ""][1:4])
BYTES = 200_000  # a checkpoint's optimiser takes more


def run(name, report=lambda *_: None):
    """One run of 8 steps, saved at each second one."""
    recipe = SftRecipe.model_validate(
        {
            "kind": "sft",
            "name": name,
            "model": {"path": str(MODEL)},
            "data": {"path": "rows.jsonl"},
            "training": {"steps": 8, "batch_size": 2, "learning_rate": 1e-3},
            "watch": {"log_every": 1, "evaluate_every": 4, "save_every": 2},
        }
    )
    model = load_model(recipe.model, learns_whole=True, device="cpu")
    rows = from_examples([Row(*row) for row in json.loads(ROWS.read_text(encoding="utf-8"))])
    material = Material(model, load_tokenizer(MODEL), rows, rows)
    return run_loop(recipe, Run.start(FOLDER / name, recipe, []), material, device="cpu", report=report)


class Row:
    """As much of an example as a table takes."""

    def __init__(self, input_ids, labels):
        self.input_ids, self.labels = input_ids, labels


def in_a_process(work):
    """Do it in a child; gives how that ended: a signal's name, or what it printed."""
    sys.stdout.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            os.write(writing, json.dumps(work()).encode())
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    found = sorted(path.name for path in (FOLDER / "cut" / "checkpoints").glob("*"))
    return {
        "signal": signal.Signals(status).name if status else None,
        "said": json.loads(said or "null"),
        "found": found,
    }


def kill_at_step(step):
    def report(at, steps, line):
        if at == step and not line:
            os.kill(os.getpid(), signal.SIGKILL)

    return lambda: run("cut", report)


def kill_in_a_save(step):
    def work():
        write = torch.save

        def half(content, path, *args):
            write(content, path, *args)
            if f"checkpoint-{step}" in str(path):
                os.truncate(path, os.path.getsize(path) // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        torch.save = half
        run("cut")

    return work


def on_a_full_disk():
    """No file may grow over a size, from one step on and to another: what a disk without room says, the kernel says."""
    events = []

    def report(step, steps, line):
        if step == 3 and not line:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, resource.RLIM_INFINITY))
        if step == ending and not line:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if line.get("event") == "checkpoint_failed":
            events.append([line["step"], line["message"]])

    ending = 5
    result = run("full-for-a-while", report)
    after = {"finished": result.finished, "events": events.copy(), "step": result.step}
    ending = 99
    try:
        run("full-to-the-end", report)
    except ModelError as error:
        after["error"] = str(error)
    kept = FOLDER / "full-to-the-end" / "checkpoints"
    after["kept"] = sorted(path.name for path in kept.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    after["then"] = run("full-to-the-end").finished
    return after


def finish():
    result: LoopResult = run("cut")
    return [result.finished, result.step]


if __name__ == "__main__":
    Watch.draw_curves = lambda self, *, now=False: None
    torch.set_num_threads(1)
    with quiet_loading():  # the libraries are loaded once, not in each child
        import hanpuri.training.loop.next_token  # noqa: F401
    gc.freeze()
    told = {
        "whole": in_a_process(lambda: run("whole").step),
        "killed at a step": in_a_process(kill_at_step(3)),
        "killed in a save": in_a_process(kill_in_a_save(6)),
        "gone on": in_a_process(finish),
        "full": in_a_process(on_a_full_disk),
    }
    print(json.dumps(told))
