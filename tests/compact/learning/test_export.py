"""
A trained network as a quantised file.

In: the tiny network, trained and exported. Out: the same labels and nearly the same confidences, without torch.
"""

import random

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, numpy_helper

from hanpuri.compact.learning.export import LARGEST_WEIGHT, LEVELS, choose_scale, export_run
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.onnx_predictor import OnnxPredictor
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.compact.restoring.torch_predictor import TorchPredictor
from hanpuri.compact.settings import MAX_LENGTH
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.compact.weights import load_network
from hanpuri.errors import ModelError
from hanpuri.noise.airbnb import generate


@pytest.fixture(scope="module")
def quantised(run) -> OnnxPredictor:
    return OnnxPredictor.load(ModelFiles(run.result.folder / "model"))


@pytest.fixture(scope="module")
def exact(run) -> TorchPredictor:
    return TorchPredictor(*load_network(run.result.folder))


@pytest.fixture(scope="module")
def noisy(sentences) -> list[str]:
    """The sentences that the tiny network knows, in noise that it has not seen."""
    rng = random.Random(11)
    return [generate(sentence, rng) for sentence in sentences[:4] for _ in range(25)]


def draw(vocabulary, batch: int, length: int) -> np.ndarray:
    """Features that no text has, but that are in their range."""
    starts, ends = np.array(vocabulary.offsets[:-1]), np.array(vocabulary.offsets[1:])
    return np.random.default_rng(0).integers(starts, ends, (batch, length, 6)).astype(np.int32)


# --- the same network


def test_labels_are_those_of_the_network_and_confidences_are_close(quantised, exact, noisy):
    same, apart = [], []
    for text in noisy:
        encoded = quantised.vocabulary.encode(text)
        at = encoded.is_syllable
        labels, confidences = quantised.predict(encoded.features[None])
        exact_labels, exact_confidences = exact.predict(encoded.features[None])
        same.extend((labels == exact_labels)[0, at])
        apart.extend(np.abs(confidences - exact_confidences)[0, at])
    assert len(same) > 1000
    assert np.mean(same) > 0.99
    assert np.mean(apart) < 0.01
    assert np.quantile(apart, 0.99) < 0.05


def test_scores_are_close_to_those_of_the_network(quantised, exact, noisy):
    features = quantised.vocabulary.encode(noisy[0]).features[None]
    scores, exact_scores = quantised.score(features), exact.score(features)
    assert scores.shape == exact_scores.shape == (1, features.shape[1], quantised.vocabulary.num_labels)
    assert np.abs(scores - exact_scores).mean() < 0.05 * np.abs(exact_scores).mean()


def test_labels_and_confidences_are_those_of_the_scores(quantised, noisy):
    features = quantised.vocabulary.encode(noisy[0]).features[None]
    scores = quantised.score(features).astype(np.float64)
    labels, confidences = quantised.predict(features)
    probabilities = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    assert (labels == scores.argmax(-1)).all()
    np.testing.assert_allclose(confidences, probabilities.max(-1), rtol=1e-4)


# --- the file


def test_the_file_names_its_inputs_and_outputs(quantised):
    inputs = [(one.name, one.type, one.shape) for one in quantised.session.get_inputs()]
    outputs = [(one.name, one.type, one.shape) for one in quantised.session.get_outputs()]
    labels = quantised.vocabulary.num_labels
    assert inputs == [("features", "tensor(int32)", ["rows", "items", 6])]
    assert outputs == [
        ("confidences", "tensor(float)", ["rows", "items"]),
        ("scores", "tensor(float)", ["rows", "items", labels]),
    ]


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("length", [1, 2, 33, MAX_LENGTH])
def test_rows_of_any_number_and_length_are_labelled(quantised, batch, length):
    labels, confidences = quantised.predict(draw(quantised.vocabulary, batch, length))
    assert labels.shape == confidences.shape == (batch, length)
    assert labels.dtype == np.int64
    assert confidences.dtype == np.float32
    assert ((confidences > 0) & (confidences <= 1 + 1e-6)).all()


