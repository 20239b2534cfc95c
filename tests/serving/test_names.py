"""
The names that clients know a service's models by.

In: what `hanpuri serve` is told. Out: names, or one line that says which two have the same.
"""

import re

import pytest

from hanpuri.errors import RecipeError
from hanpuri.serving.names import name_all


@pytest.mark.parametrize(
    ("models", "engines", "expected"),
    [
        (["base", "small"], [], (["base", "small"], [])),
        # a folder is called as its last part is, a name is taken as it is told
        (["runs/ours/model", "second=runs/ours/model"], [], (["model", "second"], [])),
        ([], ["qwen=openai:http://127.0.0.1:8000/v1#qwen3"], ([], ["qwen"])),
        (["base"], ["transformers:runs/faq", "llamacpp:tiny.gguf"], (["base"], ["faq", "tiny"])),
        (["base"], ["other=compact:base"], (["base"], ["other"])),
    ],
)
def test_every_model_has_a_name(models, engines, expected):
    found = name_all(models, engines)
    assert tuple(list(names) for names in found) == expected


@pytest.mark.parametrize(
    ("models", "engines", "message"),
    [
        (["base", "base=runs/a"], [], "two models are called base; name one of them: other=runs/a"),
        (["base"], ["compact:base"], "two models are called base; name one of them: other=compact:base"),
        (
            [],
            ["transformers:a/faq", "transformers:b/faq"],
            "two models are called faq; name one of them: other=transformers:b/faq",
        ),
    ],
)
def test_two_models_of_one_name_are_refused(models, engines, message):
    with pytest.raises(RecipeError, match=f"^{re.escape(message)}$"):
        name_all(models, engines)
