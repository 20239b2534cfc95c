import json
import math
import signal
import time
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from hanpuri.data.packing import pack_examples
from hanpuri.errors import ModelError
from hanpuri.training.feeding.datasets import from_examples, from_packs
from hanpuri.training.loop.trainer import run_loop

from .conftest import ARCHITECTURES, checkpoints_of, lines_of, random_rows


class Killed(BaseException):
    """What no handler on the way expects, as little as a kill -9."""


def killed_at(step):
    """A report that ends the process, as it were, when a step is done and before it is saved."""

    def report(at, steps, line):
        if at == step and not line:
            raise Killed

    return report


def weights_of(model):
    return torch.cat([weight.detach().flatten().float() for weight in model.parameters() if weight.requires_grad])


def mean_loss(model, rows):
    """Mean loss over all trained tokens, each row alone."""
    total, trained = 0.0, 0
    model.eval()
    for row in rows:
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor(row["labels"])[1:]
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, :-1].float()
        total += float(functional.cross_entropy(logits, labels, reduction="sum", ignore_index=-100))
        trained += int((labels != -100).sum())
    return total / trained


def figures_of(run):
    """What a run has logged, event lines left out: those say where it was cut off."""
    return [[*line.values()] for line in lines_of(run, "loss", "eval_loss")]


def test_a_run_trains_evaluates_saves_and_keeps_its_weights(recipe_of, run_of, material_of, tiny_model):
    recipe = recipe_of()
    run, material, told = run_of(recipe), material_of(rows=12), []
    result = run_loop(recipe, run, material, device="cpu", report=lambda *one: told.append(one))
    assert (result.finished, result.step, result.best_step, result.stopped_early) == (True, 6, 6, None)
    assert result.scores.keys() == {"loss", "token_accuracy"}
    assert result.peak_memory_bytes > 1 << 20
    assert checkpoints_of(run) == ["checkpoint-3", "checkpoint-6"]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in (run.folder / "model").iterdir()
    }
    # transformers' trainer would leave use_cache: false there, and nobody's forward passes would keep one.
    configurations = [
        json.loads((folder / "config.json").read_text()) for folder in (run.folder / "model", tiny_model())
    ]
    assert configurations[0] == configurations[1]
    lines = lines_of(run, "loss")
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert set(lines[0]) == {"step", "epoch", "loss", "token_accuracy", "learning_rate", "grad_norm", "tokens"}
    assert lines[-1]["tokens"] == result.tokens == sum(len(row["input_ids"]) for row in material.train)
    assert [line["event"] for line in lines_of(run, "event")] == ["started", "best", "best", "finished"]
    assert [(step, steps) for step, steps, line in told if not line] == [(step, 6) for step in range(1, 7)]
    assert "step 3: best so far: loss" in (run.folder / "train.log").read_text(encoding="utf-8")


# ARCHITECTURES: what transformers renames when it saves has to find its way back
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_kept_model_is_that_of_the_best_step(recipe_of, run_of, material_of, architecture):
    from hanpuri.training.loading.models import load_model

    recipe = recipe_of({"steps": 3}, {"evaluate_every": 1, "best_by": "token_f1", "generation": {}})
    scores, weights = iter([0.1, 0.3, 0.5, 0.4]), []

    def scorer(model):
        assert not model.training
        weights.append(weights_of(model))
        return {"token_f1": next(scores)}

    run, material = run_of(recipe), material_of(architecture, rows=6, scorers=(scorer,))
    result = run_loop(recipe, run, material, device="cpu")
    assert (result.best_step, result.scores["token_f1"]) == (2, 0.5)
    assert [line["eval_token_f1"] for line in lines_of(run, "eval_token_f1")] == [0.1, 0.3, 0.5, 0.4]
    assert torch.equal(weights_of(material.model), weights[2])
    assert not torch.equal(weights[2], weights[3])
    kept = load_model(recipe.model.model_copy(update={"path": str(run.folder)}), learns_whole=True, device="cpu")
    assert torch.equal(weights_of(kept), weights[2])


