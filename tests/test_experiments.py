"""The experiments of benchmarks/llm_experiments: each way is a sound recipe, and the tables say what was not run."""

import itertools
import json
from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks.llm_experiments import tables
from benchmarks.llm_experiments.pretraining import (
    ACCUMULATION,
    LAW,
    SIZES,
    TINY,
    foretell,
    large_tokens,
    name_of,
    sets_of,
)
from benchmarks.llm_experiments.rates import matrices, operations, speed
from benchmarks.llm_experiments.restoring import SETS, filled, make, read_rows, train_command, write_row
from benchmarks.llm_experiments.ways import AGAIN, BASE, WAYS, find_way
from hanpuri.recipe import read_recipe
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.training.recipe import KINDS, PretrainRecipe

RECIPES = Path(__file__).parents[1] / "hanpuri" / "recipes"
OPTIONS = Namespace(runs=Path("runs"), model=None, tiny=False, share=1, overrides=[])


def overrides_in(command: list[str]) -> list[str]:
    """What stands behind each --set."""
    return [value for flag, value in itertools.pairwise(command) if flag == "--set"]


def test_on_several_gpus_the_large_run_keeps_its_batch():
    recipe = read_recipe(RECIPES / "korean-llama.yaml", KINDS)
    assert recipe.training.accumulation == ACCUMULATION


@pytest.mark.parametrize("way", [way for way in WAYS if not way.of], ids=lambda way: way.name)
def test_each_way_is_a_sound_recipe_and_one_change_away_from_the_base(way):
    command = train_command(way, OPTIONS, "made.jsonl" if way.make else "")
    kinds = {**KINDS, "rounds": RoundsRecipe}
    recipe = read_recipe(RECIPES / f"{way.recipe}.yaml", kinds, overrides_in(command))
    assert recipe.name == f"restoring-{way.name}"
    assert recipe.model.path == (f"runs/restoring-{way.begins}" if way.begins else "runs/korean-llama")


def test_ways_that_train_nothing_ask_the_base_and_those_behind_another_come_later():
    names = [way.name for way in WAYS]
    assert len(set(names)) == len(names)
    assert {way.of for way in WAYS if way.of} == {BASE, AGAIN}
    for way in WAYS:
        assert names.index(way.begins or way.of or way.name) <= names.index(way.name)


def test_what_a_way_makes_is_made_by_commands_without_open_marks():
    for way in WAYS:
        for command in way.make:
            told = [filled(part, {"{run}": "r", "{made}": "m", "{runs}": "x", "{first}": "f"}) for part in command]
            assert not [part for part in told if "{r" in part or "{m" in part or "{f" in part]


def test_mistakes_that_are_there_are_not_looked_for_again(tmp_path, monkeypatch):
    ran: list[list[str]] = []
    monkeypatch.setattr("benchmarks.llm_experiments.restoring.run_hanpuri", ran.append)
    options = Namespace(runs=tmp_path, model=None, tiny=False, batch_size=4)
    way = find_way("rewarded")
    make(way, options)
    assert [command[0] for command in ran] == ["prefer", "train", "sample"]
    (tmp_path / "made-reward.jsonl").write_text("", encoding="utf-8")
    make(way, options)
    assert [command[0] for command in ran[3:]] == ["train", "sample"]


@pytest.mark.parametrize(("size", "steps"), LAW)
def test_the_small_runs_are_the_large_one_in_other_sizes(size, steps):
    sets = sets_of(size, steps, OPTIONS)
    recipe = read_recipe(RECIPES / "korean-llama.yaml", KINDS, [f"name={name_of(size, steps)}", *sets])
    assert isinstance(recipe, PretrainRecipe)
    assert recipe.model.scratch is not None
    shape = {"num_hidden_layers": recipe.model.scratch.num_layers, "num_attention_heads": SIZES[size].num_heads}
    shape |= {"hidden_size": SIZES[size].hidden_size, "intermediate_size": SIZES[size].intermediate_size}
    assert round(matrices({**shape, "num_key_value_heads": 2}) / 1e6) == int(size.removesuffix("m"))
    assert recipe.training.batch_size * recipe.training.accumulation * recipe.max_length == 65_536


def test_the_law_has_three_sizes_crossed_with_three_amounts():
    assert len({size for size, _ in LAW}) == 3
    assert len({steps for _, steps in LAW}) == 3
    assert large_tokens(OPTIONS) == (112_743_424, 262_144_000)
    assert large_tokens(Namespace(tiny=True, overrides=[])) == (112_743_424, 2000 * 4 * 64)
    assert all("=" in one for one in TINY)


