"""Steps, tokens and the disk."""

import shutil
from collections import namedtuple

import pytest

from hanpuri.errors import ModelError
from hanpuri.training.preflight import ahead
from hanpuri.training.preflight.memory import Memory
from hanpuri.training.preflight.probe import Probe
from hanpuri.training.preflight.rows import Figures

MEMORY = Memory(
    weights=4 * 10**9,
    adapter=0,
    optimizer=8 * 10**9,
    paged=0,
    activations=1,
    gradients=1,
    step=1,
    spare=1,
    available=None,
)
FIGURES = Figures(
    rows=100,
    looked_at=100,
    tokens=5000,
    trained=2000,
    longest=100,
    untrained_rows=(),
    wrong_labels=0,
    distinct=500,
    texts=100,
    stops=100,
    masked_stops=0,
    unknown=0,
    tokens_per_character=0.6,
)
Disk = namedtuple("Disk", "total used free")


def look(recipe, tmp_path, probe=None, watched=10):
    return ahead.look_ahead(
        recipe, FIGURES, MEMORY, probe, processes=1, num_validation=watched, folder=tmp_path / "run"
    )


@pytest.mark.parametrize(
    ("training", "rows", "processes", "steps"),
    [
        # 100 batches of 2, 50 steps of 2 batches, twice
        ({"epochs": 2, "batch_size": 2, "accumulation": 2}, 200, 1, 100),
        # a last batch of one row, and a last step of one batch
        ({"epochs": 1, "batch_size": 2, "accumulation": 2}, 201, 1, 51),
        # two devices share a batch
        ({"epochs": 1, "batch_size": 2, "accumulation": 2}, 200, 2, 25),
        # less than a step is a step
        ({"epochs": 0.01, "batch_size": 8}, 20, 1, 1),
        # steps are steps
        ({"steps": 7}, 1000, 4, 7),
    ],
)
def test_steps_are_counted_as_the_trainer_takes_them(make_recipe, training, rows, processes, steps):
    recipe = make_recipe("m", training={"steps": None, **training})
    assert ahead.count_steps(recipe, rows, processes) == steps


def test_time_is_a_range_that_counts_evaluations_and_answers(make_recipe, tmp_path):
    probe = Probe(True, batch_seconds=2.0, step_seconds=0.5, tokens=200, loss=1.0, token_seconds=0.01)
    recipe = make_recipe("m", training={"steps": 100}, watch={"evaluate_every": 50})
    quiet, seen = look(recipe, tmp_path, probe, watched=0), look(recipe, tmp_path, probe)
    # half a batch's tokens on average: 100 steps of 1 s to 2 s, and 0.5 s for the optimizer
    assert quiet.seconds == (150.0, 250.0)
    assert seen.evaluations == 2
    assert seen.seconds == (150.0 + 2 * 5 * 1 / 3, 250.0 + 2 * 5 * 2 / 3) or seen.seconds[0] == pytest.approx(153.3)
    answers = {"rows": 8, "max_new_tokens": 100, "batch_size": 4}
    asked = make_recipe("m", training={"steps": 100}, watch={"evaluate_every": 50, "generation": answers})
    # 3 evaluations, the one before the first step too, of 2 batches of 100 tokens at most
    assert look(asked, tmp_path, probe).seconds[1] == pytest.approx(250 + 3 * 5 * 2 / 3 + 3 * 2 * 100 * 0.01)


def test_a_disk_too_small_for_the_checkpoints_is_refused(make_recipe, tmp_path, monkeypatch):
    recipe = make_recipe("m", training={"steps": 1000}, watch={"evaluate_every": 100})
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Disk(0, 0, 51 * 10**9))
    told = look(recipe, tmp_path)
    # 2 kept, the best, one that is written: 12 GB each; and the result
    assert told.disk_bytes == 52 * 10**9
    with pytest.raises(ModelError) as caught:
        ahead.check_disk(recipe, told, tmp_path / "run")
    assert str(caught.value) == (
        f"{tmp_path}/run: the checkpoints and the result take 48.4 GiB (11.2 GiB each), and the disk has 47.5 GiB left;"
        " make room, or watch.keep=1, or train an adapter, which is small"
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Disk(0, 0, 52 * 10**9))
    ahead.check_disk(recipe, look(recipe, tmp_path), tmp_path / "run")


def test_a_short_run_needs_room_for_as_many_checkpoints_as_it_writes(make_recipe, tmp_path):
    assert look(make_recipe("m", training={"steps": 50}), tmp_path).disk_bytes == (2 * 12 + 4) * 10**9
