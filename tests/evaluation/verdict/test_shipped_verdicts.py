"""
Shipped recipes of `kind: verdict`: each is read, its head shows its command, and it runs on rows of our own.

In: `hanpuri/recipes/*.yaml`. Put in place of theirs are the rows.
"""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from hanpuri.evaluation.verdict.advice import Kind
from hanpuri.evaluation.verdict.recipe import VerdictRecipe
from hanpuri.evaluation.verdict.verdict import judge
from hanpuri.recipe import read_recipe

REPOSITORY = Path(__file__).parents[3]
RECIPES = [
    path
    for path in sorted((REPOSITORY / "hanpuri" / "recipes").glob("*.yaml"))
    if yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] == "verdict"
]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_head_shows_the_command_and_explains_only_keys_that_the_recipe_has(path):
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("kind: verdict")]
    explained = re.findall(r"^# (\w+)  +\S", head, re.MULTILINE)
    assert f"\n#   hanpuri verdict {path.stem}" in head
    assert explained
    assert set(explained) <= set(yaml.safe_load(text))


def test_the_recipe_of_the_docs_is_one(tmp_path):
    page = (REPOSITORY / "docs" / "verdict.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "faq.yaml").write_text(shown, encoding="utf-8")
    recipe = read_recipe(tmp_path / "faq.yaml", {"verdict": VerdictRecipe})
    assert isinstance(recipe, VerdictRecipe)
    assert len(recipe.candidates) == 4


def test_every_kind_of_advice_stands_in_the_docs():
    page = (REPOSITORY / "docs" / "verdict.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([a-z][^|]+) \| ", page.partition("## The recipe")[0], re.MULTILINE)[1:] == list(
        get_args(Kind)
    )


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_called_as_its_file_and_runs_on_other_rows(path, write_rows, pairs, tmp_path):
    rows = write_rows("mine.jsonl", pairs[:30])
    recipe = read_recipe(path, {"verdict": VerdictRecipe}, [f"rows.path={rows}"])
    assert isinstance(recipe, VerdictRecipe)
    assert recipe.name == path.stem
    verdict = judge(recipe, tmp_path / "v")
    assert [outcome.failure for outcome in verdict.outcomes] == [""] * (1 + len(recipe.candidates))
