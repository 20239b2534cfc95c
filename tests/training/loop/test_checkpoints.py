import shutil

import pytest

from hanpuri.training.loop import checkpoints


def save(folder, step, content=b"weights"):
    saved = folder / checkpoints.SAVING / f"checkpoint-{step}"
    (saved / "deep").mkdir(parents=True)
    (saved / "deep" / "model.safetensors").write_bytes(content)
    return saved


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_gets_its_name_when_it_is_whole(tmp_path):
    saved = save(tmp_path, 3)
    assert checkpoints.list_checkpoints(tmp_path) == {}
    whole = checkpoints.make_whole(saved)
    assert checkpoints.list_checkpoints(tmp_path) == {3: whole}
    assert checkpoints.size_of(whole) == 7
    assert not saved.exists()


def test_checkpoints_are_in_order_of_their_steps_not_of_their_names(tmp_path):
    for step in (9, 10, 100):
        checkpoints.make_whole(save(tmp_path, step))
    (tmp_path / "checkpoint-best").mkdir()
    assert [*checkpoints.list_checkpoints(tmp_path)] == [9, 10, 100]


def test_a_step_saved_again_takes_the_place_of_the_first(tmp_path):
    checkpoints.make_whole(save(tmp_path, 3, b"old"))
    whole = checkpoints.make_whole(save(tmp_path, 3, b"new"))
    assert (whole / "deep" / "model.safetensors").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("keep", "best", "left"),
    [
        (1, None, [5]),
        (2, None, [4, 5]),
        (2, 1, [1, 4, 5]),  # the best is kept besides
        (2, 5, [4, 5]),
        (9, 1, [1, 2, 3, 4, 5]),
    ],
)
def test_old_checkpoints_go_the_best_stays(tmp_path, keep, best, left):
    for step in range(1, 6):
        checkpoints.make_whole(save(tmp_path, step))
    checkpoints.rotate(tmp_path, keep, best)
    assert [*checkpoints.list_checkpoints(tmp_path)] == left


def test_halves_are_cleared_whole_ones_stay(tmp_path):
    checkpoints.make_whole(save(tmp_path, 3))
    save(tmp_path, 6)
    checkpoints.clear_halves(tmp_path)
    checkpoints.clear_halves(tmp_path)
    assert names(tmp_path) == ["checkpoint-3"]


def test_a_checkpoint_that_is_removed_loses_its_name_before_its_files(tmp_path, monkeypatch):
    whole = checkpoints.make_whole(save(tmp_path, 3))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as if the process ended there
    checkpoints.remove(whole)
    assert checkpoints.list_checkpoints(tmp_path) == {}


def test_room_on_the_disk_is_counted(tmp_path):
    assert checkpoints.lacking_bytes(tmp_path, 1) == 0
    assert checkpoints.lacking_bytes(tmp_path, 1 << 60) > 1 << 59
