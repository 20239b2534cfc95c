"""
What holds a network near the one it began from.

In: a tiny network and a few steps on other texts. Out: its answers to random syllables, far from or near the old ones.
"""

import pytest
import torch

from hanpuri.compact.adapting.staying import StayingTrainer, divergence
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.shipped_weights import load_shipped
from hanpuri.runs import Run

STEPS = 16
ONE_BLOCK = {"width": 64, "num_layers": 1}


def test_no_answer_is_no_distance_from_itself_and_some_from_another():
    scores = torch.randn(2, 3, 5)
    assert divergence(scores, scores).item() == pytest.approx(0, abs=1e-6)
    assert divergence(scores, scores + 4.0).item() == pytest.approx(0, abs=1e-6)  # the same probabilities
    assert divergence(scores, torch.randn(2, 3, 5)).item() > 0.1


def test_the_pull_keeps_the_old_answers_to_what_the_texts_do_not_hold(tmp_path, begun, tiny_recipe):
    network, vocabulary, _ = load_shipped(ModelFiles.find(begun))
    steps = {"steps": STEPS, "batch_tokens": 256, "learning_rate": 1e-2, "warmup_steps": 1, "average_decay": 0}
    recipe = tiny_recipe(tmp_path, training=steps, evaluation=[], network=ONE_BLOCK)
    drifts = []
    for pull in (0.0, 10.0):
        run = Run.start(tmp_path / f"pull{pull}", recipe, [])
        trainer = StayingTrainer(recipe, run, torch.device("cpu"), begin_from=(network, vocabulary), pull=pull)
        for _ in range(STEPS):
            trainer.take_step()
        torch.manual_seed(5)
        strange, _ = trainer.noiser(*trainer.draw_strange(4, 32))
        with torch.no_grad():
            drifts.append(divergence(trainer.network(strange), trainer.old(strange)).item())
    assert drifts[1] < 0.7 * drifts[0]


def test_the_old_network_stays_as_it_was(tmp_path, begun, tiny_recipe):
    network, vocabulary, _ = load_shipped(ModelFiles.find(begun))
    recipe = tiny_recipe(tmp_path, training={"steps": 2, "batch_tokens": 96}, evaluation=[], network=ONE_BLOCK)
    run = Run.start(tmp_path / "run", recipe, [])
    trainer = StayingTrainer(recipe, run, torch.device("cpu"), begin_from=(network, vocabulary), pull=1.0)
    before = [weight.clone() for weight in network.parameters()]
    trainer.take_step()
    assert all(torch.equal(old, now) for old, now in zip(before, trainer.old.parameters(), strict=True))
    assert all(torch.equal(old, now) for old, now in zip(before, network.parameters(), strict=True))
    assert not torch.equal(before[0], next(trainer.network.parameters()))
