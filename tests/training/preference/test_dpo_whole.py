"""A DPO run from a file of pairs to an adapter that is asked, as `hanpuri train` does it."""

import json
import math

import pytest

from hanpuri.errors import DataError, RecipeError
from hanpuri.evaluation import metrics
from hanpuri.training.prompting import load_prompting
from hanpuri.training.recipe import DpoRecipe
from hanpuri.training.train import look_ahead, train

QUESTIONS = ("강은 어디로 흐르나요?", "별은 왜 반짝이나요?", "책을 빌리려면?", "고마워요", "잘 자요", "몇 시예요?")
MEASURES = {"char_accuracy": metrics.char_accuracy, "exact_match": metrics.exact_match}


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    """Leave out the page of curves, which takes as long as all steps together."""
    monkeypatch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)


@pytest.fixture
def recipe_of(tiny_model, tmp_path):
    def make(rows=None, **sections):
        made = [{"prompt": one, "chosen": f"{one} 네.", "rejected": "몰라요."} for one in QUESTIONS]
        path = tmp_path / "pairs.jsonl"
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows or made), encoding="utf-8")
        fields = {
            "kind": "dpo",
            "name": "tried",
            "model": {"path": str(tiny_model())},
            "adapter": {"r": 4, "dropout": 0},
            "data": {"path": str(path), "validation": str(path)},
            "examples": {"template": "koalpaca", "max_length": 200},
            "training": {"steps": 2, "batch_size": 2, "learning_rate": 1e-2},
            "watch": {
                "log_every": 1,
                "evaluate_every": 2,
                "generation": {"rows": 3, "max_new_tokens": 4, "measures": ["char_accuracy"]},
            },
        }
        return DpoRecipe.model_validate({**fields, **sections})

    return make


def test_a_run_scores_what_the_model_writes_and_how_far_that_is_from_the_reference(recipe_of, tmp_path, capfd):
    recipe, seen = recipe_of(), []
    capfd.readouterr()  # of making the model
    trained = train(recipe, tmp_path / "runs" / "tried", measures=MEASURES, device="cpu", show=seen.append)
    scores = trained.result["scores"]
    assert {"loss", "accuracy", "margin", "kl", "kl_own", "char_accuracy"} <= scores.keys()
    assert scores["kl"] > 0
    assert scores["kl_own"] > 0
    lines = [json.loads(line) for line in (trained.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    before = next(line for line in lines if "eval_loss" in line)
    assert (before["step"], before["eval_loss"]) == (0, pytest.approx(math.log(2), abs=1e-5))
    assert (before["eval_kl"], before["eval_kl_own"], before["eval_accuracy"]) == pytest.approx((0, 0, 0.5), abs=1e-6)
    assert seen[0].paired
    assert (trained.weights.name, trained.result["method"]) == ("adapter", "lora")
    prompting = load_prompting(trained.weights, seen and _tokenizer(trained.weights))
    assert prompting.question("고마워요", "") == {"instruction": "고마워요", "input": ""}
    assert capfd.readouterr().err == ""


def _tokenizer(folder):
    from hanpuri.data.tokenizers import load_tokenizer

    return load_tokenizer(folder)


def test_a_look_ahead_shows_pairs_and_trains_nothing(recipe_of, tmp_path):
    checked = look_ahead(recipe_of(), tmp_path / "runs", measures=MEASURES, device="cpu")
    assert json.loads(json.dumps(checked.as_dict()))["paired"]
    assert checked.warnings == (
        "all 6 pairs to watch by have a prompt that is trained on, too: the scores will be better than the model",
    )
    assert not (tmp_path / "runs" / "tried").exists()


BAD = [
    # a pair that says nothing
    (
        [{"prompt": "고마워요", "chosen": "네.", "rejected": "네."}],
        {},
        DataError,
        'found the same text in "chosen" and "rejected"',
    ),
    ([{"prompt": "", "chosen": "네.", "rejected": "음."}], {}, DataError, "prompt"),
    # TRL reads the output layer past any adapter on it
    (
        None,
        {"adapter": {"target_modules": ["lm_head"]}},
        RecipeError,
        "adapter.target_modules: lm_head writes the tokens",
    ),
]


@pytest.mark.parametrize(("rows", "sections", "error", "told"), BAD)
def test_what_cannot_be_learnt_is_refused_in_one_line(recipe_of, tmp_path, rows, sections, error, told):
    with pytest.raises(error, match=told) as caught:
        train(recipe_of(rows, **sections), tmp_path / "runs" / "tried", measures=MEASURES, device="cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs" / "tried").exists()
