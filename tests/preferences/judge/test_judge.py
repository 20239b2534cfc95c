"""
A judge at work, behind real servers that go by a rule, and on their bad days.

In: pairs of restorations. Out: judgements, marks, and what is kept where none could be made.
"""

import json
import math
import time
from dataclasses import replace

import pytest
import yaml

from hanpuri.errors import DataError, EngineError, RecipeError
from hanpuri.preferences.judge import open_judge
from hanpuri.preferences.judge.recipe import JudgeRecipe
from hanpuri.preferences.rewards import open_rewards, total
from hanpuri.recipe import check_settings
from hanpuri.training.recipe import RewardTermSettings
from tests.engines.gguf_files import write_gguf
from tests.engines.servers import HTML, answer, fault, hang_up, reply, send, serving

from .players import RUBRIC, always, by_syllables, recipe_of, says, texts_of

CLEAN = {"쨰밌어요": "재밌어요", "확잠실이": "화장실이", "념뭄 좋타": "너무 좋다"}
ROWS = [{"noisy": noisy} for noisy in CLEAN]
FIRSTS = ["재밌어요", "확장실이", "너무 좋타"]
SECONDS = ["째밌어요", "화장실이", "넘무 좋다"]
OUTCOMES = ["first", "second", "tie"]


def settings(server, **more) -> JudgeRecipe:
    return check_settings("judge.yaml", JudgeRecipe, recipe_of(server, **more))


def compared(server, **more):
    with open_judge(settings(server, **more)) as judge:
        return judge.compare(ROWS, FIRSTS, SECONDS)


def test_a_judge_that_looks_at_the_answers_decides_both_ways_round():
    with serving(by_syllables(CLEAN)) as server:
        with open_judge(settings(server)) as judge:
            found = judge.compare(ROWS, FIRSTS, SECONDS)
            assert (judge.cost.num_replies, judge.cost.num_prompt_tokens, judge.cost.num_tokens) == (6, 42, 18)
        assert [one.outcome for one in found] == OUTCOMES
        assert [[heard.turned for heard in one.heard] for one in found] == [[False, True]] * 3
        assert found[0].heard[1].replies == ("틀린 음절이 1개와 0개입니다.\n판정: B",)
        asked = [texts_of(body) for body in server.asked]
    assert {"질문": "쨰밌어요", "답 A": "째밌어요", "답 B": "재밌어요"} in asked
    assert len(asked) == 6


def test_a_judge_that_takes_the_first_place_decides_nothing():
    with serving(always("A")) as server:
        assert [one.outcome for one in compared(server)] == ["disagreement"] * 3


def test_asked_one_way_a_coin_decides_who_stands_first():
    rows = [{"noisy": f"{number}번"} for number in range(40)]
    with serving(always("A")) as server, open_judge(settings(server, orders="one")) as judge:
        found = judge.compare(rows, ["가"] * 40, ["나"] * 40)
        again = judge.compare(rows, ["가"] * 40, ["나"] * 40)
        assert len(server.asked) == 80
    assert found == again
    num_first = sum(one.outcome == "first" for one in found)
    assert 8 <= num_first <= 32
    assert {len(one.heard) for one in found} == {1}


def test_two_answers_of_the_same_text_are_a_tie_and_nobody_is_asked():
    with serving(always("A")) as server, open_judge(settings(server)) as judge:
        (found,) = judge.compare([{"noisy": "쨰밌"}], ["재밌"], ["재밌"])
        assert (found.outcome, found.heard, server.asked) == ("tie", (), [])


# What is no verdict.

NONSENSE = {
    "another format": answer('{"winner": "A"}'),
    "no verdict": answer("둘 다 좋네요!"),
    "empty": answer(""),
    "cut": answer("판정: A", "length"),
    "the format repeated": answer("판정: A|B|비김"),
}


