"""In what numbers a merged model is written."""

from pathlib import Path

import pytest

from hanpuri.training.publishing.origin import Origin
from hanpuri.training.recipe import SftRecipe


def origin(model: dict[str, object], result: dict[str, object]) -> Origin:
    told = {"kind": "sft", "name": "faq", "model": {"path": "models/base"} | model, "adapter": {}}
    told |= {"data": {"path": "rows.jsonl"}, "training": {"steps": 1, "learning_rate": 1e-4}}
    recipe = SftRecipe.model_validate(told)
    return Origin(Path("runs/faq"), recipe, result, {}, Path("runs/faq/adapter"), Path("models/base"), "base", ())


@pytest.mark.parametrize(
    ("model", "result", "precision"),
    [
        # what the run wrote down: a GPU without bf16 trains in fp32, and is merged so
        ({}, {"weights": "fp32", "device": "cuda (Tesla T4)"}, "fp32"),
        ({}, {"weights": "bf16", "device": "cuda (NVIDIA H100)"}, "bf16"),
        # never into 4 bits, nor in what stands beside them
        ({"quantization": {"compute": "fp32"}}, {"weights": "fp32", "device": "cpu"}, "bf16"),
        # runs that did not write it down
        ({"precision": "fp16"}, {"device": "cuda (Tesla T4)"}, "fp16"),
        ({}, {"device": "cpu"}, "fp32"),
    ],
)
def test_a_merged_model_is_written_in_what_its_base_was_held_in(model, result, precision):
    assert origin(model, result).precision == precision
