"""
Shipped recipes of training sets: each is read, each head shows how it is run, and the one whose file is shipped runs.

In: `hanpuri/recipes/*.yaml` of `kind: prepare`. The others name files that are not in the repository.
"""

import json
import re
from pathlib import Path
from unicodedata import is_normalized

import pytest
import yaml
from pyarrow.parquet import read_table

from hanpuri.data.preparation.prepare import prepare
from hanpuri.data.recipe import PrepareRecipe
from hanpuri.data.templates import CHAT, load_template
from hanpuri.recipe import read_recipe

REPOSITORY = Path(__file__).parents[1]
SAMPLE = REPOSITORY / "hanpuri" / "samples" / "conversations.jsonl"
RECIPES = [
    path
    for path in sorted((REPOSITORY / "hanpuri" / "recipes").glob("*.yaml"))
    if yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] == "prepare"
]


def read(path: Path, *overrides: str) -> PrepareRecipe:
    settings = read_recipe(path, {"prepare": PrepareRecipe}, overrides)
    assert isinstance(settings, PrepareRecipe)
    return settings


def test_there_is_a_recipe_for_each_way_of_training():
    assert {read(path).final_form for path in RECIPES} == {"text", "pairs", "instruction", "messages"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_called_as_its_file_and_names_a_template_that_is_there(path):
    recipe = read(path)
    assert recipe.name == path.stem
    if recipe.examples and recipe.examples.template != CHAT:
        load_template(recipe.examples.template)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_head_of_a_recipe_shows_its_command_and_explains_only_sections_that_it_has(path):
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("kind: prepare")]
    assert f"\n#   hanpuri prepare {path.stem}" in head
    explained = re.findall(r"^# (\w+)  +\S", head, re.MULTILINE)
    assert explained
    assert set(explained) <= set(yaml.safe_load(text))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_files_of_a_recipe_are_in_the_repository_or_in_the_list_of_those_that_are_not(path):
    listed = (REPOSITORY / "corpus" / "README.md").read_text(encoding="utf-8")
    recipe = read(path)
    for file in [*(source.path for source in recipe.sources), *(one.path for one in recipe.evaluation)]:
        assert (REPOSITORY / file).is_file() or f"| `{file.name}` |" in listed


def test_the_sample_conversations_are_sound_and_none_is_there_twice():
    conversations = [json.loads(line)["messages"] for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    assert 40 <= len(conversations) <= 60
    for messages in conversations:
        roles = [message["role"] for message in messages if message["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert len(roles) in (2, 4, 6)
        contents = [message["content"] for message in messages]
        assert all(content == content.strip() and is_normalized("NFC", content) for content in contents)
    texts = [message["content"] for messages in conversations for message in messages if message["role"] != "system"]
    assert len(set(texts)) == len(texts)


def test_the_sample_conversations_make_a_training_set(tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    recipe = read(REPOSITORY / "hanpuri" / "recipes" / "conversations.yaml")
    report = json.loads(prepare(recipe, tmp_path, processes=1).read_text(encoding="utf-8"))
    num_rows = [read_table(tmp_path / f"{split}.parquet").num_rows for split in ("train", "validation", "test")]
    assert sum(num_rows) == len(SAMPLE.read_text(encoding="utf-8").splitlines())
    assert all(num_rows)
    assert [warned["rule"] for warned in report["warnings"]] == ["train_is_small"]
    assert report["findings"] == {"masked email": 1, "masked phone": 1}
