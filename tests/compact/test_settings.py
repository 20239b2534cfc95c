"""
The recipe of a compact restorer.

In: YAML. Out: settings, or one line with every fault that would otherwise come up after minutes of training.
"""

from pathlib import Path

import pytest
import yaml

from hanpuri.compact.settings import CompactRecipe
from hanpuri.errors import RecipeError
from hanpuri.recipe import Settings, dump_recipe, read_recipe

RECIPES = (Path(__file__).parents[2] / "hanpuri" / "recipes").glob("*.yaml")
SHIPPED = sorted(path for path in RECIPES if "\nkind: compact\n" in path.read_text(encoding="utf-8"))
RECIPE = """
kind: compact
name: mine
data: [{path: a.txt, weight: 1, final_weight: 1}]
network: {width: 64, num_layers: 2}
training: {steps: 10}
"""


@pytest.fixture
def read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE, encoding="utf-8")

    def with_overrides(*overrides: str) -> Settings:
        return read_recipe(path, {"compact": CompactRecipe}, overrides)

    return with_overrides


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_recipe_is_sound_and_named_like_its_file(path):
    recipe = read_recipe(path, {"compact": CompactRecipe})
    assert isinstance(recipe, CompactRecipe)
    assert recipe.name == path.stem


def test_the_shipped_models_have_shipped_recipes():
    assert {"base", "small"} <= {path.stem for path in SHIPPED}


def test_a_recipe_comes_back_from_its_dump(read):
    recipe = read()
    assert CompactRecipe.model_validate(yaml.safe_load(dump_recipe(recipe))) == recipe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        # windows that the network cannot read, or none
        ("training.window_lengths=[384, 513]", "training.window_lengths.1: Input should be less than or equal to 512"),
        ("training.window_lengths=[1]", "training.window_lengths.0: Input should be greater than or equal to 2"),
        ("training.window_lengths=[]", "training.window_lengths: List should have at least 1 item after validation"),
        ("network.width=100", "network.width: Input should be a multiple of 64"),
        # no measure of how long, or two
        ("training.steps=null", "training: found neither steps nor seconds; give one of them, and null for the other"),
        ("training.seconds=60", "training: found both steps and seconds; give one of them, and null for the other"),
        ("training.seconds=0", "training.seconds: Input should be greater than 0"),
        ("training.stesp=10", "training.stesp: no such key, did you mean steps?"),
        # a first or a last part of the training for which there is nothing to draw
        ("data=[{path: a.txt, weight: 0, final_weight: 1}]", "data: the weight of every file is 0; give at least one"),
        (
            "data=[{path: a.txt, weight: 1, final_weight: 0}]",
            "data: the final_weight of every file is 0; give at least",
        ),
    ],
)
def test_a_fault_is_told_before_anything_runs(read, override, message):
    with pytest.raises(RecipeError) as caught:
        read(override)
    assert message in str(caught.value)


def test_a_file_may_have_no_share_if_another_has_one(read):
    files = "data=[{path: a.txt, weight: 0, final_weight: 1}, {path: b.txt, weight: 1, final_weight: 0}]"
    assert [corpus.weight for corpus in read(files).data] == [0, 1]
