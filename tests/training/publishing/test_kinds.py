"""What a run has to offer that learnt preferences or rewards, and what is refused."""

import json

import pytest

from hanpuri.errors import ModelError
from hanpuri.recipe import dump_recipe
from hanpuri.training.publishing import publish
from hanpuri.training.publishing.origin import open_origin
from hanpuri.training.recipe import KINDS

from .conftest import ANSWERS, QUESTIONS


def make_it(run, kind, **sections):
    """Let a run be one of another kind, on the same base with the same adapter."""
    pairs = run.parents[1] / "pairs.jsonl"
    rows = [{"prompt": question, "chosen": ANSWERS[0], "rejected": ANSWERS[1]} for question in QUESTIONS]
    pairs.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    model, adapter = open_origin(run).recipe.model, open_origin(run).recipe.adapter
    fields = {"kind": kind, "name": run.name, "model": model.model_dump(), "adapter": adapter.model_dump()}
    fields |= {"data": {"path": str(pairs)}, "training": {"steps": 30, "learning_rate": 1e-5}, **sections}
    (run / "recipe.yaml").write_text(dump_recipe(KINDS[kind].model_validate(fields)), encoding="utf-8")
    return run


@pytest.mark.parametrize(
    ("kind", "sections", "told"),
    [
        (
            "dpo",
            {"dpo": {"loss": ["sigmoid", "sft"], "beta": 0.2}},
            [
                "Tuned to pairs of answers (direct preference optimisation) with hanpuri: LoRA, merged.",
                "Loss: sigmoid and sft, beta 0.2. Reference: the base without the adapter.",
            ],
        ),
        (
            "grpo",
            {"rewards": [{"measure": "token_f1"}, {"longest": 40, "weight": 0.5}]},
            [
                "Tuned by rewards for its own answers (GRPO) with hanpuri",
                "Rewards: token_f1 × 1, longest × 0.5; 8 answers a prompt; beta 0.04, reference: the base without the",
            ],
        ),
    ],
)
def test_what_was_learnt_stands_on_the_card(make_run, tmp_path, kind, sections, told):
    run = make_it(make_run(), kind, **sections)
    published = publish.publish(run, str(tmp_path / "out"))
    assert published.proof.exported.equal
    assert [one for one in told if one not in published.card] == []
    assert {question["prompt"] for question in published.proof.questions} <= {
        f"### 질문: {question}\n\n### 답변:" for question in QUESTIONS
    }


def test_the_reference_of_an_adapter_that_went_on_is_named_without_its_folders(make_run, tmp_path):
    run = make_run()
    adapter = {"path": str(run / "adapter")}
    published = publish.publish(make_it(run, "dpo", adapter=adapter), str(tmp_path / "out"))
    assert f"Reference: the adapter {run.name}/adapter as it was before the first step." in published.card


def test_a_reward_model_answers_nothing_and_is_not_published(make_run, tmp_path):
    run = make_it(make_run(), "reward")
    with pytest.raises(ModelError) as caught:
        publish.publish(run, str(tmp_path / "out"))
    assert str(caught.value) == (
        f"{run}: found a reward model, expected one that answers; score with it as it is: hanpuri score FILE"
        f" --model {run}"
    )
    assert not (tmp_path / "out").exists()
