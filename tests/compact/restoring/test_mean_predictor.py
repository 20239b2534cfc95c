"""Models that answer together. In: the shipped models, one of another vocabulary. Out: the mean of what they say."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.mean_predictor import MeanPredictor
from hanpuri.compact.restoring.onnx_predictor import OnnxPredictor
from hanpuri.compact.restoring.phrases import Phrases
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.errors import ModelError
from hanpuri.hangul import is_syllable

NOISY = "확잠실읾 념뭄 잙앙욤"


@pytest.fixture(scope="module")
def members() -> list[OnnxPredictor]:
    return [OnnxPredictor.load(ModelFiles.find(name)) for name in ("base", "small")]


@pytest.fixture(scope="module")
def both() -> Restorer:
    return Restorer("base+small")


def features_of(members, text=NOISY):
    return members[0].vocabulary.encode(text).features[None]


def softmax(scores):
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def test_two_models_name_what_is_the_most_probable_in_the_mean_of_both(members):
    features = features_of(members)
    mean = (softmax(members[0].score(features)) + softmax(members[1].score(features))) / 2
    labels, confidences = MeanPredictor(members).predict(features)
    assert np.array_equal(labels, mean.argmax(-1))
    assert np.allclose(confidences, mean.max(-1), atol=1e-6)
    assert np.allclose(np.exp(MeanPredictor(members).score(features)), mean, atol=1e-6)


def test_a_model_together_with_itself_says_what_it_says_alone(members):
    alone, twice = (
        members[0].predict(features_of(members)),
        MeanPredictor([members[0]] * 2).predict(features_of(members)),
    )
    assert np.array_equal(alone[0], twice[0])
    assert np.allclose(alone[1], twice[1], atol=1e-5)


def test_they_are_asked_for_by_their_names_joined(both):
    assert both.model == "base+small"
    assert both.restore([NOISY])[0].text == "화장실이 너무 작아요"


def test_alternatives_and_the_feasible_constraint_work_as_with_one_model(both):
    assert Restorer("base+small", feasible="hand").restore([NOISY])[0].text == "화장실이 너무 작아요"
    (found,) = both.restore(["뷰갸 잙앙욤"], alternatives=3)
    for place, choices in found.alternatives.items():
        assert choices[0].text == found.text[place]
        assert [one.confidence for one in choices] == sorted((one.confidence for one in choices), reverse=True)


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=40))
def test_length_and_all_but_syllables_are_kept(both, text):
    (found,) = both.restore([text])
    assert len(found.text) == len(found.noisy)
    kept = [(a, b) for a, b in zip(found.noisy, found.text, strict=True) if not is_syllable(a)]
    assert all(a == b for a, b in kept)


def test_a_text_is_restored_as_alone_whatever_stands_beside_it(both):
    texts = [NOISY, "뷰갸 녀뮤 좋핬써욘", "넓뭄 좋앗어욥 " * 40]
    together = [one.text for one in both.restore(texts)]
    assert together == [both.restore([text])[0].text for text in texts]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("base+", "'base+' leaves out a model's name; write the names as in base+small"),
        ("base+smal", "no model is called 'smal'; there are small, base; did you mean small?"),
    ],
)
def test_a_name_that_is_missing_or_wrong_is_told(model, told):
    with pytest.raises(ModelError) as caught:
        Restorer(model)
    assert str(caught.value) == told


def test_models_of_other_labels_cannot_answer_together(run):
    with pytest.raises(
        ModelError, match=r"cannot answer together: the models label with other syllables; name models of"
    ):
        Restorer(f"base+{run.result.folder / 'model'}")


def test_a_folder_with_a_plus_in_its_name_is_one_model(run, tmp_path):
    (tmp_path / "mine+yours").symlink_to(run.result.folder / "model")
    assert Restorer(str(tmp_path / "mine+yours")).model == "mine+yours"


def test_labels_are_the_same_with_their_scores_and_without(members):
    features = features_of(members, "빵 옌 냄쌔 깝 눖 딮 쩱")
    for predictor in (*members, MeanPredictor(members)):
        labels, confidences = predictor.predict(features)
        again, sure, scores = predictor.predict_scored(features)
        assert (labels == again).all()
        assert (confidences == sure).all()
        assert (scores.argmax(-1) == labels).all()


def test_of_models_that_answer_together_the_first_with_phrases_is_asked_for_them(tmp_path):
    files = ModelFiles(tmp_path / "mine")
    shutil.copytree(ModelFiles.find("small").folder, files.folder)
    Phrases.count(["방 엔 냄새"] * 50).save(files.phrases)
    files.write_sums()
    said = Restorer(f"base+{files.folder}").restoring.phrases
    assert said is not None
    assert (said.runs[-1].keys == Phrases.load(files.phrases).runs[-1].keys).all()
    assert Restorer("base+small").restoring.phrases is None
