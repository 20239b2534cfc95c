"""
The baselines: both are trained on a few texts and restore them; what no rule of the noise touches they leave alone.

In: `benchmarks/baselines`, which is no part of the package. Out: what any engine promises: length and spacing are kept.
"""

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.baselines import bilstm, viterbi
from benchmarks.baselines.ngrams import BORDER, NgramModel, fit_ngrams
from benchmarks.restoration_pairs import draw_texts, make_rows
from hanpuri.compact.settings import CorpusSettings
from hanpuri.data.templates import Fields
from hanpuri.engines.base import Engine
from hanpuri.errors import ModelError
from hanpuri.hangul import code_points, syllable_mask
from hanpuri.noise.obfuscate import obfuscate

TEXTS = [
    "방이 넓고 조용해서 푹 쉬었어요.",
    "창밖으로 바다가 보여서 아이들이 좋아했습니다.",
    "주인분이 친절하게 길을 알려 주셨어요!",
    "화장실이 조금 작지만 깨끗했어요.",
    "다음에 또 오고 싶은 숙소입니다.",
]


@pytest.fixture(scope="module")
def counted(tmp_path_factory) -> viterbi.ViterbiEngine:
    return viterbi.train(TEXTS * 20, tmp_path_factory.mktemp("viterbi"), noise_characters=30_000)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bilstm")
    path = folder / "texts.txt"
    path.write_text("\n".join(TEXTS * 20), encoding="utf-8")
    corpora = [CorpusSettings(path=path, weight=1, final_weight=1)]
    schedule = bilstm.Schedule(steps=60, batch_items=512, window_lengths=(32,), learning_rate=1e-2, warmup_steps=5)
    assert bilstm.train(corpora, folder, schedule, width=64, num_layers=1, device="cpu", stop_after=0) == 0
    assert bilstm.train(corpora, folder, schedule, width=64, num_layers=1, device="cpu") == 60
    return folder


def share_right(engine: Engine) -> float:
    rows: list[Fields] = [{"noisy": obfuscate(text, seed=7).noisy} for text in TEXTS]
    said = "".join(answer.text for answer in engine.generate(rows))
    syllables = syllable_mask(code_points("".join(TEXTS)))
    return float((code_points(said) == code_points("".join(TEXTS)))[syllables].mean())


def test_counts_and_a_search_restore_the_texts_that_were_counted(counted):
    assert share_right(counted) > 0.95


def test_the_recurrent_network_learns_from_few_texts_and_goes_on_where_it_was_stopped(trained):
    assert share_right(bilstm.BilstmEngine.load(trained)) > 0.3


@given(st.text(max_size=40))
@examples(max_examples=40)
def test_length_spacing_and_all_that_is_no_syllable_are_kept(counted, text):
    (answer,) = counted.generate([{"noisy": text}])
    assert len(answer.text) == len(text)
    kept = ~syllable_mask(code_points(text))
    assert (code_points(answer.text) == code_points(text))[kept].all()


def test_probabilities_of_what_may_follow_add_up_to_one_where_nothing_was_left_out():
    model = fit_ngrams(TEXTS * 3, min_count=1)
    contexts = np.stack([np.full(3, BORDER), model.ids("방이 "), model.ids("요방방")])
    everything = np.broadcast_to(np.arange(model.size), (3, model.size))
    assert np.exp(model.score(contexts, everything).astype(float)).sum(1) == pytest.approx(1, abs=1e-3)


def test_what_was_counted_is_kept_in_files(tmp_path):
    model = fit_ngrams(TEXTS)
    model.save(tmp_path / "language.npz")
    again = NgramModel.load(tmp_path / "language.npz")
    contexts, following = model.ids("방이 ")[None], model.ids("넓조")[None]
    assert again.score(contexts, following).tolist() == model.score(contexts, following).tolist()
    assert model.score(contexts, following)[0, 0] > model.score(contexts, following)[0, 1]


def test_a_folder_without_a_model_says_how_one_is_made(tmp_path):
    with pytest.raises(ModelError) as caught:
        viterbi.ViterbiEngine.load(tmp_path)
    made = f"python -m benchmarks.baselines.viterbi --to {tmp_path}"
    assert str(caught.value) == f"{tmp_path / 'language.npz'} is missing; train it: {made}"
    with pytest.raises(ModelError) as caught:
        bilstm.BilstmEngine.load(tmp_path)
    made = f"python -m benchmarks.baselines.bilstm --to {tmp_path}"
    assert str(caught.value) == f"{tmp_path / 'weights.safetensors'} is missing; train it: {made}"


def test_pairs_are_of_all_lengths_and_each_pass_has_noise_of_its_own():
    texts = list(draw_texts(TEXTS, 6_000, random.Random(0)))
    assert min(map(len, texts)) < 20
    assert max(map(len, texts)) > 300
    rows = [json.loads(row) for row in make_rows(([("own", TEXTS[0])] * 30, 3))]
    assert {row["clean"] for row in rows} == {TEXTS[0]}
    assert len({row["noisy"] for row in rows}) > 20
    assert all(len(row["noisy"]) == len(row["clean"]) for row in rows)
