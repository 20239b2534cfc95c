"""
What a record of a step relies on, as far as a CPU can show it: what lasts stays where it is.

In: a trainer. Out: the same tensors, step after step, whatever is looked at or gone back to meanwhile.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hanpuri.compact.learning.graph import Pace, put_back
from hanpuri.compact.learning.trainer import Trainer
from hanpuri.runs import Run


@pytest.fixture
def trainer(tmp_path, tiny_recipe) -> Trainer:
    training = {"steps": 9, "batch_tokens": 96, "final_share": 0.5}
    recipe = tiny_recipe(tmp_path, training=training, evaluation=[])
    return Trainer(recipe, Run.start(tmp_path / "run", recipe, []), torch.device("cpu"))


def places(trainer: Trainer) -> dict[str, int]:
    return {name: value.data_ptr() for name, value in trainer.tensors().items()}


def test_what_was_kept_is_put_back_in_place():
    one, two = torch.ones(2), torch.tensor(3)
    state, where = {"one": one, "two": two}, one.data_ptr()
    kept = {name: value.clone() for name, value in state.items()}
    one += 5
    two.zero_()
    put_back(state, kept)
    assert one.tolist() == [1, 1]
    assert two.item() == 3
    assert one.data_ptr() == where


def test_steps_looks_and_going_back_move_no_tensor(trainer):
    before = places(trainer)
    lasting = trainer.corpus_weights.data_ptr(), trainer.optimizers.rate.data_ptr()
    for _ in range(6):  # into the last part, whose weights of the corpora are others
        trainer.take_step()
    trainer.save()
    trainer.evaluate(lambda hypotheses, references: 1.0)
    trainer.log()
    trainer.resume()
    trainer.take_step()
    assert places(trainer) == before
    assert lasting == (trainer.corpus_weights.data_ptr(), trainer.optimizers.rate.data_ptr())


def test_a_step_reads_what_changes_from_tensors_alone(trainer):
    """The same call takes every step, so that a record of it would do the same."""
    trainer.take_step()
    trainer.optimizers.set_rate(0.0)
    weights = [value.clone() for value in trainer.network.parameters()]
    trainer.work_of_length[24]()
    assert all(torch.equal(now, before) for now, before in zip(trainer.network.parameters(), weights, strict=True))
    trainer.optimizers.set_rate(0.1)
    trainer.work_of_length[24]()
    assert not any(torch.equal(now, before) for now, before in zip(trainer.network.parameters(), weights, strict=True))


WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "multinomial", "_unique2", "unique_dim", "equal"}


class Watch(TorchDispatchMode):
    """Collects operations that look at numbers on the device, or whose result has a shape that hangs on them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.__name__.partition(".")[0]
        masks = name.startswith("index") and any(
            t is not None and t.dtype == torch.bool for t in flat_tensors(args[1:])
        )
        if name in WAITS or masks:
            self.seen.add(name)
        return operation(*args, **(kwargs or {}))


def flat_tensors(args: tuple[object, ...]) -> list[torch.Tensor]:
    lists = [arg if isinstance(arg, list | tuple) else [arg] for arg in args]
    return [one for each in lists for one in each if isinstance(one, torch.Tensor)]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_no_part_of_a_step_looks_at_a_number_on_the_device(tmp_path, tiny_recipe, optimizer, monkeypatch):
    training = {"steps": 9, "batch_tokens": 96, "optimizer": optimizer, "masked": 0.1, "dropout": 0.1}
    recipe = tiny_recipe(tmp_path, training={**training, "precision": "bf16"}, evaluation=[])
    trainer = Trainer(recipe, Run.start(tmp_path / "run", recipe, []), torch.device("cpu"))
    # AdamW of a CPU reads its rate; that of a GPU is fused, and reads it there.
    monkeypatch.setattr(trainer.optimizers.adam, "step", lambda: None)
    with Watch() as watch:
        trainer.work(32)
    assert watch.seen == set()


@pytest.mark.parametrize(
    ("operation", "seen"),
    [
        (lambda x: x.sum().item(), "_local_scalar_dense"),
        (lambda x: x[x > 0], "index"),
        (lambda x: x.multinomial(1), "multinomial"),
    ],
)
def test_what_looks_at_a_number_would_be_seen(operation, seen):
    with Watch() as watch:
        operation(torch.ones(3))
    assert seen in watch.seen


def test_rehearsals_that_are_undone_leave_no_trace(trainer):
    """What `record` does before it records, without a GPU."""
    kept = {name: value.clone() for name, value in trainer.tensors().items()}
    random = torch.get_rng_state()
    trainer.optimizers.set_rate(0.1)

    def work() -> list[torch.Tensor]:
        trainer.work(32)
        return [value.clone() for value in trainer.tensors().values()]

    first = work()
    put_back(trainer.tensors(), kept)
    torch.set_rng_state(random)
    assert all(torch.equal(one, other) for one, other in zip(first, work(), strict=True))


def test_a_cpu_is_never_ahead():
    pace = Pace(torch.device("cpu"))
    pace.keep()
    assert not pace.ahead
