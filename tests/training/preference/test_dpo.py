import gc
import json
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax, logsigmoid

from hanpuri.errors import ModelError
from hanpuri.runs import Run
from hanpuri.training.feeding.pairs import PairExample, from_pairs
from hanpuri.training.loading.adapters import attach_adapter, save_adapter
from hanpuri.training.loading.models import load_model, quiet_loading
from hanpuri.training.loop.trainer import Material, run_loop
from hanpuri.training.recipe import AdapterSettings, DpoRecipe, ModelSettings

CLOCK = {"time", "tokens_per_second"}


class Killed(BaseException):
    """What no handler on the way expects, as little as a kill -9."""


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """Each run collects garbage once; spare it the libraries, through which it else goes for most of a short run."""
    with quiet_loading():
        import hanpuri.training.preference.dpo  # noqa: F401
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    """Leave out the page of curves, which takes as long as all steps together."""
    monkeypatch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)


@pytest.fixture(scope="module")
def trained_adapter(tiny_model, tmp_path_factory):
    """An adapter that adds something, to go on with."""
    folder = tmp_path_factory.mktemp("sft")
    model = load_model(ModelSettings(path=str(tiny_model())), learns_whole=False, device="cpu")
    adapted = attach_adapter(model, AdapterSettings(r=4, alpha=8, dropout=0.2), seed=0)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))
    save_adapter(adapted, folder)
    return folder


@pytest.fixture
def dpo_of(tiny_model, tokenizer_of, tmp_path):
    """Give a recipe, a run and material of random pairs; sections may be changed key by key."""

    def make(name="run", family="llama", model=None, adapter=None, pairs=7, training=None, watch=None, **dpo):
        recipe = DpoRecipe.model_validate(
            {
                "kind": "dpo",
                "name": name,
                "model": {"path": str(tiny_model(family))} | (model or {}),
                "adapter": adapter,
                "data": {"path": "pairs.jsonl"},
                "training": {"steps": 4, "batch_size": 2, "learning_rate": 1e-3, **(training or {})},
                "watch": {"log_every": 1, "evaluate_every": 2, **(watch or {})},
                "dpo": dpo,
            }
        )
        return recipe, Run.start(tmp_path / name, recipe, []), material(recipe, pairs)

    def material(recipe, pairs):
        from hanpuri.training.preference.dpo import DpoLoop

        model = load_model(recipe.model, learns_whole=recipe.adapter is None, device="cpu")
        if recipe.adapter:
            model = attach_adapter(model, recipe.adapter, seed=0)
        rows = from_pairs(random_pairs(12, 0)), from_pairs(random_pairs(pairs, 1))
        return Material(model, tokenizer_of("bytes"), *rows, trainer=DpoLoop)

    return make


def random_pairs(count, seed):
    random = np.random.default_rng(seed)
    sides = [[random.integers(10, 800, random.integers(2, 9)).astype(np.int32) for _ in range(3)] for _ in range(count)]
    return [PairExample(str(place), *side) for place, side in enumerate(sides)]


def lines_of(run, name):
    return [{key: one for key, one in line.items() if key not in CLOCK} for line in run.metrics() if name in line]


def train(told, **other):
    recipe, run, material = told
    return run_loop(recipe, run, material, device="cpu", **other)