def test_the_loss_is_the_mean_over_trained_tokens_however_a_step_is_cut(recipe_of, run_of, material_of):
    told = []
    for name, sizes in {"once": {"batch_size": 4}, "twice": {"batch_size": 2, "accumulation": 2}}.items():
        recipe = recipe_of({**sizes, "steps": 3})
        run, material = run_of(recipe, name), material_of(rows=4)
        before = mean_loss(material.model, material.train)
        run_loop(recipe, run, material, device="cpu")
        lines = lines_of(run, "loss")
        assert lines[0]["loss"] == pytest.approx(before, abs=1e-5)
        told.append([[line["loss"], line["grad_norm"], line["tokens"]] for line in lines])
    assert told[0] == [pytest.approx(line, abs=1e-4) for line in told[1]]


def test_the_validation_loss_is_the_mean_over_trained_tokens_whatever_the_batch(recipe_of, run_of, material_of):
    recipe = recipe_of({"steps": 3, "batch_size": 4})
    run, material = run_of(recipe), material_of()
    result = run_loop(recipe, run, material, device="cpu")
    assert result.scores["loss"] == pytest.approx(mean_loss(material.model, material.validation), abs=1e-5)


# The same for whole models, with a real kill: test_kill.
def test_a_killed_run_with_an_adapter_and_dropout_goes_on_as_if_nothing_had_happened(recipe_of, run_of, material_of):
    told = {"epochs": 2.5, "accumulation": 2, "schedule": "cosine_with_min_lr", "warmup": 2}
    watch = {"log_every": 2, "evaluate_every": 4, "save_every": 2, "keep": 1}
    recipe = recipe_of(told, watch, adapter={"dropout": 0.2})
    whole, cut = run_of(recipe, "whole"), run_of(recipe, "cut")
    # Of 13 rows the last batch of an epoch is smaller, and its last step has fewer batches.
    materials = [material_of(rows=13, adapter=True)]
    expected = run_loop(recipe, whole, materials[0], device="cpu")
    assert expected.step == 10
    for step in (1, 5, 8):  # before the first checkpoint; between two; when an evaluation was due
        with pytest.raises(Killed):
            run_loop(recipe, cut, material_of(rows=13, adapter=True), device="cpu", report=killed_at(step))
    materials.append(material_of(rows=13, adapter=True))
    result = run_loop(recipe, cut, materials[1], device="cpu")
    assert figures_of(cut) == [pytest.approx(line, abs=1e-5) for line in figures_of(whole)]
    assert torch.allclose(*(weights_of(material.model) for material in materials), atol=1e-6)
    assert (result.best_step, result.tokens) == (expected.best_step, expected.tokens)
    assert checkpoints_of(cut) == checkpoints_of(whole)


def test_a_run_stops_when_its_time_is_over_and_goes_on(recipe_of, run_of, material_of):
    recipe = recipe_of({"steps": 3})
    whole, cut = run_of(recipe, "whole"), run_of(recipe, "cut")
    materials = [material_of(), material_of()]
    run_loop(recipe, whole, materials[0], device="cpu")
    result = run_loop(recipe, cut, material_of(), device="cpu", stop_after=0)
    assert (result.finished, result.step, result.best_step) == (False, 1, None)
    assert not (cut.folder / "model").exists()
    result = run_loop(recipe, cut, materials[1], device="cpu")
    assert (result.finished, result.step) == (True, 3)
    assert torch.allclose(*(weights_of(material.model) for material in materials), atol=1e-6)


