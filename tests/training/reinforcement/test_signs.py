"""Signs that a reward is hacked, or that nothing is learnt from it."""

import json

import pytest

from hanpuri.training.recipe import HackingSettings
from hanpuri.training.reinforcement.signs import Signs
from hanpuri.training.reinforcement.texts import is_empty, repeated

START = {"mean_length": 40.0, "repetition": 0.02, "empty": 0.0, "entropy": 2.0, "alike": 0.0, "clipped": 0.1}


def signs_from(**start):
    signs = Signs(HackingSettings())
    signs.start = {**START, **start}
    return signs


# figures now, and before the first step; what is said
SAID = [
    ({"mean_length": 212.0}, {}, "answers are 5.3 times as long as before the first step: 212 tokens"),
    ({"mean_length": 79.0}, {}, None),
    ({"repetition": 0.6}, {}, "60% of an answer says again what it said, 2% before the first step"),
    ({"repetition": 0.6}, {"repetition": 0.7}, None),  # it was so before: no sign of this training
    ({"empty": 0.25}, {}, "25% of the answers have no word, 0% before the first step"),
    ({"entropy": 0.15}, {}, "the model has hardly any choice left: entropy 0.15, 2 before the first step"),
    ({"entropy": 0.0}, {"entropy": 0.0}, None),  # a model that never had a choice
    ({"alike": 0.95}, {}, "nothing is learnt from 95% of the prompts: all answers to one got the same reward"),
    ({"clipped": 0.5}, {}, "50% of the answers were cut off at sampling.max_new_tokens, and rewarded as they are"),
    ({}, {}, None),
]


@pytest.mark.parametrize(("now", "before", "said"), SAID)
def test_each_sign_is_said_with_its_figures(now, before, said):
    found = signs_from(**before).look({**START, **before, **now})
    assert [sign.message for sign in found] == ([said] if said else [])


# what a part of the reward is on the prompts, and on held-out rows before the first step; whether it is said
@pytest.mark.parametrize(
    ("prompts", "held_out", "known"),
    [
        ({"reward_char_accuracy": 0.97}, {"reward_char_accuracy": 0.69}, True),
        # both are near: the model is that good
        ({"reward_char_accuracy": 0.97}, {"reward_char_accuracy": 0.9}, False),
        # there is much left to learn
        ({"reward_char_accuracy": 0.8}, {"reward_char_accuracy": 0.4}, False),
        # the scale of a reward model is its own
        ({"reward_mine": 3.0}, {"reward_mine": 0.5}, False),
        # nobody looked before the first step
        ({"reward_char_accuracy": 0.97}, {}, False),
    ],
)
def test_prompts_that_are_known_by_heart_are_said_to_teach_little(prompts, held_out, known):
    found = signs_from().look({**START, **prompts}, held_out)
    told = "char_accuracy is 0.970 on them and 0.690 on held-out rows"
    assert [(sign.name, sign.hacking, told in sign.message) for sign in found] == [("by_heart", False, True)] * known


def test_a_sign_is_said_once_while_it_stays_and_again_when_it_comes_back():
    signs = signs_from()
    looks = [signs.look({**START, "mean_length": length}) for length in (100.0, 120.0, 41.0, 100.0)]
    assert [len(found) for found in looks] == [1, 0, 0, 1]


def test_a_run_that_goes_on_knows_what_was_said_and_what_was_before():
    signs = signs_from()
    assert len(signs.look({**START, "empty": 0.5})) == 1
    again = Signs(HackingSettings())
    assert again.look({**START, "empty": 0.5}) == []  # it knows nothing yet to compare with
    again.state = json.loads(json.dumps(signs.state))
    assert again.look({**START, "empty": 0.5}) == []
    assert len(again.look({**START, "entropy": 0.01})) == 1


def test_nobody_looks_where_the_recipe_says_so():
    signs = Signs(HackingSettings(action="off"))
    signs.start = START
    assert signs.look({**START, "empty": 1.0}) == []


# an answer, how much of it says again what it said, whether it is empty
@pytest.mark.parametrize(
    ("answer", "share", "empty"),
    [
        ("", 0.0, True),
        (" \n… !", 0.0, True),
        ("네", 0.0, False),
        ("한강은 서해로 흐릅니다.", 0.0, False),
        ("하하하하하하하하하하", 6 / 7, False),
        ("좋아요 좋아요 좋아요", 4 / 8, False),
    ],
)
def test_repetition_and_emptiness_are_seen_without_the_right_answer(answer, share, empty):
    assert repeated(answer) == pytest.approx(share)
    assert is_empty(answer) == empty