def test_a_row_gets_the_same_bits_alone_and_in_a_batch(quantised):
    features = draw(quantised.vocabulary, 7, 37)
    labels, confidences = quantised.predict(features)
    scores = quantised.score(features)
    for row in range(7):
        alone = quantised.predict(features[row : row + 1])
        assert np.array_equal(alone[0][0], labels[row])
        assert np.array_equal(alone[1][0], confidences[row])
        assert np.array_equal(quantised.score(features[row : row + 1])[0], scores[row])


def test_weights_keep_to_seven_bits_so_that_no_processor_overflows(run):
    model = onnx.load(run.result.folder / "model" / "model.onnx")
    matrices = [numpy_helper.to_array(one) for one in model.graph.initializer if one.data_type == TensorProto.INT8]
    assert len(matrices) == 2 * 4 + 1  # four in each block, and the head
    assert all(np.abs(matrix.astype(int)).max() == LARGEST_WEIGHT for matrix in matrices)
    assert 255 * LARGEST_WEIGHT * 2 < 2**15


def test_a_run_exported_twice_gives_the_same_file(run):
    before = (run.result.folder / "model" / "model.onnx").read_bytes()
    assert export_run(run.result.folder, run.recipe) == run.result.folder / "model"
    assert (run.result.folder / "model" / "model.onnx").read_bytes() == before


def test_restoring_loads_neither_torch_nor_onnx(run, sentences, fresh_interpreter):
    program = (
        "import sys; from hanpuri.compact.restoring.runtime import Restorer; "
        f"print(Restorer({str(run.result.folder / 'model')!r}).restore([{sentences[0]!r}])[0].text); "
        "print(sorted({'torch', 'onnx', 'safetensors', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    assert fresh_interpreter(program).splitlines() == [sentences[0], "[]"]


# --- files that are whole and yet no model


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("model.onnx", "no network", "[ONNXRuntimeError]"),
        ("model.onnx", "", "[ONNXRuntimeError]"),
        ("vocabulary.json", "{}", "'syllables'"),
        ("vocabulary.json", "", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_told_in_one_line(run, tmp_path, name, content, cause):
    for file in ("model.onnx", "vocabulary.json"):
        (tmp_path / file).write_bytes((run.result.folder / "model" / file).read_bytes())
    (tmp_path / name).write_text(content, encoding="utf-8")
    ModelFiles(tmp_path).write_sums()
    with pytest.raises(ModelError) as caught:
        Restorer(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / name} cannot be loaded: {cause}")
    assert str(caught.value).endswith("; install hanpuri again, or train the model again")


def test_a_vocabulary_of_another_model_is_refused(run, tmp_path):
    (tmp_path / "model.onnx").write_bytes((run.result.folder / "model" / "model.onnx").read_bytes())
    Vocabulary("방이", "\n").save(tmp_path / "vocabulary.json")
    ModelFiles(tmp_path).write_sums()
    with pytest.raises(ModelError) as caught:
        Restorer(tmp_path)
    found = f"{tmp_path / 'vocabulary.json'} has 3 labels, model.onnx has 2351"
    assert str(caught.value) == f"{found}; copy both files from the same model"


# --- scales


VALUES = arrays.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e4, 1e4, width=32))


@given(VALUES)
def test_any_activations_get_a_scale_that_keeps_zero_exact(values):
    chosen = choose_scale(values)
    assert chosen.scale > 0
    assert 0 <= chosen.zero_point <= LEVELS
    stored = np.clip(np.round(values / chosen.scale) + chosen.zero_point, 0, LEVELS)
    kept = (stored - chosen.zero_point) * chosen.scale
    # no worse than cutting nothing off
    whole = (max(0, float(values.max())) - min(0, float(values.min()))) / LEVELS
    assert np.square(kept - values).mean() <= np.square(max(whole, 1e-8)) * 0.26 + 1e-9


def test_one_far_value_is_cut_off_for_the_sake_of_the_others():
    values = np.append(np.random.default_rng(0).normal(size=10_000), 12.0)
    assert choose_scale(values).scale < (values.max() - values.min()) / LEVELS
