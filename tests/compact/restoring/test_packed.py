"""Windows of all lengths, laid end to end: what a GPU is given, here on a processor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.labelling import Restoring
from hanpuri.compact.restoring.phrases import Phrases
from hanpuri.compact.restoring.torch_predictor import TorchPackedPredictor, TorchPredictor, choose_predictor
from hanpuri.compact.restoring.windows import WINDOW, Window, pack_windows


@pytest.fixture(scope="module")
def packed():
    return TorchPackedPredictor.load(ModelFiles.find("small"), "cpu")


def test_windows_of_any_lengths_get_together_what_each_gets_alone(packed, pairs):
    stream = packed.vocabulary.encode("\n".join(noisy for noisy, _ in pairs)).features
    lengths = [2, 33, 1, 120, 7]
    ends = np.cumsum(lengths)
    labels, confidences = packed.begin_packed(stream[: ends[-1]], lengths)()
    for length, end in zip(lengths, ends, strict=True):
        alone, sure = packed.predict(stream[None, end - length : end])
        assert alone[0].tolist() == labels[end - length : end].tolist()
        np.testing.assert_allclose(sure[0], confidences[end - length : end], atol=1e-5)


def test_packed_texts_are_restored_as_in_batches_of_one_length(packed, pairs, monkeypatch):
    monkeypatch.setattr(packed, "batch_items", 500)  # several batches a chunk, several chunks
    noisy = [text for text, _ in pairs[:6]] + ["", "  ", "ㅋㅋ", "방이 녑뭅 " * (2 * WINDOW // 4)]
    batched = Restoring(TorchPredictor(packed.network, packed.vocabulary)).restore_stream(noisy)
    found = Restoring(packed).restore_stream(noisy)
    assert [one.text for one in found] == [one.text for one in batched]


def test_alternatives_and_feasible_originals_are_found_with_a_packed_predictor_too(packed):
    noisy = ["확잠실읾 념뭄 잙앙욤", "깝 눖 딮 쩱 뜩 퓨"]
    read, guessed = Restoring(packed, feasible="hand").restore_stream(noisy, alternatives=3)
    assert read.text == "화장실이 너무 작아요"
    assert guessed.alternatives


def test_phrases_are_asked_with_a_packed_predictor_too(packed):
    noisy, phrases = ["빵 옌 냄쌔", "확잠실읾 념뭄 잙앙욤"], Phrases.count(["방 엔 냄새"] * 50)
    batched = Restoring(TorchPredictor(packed.network, packed.vocabulary), phrases=phrases)
    found = list(Restoring(packed, phrases=phrases).restore_stream(noisy))
    assert [one.text for one in found] == [one.text for one in batched.restore_stream(noisy)]
    assert found != list(Restoring(packed).restore_stream(noisy))


@pytest.mark.parametrize(
    ("capability", "chosen"),
    [((9, 0), TorchPackedPredictor), ((8, 0), TorchPackedPredictor), ((7, 5), TorchPredictor), (None, TorchPredictor)],
)
def test_windows_are_packed_where_flash_attention_runs(monkeypatch, capability, chosen):
    monkeypatch.setattr("torch.cuda.is_available", lambda: capability is not None)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)
    assert choose_predictor("cuda:0") is chosen
    assert choose_predictor("cpu") is TorchPredictor


@given(st.lists(st.integers(1, WINDOW), max_size=60), st.integers(1, 2 * WINDOW))
def test_packing_keeps_every_window_in_its_order_and_fills_a_batch_as_far_as_it_goes(lengths, batch_items):
    windows = [Window(number, 0, length, 0, length) for number, length in enumerate(lengths)]
    batches = list(pack_windows(windows, batch_items))
    assert [window for batch in batches for window in batch] == windows
    sizes = [sum(window.end for window in batch) for batch in batches]
    assert all(size <= batch_items or len(batch) == 1 for size, batch in zip(sizes, batches, strict=True))
    assert all(size + batch[0].end > batch_items for size, batch in zip(sizes, batches[1:], strict=False))