@pytest.mark.parametrize("act", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_asked_for_again_and_then_the_pair_is_unjudged(act):
    with serving(act) as server:
        (found,) = compared_one(server)
        assert found.outcome == "unjudged"
        assert [len(heard.replies) for heard in found.heard] == [3, 3]
        assert [body["temperature"] for body in server.asked] == [0.0, 0.0, 0.7, 0.7, 0.7, 0.7]
        assert [body.get("seed") for body in server.asked] == [None, None, 1, 1, 2, 2]


def compared_one(server, **more):
    with open_judge(settings(server, **more)) as judge:
        return judge.compare(ROWS[:1], FIRSTS[:1], SECONDS[:1])


def test_a_verdict_at_another_try_counts_and_what_was_said_before_is_kept():
    with serving(answer("글쎄요"), answer("음"), by_syllables(CLEAN)) as server:
        (found,) = compared_one(server)
    assert found.outcome == "first"
    assert sorted(heard.replies[0] for heard in found.heard) == ["글쎄요", "음"]


BROKEN = {
    "a fault of the server": fault(500, {"error": "out of memory"}),
    "a page": fault(502, HTML),
    "success, and a page": reply(HTML),
    "too many requests": fault(429, b"slow down"),
    "half of a reply": hang_up,
    "no choices": reply({"choices": []}),
}


@pytest.mark.parametrize("act", BROKEN.values(), ids=BROKEN)
def test_a_pair_that_got_no_reply_is_unjudged_and_says_why(act):
    with serving(by_syllables(CLEAN), act) as server:
        (found,) = compared_one(server, retry={"tries": 1, "pause_seconds": 0}, orders="both")
    assert found.outcome == "unjudged"
    (unread,) = [heard for heard in found.heard if heard.side is None]
    assert unread.replies == ("", "")
    assert found.why == unread.why != ""


def test_a_pair_that_does_not_fit_the_model_takes_no_other_along():
    def act(handler, body):
        if "쨰밌어요" in body["messages"][-1]["content"]:
            send(handler, 400, {"error": {"message": "This model's maximum context length is 10 tokens."}})
        else:
            by_syllables(CLEAN)(handler, body)

    with serving(act) as server:
        found = compared(server)
    assert [one.outcome for one in found] == ["unjudged", "second", "tie"]
    assert found[0].why == "the prompt is too long: This model's maximum context length is 10 tokens."


def test_half_a_surrogate_pair_is_unjudged_and_sends_nothing():
    with serving(always("A")) as server, open_judge(settings(server)) as judge:
        found = judge.compare([{"noisy": "쨰밌"}] * 2, ["재밌\ud83d", "재밌"], ["째밌", "째밌"], names=["a:1", "a:2"])
        assert len(server.asked) == 2
    assert [one.outcome for one in found] == ["unjudged", "disagreement"]
    assert found[0].why == "a:1: found half a surrogate pair, expected text; clean the text first"


def test_a_wrong_key_ends_it_in_one_line():
    with (
        serving(fault(401, {"error": {"message": "Incorrect API key"}})) as server,
        pytest.raises(EngineError) as caught,
    ):
        compared(server)
    assert "401: Incorrect API key" in caught.value.message


def test_a_row_without_a_question_is_named_before_anything_is_asked():
    with serving(always("A")) as server, open_judge(settings(server)) as judge, pytest.raises(DataError) as caught:
        judge.compare([*ROWS[:1], {"prompt": ""}], ["가"] * 2, ["나"] * 2, names=["a:1", "a:2"])
    assert caught.value.message == "a:2: found the fields prompt, expected a question"
    assert server.asked == []


# What was kept.


def test_a_server_that_goes_down_in_the_middle_leaves_nothing_to_do_twice(tmp_path):
    rows = [{"noisy": f"{number}번 방"} for number in range(24)]
    kept = {"cache": str(tmp_path / "kept.jsonl"), "retry": {"tries": 0, "pause_seconds": 0}}
    kept["decoding"] = {"batch_size": 2}
    with serving(*[always("A")] * 30, fault(503)) as server:
        recipe = settings(server, **kept)
        with open_judge(recipe) as judge:
            first = judge.compare(rows, ["가"] * 24, ["나"] * 24)
        assert {one.outcome for one in first} == {"disagreement", "unjudged"}
        num_kept = len((tmp_path / "kept.jsonl").read_text(encoding="utf-8").splitlines())
        assert num_kept == 30
        server.acts, server.asked[:] = [always("A")], []
        with open_judge(recipe) as judge:
            second = judge.compare(rows, ["가"] * 24, ["나"] * 24)
        assert len(server.asked) == 48 - num_kept
    assert [one.outcome for one in second] == ["disagreement"] * 24


def test_what_got_no_reply_is_asked_again_after_a_pause_that_doubles():
    down = [fault(503)] * 3  # as often as the engine itself asks
    with serving(always("B"), *down, *down, always("A")) as server:
        began = time.monotonic()
        (found,) = compared_one(server, retry={"tries": 2, "pause_seconds": 0.2})
        assert time.monotonic() - began >= 0.2 + 0.4
    assert found.outcome == "second"
    assert found.heard[1].replies == ("", "", "판정: A")


def test_another_rubric_asks_anew(tmp_path):
    kept = {"cache": str(tmp_path / "kept.jsonl")}
    with serving(always("A")) as server:
        for rubric in ("짧을수록 낫다.", "길수록 낫다.", "길수록 낫다."):
            compared_one(server, **kept, rubric=rubric)
        assert len(server.asked) == 4


def test_what_judgements_hang_on_is_in_the_identity():
    with serving(always("A")) as server:
        told = [{}, {"orders": "one"}, {"rubric": "길수록 낫다."}, {"decoding": {"seed": 3}}, {"name": "other"}]
        found = []
        for more in told:
            with open_judge(settings(server, **more)) as judge:
                found.append(judge.identity)
    assert len(set(found)) == 4
    assert found[0] == found[4]  # a name changes no judgement


# Marks.


def test_answers_are_marked_from_0_to_1_and_nonsense_is_no_number():
    def rule(texts):
        return by_mark.get(texts["답"], "좋아요")

    by_mark = {"재밌어요": "맞습니다.\n점수: 10", "째밌어요": "점수: 7", "아": "점수: 0", "오": "점수: 77"}
    with serving(says(rule)) as server, open_judge(settings(server)) as judge:
        found = judge.mark(ROWS[:1] * 5, ["재밌어요", "째밌어요", "아", "오", "우"])
        assert len(server.asked) == 5 + 2 * 2
    assert found[:3] == [1.0, 0.7, 0.0]
    assert all(map(math.isnan, found[3:]))


def test_a_judge_is_a_reward_and_what_it_did_not_mark_is_no_number(tmp_path):
    marks = {"재밌어요": "점수: 10", "째밌어요": "점수: 5"}
    path = tmp_path / "judge.yaml"
    rows = [{"noisy": "쨰밌어요", "clean": "재밌어요"}] * 3
    with serving(says(lambda texts: marks.get(texts["답"], "?"))) as server:
        path.write_text(yaml.safe_dump(recipe_of(server)), encoding="utf-8")
        with open_rewards([RewardTermSettings(judge=path, weight=2.0)]) as rewards:
            found = total(rewards, rows, ["재밌어요", "째밌어요", "오"])
        assert all("재밌어요" not in texts_of(body)["질문"] for body in server.asked)  # the right answer is not told
    assert found[:2] == [2.0, 1.0]
    assert math.isnan(found[2])


def test_what_judging_costs_is_reckoned_by_the_prices_of_the_server():
    with serving(always("A")) as server:
        recipe = recipe_of(server)
        recipe["engine"] = f"{recipe['engine']},server.price_input=100,server.price_output=1000"
        with open_judge(check_settings("judge.yaml", JudgeRecipe, recipe)) as judge:
            judge.compare(ROWS[:1], FIRSTS[:1], SECONDS[:1])
            assert judge.cost.price == pytest.approx((14 * 100 + 6 * 1000) / 1_000_000)


def test_progress_is_told_of_every_reply():
    heard = []
    with serving(answer("음"), always("A")) as server, open_judge(settings(server)) as judge:
        judge.compare(ROWS, FIRSTS, SECONDS, tell=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6), (6, 6), (7, 7)]


