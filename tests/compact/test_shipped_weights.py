"""
Weights read back from the quantised file: nothing is lost, so that what is written again is the same model.

In: the shipped models. Out: networks whose files hold the same integers, scales and labels.
"""

import shutil

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from hanpuri.compact.learning.export import write_onnx
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.compact.shipped_weights import load_shipped
from hanpuri.errors import ModelError


@pytest.fixture(scope="module")
def shipped():
    return load_shipped(ModelFiles.find("small"))


def test_a_shipped_model_that_is_written_again_is_the_same_model(shipped, tmp_path):
    network, _, scales = shipped
    write_onnx(network, scales, tmp_path / "model.onnx")
    files = (ModelFiles.find("small").network, tmp_path / "model.onnx")
    old, new = ({one.name: numpy_helper.to_array(one) for one in onnx.load(file).graph.initializer} for file in files)
    assert old.keys() == new.keys()
    assert [name for name in old if not np.array_equal(old[name], new[name])] == []


@pytest.mark.parametrize("device", ["nowhere", "cuda:99"])
def test_a_device_that_is_not_there_is_named_in_one_line(device):
    with pytest.raises(ModelError, match=rf"^device {device} cannot be used: [^\n]+; leave the device out$"):
        Restorer("small", device=device)


def test_on_a_torch_device_a_model_restores_as_its_file_does(small, pairs):
    noisy = [noisy for noisy, _ in pairs]
    ours = "".join(one.text for one in Restorer("small", device="cpu").restore(noisy))
    theirs = "".join(one.text for one in small.restore(noisy))
    same = [one == other for one, other in zip(ours, theirs, strict=True)]
    assert sum(same) / len(same) > 0.995  # the file's activations have eight bits each


def test_each_matrix_stands_on_its_grid_of_seven_bits(shipped):
    weight = shipped[0].blocks[0].up.weight.detach()
    steps = weight / (weight.abs().amax(1, keepdim=True) / 63)
    torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)


def test_a_file_that_is_no_network_of_ours_is_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(ModelFiles.find("small").folder, folder)
    files = ModelFiles(folder)
    graph = onnx.helper.make_graph([], "other", [], [], [])
    onnx.save(onnx.helper.make_model(graph), files.network)
    with pytest.raises(ModelError, match=r"model\.onnx cannot be read back as a network: .*; give base, small, or the"):
        load_shipped(files)


def test_a_vocabulary_of_another_model_is_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(ModelFiles.find("small").folder, folder)
    (folder / "vocabulary.json").write_text('{"syllables": "가", "others": "\\n"}', encoding="utf-8")
    with pytest.raises(ModelError, match=r"has 2 labels, model\.onnx has 2473; copy both files from the same model"):
        load_shipped(ModelFiles(folder))


def test_a_trained_model_can_be_read_back_too(run, sentences):
    files = ModelFiles.find(run.result.folder / "model")
    network, _, _ = load_shipped(files)
    assert network.shape.width == 64
    assert Restorer(files.folder, threads=1).restore([sentences[0]])[0].text == sentences[0]
