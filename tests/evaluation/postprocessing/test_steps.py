"""
Steps behind a model: what each changes, and what none of them may change.

In: restored texts with confidences. Out: corrected texts.
"""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.engines.base import Answer, Likelihood
from hanpuri.engines.echo import EchoEngine
from hanpuri.errors import DataError, EngineError, RecipeError
from hanpuri.evaluation.postprocessing import spelling
from hanpuri.evaluation.postprocessing.feasibility import repair
from hanpuri.evaluation.postprocessing.recipe import StepSettings, read_steps
from hanpuri.evaluation.postprocessing.rescoring import rescore
from hanpuri.evaluation.postprocessing.steps import CorrectedEngine, Workshop, make_step
from hanpuri.evaluation.postprocessing.texts import Restored, correct_words
from hanpuri.evaluation.postprocessing.vocabulary import Vocabulary
from hanpuri.noise.channel import feasible_originals
from hanpuri.noise.obfuscate import obfuscate

CLEAN = ["조식 빵이 맛있어요", "조식 빵이 따뜻해요", "주차장이 넓어요", "주차장이 가까워요", "빵이 좋아요"]
SURE = 1.0


def sure(text: str, noisy: str | None = None) -> Restored:
    return Restored(text if noisy is None else noisy, text, (SURE,) * len(text))


texts = st.text(st.characters(codec="utf-8")) | st.text("가각간나난다 ABC!?\n", min_size=1)


@given(text=texts, below=st.floats(0.01, 2))
def test_words_that_are_not_corrected_leave_any_text_as_it_is(text, below):
    assert correct_words(sure(text), lambda word: word, below).text == text


@given(text=texts)
def test_only_words_are_corrected_never_what_stands_between_them(text):
    corrected = correct_words(sure(text), lambda word: "가" * len(word), 1.01).text
    assert corrected == "".join(one if one.isspace() else "가" for one in text)


def test_a_word_of_which_the_model_is_sure_is_left_alone():
    restored = Restored("빵니 죠아", "방이 좋아", (0.5, 0.9, 1.0, 0.95, 0.99))
    assert correct_words(restored, lambda word: "ㅁ" * len(word), 0.6).text == "ㅁㅁ 좋아"


# word, what the dictionary makes of it
WORDS = [
    ("뺭이", "빵이"),  # a vowel
    ("조씩", "조식"),  # a lead
    ("조싞", "조식"),  # a tail
    ("주차쟝이", "주차장이"),
    ("조식", "조식"),  # known
    ("쥬차쟝이", "쥬차쟝이"),  # two letters away
    ("맛있어요", "맛있어요"),  # stands only once, so it is no word yet, but nothing known is near
    ("뺭", "뺭"),  # a single syllable
    ("뺭이!", "뺭이!"),  # not only Hangul
    ("bread", "bread"),
]


@pytest.mark.parametrize(("word", "corrected"), WORDS)
def test_the_dictionary_corrects_one_letter_of_an_unknown_word(word, corrected):
    assert Vocabulary.of(CLEAN).correct(word) == corrected


def test_the_commonest_of_several_near_words_is_taken():
    vocabulary = Vocabulary.of(["방이 방이 방이", "빵이 빵이"])
    assert vocabulary.correct("팡이") == "방이"


# the file, what is counted in it
FILES = [
    ("pairs.jsonl", '{"noisy": "빵니", "clean": "빵이"}\n{"noisy": "빵니", "clean": "빵이"}\n'),
    ("faq.csv", "question,answer\n뭐가 좋아요?,빵이\n또?,빵이\n"),
    ("clean.txt", "빵이\n빵이\n"),
]