# By likelihood, with a real model.


@pytest.fixture(scope="module")
def likely(tmp_path_factory, tiny_model):
    kept = tmp_path_factory.mktemp("kept") / "kept.jsonl"
    fields = {"kind": "judge", "name": "tiny", "rubric": "짧을수록 낫다.", "by": "likelihood", "cache": str(kept)}
    recipe = check_settings("judge.yaml", JudgeRecipe, {**fields, "engine": f"transformers:{tiny_model()}"})
    with open_judge(recipe.model_copy(update={"tie_within": 0.0})) as judge:
        yield judge


def test_by_likelihood_the_orders_are_averaged_and_turning_the_pair_turns_the_shares(likely):
    (found,) = likely.compare(ROWS[:1], FIRSTS[:1], SECONDS[:1])
    (turned,) = likely.compare(ROWS[:1], SECONDS[:1], FIRSTS[:1])
    assert found.share == pytest.approx(1 - turned.share, abs=1e-6)
    assert {found.outcome, turned.outcome} == {"first", "second"}
    assert found.share == pytest.approx(sum(heard.share for heard in found.heard) / 2)


def test_by_likelihood_figures_are_those_of_the_engine_and_are_kept(likely):
    from hanpuri.preferences.judge.questions import ask_letter

    (found,) = likely.compare(ROWS[:1], FIRSTS[:1], SECONDS[:1])
    asked = {"instruction": ask_letter(likely.rubric, "쨰밌어요", "재밌어요", "째밌어요"), "input": ""}
    scores = [one.log_probability for one in likely.engine.score([asked, asked], ["A", "B"])]
    assert found.heard[0].share == pytest.approx(1 / (1 + math.exp(scores[1] - scores[0])), abs=1e-5)
    lines = [json.loads(line) for line in likely.recipe.cache.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == len({line["key"] for line in lines})


def test_by_likelihood_a_mark_lies_on_the_scale_and_a_row_that_does_not_fit_has_none(likely):
    found = likely.mark([*ROWS[:2], {"noisy": "가" * 3000}], ["재밌어요", "화장실이", "너무"])
    assert all(0 < mark < 1 for mark in found[:2])
    assert math.isnan(found[2])
    (judged,) = likely.compare([{"noisy": "가" * 3000}], ["재"], ["째"], names=["a.jsonl:9"])
    assert judged.outcome == "unjudged"
    assert judged.why.startswith("a.jsonl:9: found ")


def test_a_special_token_in_an_answer_is_unjudged(likely):
    (found,) = likely.compare(ROWS[:1], ["재밌어요</s>"], ["째밌어요"])
    assert found.outcome == "unjudged"
    assert "</s>" in found.why


def test_likelihoods_that_are_no_numbers_are_no_verdict(likely, monkeypatch):
    def broken(rows, answers, *, names=()):
        return [
            replace(one, log_probability=math.nan) for one in type(likely.engine).score(likely.engine, rows, answers)
        ]

    monkeypatch.setattr(likely.engine, "score", broken)
    (found,) = likely.compare([{"noisy": "아무 글"}], ["재"], ["째"])
    assert (found.outcome, found.why) == ("unjudged", "the model gives no number for a word")


def test_a_model_that_knows_nothing_behind_the_server_of_llama_cpp_leaves_pairs_unjudged(tiny_model, tmp_path):
    path = write_gguf(tiny_model("chatml"), tmp_path / "model.gguf")
    fields = {"kind": "judge", "name": "gguf", "rubric": RUBRIC, "retry": {"tries": 1, "pause_seconds": 0}}
    engine = f"llamacpp:{path},llamacpp.threads=1,llamacpp.context=2048"
    recipe = check_settings("judge.yaml", JudgeRecipe, {**fields, "engine": engine, "decoding": {"max_new_tokens": 6}})
    with open_judge(recipe) as judge:
        (found,) = judge.compare(ROWS[:1], FIRSTS[:1], SECONDS[:1])
        assert math.isnan(judge.mark(ROWS[:1], FIRSTS[:1])[0])
        assert judge.cost.num_replies == 6
        assert judge.cost.num_prompt_tokens > 600
    assert found.outcome == "unjudged"
    assert found.why == "a reply was cut at max_new_tokens"
    assert all(len(heard.replies) == 2 and heard.replies[0] for heard in found.heard)


def test_a_broken_file_of_replies_is_one_line(tmp_path):
    (tmp_path / "kept.jsonl").write_text("{}\n", encoding="utf-8")
    with serving(always("A")) as server, pytest.raises(DataError) as caught:
        compared(server, cache=str(tmp_path / "kept.jsonl"))
    assert caught.value.message == f"{tmp_path}/kept.jsonl:1: found a line that is no kept answer"


def test_nobody_is_asked_with_a_rubric_that_cannot_be_read(tmp_path):
    with serving(always("A")) as server, pytest.raises(RecipeError) as caught:
        compared(server, rubric=None, rubric_file=str(tmp_path / "rubric.txt"))
    assert caught.value.message == f"{tmp_path}/rubric.txt cannot be read: No such file or directory"
    assert server.num_looks == 0
