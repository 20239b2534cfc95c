"""
The recipe of a verdict: the short ways of writing it, and what is refused in which words.

In: fields as they stand in a YAML file. Out: settings, or one line.
"""

import pytest

from hanpuri.engines.settings import EngineSettings
from hanpuri.errors import RecipeError
from hanpuri.evaluation.verdict.recipe import DECIDING, VerdictRecipe
from hanpuri.recipe import check_settings, dump_recipe, read_recipe

LEAST = {
    "kind": "verdict",
    "name": "faq",
    "rows": {"path": "faq.jsonl"},
    "candidates": ["compact:small"],
    "measure": "exact_match",
    "good_enough": 0.9,
}
MEND = "; mend these keys, or see the shipped recipes"


def check(**fields):
    return check_settings("my.yaml", VerdictRecipe, {**LEAST, **fields})


def test_a_candidate_is_written_in_a_word_or_as_a_section():
    server = {"engine": "openai", "model": "http://127.0.0.1:1/v1#m", "server": {"price_input": 0.5}}
    recipe = check(candidates=["compact:small,aligned=airbnb", {"engine": server, "label": "m"}])
    first, second = recipe.candidates
    assert first.engine == EngineSettings(engine="compact", model="small", aligned="airbnb")
    assert (second.engine.server.price_input, second.name) == (0.5, "m")


def test_prompts_are_zero_shot_or_a_number_of_examples():
    candidate = {"engine": "transformers:m", "prompts": ["zero-shot", {"shots": 3}]}
    (found,) = check(candidates=[candidate]).candidates
    assert [prompt.name for prompt in found.prompts] == ["zero-shot", "3-shot"]


def test_what_a_verdict_keeps_as_its_recipe_is_read_as_the_same(tmp_path):
    candidate = {"engine": "transformers:m", "prompts": ["zero-shot", {"shots": 3}], "template": "chat"}
    recipe = check(candidates=[candidate, "echo"], learning_curve={"runs": ["a", "b"]}, price={"per_hour": 2})
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert read_recipe(tmp_path / "recipe.yaml", {"verdict": VerdictRecipe}) == recipe


REFUSED = [
    # nobody is asked
    ({"candidates": []}, "candidates: name one candidate or more (found [])"),
    # the nearest engine is named
    (
        {"candidates": ["compakt:small"]},
        "candidates.0.engine: engine: no such engine, did you mean compact? (found 'compakt') (found 'compakt:small')",
    ),
    # two lines of the table would have one name
    (
        {"candidates": ["compact:small", "compact:small"]},
        "candidates: two candidates are called compact:small, give one a label (found ['compact:small',"
        " 'compact:small'])",
    ),
    (
        {"candidates": [{"engine": "compact:small", "label": "nearest"}]},
        "candidates: nearest is the name of another line of the table, give another label (found [{'engine':"
        " 'compact:small', 'label': 'nearest'}])",
    ),
    # the restorer has no prompt
    (
        {"candidates": [{"engine": "compact:small", "prompts": [{"shots": 2}]}]},
        "candidates.0: compact takes no prompt, leave the shots out",
    ),
    (
        {"candidates": [{"engine": "transformers:m", "prompts": [{"shots": 2}, {"shots": 2}]}]},
        "candidates.0: 2-shot stands twice in prompts",
    ),
    (
        {"candidates": [{"engine": "transformers:m", "prompts": []}]},
        "candidates.0: prompts is empty, write e.g. [zero-shot]",
    ),
    ({"measure": "token_f2"}, "measure: no such measure, did you mean token_f1? (found 'token_f2')"),
    # what counts copies is no goal
    (
        {"measure": "copied"},
        f"measure: no such measure, one of {', '.join(DECIDING)} (found 'copied')",
    ),
    # 95 percent are 0.95
    ({"good_enough": 95}, "good_enough: good_enough is a share, above 0 and at most 1 (found 95)"),
    ({"learning_curve": {}}, "learning_curve: give either `recipe` or `runs`"),
    ({"learning_curve": {"runs": ["a"]}}, "learning_curve: a curve needs two runs or more"),
    (
        {"learning_curve": {"recipe": "a.yaml", "shares": [0.3, 0.1]}},
        "learning_curve.shares: shares are two or more that rise from above 0 to 1 at most (found [0.3, 0.1])",
    ),
    (
        {"learning_curve": {"runs": ["a", "b"], "set": ["seed=1"]}},
        "learning_curve: `set` changes a recipe, and `runs` are trained already",
    ),
    ({"rows": {"path": "faq.jsonl", "row": 5}}, "rows.row: no such key, did you mean rows?"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_a_fault_is_one_line(fields, message):
    with pytest.raises(RecipeError) as caught:
        check(**fields)
    assert str(caught.value) == f"my.yaml: {message}{MEND}"
