import pytest

from hanpuri.training.loop.progress import Evaluation
from hanpuri.training.preference.signs import find_signs
from hanpuri.training.recipe import DpoSettings


def signs(*scores, pairs=100, **settings):
    """The events of each evaluation, one after the other."""
    told = [Evaluation(step, 0.0, one) for step, one in enumerate(scores, 1)]
    found = [find_signs(told[:end], DpoSettings(**settings), pairs) for end in range(1, len(told) + 1)]
    return [[name for name, _ in one] for one in found]


TOLD = [
    # a drift is said when it passes the limit, and not again
    ([{"kl": 0.4}, {"kl": 0.6}, {"kl": 0.7}], [[], ["drift"], []]),
    # nor again after a way back
    ([{"kl": 0.6}, {"kl": 0.4}, {"kl": 0.6}], [["drift"], [], []]),
    # the model's own answers are a place of their own
    ([{"kl": 0.1, "kl_own": 0.9}, {"kl": 0.9, "kl_own": 0.9}], [["drift"], ["drift"]]),
    # chosen answers 2 nats less likely each, and the margin rises
    ([{"chosen_reward": -0.2, "margin": 0.3}, {"chosen_reward": -0.4, "margin": 0.5}], [["chosen_falls"], []]),
    # half a nat is no more than the noise of a few steps
    ([{"chosen_reward": -0.05, "margin": 0.3}], [[]]),
    # margins that fall with them are another matter
    ([{"chosen_reward": 0.1, "margin": 0.3}, {"chosen_reward": -0.4, "margin": 0.1}], [[], []]),
    # three looks without telling the two apart; 0.6 is what chance gives of 100 pairs
    ([{"accuracy": 0.5}, {"accuracy": 0.6}, {"accuracy": 0.45}, {"accuracy": 0.5}], [[], [], ["chance"], []]),
    ([{"accuracy": 0.5}, {"accuracy": 0.7}, {"accuracy": 0.45}], [[], [], []]),
]


@pytest.mark.parametrize(("scores", "expected"), TOLD)
def test_each_sign_is_said_once(scores, expected):
    assert signs(*scores) == expected


def test_of_a_few_pairs_nobody_can_tell_chance():
    assert signs(*[{"accuracy": 0.5}] * 3, pairs=20) == [[], [], []]


def test_before_the_first_evaluation_there_is_nothing_to_say():
    assert list(find_signs([], DpoSettings(), 100)) == []


def test_messages_say_what_was_found_and_what_to_do():
    scores = {"kl": 0.62, "kl_own": 0.1, "chosen_reward": -0.31, "margin": 0.4, "accuracy": 0.51}
    told = [Evaluation(step, 0.0, {**scores, "kl": kl}) for step, kl in enumerate([0.1, 0.2, 0.62])]
    told[0].scores["chosen_reward"] = told[1].scores["chosen_reward"] = 0.0
    told[1].scores["margin"] = 0.2
    assert dict(find_signs(told, DpoSettings(), 100)) == {
        "drift": "0.62 nats a token from the reference at the held-out chosen answers, over dpo.max_drift 0.5; lower"
        " training.learning_rate, raise dpo.beta or take fewer steps",
        "chosen_falls": "the chosen answers are 3.1 nats less likely each than at the reference, while margins rise:"
        " the model learns what not to write; add sft to dpo.loss, or lower training.learning_rate",
        "chance": "accuracy 0.51 after 3 evaluations: the model does not tell chosen from rejected; raise"
        " training.learning_rate, or look whether the pairs are the right way round",
    }
