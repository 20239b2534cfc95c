"""
From a user's texts to a model's folder, and every way in which it can stop on that road.

In: 260 texts in words that a tiny model has never seen. Out: a folder that restores them, or one clear line.
"""

import json
import signal

import pytest

from hanpuri.compact.adapting.adapt import adapt
from hanpuri.compact.adapting.judging import Gain
from hanpuri.compact.adapting.places import working_folder
from hanpuri.compact.adapting.texts import divide
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.phrases import Phrases
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.errors import DataError, RecipeError
from hanpuri.noise.obfuscate import obfuscate
from tests.compact.adapting.conftest import compare


@pytest.fixture
def go(tmp_path, begun, texts, quick):
    """Adapt the tiny model for a few steps, into `mine`."""

    def start(rows=texts, *, settings=quick, **more):
        more = {"compare": compare, "base": begun, "device": "cpu", **more}
        divided = divide(rows, Vocabulary.load(begun / "vocabulary.json"), 0)
        return adapt(divided, tmp_path / "mine", settings=settings.model_copy(update={"passes": 6}), **more)

    return start


def test_texts_kept_apart_are_restored_better_than_before(adapted):
    assert adapted.done.helps
    assert adapted.done.gains["own"].after > adapted.done.gains["own"].before + 0.03


def test_the_folder_is_a_model_like_any_other(adapted):
    folder = adapted.done.folder
    assert {path.name for path in folder.iterdir()} == {
        *("model.onnx", "vocabulary.json", "phrases.npz", "SHA256SUMS", "card.json", "README.md")
    }
    restored = Restorer(folder, threads=1).restore(adapted.texts)
    assert [len(one.text) for one in restored] == [len(text) for text in adapted.texts]
    assert not working_folder(folder).exists()


def test_the_card_says_from_what_and_how_and_how_good_and_tells_no_text(adapted):
    files = ModelFiles.find(adapted.done.folder)
    assert files.card["base"]["name"] == "copier"
    assert files.card["texts"]["learnt"] == 234
    assert files.card["gains"]["own"] == adapted.done.gains["own"].as_dict()
    readme = (files.folder / "README.md").read_text(encoding="utf-8")
    assert f"From 234 texts with {adapted.done.found.syllables:,} syllables" in readme
    assert f"| own texts, obfuscated | {adapted.done.gains['own'].before:.4f} |" in readme
    assert not any(text[:12] in readme + json.dumps(files.card, ensure_ascii=False) for text in adapted.texts)


def test_what_the_texts_say_again_and_again_goes_with_the_model_or_stays_out(tmp_path, go, adapted, quick):
    said = Restorer(adapted.done.folder, threads=1).restoring.phrases
    assert said is not None
    assert [len(one.keys) for one in said.runs] == [
        len(one.keys) for one in Phrases.count(learnt_of(adapted.texts, adapted.base)).runs
    ]
    done = go(settings=quick.model_copy(update={"phrases": False, "minutes": 0.2}), keep=True)
    assert not ModelFiles.find(done.folder).phrases.exists()
    assert Restorer(done.folder, threads=1).restoring.phrases is None


def learnt_of(texts, base):
    return divide(texts, Vocabulary.load(base / "vocabulary.json"), 0).learnt


def press_ctrl_c(step, metrics):
    signal.raise_signal(signal.SIGINT)


def no_better(before, after, right):
    return Gain(0.5, 0.5, -0.1, 0.1)


def test_it_stops_goes_on_writes_nothing_that_does_not_help_and_keeps_it_if_told_so(tmp_path, go, texts, quick):
    out, folder = tmp_path / "mine", working_folder(tmp_path / "mine")
    with pytest.raises(KeyboardInterrupt):
        go(report=press_ctrl_c)
    assert (folder / "checkpoint.pt").is_file()
    with pytest.raises(RecipeError) as error:
        go(texts[:-1])
    assert str(error.value) == (
        f"{folder} holds an adaptation that was begun with other texts; "
        "begin anew with another --out, or remove that folder"
    )
    steps = []
    done = go(compare=no_better, report=lambda step, metrics: steps.append(step))
    assert done.steps == max(steps) > min(steps) - 1 >= 10  # from the tenth step on, where it was stopped
    assert (done.helps, done.is_kept, out.exists(), folder.is_dir()) == (False, False, False, True)
    steps.clear()
    half = quick.model_copy(update={"share": 0.5})  # how far to go is asked when all is learnt
    kept = go(compare=no_better, keep=True, settings=half, report=lambda step, metrics: steps.append(step))
    assert (kept.helps, kept.is_kept, kept.steps, steps) == (False, True, done.steps, [])
    assert ModelFiles.find(out).card["texts"]["rows"] == 260
    assert not folder.exists()


def test_obfuscated_texts_are_refused_before_anything_is_learnt(tmp_path, go, texts):
    noisy = [obfuscate(text, seed=number).noisy for number, text in enumerate(texts)]
    with pytest.raises(DataError, match="of 26 texts that were looked at are obfuscated, expected clean ones; give"):
        go(noisy, base="small")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_written_over(tmp_path, go):
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="mine is there already; name another --out, or remove it"):
        go()
