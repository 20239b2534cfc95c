"""An engine is asked all rows, and what it could not answer is never right."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.cache import AnswerCache
from hanpuri.errors import DataError, EngineError
from hanpuri.evaluation.evaluate import evaluate
from hanpuri.evaluation.metrics import LIKELIHOODS

ROWS = ("녀무", "너무"), ("방이", "방이"), ("조아요", "좋아요")
LONG = "가" * 41


def mend(text: str) -> str:
    return text.replace("녀", "너").replace("조", "좋")


def test_rows_are_scored_and_clean_text_is_asked_too(scripted, rows_of):
    engine = scripted(lambda text: mend(text).replace("방", "밤"))
    found = evaluate(engine, rows_of(*ROWS))
    assert [answer.text for answer in found.answers] == ["너무", "밤이", "좋아요"]
    assert found.scores["char_accuracy"].value == pytest.approx(6 / 7)
    assert found.scores["exact_match"].value == pytest.approx(2 / 3)
    assert found.scores["unchanged_clean"].value == pytest.approx(6 / 7)
    assert engine.asked == ["녀무", "방이", "조아요", "너무", "방이", "좋아요"]


def test_clean_text_is_not_asked_where_it_is_not_wanted_or_rows_are_no_pairs(scripted, rows_of):
    engine = scripted(mend)
    assert "unchanged_clean" not in evaluate(engine, rows_of(*ROWS), unchanged_clean=False).scores
    assert "unchanged_clean" not in evaluate(engine, rows_of(*ROWS, form="instruction")).scores
    assert len(engine.asked) == 6


def test_what_is_measured_goes_by_the_form_or_by_what_is_asked_for(scripted, rows_of):
    engine = scripted(mend)
    assert {"char_accuracy", "cer", "chrf", "wrong_length"} <= set(evaluate(engine, rows_of(*ROWS)).scores)
    answers = evaluate(engine, rows_of(*ROWS, form="instruction")).scores
    assert {"squad_em", "token_f1", "korquad_f1"} <= set(answers)
    assert "char_accuracy" not in answers
    assert set(evaluate(engine, rows_of(*ROWS), measures=["wer"], unchanged_clean=False).scores) == {
        *("wer", "stop_rate", "empty", "failed"),
    }
    with pytest.raises(ValueError, match=r"^there is no measure bleu, only char_accuracy, "):
        evaluate(engine, rows_of(*ROWS), measures=["bleu"])


def test_a_row_that_fails_or_does_not_fit_is_listed_and_counted_as_wrong(scripted, rows_of):
    engine = scripted(lambda text: "!the server is down" if text == "방이" else mend(text))
    found = evaluate(engine, rows_of(*ROWS, (LONG, LONG)), unchanged_clean=False)
    assert [(row.id, why) for row, why in found.failures] == [
        ("2", "the server is down"),
        ("4", "rows.jsonl:4: found 41 tokens, the model has 40; ask for less"),
    ]
    assert (found.num_failed, found.scores["failed"].value, found.scores["exact_match"].value) == (2, 0.5, 0.5)
    assert LONG not in engine.asked


def test_where_no_row_fits_the_fault_is_raised(scripted, rows_of):
    with pytest.raises(DataError, match=r"^rows\.jsonl:1: found 41 tokens"):
        evaluate(scripted(mend), rows_of((LONG, "가"), (LONG, "나")))


def test_clean_text_that_does_not_fit_costs_its_own_score_alone(scripted, rows_of):
    found = evaluate(scripted(lambda text: LONG), rows_of(("가", LONG)))
    assert (found.scores["exact_match"].value, found.scores["unchanged_clean"].value) == (1.0, 0.0)
    assert found.clean_answers[0].failure.startswith("rows.jsonl:1, its clean side: found 41 tokens")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(references=st.lists(st.text(max_size=4), min_size=1, max_size=4))
def test_missing_answers_are_never_right_also_where_nothing_is_expected(scripted, rows_of, references):
    found = evaluate(scripted(lambda text: "!gone"), rows_of(*(("가", one) for one in references)), seed=1)
    scores = {name: one.value for name, one in found.scores.items()}
    for name in ("char_accuracy", "char_f1", "exact_match", "word_accuracy", "chrf", "unchanged_clean", "stop_rate"):
        assert scores[name] == 0.0
    assert scores["cer"] >= 1.0
    assert scores["wrong_length"] == scores["wrong_spacing"] == scores["failed"] == 1.0


def test_a_file_of_questions_alone_is_answered_and_what_needs_no_answer_is_scored(scripted, rows_of):
    found = evaluate(scripted(lambda text: text), rows_of(("녀무", None), ("방이", None)))
    assert set(found.scores) == {"copied", "replacement_characters", "stop_rate", "empty", "failed"}
    assert found.scores["copied"].value == 1.0


def test_answers_that_were_kept_are_not_asked_again(scripted, rows_of, tmp_path):
    def cut(text: str) -> str:
        if text == "좋아요":
            raise KeyboardInterrupt
        return mend(text)

    stopped, again = scripted(cut), scripted(mend)
    with pytest.raises(KeyboardInterrupt):
        evaluate(stopped, rows_of(*ROWS), Decoding(batch_size=1), cache=AnswerCache(tmp_path / "a.jsonl"))
    found = evaluate(again, rows_of(*ROWS), Decoding(batch_size=1), cache=AnswerCache(tmp_path / "a.jsonl"))
    assert (found.num_kept, again.asked) == (3, ["좋아요"])  # the clean 방이 was answered as a noisy one
    assert found.per_second == {}  # nothing was asked now, so nothing is known of its speed
    whole = evaluate(scripted(mend), rows_of(*ROWS))
    assert found.scores == whole.scores


def test_speed_is_that_of_the_rows_that_were_asked_and_answered(scripted, rows_of):
    found = evaluate(scripted(lambda text: "!gone" if text == "방이" else mend(text)), rows_of(*ROWS))
    assert found.per_second["rows"] == pytest.approx(2 / found.seconds)
    assert found.per_second["chars"] == pytest.approx(5 / found.seconds)
    assert found.peak_memory_bytes > 1_000_000


def test_every_answer_is_told_of(scripted, rows_of):
    told = []
    evaluate(scripted(mend), rows_of(*ROWS, (LONG, "가")), on_progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 8) for done in range(9)]


def test_an_engine_that_tells_likelihoods_is_scored_by_them(knowing, rows_of):
    found = evaluate(knowing(mend), rows_of(*ROWS, form="instruction"))
    scores = {name: found.scores[name].value for name in LIKELIHOODS}
    assert scores["loss"] == pytest.approx(0.5)
    assert scores["perplexity"] == pytest.approx(math.exp(0.5))
    assert scores["bits_per_byte"] == pytest.approx(0.5 / math.log(2) / 3)
    assert scores["next_token_accuracy"] == pytest.approx(3 / 7)
    assert {one.scores["loss"] for one in found.slices} == {0.5}


def test_an_answer_that_cannot_be_scored_adds_nothing_to_likelihoods(knowing, rows_of):
    found = evaluate(knowing(mend), rows_of(*ROWS, ("가", "가" * 11), form="instruction"))
    assert found.likelihoods[3].num_tokens == 0
    assert found.scores["loss"].value == pytest.approx(0.5)


def test_slices_are_scored_each_by_itself(scripted, rows_of):
    found = evaluate(scripted(mend), rows_of(*ROWS, ("가" * 21, "나" * 21)))
    by_length = {one.value: (one.num_rows, one.scores["char_accuracy"]) for one in found.slices if one.by == "length"}
    assert by_length == {"1-20": (3, 1.0), "21-50": (1, 0.0)}
    by_rule = {one.value: one.num_rows for one in found.slices if one.by == "rule"}
    assert by_rule == {"lead": 1, "liaison": 1, "none": 1, "other": 1, "vowel": 1}


def test_no_speed_is_told_of_tokens_that_a_server_does_not_count(scripted, rows_of, monkeypatch):
    uncounted = [Answer(text, 0, finished=True) for text, _ in ROWS]
    monkeypatch.setattr(scripted, "generate", lambda *_, **__: uncounted)
    found = evaluate(scripted(mend), rows_of(*ROWS), unchanged_clean=False)
    assert set(found.per_second) == {"rows", "chars"}


def test_the_scores_as_json_begin_with_what_they_always_were(scripted, rows_of):
    facts = evaluate(scripted(mend, "compact:base"), rows_of(*ROWS)).as_dict()
    assert list(facts)[:9] == [
        *("rows", "char_accuracy", "char_f1", "exact_match", "cer"),
        *("unchanged_clean", "seconds", "chars_per_second", "model"),
    ]
    assert (facts["rows"], facts["char_accuracy"], facts["model"], facts["engine"]) == (3, 1.0, "base", "compact:base")
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_what_nothing_was_counted_for_is_left_out(scripted, rows_of):
    found = evaluate(scripted(lambda text: text), rows_of(("abc", "abc")))
    assert "char_accuracy" not in found.scores  # no Hangul in the file
    assert found.as_dict()["char_accuracy"] is None


def test_without_sacrebleu_chrf_is_left_out(scripted, rows_of, monkeypatch):
    monkeypatch.setattr("hanpuri.evaluation.evaluate.is_installed", lambda: False)
    assert "chrf" not in evaluate(scripted(mend), rows_of(*ROWS)).scores


def test_a_fault_of_the_whole_engine_is_raised(rows_of, scripted):
    class Refused(scripted):
        def generate(self, rows, decoding=None, *, names=()):
            raise EngineError("the key is wrong", "give another")

    with pytest.raises(EngineError, match="the key is wrong"):
        evaluate(Refused(mend), rows_of(*ROWS))


def test_the_same_seed_gives_the_same_intervals(scripted, rows_of):
    first, second = (evaluate(scripted(mend), rows_of(*ROWS), seed=3).scores for _ in range(2))
    assert first == second