def test_nothing_is_foretold_once_the_large_run_has_begun_but_what_was_foretold_stands(tmp_path, capsys):
    options = Namespace(runs=tmp_path, results=tmp_path, tiny=False, overrides=[])
    (tmp_path / "korean-llama").mkdir()
    (tmp_path / "korean-llama" / "metrics.jsonl").write_text("", encoding="utf-8")
    assert foretell(options) == 2
    assert "it is too late to foretell it" in capsys.readouterr().err
    written = json.dumps({"when": "2026-11-23T04:29:14+00:00"})
    (tmp_path / "foretold.json").write_text(written, encoding="utf-8")
    assert foretell(options) == 0
    assert "the prediction of 2026-11-23T04:29:14+00:00 stands" in capsys.readouterr().out
    assert (tmp_path / "foretold.json").read_text(encoding="utf-8") == written


def test_operations_are_those_of_products_and_attention():
    shape = {"hidden_size": 2, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1}
    shape |= {"intermediate_size": 3, "vocab_size": 5}
    assert matrices(shape) == 4 * 4 + 3 * 6
    assert operations(shape, 10) == 6 * (34 + 10) + 6 * 10 * 2


def test_a_speed_is_the_median_behind_the_first_steps():
    lines = [{"step": step, "tokens_per_second": rate} for step, rate in ((10, 1.0), (50, 4.0), (60, 6.0), (70, 9.0))]
    assert speed([*lines, {"step": 80, "eval_loss": 1.0}]) == 6.0
    assert speed(lines[:1]) is None


def test_what_was_not_run_is_said_to_be_so(tmp_path):
    made = [tables.pretraining, tables.foretold, tables.restoring, tables.answering, tables.verdict, tables.computed]
    assert all("not run yet" in make(tmp_path) for make in made)
    assert tables.restoring(tmp_path).count("\n") == len(WAYS) + 1


def test_a_way_stands_with_its_bounds_its_gain_and_what_it_took(tmp_path):
    scores = {"char_accuracy": [0.9, 0.85, 0.95], "cer": [0.05, 0.0, 0.1], "wrong_length": [0.125, 0.0, 0.25]}
    training = {"seconds": 61.5, "peak_memory_bytes": 3 << 30, "scores": {"loss": 0.25}}
    (tmp_path / "restoring").mkdir()
    for name, right in (("base", [8] * 50), ("lora", [6] * 50), ("x1", [8] * 49 + [9])):
        one = {"scores": scores, "seconds": 2.0, "tally": [[each, 10] for each in right]}
        row = {"of": "", "sets": dict.fromkeys(SETS, one), "training": training, "asked_on": "processor"}
        row["engine"] = "vllm" if name == "x1" else "transformers"
        (tmp_path / "restoring" / f"{name}.json").write_text(json.dumps(row), encoding="utf-8")
    lines = {line.split("`")[1]: line for line in tables.restoring(tmp_path).split("\n") if "`" in line}
    told = "0.9000 (0.850–0.950) | 0.9000 (0.850–0.950) | 0.9000 (0.850–0.950) |"
    took = "0.050 | 12.5% | 6, processor | 0.2500 | 62 | 3.0 GiB |"
    assert lines["base"] == f"| `base` | all weights, ×3, 2 epochs, plain, greedy | {told} – | {took}"
    assert lines["lora"] == f"| `lora` | LoRA of rank 64 | {told} -0.2000 (-0.200 to -0.200) | {took}"
    assert " +0.0020 (+0.000 to +0.006, may be chance) | " in lines["x1"]
    assert " | 6, vllm, processor | " in lines["x1"]


def test_of_a_way_that_makes_what_it_learns_from_the_making_is_told_and_not_the_loss_of_other_rows(tmp_path):
    training = {"seconds": 61.5, "scores": {"loss": 0.25}}
    write_row({"name": "dpo", "of": "", "training": training, "seconds_before": 161.5}, tmp_path / "restoring")
    line = next(line for line in tables.restoring(tmp_path).split("\n") if line.startswith("| `dpo` |"))
    assert line.endswith("| – | 62, 100 to make | – |")


def test_rounds_stand_in_the_table_without_a_loss(tmp_path):
    training = {"seconds": 61.5, "scores": None}
    write_row({"name": "rounds", "of": "", "training": training}, tmp_path / "restoring")
    line = next(line for line in tables.restoring(tmp_path).split("\n") if line.startswith("| `rounds` |"))
    assert line.endswith("| – | 62 | – |")


def test_a_way_that_was_trained_and_not_asked_stands_with_its_training(tmp_path):
    training = {"seconds": 61.5, "scores": {"loss": 0.25}}
    write_row({"name": "lora", "of": "", "training": training}, tmp_path / "restoring")
    told = "| `lora` | LoRA of rank 64 | trained, not asked yet |  |  |  |  |  |  | 0.2500 | 62 | – |"
    assert told in tables.restoring(tmp_path).split("\n")
    assert not read_rows(tmp_path / "restoring")