def test_ctrl_c_ends_the_step_saves_and_is_passed_on(recipe_of, run_of, material_of):
    recipe = recipe_of()
    run = run_of(recipe)

    def report(step, steps, line):
        if step == 2 and not line:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_loop(recipe, run, material_of(), device="cpu", report=report)
    assert checkpoints_of(run) == ["checkpoint-2"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_finished_run_is_left_as_it_is(recipe_of, run_of, material_of):
    recipe = recipe_of({"steps": 3})
    run, material = run_of(recipe), material_of()
    first = run_loop(recipe, run, material_of(), device="cpu")
    before = [*run.metrics()], (run.folder / "model" / "model.safetensors").stat().st_mtime_ns
    second = run_loop(recipe, run, material, device="cpu")
    assert replace(second, peak_memory_bytes=0) == replace(first, seconds=second.seconds, peak_memory_bytes=0)
    assert ([*run.metrics()], (run.folder / "model" / "model.safetensors").stat().st_mtime_ns) == before
    assert mean_loss(material.model, material.validation) == pytest.approx(first.scores["loss"], abs=1e-5)


def test_overfitting_is_said_aloud_with_its_epoch_and_stops_the_run_if_told(recipe_of, run_of, material_of, caplog):
    watch = {"evaluate_every": 2, "stop_on_overfitting": True, "keep": 1}
    recipe = recipe_of({"steps": 40, "learning_rate": 0.02, "schedule": "constant", "warmup": 0}, watch)
    run, material = run_of(recipe), material_of(rows=4, validation=from_examples(random_rows(4, 9)))
    result = run_loop(recipe, run, material, device="cpu")
    losses = {line["step"]: line["eval_loss"] for line in lines_of(run, "eval_loss")}
    lowest = [*losses][-3]
    assert losses[lowest] < losses[lowest + 2] < losses[lowest + 4]
    assert (result.finished, result.stopped_early, result.step) == (True, "overfitting", lowest + 4)
    (said,) = [line for line in lines_of(run, "event") if line["event"] == "overfitting"]
    assert said["message"] == (
        f"overfitting from epoch {lowest / 2:.2f} (step {lowest}) on: the validation loss rose twice in a row,"
        f" from {losses[lowest]:.4f} to {losses[lowest + 4]:.4f}"
    )
    assert f"step {lowest + 4}: {said['message']}" in caplog.messages
    assert f"checkpoint-{result.best_step}" in checkpoints_of(run)


def test_a_run_stops_when_its_score_gains_nothing_and_is_finished_then(recipe_of, run_of, material_of):
    watch = {"evaluate_every": 1, "best_by": "exact_match", "generation": {}, "keep": 1}
    recipe = recipe_of({"steps": 20}, {**watch, "early_stopping": {"patience": 2, "min_gain": 0.05}})
    scores = iter([0.0, 0.5, 0.52, 0.54, 0.9])
    run, material = run_of(recipe), material_of(validation=None, scorers=(lambda _: {"exact_match": next(scores)},))
    result = run_loop(recipe, run, material, device="cpu")
    assert (result.finished, result.step, result.best_step) == (True, 3, 3)  # a gain too small to wait for is one still
    assert result.stopped_early == "no better exact_match in 2 evaluations"
    assert run_loop(recipe, run, material_of(), device="cpu").stopped_early == result.stopped_early


def test_a_run_with_nothing_to_evaluate_keeps_its_last_step(recipe_of, run_of, material_of):
    recipe = recipe_of({"steps": 4})
    run = run_of(recipe)
    result = run_loop(recipe, run, material_of(validation=None), device="cpu")
    assert (result.step, result.best_step, result.scores) == (4, None, {})
    assert checkpoints_of(run) == ["checkpoint-3", "checkpoint-4"]


def test_a_score_that_nobody_gives_is_a_wrong_call(recipe_of, run_of, material_of):
    recipe = recipe_of(watch={"best_by": "token_f1", "generation": {}})
    with pytest.raises(ValueError, match=r"^the evaluation gives loss, token_accuracy, not token_f1, which"):
        run_loop(recipe, run_of(recipe), material_of(), device="cpu")


@pytest.mark.parametrize("batches", [1, 2])  # of a step: their losses are looked at together
def test_nothing_is_learnt_from_a_loss_that_is_no_number(recipe_of, run_of, material_of, batches):
    recipe = recipe_of({"warmup": 0, "accumulation": batches}, {"evaluate_every": 1})
    run, material = run_of(recipe), material_of()

    def report(step, steps, line):
        if step == 2 and not line:
            material.model.lm_head.weight.data[:] = math.nan

    material = replace(material, validation=None)
    with pytest.raises(ModelError) as caught:
        run_loop(recipe, run, material, device="cpu", report=report)
    assert str(caught.value) == (
        "step 3: found a loss of nan at a learning rate of 0.00075, expected a number; step 2 is kept;"
        " lower training.learning_rate, warm up longer (training.warmup), or compute in bf16 or fp32"
    )


def test_gradient_checkpointing_learns_the_same(recipe_of, run_of, material_of):
    weights = []
    for saves_memory in (False, True):
        recipe = recipe_of({"steps": 2, "gradient_checkpointing": saves_memory})
        run, material = run_of(recipe, str(saves_memory)), material_of(adapter=True)
        run_loop(recipe, run, material, device="cpu")
        weights.append(weights_of(material.model))
    assert torch.allclose(*weights, atol=1e-6)


def test_packs_learn_the_same_as_their_rows(recipe_of, run_of, material_of):
    rows, weights = random_rows(6, 3), []
    packs = pack_examples(rows, 30)
    assert 1 < len(packs) < len(rows)
    lengths = {"alone": (len(rows), {}), "packed": (len(packs), {"train": from_packs(packs)})}
    for name, (size, parts) in lengths.items():
        recipe = recipe_of({"steps": 2, "batch_size": size})
        run, material = run_of(recipe, name), material_of(**{"train": from_examples(rows), "validation": None, **parts})
        result = run_loop(recipe, run, material, device="cpu")
        assert result.tokens == 2 * sum(map(len, rows))
        weights.append(weights_of(material.model))
    assert torch.allclose(*weights, atol=1e-5)


def test_looking_leaves_no_trace_in_the_training(recipe_of, run_of, material_of):
    weights = []
    for every in (1, 4):
        recipe = recipe_of({"steps": 4}, {"evaluate_every": every}, adapter={"dropout": 0.2})
        run, material = run_of(recipe, str(every)), material_of(adapter=True)
        material = replace(material, scorers=(lambda model: {"dice": float(torch.rand(1))},))
        run_loop(recipe, run, material, device="cpu")
        from safetensors.torch import load_file

        kept = load_file(run.folder / "checkpoints" / "checkpoint-4" / "adapter_model.safetensors")
        weights.append(torch.cat([kept[name].flatten() for name in sorted(kept)]))
    assert torch.equal(*weights)


def test_an_adapter_of_a_model_in_four_bits_learns_in_fp32(recipe_of, run_of, material_of, tiny_model):
    from hanpuri.training.loading.adapters import attach_adapter
    from hanpuri.training.loading.models import load_model

    recipe = recipe_of({"steps": 2}, model={"path": str(tiny_model("llama")), "quantization": {}}, adapter={"r": 4})
    model = load_model(recipe.model, learns_whole=False, device="cpu")
    model = attach_adapter(model, recipe.adapter, seed=0)
    before = weights_of(model)
    result = run_loop(recipe, run_of(recipe), material_of(model=model, validation=None), device="cpu")
    assert result.finished
    assert {weight.dtype for weight in model.parameters() if weight.requires_grad} == {torch.float32}
    assert not torch.equal(weights_of(model), before)


def test_a_run_that_did_no_good_says_so(recipe_of, run_of, material_of):
    recipe = recipe_of({"steps": 3}, {"best_by": "token_f1", "generation": {}})
    scores = iter([0.9, 0.1])
    run = run_of(recipe)
    run_loop(recipe, run, material_of(validation=None, scorers=(lambda _: {"token_f1": next(scores)},)), device="cpu")
    said = lines_of(run, "event")[-1]["message"]
    assert said.endswith("the training did no good: token_f1 was 0.9000 before the first step, and is 0.1000")


def test_nobody_is_dialled(recipe_of, run_of, material_of, monkeypatch):
    dialled = []
    monkeypatch.setattr("socket.socket.connect", lambda self, address: dialled.append(address))
    monkeypatch.setattr("socket.getaddrinfo", lambda *where, **_: dialled.append(where))
    monkeypatch.delenv("CI", raising=False)  # where TRL would be silent by itself
    material = material_of(adapter=True)
    material.model.peft_config["default"].base_model_name_or_path = "somebody/some-model"
    recipe = recipe_of({"steps": 1})
    assert run_loop(recipe, run_of(recipe), material, device="cpu").finished
    time.sleep(0.1)  # telemetry goes out in a thread
    assert dialled == []


def test_weights_that_cannot_be_kept_are_said_with_their_mend(recipe_of, run_of, material_of, monkeypatch):
    def fail(self, folder):
        raise OSError(28, "No space left on device")

    recipe = recipe_of({"steps": 1})
    run = run_of(recipe)
    with monkeypatch.context() as patched:
        patched.setattr("hanpuri.training.loop.engine.Loop.write_weights", fail)
        with pytest.raises(ModelError) as caught:
            run_loop(recipe, run, material_of(), device="cpu")
    size = sum(path.stat().st_size for path in (run.folder / "checkpoints" / "checkpoint-1").iterdir())
    assert str(caught.value) == (
        f"{run.folder}/model could not be saved: [Errno 28] No space left on device;"
        f" make room for {size:,} bytes; the same command then goes on from here"
    )
    assert run_loop(recipe, run, material_of(), device="cpu").finished
    assert (run.folder / "model" / "model.safetensors").exists()