def reckon(model, reference, rows, beta):
    """The figures of held-out pairs, each answer alone, by the formulas of the papers."""
    told = {"rewards": [], "chosen": [], "nats": [], "tokens": 0}
    for row in rows:
        rewards = []
        for side in ("chosen_ids", "rejected_ids"):
            ids = torch.tensor([row["prompt_ids"] + row[side]])
            own, theirs = (log_softmax(one(input_ids=ids).logits[0].float(), -1) for one in (model, reference))
            places = torch.arange(len(row["prompt_ids"]) - 1, ids.shape[1] - 1)
            gain, here = (own - theirs)[places, ids[0, places + 1]], own[places, ids[0, places + 1]]
            rewards.append(beta * float(gain.sum()))
            if side == "chosen_ids":
                told["chosen"].append(float(here.sum()))
                told["nats"].append(float((own.exp() * (own - theirs))[places].sum()))
                told["tokens"] += len(places)
        told["rewards"].append(rewards)
    rewards = torch.tensor(told["rewards"], dtype=torch.float64)
    margins = rewards[:, 0] - rewards[:, 1]
    return {
        "loss": float(-logsigmoid(margins).mean()) - 0.5 * sum(told["chosen"]) / told["tokens"],
        "accuracy": float((margins > 0).double().mean()),
        "margin": float(margins.mean()),
        "chosen_reward": float(rewards[:, 0].mean()),
        "chosen_logps": float(np.mean(told["chosen"])),
        "kl": sum(told["nats"]) / told["tokens"],
    }


