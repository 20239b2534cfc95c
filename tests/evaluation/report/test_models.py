"""
The runs that models came from, side by side.

In: folders of runs. Out: their facts, the keys that differ, and their losses.
"""

import json
import re
from pathlib import Path

import pytest

from hanpuri.engines.settings import parse_engine
from hanpuri.evaluation.report.models import MAX_POINTS, find_runs, run_blocks
from hanpuri.pages.page import Notices, Plots, Table


@pytest.fixture
def run(tmp_path):
    def run(name: str, losses=(2.5, 1.5, 0.9), rate: float = 0.001, scores: float = 0.5) -> Path:
        folder = tmp_path / "runs" / name
        (folder / "model").mkdir(parents=True)
        recipe = {"kind": "sft", "model": {"path": "m/tiny"}, "training": {"learning_rate": rate, "steps": len(losses)}}
        (folder / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
        lines = [{"time": 1.0 * step, "step": step, "loss": loss} for step, loss in enumerate(losses, 1)]
        lines.append({"time": 1e3, "step": len(losses), "eval_loss": losses[-1], "eval_char_accuracy": scores})
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return folder

    return run


def test_the_folder_of_a_run_or_the_model_in_it_is_found_once(run):
    folder = run("faq")
    specs = ("echo", f"transformers:{folder}", f"transformers:{folder}/model,aligned=airbnb", "compact:base")
    assert find_runs([parse_engine(spec) for spec in specs]) == (folder,)


def test_runs_are_compared_and_their_losses_drawn(run):
    notices, table, differing, plots = run_blocks([run("one"), run("two", rate=0.01, scores=0.75)])
    assert isinstance(notices, Notices)
    assert isinstance(table, Table)
    assert table.head == ("", "one", "two")
    cells = {row[0]: row[1:] for row in table.rows}
    assert cells["model"] == ("tiny", "tiny")
    assert cells["char_accuracy"] == ("0.5000", "0.7500 ★")
    assert differing.rows == (("training.learning_rate", "0.001", "0.01"),)
    assert isinstance(plots, Plots)
    assert [plot.title for plot in plots.plots] == ["Training loss", "Validation loss"]
    assert plots.plots[0].legend == ("one", "two")
    assert plots.plots[0].told == "At the end: one 0.9, two 0.9. Less is better."


def test_two_runs_of_one_name_are_told_apart_by_their_folders(run):
    folders = [run("a/faq"), run("b/faq")]
    *_, plots = run_blocks(folders)
    assert plots.plots[0].legend == tuple(map(str, folders))


def test_one_run_alone_has_nothing_to_be_compared_with(run):
    table, plots = run_blocks([run("alone")])
    assert (table.head, len(plots.plots)) == (("", "alone"), 2)


def test_a_run_without_a_line_has_no_curve(run):
    folder = run("new")
    (folder / "metrics.jsonl").write_text("", encoding="utf-8")
    assert not any(isinstance(block, Plots) for block in run_blocks([folder]))


def test_a_long_course_is_thinned(run):
    folder = run("long", losses=[2 - step / 5000 for step in range(5000)])
    plots = list(run_blocks([folder]))[-1]
    (path,) = re.findall(r'd="(M[^"]*)"[^>]*--series-1', plots.plots[0].svg)
    assert path.count("L") < MAX_POINTS
