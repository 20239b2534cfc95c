"""Several answers to each row are drawn by seeds of their own, scored together, and kept as they come."""

import math
from itertools import islice

import pytest

from hanpuri.engines.base import GREEDY, Decoding
from hanpuri.engines.cache import AnswerCache
from hanpuri.errors import DataError
from hanpuri.preferences.rewards import open_rewards
from hanpuri.preferences.sampling import sample
from hanpuri.training.recipe import RewardTermSettings
from hanpuri.training.reinforcement.reward import Reward
from tests.preferences.drawn_rows import DrawingEngine, row_of

WARM = Decoding(temperature=0.8)
ANSWERS = {"쨰밌": ["째밌", "재밌", "재미"], "념뭄": ["너무", "너무", "나무"]}
ROWS = [row_of(), row_of("념뭄", "너무", 2)]
RIGHT = Reward(
    "right",
    1.0,
    lambda rows, answers: [float(row["clean"] == answer) for row, answer in zip(rows, answers, strict=True)],
)


def test_answer_k_of_a_row_is_that_of_seed_k_and_is_scored_beside_the_right_one():
    found = list(sample(DrawingEngine(ANSWERS), ROWS, count=3, decoding=WARM, rewards=[RIGHT]))
    assert [[answer.text for answer in one.answers] for one in found] == [*ANSWERS.values()]
    assert [one.scores for one in found] == [(0.0, 1.0, 0.0), (1.0, 1.0, 0.0)]


def test_scores_are_weighted_sums_of_what_rewards_give():
    terms = [RewardTermSettings(measure="char_accuracy"), RewardTermSettings(measure="same_length", weight=-0.5)]
    with open_rewards(terms) as rewards:
        (found,) = sample(DrawingEngine(ANSWERS), ROWS[:1], count=2, decoding=WARM, rewards=rewards)
    assert found.scores == (0.0, 0.5)


def test_the_greedy_answer_is_asked_for_besides_and_is_what_one_answer_is_worth():
    engine = DrawingEngine({"쨰밌": ["재밌", "째밌", "째밌"]})
    (found,) = sample(
        engine, ROWS[:1], count=2, decoding=Decoding(temperature=1.0, seed=1), rewards=[RIGHT], greedy=True
    )
    assert (found.greedy.text, found.greedy_score, found.first_score) == ("재밌", 1.0, 1.0)
    assert [answer.text for answer in found.answers] == ["째밌", "째밌"]
    assert engine.asked == [("쨰밌", 1), ("쨰밌", 2), ("쨰밌", 0)]


def test_what_never_came_or_does_not_fit_says_why_and_has_no_score():
    answers = {"쨰밌": ["!the server is down", "재밌"]}
    one, other = sample(
        DrawingEngine(answers), [row_of(), row_of("가" * 41, "가", 2)], count=2, decoding=WARM, rewards=[RIGHT]
    )
    assert (one.answers[0].failure, one.scores[1]) == ("the server is down", 1.0)
    assert math.isnan(one.scores[0])
    assert {answer.failure for answer in other.answers} == {
        "rows.jsonl:2: found 41 tokens, the model has 40; ask for less"
    }
    assert all(map(math.isnan, other.scores))


def test_rows_of_which_none_fits_are_refused_before_any_is_asked():
    engine = DrawingEngine({})
    with pytest.raises(DataError, match=r"^rows\.jsonl:1: found 41 tokens, the model has 40; ask for less$"):
        list(sample(engine, [row_of("가" * 41)], count=2, decoding=WARM, rewards=[RIGHT]))
    assert engine.asked == []


def test_what_was_stopped_goes_on_and_more_answers_ask_only_for_what_is_new(tmp_path):
    first = DrawingEngine(ANSWERS)
    rows = [row_of(), row_of("념뭄", "너무", 2)]
    slow = Decoding(temperature=0.8, batch_size=1)
    told: list[tuple[int, int]] = []

    def draw(engine, count):
        cache = AnswerCache(tmp_path / "kept.jsonl")
        return sample(
            engine,
            rows,
            count=count,
            decoding=slow,
            rewards=[RIGHT],
            cache=cache,
            on_progress=lambda *done: told.append(done),
        )

    def stopped(done, total):
        if done == 2:
            raise KeyboardInterrupt

    cache = AnswerCache(tmp_path / "kept.jsonl")
    with pytest.raises(KeyboardInterrupt):
        list(sample(first, rows, count=2, decoding=slow, rewards=[RIGHT], cache=cache, on_progress=stopped))
    assert first.asked == [("쨰밌", 0), ("쨰밌", 1)]
    second = DrawingEngine(ANSWERS)
    whole = list(draw(second, 2))
    assert second.asked == [("념뭄", 0), ("념뭄", 1)]
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    third = DrawingEngine(ANSWERS)
    assert [one.answers[:2] for one in draw(third, 3)] == [one.answers for one in whole]
    assert third.asked == [("쨰밌", 2), ("념뭄", 2)]


def test_rows_are_handed_on_before_all_are_asked():
    engine = DrawingEngine({"쨰밌": ["재밌", "재밌"]})
    drawn = sample(engine, [row_of()] * 200, count=2, decoding=Decoding(temperature=1.0, batch_size=4), rewards=[RIGHT])
    assert len(list(islice(drawn, 3))) == 3
    assert len(engine.asked) < 400


@pytest.mark.parametrize(
    ("count", "decoding", "message"),
    [
        (0, WARM, r"^count is 0, expected 1 or more$"),
        # the likeliest answer is one and the same
        (2, GREEDY, r"^2 answers of temperature 0 are all the same, expected a temperature above 0$"),
    ],
)
def test_a_wrong_call_is_refused(count, decoding, message):
    with pytest.raises(ValueError, match=message):
        list(sample(DrawingEngine(ANSWERS), ROWS, count=count, decoding=decoding, rewards=[RIGHT]))