# batch_size: the figures of 7 pairs may not hang on how they are cut
@pytest.mark.parametrize("batch_size", [2, 7])
def test_the_figures_of_held_out_pairs_are_exact_whatever_the_batch(dpo_of, tiny_model, batch_size):
    told = dpo_of(training={"batch_size": batch_size}, loss=["sigmoid", "sft"], loss_weights=[1.0, 0.5], beta=0.3)
    result = train(told)
    model = told[2].model
    reference = load_model(told[0].model, learns_whole=True, device="cpu")
    with torch.no_grad():
        expected = reckon(model, reference, told[2].validation, beta=0.3)
    assert {name: result.scores[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert result.best_step == 4


# loss: those of TRL that the recipe offers all come out of a step and an evaluation as numbers
@pytest.mark.parametrize(
    "loss", ["sigmoid_norm", "hinge", "ipo", "robust", "exo_pair", "apo_zero", "apo_down", "sppo_hard", "sft"]
)
def test_every_loss_is_learnt_and_evaluated(dpo_of, loss):
    told = dpo_of(training={"steps": 1}, loss=loss, label_smoothing=0.1, length_desensitized=0.5)
    assert math.isfinite(train(told).scores["loss"])


# family: what each one's output layer takes has to be what the drift is measured with
@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox"])
def test_before_the_first_step_every_model_is_its_own_reference(dpo_of, family):
    told = dpo_of(family=family, training={"steps": 1}, adapter={"r": 2, "dropout": 0.5})
    train(told)
    (line,) = lines_of(told[1], "loss")
    assert line["loss"] == pytest.approx(math.log(2), abs=1e-6)  # with dropout on one side it would be another
    assert (line["margin"], line["chosen_reward"]) == pytest.approx((0, 0), abs=1e-5)


@pytest.mark.parametrize("kind", ["a new adapter", "an adapter that goes on", "the whole model"])
def test_the_reference_stays_what_it_was_and_is_in_no_file(dpo_of, trained_adapter, kind):
    adapters = {"a new adapter": {"r": 4, "dropout": 0.2}, "an adapter that goes on": {"path": str(trained_adapter)}}
    told, seen = dpo_of(adapter=adapters.get(kind), training={"learning_rate": 1e-2}), []

    def look(step, steps, line):
        if not line:
            seen.append({name: one.clone() for name, one in told[2].model.state_dict().items() if ".ref." in name})

    train(told, report=look)
    assert bool(seen[0]) == (kind == "an adapter that goes on")
    assert all(torch.equal(one, seen[-1][name]) for name, one in seen[0].items())
    assert list(getattr(told[2].model, "peft_config", {"default": 0})) == ["default"]
    written = {path.name for path in told[1].folder.rglob("*")}
    assert "ref" not in written
    assert {path.parent.name for path in told[1].folder.rglob("*.safetensors")} == {
        "checkpoint-2",
        "checkpoint-4",
        "adapter" if told[0].adapter else "model",
    }
    if told[0].adapter is None:
        return
    kept = json.loads((told[1].folder / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert kept["lora_dropout"] == 0.2  # that it was off in this training is not the adapter's own affair


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_killed_run_goes_on_with_the_reference_that_it_began_with(dpo_of, trained_adapter, goes_on):
    adapter = {"path": str(trained_adapter)} if goes_on else None
    whole = dpo_of("whole", adapter=adapter, loss=["sigmoid", "sft"])
    train(whole)

    def kill(step, steps, line):
        if step == 3 and not line:
            raise Killed

    with pytest.raises(Killed):
        train(dpo_of("cut", adapter=adapter, loss=["sigmoid", "sft"]), report=kill)
    again = dpo_of("cut", adapter=adapter, loss=["sigmoid", "sft"])
    assert train(again).finished
    for name in ("loss", "eval_loss"):
        assert lines_of(again[1], name) == lines_of(whole[1], name)


@pytest.mark.parametrize(
    "goes_on",
    [
        {"model": {"quantization": {"type": "nf4", "compute": "fp32"}}},
        # activations are computed twice, the reference's never
        {"training": {"gradient_checkpointing": True}},
    ],
)
def test_an_adapter_goes_on_beside_a_base_in_4_bits_and_with_activations_computed_twice(
    dpo_of, trained_adapter, goes_on
):
    told = dpo_of(adapter={"path": str(trained_adapter)}, **goes_on)
    train(told)
    first, *_, last = lines_of(told[1], "loss")
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert last["chosen_reward"] != 0
    learnt = [one for one in told[2].model.parameters() if one.requires_grad]
    assert {one.dtype for one in learnt} == {torch.float32}


def test_training_pulls_the_two_answers_apart_and_says_when_that_goes_wrong(dpo_of):
    told = dpo_of(training={"steps": 8, "batch_size": 6, "learning_rate": 1e-2}, max_drift=1e-3)
    train(told)
    first, *_, last = lines_of(told[1], "loss")
    assert (first["accuracy"], last["accuracy"]) == (0, 1)
    assert last["margin"] > first["margin"]
    events = [line["event"] for line in lines_of(told[1], "event")]
    assert events.count("drift") == 1
    assert "step" in (told[1].folder / "train.log").read_text(encoding="utf-8")


def test_the_tokens_for_padding_stay_what_they_were(dpo_of, tiny_model):
    told = dpo_of(training={"steps": 1})
    fast = told[2].tokenizer.fast
    before, fast.pad_token = fast.pad_token, None
    try:
        train(told)
        assert fast.pad_token is None
    finally:
        fast.pad_token = before
    kept, own = (json.loads((place / "config.json").read_text()) for place in (told[1].folder / "model", tiny_model()))
    assert kept == own


def test_a_loss_that_is_no_number_ends_the_run(dpo_of):
    told = dpo_of(training={"steps": 2})
    with torch.no_grad():
        told[2].model.get_output_embeddings().weight.fill_(math.nan)
    with pytest.raises(ModelError, match="step 1: found a loss of nan at a learning rate of 0, expected a number"):
        train(told)


def test_a_reference_of_its_own_is_loaded_and_has_to_read_the_same_tokens(dpo_of, tiny_model, tokenizer_of, tmp_path):
    from hanpuri.training.preference.references import check_reference

    other = tmp_path / "other"
    model = load_model(ModelSettings(path=str(tiny_model())), learns_whole=True, device="cpu")
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1.5)
    model.save_pretrained(other)
    tokenizer_of("bytes").fast.save_pretrained(other)
    told = dpo_of(training={"steps": 1}, reference=str(other))
    check_reference(told[0], tokenizer_of("bytes"))
    train(told)
    assert lines_of(told[1], "loss")[0]["loss"] != pytest.approx(math.log(2), abs=1e-3)
    with pytest.raises(ModelError) as caught:
        check_reference(told[0], tokenizer_of("unigram"))
    assert str(caught.value) == (
        f"dpo.reference: found {other} with another tokenizer than the model's: their tokens do not compare; name a"
        " model of the same family, or take dpo.reference out"
    )
