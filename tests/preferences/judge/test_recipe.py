"""The recipe of a judge: what it may say, and every fault in one line."""

from pathlib import Path

import pytest

from hanpuri.errors import RecipeError
from hanpuri.preferences.judge.recipe import JudgeRecipe, read_judge
from hanpuri.recipe import check_settings

SHIPPED = Path(__file__).parents[3] / "hanpuri" / "recipes"
WHOLE = {"kind": "judge", "name": "mine", "engine": "transformers:runs/mine", "rubric": "짧을수록 낫다."}

FAULTS = [
    ({"rubric": None}, "give either `rubric` or `rubric_file`"),
    ({"rubric_file": "rubric.txt"}, "give either `rubric` or `rubric_file`"),
    ({"rubric": "  "}, "rubric is empty, say what makes an answer the better one"),
    ({"engine": "echo"}, "engine: echo reads no question, give a language model or a server (found 'echo')"),
    (
        {"engine": "transformers:runs/mine,aligned=airbnb"},
        "engine: aligned and channel hold a text in place, a judge writes freely: leave them out (found"
        " 'transformers:runs/mine,aligned=airbnb')",
    ),
    ({"engine": "openai"}, "engine: openai was given no model, write e.g. openai:http://127.0.0.1:8000/v1#MODEL"),
    ({"engine": "oben:x"}, "engine: engine: no such engine, did you mean openai?"),
    (
        {"engine": "openai:http://127.0.0.1:1/v1", "by": "likelihood"},
        "openai tells no likelihoods, give transformers or vllm, or `by: verdict`",
    ),
    ({"scale": [10, 0]}, "scale: a scale rises from 0 or more, and has 101 marks at most (found [10, 0])"),
    ({"scale": [0, 1000]}, "scale: a scale rises from 0 or more, and has 101 marks at most (found [0, 1000])"),
    ({"order": "one"}, "order: no such key, did you mean orders?"),
    ({"retry": {"trys": 3}}, "retry.trys: no such key, did you mean tries?"),
]


@pytest.mark.parametrize(("more", "message"), FAULTS)
def test_a_fault_of_a_recipe_is_said_in_one_line(more, message):
    with pytest.raises(RecipeError) as caught:
        check_settings("judge.yaml", JudgeRecipe, WHOLE | more)
    assert caught.value.message.startswith(f"judge.yaml: {message}")


def test_a_rubric_may_stand_in_a_file_and_broken_ones_are_named(tmp_path):
    path = tmp_path / "rubric.txt"
    recipe = check_settings("judge.yaml", JudgeRecipe, {**WHOLE, "rubric": None, "rubric_file": path})
    path.write_text("\ufeff짧을수록 낫다.\n", encoding="utf-8")
    assert recipe.read_rubric() == "짧을수록 낫다."
    for content, message in (
        (b"", "is empty, expected a rubric"),
        ("긴".encode("cp949"), "is not UTF-8: invalid start byte at byte 0"),
    ):
        path.write_bytes(content)
        with pytest.raises(RecipeError) as caught:
            recipe.read_rubric()
        assert caught.value.message == f"{path} {message}"


@pytest.mark.parametrize("name", ["judge-restoration", "judge-answers"])
def test_a_shipped_judge_is_called_as_its_file_and_its_head_shows_its_command(name):
    recipe = read_judge(SHIPPED / f"{name}.yaml")
    assert (recipe.name, recipe.orders, recipe.by) == (name, "both", "verdict")
    assert "길거나 앞에 놓였다는 것은 장점이 아닙니다" in recipe.read_rubric()
    assert f"--judge {name}" in (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
