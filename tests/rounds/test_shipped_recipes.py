"""
Shipped recipes of rounds: each is read, its stages make recipes of their kinds, and its head names what it has.

In: `hanpuri/recipes/*.yaml` of `kind: rounds`. Put in place of the real thing are model and rows.
"""

import re
from pathlib import Path

import pytest
import yaml

from hanpuri.recipe import read_recipe
from hanpuri.rounds.ahead import check_ahead
from hanpuri.rounds.plan import plan_round, start_policy
from hanpuri.rounds.recipe import RoundsRecipe

RECIPES = [
    path
    for path in sorted((Path(__file__).parents[2] / "hanpuri" / "recipes").glob("*.yaml"))
    if yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] == "rounds"
]
HERE = ("model.path=base", "model.adapter=null", "prompts.path=train.jsonl", "held_out.path=held.jsonl")


def read(path: Path, *overrides: str) -> RoundsRecipe:
    recipe = read_recipe(path, {"rounds": RoundsRecipe}, overrides)
    assert isinstance(recipe, RoundsRecipe)
    return recipe


def test_there_is_one_to_try_one_of_the_experiments_and_one_of_six_rounds():
    rounds = {"rounds-tiny": 2, "korean-llama-rounds": 3, "rounds-llama3": 6}
    assert {path.stem: read(path).rounds for path in RECIPES} == rounds


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_stages_of_a_recipe_make_recipes_of_their_kinds(place, monkeypatch, path):
    monkeypatch.chdir(place)
    changes = [
        f"stages.{number}.examples.template=plain"  # the tiny model brings no chat template
        for number, stage in enumerate(read(path).stages)
        if getattr(getattr(stage, "examples", None), "template", None) == "chat"
    ]
    recipe = read(path, *HERE, *changes)
    check_ahead(recipe)
    steps = plan_round(recipe, Path("runs/x"), 2, start_policy(recipe)).steps
    assert [step.name for step in steps if step.work == "train"] == [
        f"round-2/{stage.title}" for stage in recipe.stages if stage.stage != "sample"
    ]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_head_of_a_recipe_shows_its_command_and_explains_only_sections_that_it_has(path):
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("kind: rounds")]
    assert f"\n#   hanpuri train {path.stem}" in head
    explained = set(re.findall(r"^# (\w+)  +\S", head, re.MULTILINE)) - {"needs", "expects"}
    assert explained
    assert explained <= set(yaml.safe_load(text))
    assert yaml.safe_load(text)["name"] == path.stem
