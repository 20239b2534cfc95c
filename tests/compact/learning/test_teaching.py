"""
Learning from larger networks.

In: runs that have ended. Out: a student that says what they say, and no run that mixes vocabularies.
"""

import json

import pytest
import torch
from torch.nn import functional as F

from hanpuri.compact.learning.loss import head_loss, pad_head
from hanpuri.compact.learning.teaching import Teachers, taught_loss
from hanpuri.compact.learning.training import train
from hanpuri.compact.network import NetworkShape, RestorerNetwork
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.compact.weights import load_network, save_network
from hanpuri.errors import DataError, RecipeError

SHORT = {"steps": 3, "batch_tokens": 96}
CPU = torch.device("cpu")
NUM_LABELS = 70  # no multiple of 64, so that the padding is there


@pytest.fixture
def said():
    """What a student's blocks made of six items, its last layer, the labels; one item is not learnt."""
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(2, 3, 8), torch.randn(NUM_LABELS, 8), torch.randn(NUM_LABELS)
    return hidden, weight, bias, torch.tensor([[3, 69, -100], [0, 1, 2]])


def sure_of(labels: torch.Tensor) -> torch.Tensor:
    return F.one_hot(labels.clamp(min=0), 128).float()


def test_a_teacher_that_is_sure_of_the_labels_teaches_the_labels(said):
    for share in (0.3, 1.0):
        assert torch.allclose(taught_loss(*said, sure_of(said[3]), share), head_loss(*said))


def test_a_student_that_says_what_its_teacher_says_has_nothing_to_learn(said):
    hidden, weight, bias, labels = said
    hidden.requires_grad_()
    taught = F.linear(hidden.detach(), *pad_head(hidden.detach(), weight, bias)).softmax(-1)
    taught_loss(hidden, weight, bias, labels, taught, 1.0).backward()
    assert hidden.grad.abs().max() < 1e-6


def test_probabilities_of_16_bits_need_not_add_up_to_one(said):
    taught = torch.rand(2, 3, 128).softmax(-1)
    assert torch.allclose(taught_loss(*said, taught, 0.7), taught_loss(*said, 0.9 * taught, 0.7))


def test_what_is_not_learnt_is_not_taught_either(said):
    hidden, *rest = said
    hidden.requires_grad_()
    taught_loss(hidden, *rest, torch.rand(2, 3, 128).softmax(-1), 1.0).backward()
    assert hidden.grad[0, 2].abs().max() == 0
    assert hidden.grad[0, 1].abs().max() > 0


@pytest.fixture
def save(tmp_path):
    def write(name: str, syllables: str = "방이좁", width: int = 64):
        folder, vocabulary = tmp_path / name, Vocabulary(syllables, "\n")
        folder.mkdir()
        torch.manual_seed(len(name))
        save_network(RestorerNetwork(NetworkShape(vocabulary.offsets[-1], 4, width, 1)), vocabulary, folder)
        return folder

    return write


def test_teachers_of_different_sizes_say_their_mean(save):
    folders = [save("one"), save("other", width=128)]
    features = torch.tensor([Vocabulary("방이좁", "\n").encode("방이 좁").features.tolist()])
    each = [Teachers.load([folder], CPU).probabilities(features) for folder in folders]
    together = Teachers.load(folders, CPU).probabilities(features)
    assert torch.allclose(together, (each[0] + each[1]) / 2)
    assert together.sum(-1) == pytest.approx(1, abs=1e-5)
    assert not together.requires_grad


def test_teachers_of_different_vocabularies_are_refused(save):
    folders = [save("one"), save("other", "방이넓")]
    with pytest.raises(RecipeError, match="label with different syllables; teach with runs of one vocabulary"):
        Teachers.load(folders, CPU)


def test_a_student_learns_from_a_run_in_its_vocabulary_and_the_run_stands_in_its_folder(tmp_path, tiny_recipe, score):
    def go(name, **sections):
        recipe = tiny_recipe(tmp_path, **{"training": SHORT, **sections})
        return train(recipe, tmp_path / name, score=score, device="cpu").folder

    teacher = go("teacher", network={"width": 128, "num_layers": 1})
    student = go("student", teaching={"runs": [str(teacher)], "share": 1.0})
    assert load_network(student)[1] == load_network(teacher)[1]
    hashed = json.loads((student / "environment.json").read_text(encoding="utf-8"))
    assert str(teacher / "weights.safetensors") in json.dumps(hashed)
    with pytest.raises(
        DataError, match=r"nobody/weights\.safetensors: found no such file; name the folder of a run that has ended"
    ):
        go("orphan", teaching={"runs": [str(tmp_path / "nobody")]})