@pytest.mark.parametrize(("name", "content"), FILES)
def test_words_are_counted_in_the_clean_side_of_any_file(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert Vocabulary.load(tmp_path / name).words == {"빵이": 2}


@given(text=st.text("가나다라마바사아자차카타파하 않았값", max_size=20), seed=st.integers(0, 99))
def test_what_the_noise_can_have_come_from_is_never_repaired(text, seed):
    noisy = obfuscate(text, seed=seed, ks_x_1001=False).noisy
    assert repair(sure(text, noisy), {}).text == text


@given(
    text=st.text("가나다라마바사아자차카타파하 않았값", max_size=12),
    noisy=st.text("가나다라마바사아 힣뷁", max_size=12),
)
def test_a_repaired_syllable_is_one_that_the_noise_can_have_come_from(text, noisy):
    repaired = repair(sure(text, noisy), {}).text
    assert len(repaired) == len(text)
    if len(text) == len(noisy):
        for place, feasible in enumerate(feasible_originals(noisy)):
            if text[place] != " " and noisy[place] != " ":
                assert repaired[place] in feasible


class BigramEngine(EchoEngine):
    """Holds a text for likely whose pairs of characters stand in the clean texts; has no room for long ones."""

    def __init__(self) -> None:
        super().__init__()
        pairs = [text[at : at + 2] for text in CLEAN for at in range(len(text) - 1)]
        self._counts = Counter(pairs)

    def score(self, rows, answers, *, names=()):
        if any(len(answer) > 30 for answer in answers):
            raise DataError("too long", "shorten it")
        return [Likelihood(self._sum(answer), len(answer), 0, 0) for answer in answers]

    def _sum(self, text):
        return sum(math.log(self._counts[text[at : at + 2]] + 0.01) for at in range(len(text) - 1))


SYLLABLES = Counter("".join(CLEAN))
UNSURE = Restored("죠식 빵이 맛있어요", "조식 방이 맛있어요", (1.0, 1.0, 1.0, 0.4, *[1.0] * 6))


def test_a_language_model_chooses_the_reading_of_an_unsure_syllable():
    (chosen,) = rescore([UNSURE], BigramEngine(), SYLLABLES, below=0.5, margin=1.0)
    assert chosen.text == "조식 빵이 맛있어요"


# what is otherwise, so that nothing changes
UNCHANGED = [
    ("the model is sure enough", UNSURE, {"below": 0.3, "margin": 1.0}),
    ("no reading is so much likelier", UNSURE, {"below": 0.5, "margin": 1000.0}),
    ("the lengths differ", Restored("죠식", UNSURE.text, UNSURE.confidence), {"below": 0.5, "margin": 1.0}),
    (
        "the text is too long for the model",
        Restored(UNSURE.noisy * 4, UNSURE.text * 4, UNSURE.confidence * 4),
        {"below": 0.5, "margin": 1.0},
    ),
]


@pytest.mark.parametrize(("restored", "how"), [case[1:] for case in UNCHANGED], ids=[case[0] for case in UNCHANGED])
def test_a_language_model_leaves_alone(restored, how):
    assert rescore([restored], BigramEngine(), SYLLABLES, **how) == [restored]


def test_an_engine_that_tells_no_likelihood_is_refused():
    with pytest.raises(EngineError) as error:
        rescore([UNSURE], EchoEngine(), SYLLABLES, below=0.5, margin=1.0)
    assert str(error.value) == (
        "echo does not tell how likely a text is, which rescoring needs; take a model of transformers"
    )


def test_the_analyser_puts_spaces_and_mends_spelling():
    assert spelling.space("화장실이너무 작아요") == "화장실이 너무 작아요"
    assert spelling.spell("외않되나요") != "외않되나요"
    assert spelling.spell("화장실이") == "화장실이"


@given(word=st.text("가나다라마바사외않되좋조아요어", min_size=1, max_size=6))
def test_spelling_in_place_keeps_the_length_of_any_word(word):
    assert len(spelling.spell_in_place(word)) == len(word)


def test_steps_behind_an_engine_correct_its_answers_and_leave_its_failures(tmp_path):
    class Failing(EchoEngine):
        def generate(self, rows, decoding, *, names=()):
            return [Answer.failed("the server is down"), *super().generate(rows[1:], decoding, names=names)]

    (tmp_path / "clean.txt").write_text("\n".join(CLEAN), encoding="utf-8")
    step = StepSettings(step="dictionary", texts=tmp_path / "clean.txt")
    with Workshop() as workshop:
        engine = CorrectedEngine(Failing(), [step], workshop)
        answers = engine.generate([{"noisy": "뺭이"}, {"noisy": "뺭이 좋아요"}])
    assert [(answer.text, answer.failure) for answer in answers] == [("", "the server is down"), ("빵이 좋아요", "")]
    assert engine.name == "echo + dictionary"
    assert engine.identity != EchoEngine.identity


# settings, what is said
LACKING = [
    (
        StepSettings(step="dictionary"),
        "the step dictionary was given no clean texts; name a file of them: texts, or --train",
    ),
    (
        StepSettings(step="rescoring"),
        "the step rescoring was given no model; name one: engine, or --lm transformers:runs/cpu-tiny",
    ),
]


@pytest.mark.parametrize(("step", "message"), LACKING)
def test_a_step_that_lacks_something_says_what(step, message):
    with Workshop() as workshop, pytest.raises(RecipeError) as error:
        make_step(step, workshop)
    assert str(error.value) == message


def test_kept_steps_are_read_and_a_wrong_key_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "steps.yaml"
    path.write_text("kind: postprocess\nsteps: [{step: feasibility, below: 0.5}]\n", encoding="utf-8")
    assert read_steps(path).steps == (StepSettings(step="feasibility", below=0.5),)
    path.write_text("kind: postprocess\nsteps: [{step: feasibility, belw: 0.5}]\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"steps\.0\.belw: no such key, did you mean below\?"):
        read_steps(path)
