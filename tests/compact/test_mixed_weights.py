"""What lies between two runs. In: the tiny network and another of its shape. Out: a folder that is a run's own."""

import json
import shutil

import pytest
import torch

from benchmarks.mix_weights import mix
from benchmarks.short_texts import cut
from hanpuri.compact.weights import load_network, save_network


@pytest.fixture
def other(run, tmp_path):
    """The tiny run, as if it had learnt on: every weight is one more."""
    shutil.copytree(run.result.folder, tmp_path / "other")
    network, vocabulary = load_network(run.result.folder)
    with torch.no_grad():
        for weights in network.parameters():
            weights += 1
    save_network(network, vocabulary, tmp_path / "other")
    return tmp_path / "other"


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_weights_lie_so_far_from_the_old_to_the_new(run, other, tmp_path, share):
    mix(run.result.folder, other, share, tmp_path / "mixed")
    (old, known), (mixed, same) = load_network(run.result.folder), load_network(tmp_path / "mixed")
    assert same == known
    for weights, began in zip(mixed.parameters(), old.parameters(), strict=True):
        torch.testing.assert_close(weights, began + share, atol=2e-3, rtol=2e-3)
    assert (tmp_path / "mixed" / "recipe.yaml").read_bytes() == (other / "recipe.yaml").read_bytes()


def test_a_folder_that_is_there_is_left_as_it_is(run, other, tmp_path):
    (tmp_path / "mixed").mkdir()
    with pytest.raises(FileExistsError):
        mix(run.result.folder, other, 0.5, tmp_path / "mixed")
    assert not list((tmp_path / "mixed").iterdir())


def test_words_are_cut_from_the_same_place_of_both_sides_and_every_time_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"noisy": "깍 낙 닥 락", "clean": "가 나 다 라"}, {"noisy": "깍", "clean": "가"}]
    (tmp_path / "eval").mkdir()
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (tmp_path / "eval" / "own_dev.jsonl").write_text("".join(lines), encoding="utf-8")
    ((noisy, clean),) = found = list(cut(["own"], 2))
    assert list(cut(["own"], 2)) == found
    sides = dict(zip("깍낙닥락", "가나다라", strict=True))
    assert [sides[one] for one in noisy.split()] == clean.split()
    assert len(clean.split()) == 2
