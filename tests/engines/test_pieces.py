"""Long noisy texts in pieces: what is cut where, and that the answers come together to one."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hanpuri.engines.base import GREEDY, Answer, Engine, LateEngine, PromptedEngine, ScoringEngine, StreamingEngine
from hanpuri.engines.cache import AnswerCache, key_of
from hanpuri.engines.opening import open_engine
from hanpuri.engines.pieces import PiecewiseEngine, StreamingPiecewiseEngine, cut
from hanpuri.engines.restoring import restore
from hanpuri.engines.settings import parse_engine
from hanpuri.errors import RecipeError

from .conftest import NOISY

FIRST, SECOND = NOISY
TEXTS = st.text(st.sampled_from("가나다 빵.!\n\t,ㅋ x"), max_size=200) | st.text(max_size=60)

# a text, how long a piece may be, the pieces
CUT = [
    ("짧아요", 10, ["짧아요"]),
    # a line's end goes before a sentence's, though that is nearer to the middle
    ("방이 좋아요\n또 올게요. 정말 좋네요", 15, ["방이 좋아요", "또 올게요. 정말 좋네요"]),
    ("방이 좋아요. 그런데, 또 갈래요", 16, ["방이 좋아요.", "그런데, 또 갈래요"]),
    ("방이 넓고 좋아서, 또 가고 싶네요", 16, ["방이 넓고 좋아서,", "또 가고 싶네요"]),
    ("하나 둘 셋 넷 다섯 여섯", 10, ["하나 둘 셋", "넷 다섯 여섯"]),
    ("가나다라마바사아자차카타", 10, ["가나다라마바", "사아자차카타"]),
    # no cut in the first quarter of a text: such pieces would say nothing
    ("네. 다른 때에는 다른 방에 가 볼게요", 15, ["네. 다른 때에는", "다른 방에 가 볼게요"]),
]


@pytest.mark.parametrize(("text", "longest", "pieces"), CUT)
def test_a_text_is_cut_where_it_can_be_read_by_itself(text, longest, pieces):
    assert [piece.text for piece in cut(text, longest)] == pieces


@given(TEXTS, st.integers(1, 40))
@example("   \n  가나다라마바사아자차카타", 10)
@example(" " * 50, 10)
@example("가" + " " * 50 + "나" + " " * 50, 10)
def test_pieces_are_the_text_and_none_is_too_long_or_empty(text, longest):
    pieces = cut(text, longest)
    assert "".join(piece.before + piece.text for piece in pieces) == text
    if text.strip():
        assert all(0 < len(piece.text.rstrip()) <= longest for piece in pieces)
        assert all(piece.before.strip() == "" and piece.text == piece.text.lstrip() for piece in pieces)
    else:
        assert len(pieces) == bool(text)


@given(TEXTS)
def test_what_an_engine_gives_back_piece_by_piece_is_the_text(text):
    with open_engine(parse_engine("echo")) as engine:
        (answer,) = PiecewiseEngine(engine, 10).generate([{"noisy": text}])
    assert answer.text == text


def test_a_model_restores_two_texts_in_one_that_it_has_learnt_one_by_one(taught):
    folder = taught("restoration")
    together, restored = f"{FIRST}\n{SECOND}", "\n".join(NOISY.values())
    with open_engine(parse_engine(f"transformers:{folder},pieces=15")) as engine:
        answers = list(restore(engine, [together, FIRST, f"{SECOND}\n {FIRST}"]))
    assert [answer.text for answer in answers] == [restored, NOISY[FIRST], f"{NOISY[SECOND]}\n {NOISY[FIRST]}"]
    assert all(answer.finished for answer in answers)
    with open_engine(parse_engine(f"transformers:{folder}")) as engine:
        alone = list(restore(engine, [together, FIRST, SECOND]))
    assert alone[0].text != restored
    assert answers[0].num_tokens == alone[1].num_tokens + alone[2].num_tokens
    assert answers[0].num_prompt_tokens == sum(one.num_prompt_tokens or 0 for one in alone[1:])


@pytest.mark.parametrize("aligned", ["off", "airbnb"])
def test_pieces_are_handed_on_one_after_the_other_as_they_grow(taught, aligned):
    told = f"transformers:{taught('restoration')},pieces=15,aligned={aligned}"
    for text in (f"  {FIRST}\n{SECOND}", f" {FIRST}"):
        heard: list[str] = []
        with open_engine(parse_engine(told)) as engine:
            assert isinstance(engine, StreamingEngine)
            whole = engine.stream({"noisy": text}, heard.append)
            assert whole == engine.generate([{"noisy": text}])[0]
        assert "".join(heard) == whole.text
        assert len(heard) > 2


def test_who_stops_between_two_pieces_gets_the_first(taught):
    heard: list[str] = []
    with open_engine(parse_engine(f"transformers:{taught('restoration')},pieces=15")) as engine:
        assert isinstance(engine, StreamingEngine)
        row = {"noisy": f" {FIRST}\n{SECOND}"}
        cut_off = engine.stream(row, heard.append, stopped=lambda: NOISY[FIRST] in "".join(heard))
    assert (cut_off.text, cut_off.finished) == (f" {NOISY[FIRST]}", False)
    assert "".join(heard) == cut_off.text


def test_aligned_pieces_keep_the_length_of_the_whole(taught, tiny_model):
    with open_engine(
        parse_engine(f"transformers:{tiny_model('llama')},aligned=airbnb,pieces=10,template=plain")
    ) as one:
        (answer,) = restore(one, [f"{FIRST}\n{SECOND}"])
    assert len(answer.text) == len(f"{FIRST}\n{SECOND}")
    assert answer.text[len(FIRST)] == "\n"


def test_other_rows_are_asked_as_they_are(taught):
    question = {"instruction": "주차장이 있나요?", "input": ""}
    with open_engine(parse_engine(f"transformers:{taught('koalpaca')},pieces=10")) as engine:
        assert engine.generate([question])[0].text == "네, 건물 뒤에 두 대까지 됩니다."


def test_an_engine_in_pieces_is_another_one_to_a_cache_and_tells_no_likelihood(taught):
    told = f"transformers:{taught('restoration')}"
    keys, names = [], []
    for spec in (told, f"{told},pieces=15", f"{told},pieces=30"):
        with open_engine(parse_engine(spec)) as engine:
            keys.append(key_of(engine, {"noisy": FIRST}, GREEDY, "row 1"))
            names.append(engine.name.removeprefix(told))
    assert len(set(keys)) == 3
    assert names == ["", ",pieces=15", ",pieces=30"]
    assert isinstance(engine, PromptedEngine)
    assert isinstance(engine, LateEngine)
    assert not isinstance(engine, ScoringEngine)


def test_texts_that_differ_in_the_white_space_at_a_cut_alone_have_answers_of_their_own(taught, tmp_path):
    texts = [f"{FIRST}{space}{SECOND}" for space in "\n\t "]  # of one length: the room is the same
    cache = AnswerCache(tmp_path / "answers.jsonl")
    with open_engine(parse_engine(f"transformers:{taught('restoration')},pieces=15")) as engine:
        answers = [answer.text for text in texts for answer in restore(engine, [text], cache=cache)]
    assert answers == [text.replace(FIRST, NOISY[FIRST]).replace(SECOND, NOISY[SECOND]) for text in texts]
    assert len(cache) == 3


class Losing:
    """An engine that loses what has a word in it, and is sure of the rest; to one that listens it says at once."""

    name = identity = "losing"

    def prompt(self, row, name):
        return str(row["noisy"])

    def generate(self, rows, decoding=GREEDY, *, names=()):
        sure = [Answer(str(row["noisy"]), 1, finished=True, confidence=(0.5,) * len(row["noisy"])) for row in rows]
        lost = Answer.failed("the server is down", 3, cause="down")
        return [lost if "셋" in one.text else replace(one, num_tries=2) for one in sure]

    def stream(self, row, on_text, decoding=GREEDY, *, name="row 1", stopped=None):
        (answer,) = self.generate([row])
        on_text(answer.text)
        return answer


def test_behind_a_piece_that_was_lost_nothing_is_asked():
    heard: list[str] = []
    engine: Engine = Losing()
    lost = StreamingPiecewiseEngine(engine, 10).stream(
        {"noisy": "하나 둘 네 다섯 셋 여섯 일곱 여덟 아홉"}, heard.append
    )
    assert (lost.failure, lost.text) == ("the server is down", "")
    assert "아홉" not in "".join(heard)
    assert "하나" in "".join(heard)


def test_a_row_of_which_a_piece_was_lost_is_lost_and_the_others_have_their_confidence():
    losing: Engine = Losing()
    lost, kept = PiecewiseEngine(losing, 10).generate(
        [{"noisy": text} for text in ("하나 둘 셋 넷 다섯 여섯", "네 다섯 여섯 일곱 여덟")]
    )
    assert (lost.failure, lost.cause, lost.num_tries, lost.text) == ("the server is down", "down", 3, "")
    assert (kept.text, kept.num_tokens, kept.num_tries) == ("네 다섯 여섯 일곱 여덟", 2, 2)
    assert kept.confidence == (0.5,) * 7 + (1.0,) + (0.5,) * 5


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("compact:base,pieces=100", "pieces was given to compact, which reads texts of any length"),
        ("transformers:runs/x,pieces=100,channel=hand", "pieces was given to transformers with a channel"),
        ("transformers:runs/x,pieces=3", "greater than or equal to 10"),
    ],
)
def test_who_needs_no_pieces_refuses_them(spec, told):
    with pytest.raises(RecipeError) as error:
        parse_engine(spec)
    assert told in str(error.value)
