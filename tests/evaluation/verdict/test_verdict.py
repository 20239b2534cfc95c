"""
A verdict from its recipe to its folder, with real engines: echo, the shipped restorer, tiny models, trained runs.

In: our own sentences with noise. Out: a table, advice, a folder; what was killed goes on, who cannot answer says why.
"""

import json
import re
from pathlib import Path

import pytest
import yaml

from hanpuri.errors import DataError, EngineError, RecipeError
from hanpuri.evaluation.verdict.page import save
from hanpuri.evaluation.verdict.tables import table
from hanpuri.evaluation.verdict.verdict import judge, look_ahead

from ...engines.servers import answer, fault, serving

SHORT = {"max_new_tokens": 6, "batch_size": 48}


@pytest.fixture
def both_sides(write_rows, pairs):
    """A test file of 36 pairs, a training file of 12."""
    write_rows("test.jsonl", pairs[:36])
    return {"train_rows": {"path": str(write_rows("train.jsonl", pairs[36:]))}}


def labels(verdict):
    return [outcome.asked.label for outcome in verdict.outcomes]


def kept(folder: Path) -> dict[str, int]:
    return {
        path.name[:5]: len(path.read_text(encoding="utf-8").splitlines()) for path in folder.glob("answers/*.jsonl")
    }


def test_a_shipped_model_is_recommended_where_it_is_good_enough(both_sides, recipe, tmp_path):
    verdict = judge(recipe(candidates=["compact:small"], good_enough=0.8, price={"per_hour": 3.6}), tmp_path / "v")
    save(verdict)
    assert labels(verdict) == ["echo", "compact:small"]
    assert verdict.advice.kind == "a shipped model does it"
    found = json.loads((tmp_path / "v" / "verdict.json").read_text(encoding="utf-8"))
    assert found == json.loads(json.dumps(verdict.as_dict()))
    echo, small = found["candidates"]
    assert (echo["copied"], echo["wrong_length"], echo["over_echo"]) == (1.0, 0.0, None)
    assert small["score"]["value"] == pytest.approx(echo["score"]["value"] + small["over_echo"]["value"])
    assert small["over_best"] is None
    # 3.60 an hour are 0.001 a second
    assert small["price_per_1000"] == pytest.approx(small["seconds"] * 0.001 / 36 * 1000)
    assert {path.name for path in (tmp_path / "v").iterdir()} == {
        *("recipe.yaml", "verdict.json", "verdict.html", "answers", "times.json"),
    }


def test_the_page_says_the_same_and_nothing_of_a_row_is_markup(write_rows, pairs, recipe, tmp_path):
    odd = {"noisy": "<b>념뭄</b> & 잙앙욤", "clean": "<b>너무</b> & 작아요"}
    write_rows("test.jsonl", [odd, *pairs[:35]])
    verdict = judge(recipe(candidates=["compact:small", "transformers:nobody"]), tmp_path / "v")
    save(verdict)
    page = (tmp_path / "v" / "verdict.html").read_text(encoding="utf-8")
    for said in (verdict.advice.because, "compact:small", "nobody: found no such folder", "36 rows, char_accuracy"):
        assert said in page
    assert "<b>념뭄" not in page
    assert "&lt;b&gt;념뭄" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    head, rows = table(verdict)
    assert head[-1] == "wrong length"
    assert [row[0] for row in rows] == ["echo", "compact:small"]


def test_what_was_killed_goes_on_where_it_was(both_sides, recipe, tmp_path):
    settings = recipe(candidates=["compact:small"], decoding={"batch_size": 1})

    def kill(label, done, total):
        if label == "compact:small" and done == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(settings, tmp_path / "v", report=kill)
    before = kept(tmp_path / "v")
    assert before["echo-"] == 36
    assert 17 <= before["compa"] < 36
    told = []
    gone_on = judge(settings, tmp_path / "v", report=lambda *step: told.append(step))
    assert kept(tmp_path / "v") == {"echo-": 36, "compa": 36}
    assert [outcome.evaluation.num_kept for outcome in gone_on.outcomes] == [36, before["compa"]]
    anew = judge(settings, tmp_path / "anew")
    assert [one.facts.candidates[0].score for one in (gone_on, anew)] == [anew.facts.candidates[0].score] * 2
    assert told[-1] == ("compact:small", 36, 36)


def test_kept_answers_still_have_their_time(both_sides, recipe, tmp_path):
    settings = recipe(candidates=["compact:small"])
    first, again = (judge(settings, tmp_path / "v") for _ in range(2))
    assert again.outcomes[1].evaluation.num_kept == 36
    assert again.outcomes[1].seconds == pytest.approx(first.outcomes[1].seconds, abs=0.001)


def test_models_are_asked_with_each_prompt_in_blocks_or_in_turns(both_sides, recipe, tmp_path, tiny_model):
    prompts = ["zero-shot", {"shots": 2}]
    candidates = [
        {"engine": f"transformers:{tiny_model()}", "prompts": prompts, "label": "plain", "template": "plain"},
        {"engine": f"transformers:{tiny_model('chatml', 2048)}", "prompts": prompts, "label": "chat"},
    ]
    verdict = judge(recipe(candidates=candidates, decoding=SHORT, **both_sides), tmp_path / "v")
    assert labels(verdict) == ["echo", "plain zero-shot", "plain 2-shot", "chat zero-shot", "chat 2-shot"]
    assert [outcome.failure for outcome in verdict.outcomes] == [""] * 5
    plain, chat = verdict.outcomes[2].prompt, verdict.outcomes[4].prompt
    assert plain.count("\n\n") == 2
    assert plain.endswith(verdict.outcomes[1].prompt)
    assert chat.count("<|im_start|>") == 6
    # the same examples for both
    shots = [block.splitlines()[1] for block in plain.split("\n\n")[:2]]
    assert all(shot in chat for shot in shots)
    # random weights are no better than copying, and that is said
    assert any("than giving back the question" in reason for reason in verdict.advice.reasons)
    brings = [one.over_zero_shot is not None for one in verdict.facts.candidates]
    assert brings == [False, True, False, True]


@pytest.mark.parametrize("chat", [None, "chatml"])
def test_examples_and_aligned_decoding_go_together(write_rows, pairs, recipe, tmp_path, tiny_model, chat):
    write_rows("test.jsonl", pairs[:3])
    train = {"path": str(write_rows("train.jsonl", pairs[3:]))}
    engine = f"transformers:{tiny_model(chat, 2048)},aligned=syllables"
    candidates = [{"engine": engine, "prompts": [{"shots": 2}], "label": "held"}]
    verdict = judge(recipe(candidates=candidates, train_rows=train), tmp_path / "v")
    held = verdict.outcomes[1]
    assert held.failure == ""
    assert [len(answer.text) for answer in held.evaluation.answers] == [len(pair["clean"]) for pair in pairs[:3]]


def test_examples_without_room_are_left_out_and_that_is_said(write_rows, recipe, tmp_path, tiny_model):
    rows = [{"noisy": f"{number}쨰 빵", "clean": f"{number}째 방"} for number in range(60)]
    write_rows("test.jsonl", rows[:30])
    train = {"path": str(write_rows("train.jsonl", rows[30:]))}
    candidate = {
        **{"engine": f"transformers:{tiny_model(positions=96)}", "template": "plain", "label": "small"},
        "prompts": ["zero-shot", {"shots": 20}],
    }
    verdict = judge(recipe(candidates=[candidate], train_rows=train, decoding=SHORT), tmp_path / "v")
    few = verdict.outcomes[2]
    assert 0 < few.shots < 20
    assert few.evaluation.num_failed == 0
    assert table(verdict)[1][2][0] == f"small 20-shot (room for {few.shots})"
    assert [one["shots"] for one in verdict.as_dict()["candidates"]] == [0, 0, few.shots]


def test_not_one_example_with_room_is_why_a_candidate_is_left_out(write_rows, pairs, recipe, tmp_path, tiny_model):
    write_rows("test.jsonl", [{"noisy": f"{number}쨰", "clean": f"{number}째"} for number in range(30)])
    long = [{"noisy": 10 * row["noisy"], "clean": 10 * row["clean"]} for row in pairs]
    candidate = {"engine": f"transformers:{tiny_model(positions=96)}", "prompts": [{"shots": 1}], "label": "small"}
    train = {"path": str(write_rows("train.jsonl", long))}
    verdict = judge(recipe(candidates=[candidate], train_rows=train), tmp_path / "v")
    ((label, why),) = verdict.facts.unavailable
    assert label == "small 1-shot"
    found = (
        r"not one example has room in the prompt: .*test\.jsonl:1: found a prompt of \d+ tokens, expected under 96, .*"
    )
    assert re.fullmatch(found + "; take a model of more positions, or other rows", why)


def test_who_cannot_answer_says_why_and_the_others_go_on(write_rows, recipe, tmp_path):
    rows = [{"instruction": f"{number} 더하기 하나는?", "input": "", "output": f"{number + 1}"} for number in range(30)]
    write_rows("test.jsonl", rows)
    candidates = ["compact:small", "transformers:runs/nobody", "compact:runs/nobody"]
    verdict = judge(recipe(candidates=candidates, measure="exact_match"), tmp_path / "v")
    assert labels(verdict)[:1] == ["echo"]
    why = dict(verdict.facts.unavailable)
    assert "found the fields instruction, input, expected noisy" in why["compact:small"]
    assert why["transformers:runs/nobody zero-shot"].startswith("runs/nobody: found no such folder")
    assert "compact:runs/nobody" in why
    assert (verdict.advice.kind, verdict.advice.because) == (
        "it cannot be told yet",
        "none of the candidates answered",
    )
    assert verdict.advice.reasons == tuple(f"{label} was left out: {said}" for label, said in why.items())


def test_answers_of_similar_rows_are_in_the_table_where_there_are_training_rows(write_rows, recipe, tmp_path):
    asked = ["입실은 몇 시부터 하나요", "주차장은 어디에 있나요", "조식은 몇 층에서 먹나요"]
    told = ["오후 세 시부터요.", "건물 뒤에요.", "이 층 식당이요."]
    both = list(zip(asked, told, strict=True))
    test = [{"instruction": f"{q}, {n}번째 질문?", "input": "", "output": a} for n in range(12) for q, a in both]
    train = [{"instruction": f"{q}?", "input": "", "output": a} for q, a in both]
    write_rows("test.jsonl", test)
    rows = {"path": str(write_rows("train.jsonl", train))}
    verdict = judge(recipe(measure="exact_match", train_rows=rows), tmp_path / "v")
    assert labels(verdict) == ["echo", "nearest"]
    assert verdict.facts.nearest.score.value == 1.0
    assert verdict.facts.candidates == ()


def sums(numbers):
    return [{"instruction": f"{n} 더하기 {n}은?", "input": "", "output": f"{2 * n}입니다."} for n in numbers]


def test_a_server_is_asked_in_turns_and_paid_by_tokens(write_rows, recipe, tmp_path):
    write_rows("test.jsonl", sums(range(30)))
    train = {"path": str(write_rows("train.jsonl", sums(range(30, 50))))}
    told = {"prompts": ["zero-shot", {"shots": 2}], "label": "there"}
    # a prompt has seven tokens, an answer three, says the server
    prices = {"price_input": 1000, "price_output": 2000}
    with serving(answer("2입니다.")) as server:
        engine = {"engine": "openai", "model": f"{server.address}#tiny", "server": prices}
        settings = recipe(candidates=[{**told, "engine": engine}], measure="exact_match", train_rows=train)
        verdict = judge(settings, tmp_path / "v")
    _, _, bare, few = verdict.outcomes
    assert (bare.failure, few.failure) == ("", "")
    assert [bare.price, few.price] == [pytest.approx(13.0)] * 2
    assert {len(body["messages"]) for body in server.asked} == {1, 5}
    assert bare.evaluation.scores["exact_match"].value == 1 / 30
    # of those who are no better, the cheaper one is told as the best
    assert verdict.best.label == "there zero-shot"


def test_a_server_that_fails_at_some_rows_is_scored_by_all_of_them(write_rows, recipe, tmp_path):
    write_rows("test.jsonl", sums(range(30)))
    with serving(answer("2입니다."), *[fault(400)] * 6, answer("2입니다.")) as server:
        mine = {"engine": f"openai:{server.address}#tiny,server.concurrency=1", "label": "there"}
        verdict = judge(recipe(candidates=[mine], measure="exact_match"), tmp_path / "v")
    there = verdict.outcomes[1]
    assert there.evaluation.num_failed == 6
    assert "there zero-shot left 6 rows unanswered, which count as wrong" in verdict.advice.reasons


def test_a_server_that_is_down_is_left_out(write_rows, recipe, tmp_path):
    write_rows("test.jsonl", sums(range(30)))
    with serving() as server:
        address = server.address
    told = {"engine": f"openai:{address}#tiny,server.max_tries=1", "label": "there"}
    verdict = judge(recipe(candidates=[told], measure="exact_match"), tmp_path / "v")
    ((label, why),) = verdict.facts.unavailable
    assert (label, address in why) == ("there zero-shot", True)


REFUSED = [
    # the two kinds of rows that examples are missing from
    (
        {"candidates": [{"engine": "transformers:m", "prompts": [{"shots": 3}]}]},
        DataError,
        "prompts want 3 examples, found no training rows that ask nothing of the test rows; give train_rows with more"
        " rows, or fewer shots",
    ),
    (
        {
            "candidates": [{"engine": "transformers:m", "prompts": [{"shots": 13}]}],
            "train_rows": {"path": "train.jsonl"},
        },
        DataError,
        "prompts want 13 examples, found 12 training rows that ask nothing of the test rows; give train_rows with more"
        " rows, or fewer shots",
    ),
    (
        {"rows": {"path": "nothing.jsonl"}},
        DataError,
        "nothing.jsonl: found no such file; did you mean train.jsonl?",
    ),
    (
        {"learning_curve": {"recipe": "small.yaml"}},
        RecipeError,
        "small.yaml: kind is 'pretrain', expected sft; give a recipe that fine-tunes on questions and answers",
    ),
    (
        {"learning_curve": {"recipe": "mixed.yaml"}},
        RecipeError,
        "mixed.yaml: found a mix of 2 sources, expected one path to look for leaks in; say where: train_rows.path",
    ),
    (
        {"learning_curve": {"runs": ["runs/a", "runs/b"]}},
        DataError,
        "runs/a: found no finished fine-tuning in this folder; leave it out, or finish it",
    ),
]


@pytest.mark.parametrize(("fields", "error", "message"), REFUSED)
def test_what_cannot_be_judged_is_refused_before_anybody_is_asked(
    fields, error, message, both_sides, recipe, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    scratch = {"hidden_size": 32, "num_layers": 1, "num_heads": 2}
    small = {
        **{"kind": "pretrain", "name": "small", "data": {"corpora": [{"path": "a.txt"}]}},
        **{"model": {"scratch": scratch}, "tokenizer": {"train": {"vocab_size": 400}}, "max_length": 32},
        "training": {"steps": 2, "learning_rate": 1e-3},
    }
    mixed = {
        **{"kind": "sft", "name": "mixed", "model": {"path": "m"}, "training": small["training"]},
        "data": {"sources": [{"path": "a.jsonl"}, {"path": "b.jsonl"}]},
    }
    for name, fields_of in (("small", small), ("mixed", mixed)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(fields_of), encoding="utf-8")
    with pytest.raises(error) as caught:
        judge(recipe(**fields), tmp_path / "v")
    assert str(caught.value) == message
    assert not (tmp_path / "v" / "answers").exists()


def test_a_look_ahead_asks_nobody(both_sides, recipe, tmp_path):
    before = set(tmp_path.rglob("*"))
    material, asked = look_ahead(recipe(candidates=["compact:small", "transformers:nobody"], **both_sides))
    assert (material.facts.num_test, material.facts.num_train) == (36, 12)
    assert [one.label for one in asked] == ["echo", "compact:small", "transformers:nobody zero-shot"]
    assert set(tmp_path.rglob("*")) == before


# --- the learning curve


@pytest.fixture
def sft(both_sides, tmp_path, tiny_model):
    """A recipe that fine-tunes a tiny model in two steps."""
    recipe = {
        **{"kind": "sft", "name": "tiny", "model": {"path": str(tiny_model())}, "adapter": {"r": 2, "dropout": 0.0}},
        "data": {"path": both_sides["train_rows"]["path"], "validation_share": 0.0},
        "examples": {"template": "plain", "max_length": 256},
        "training": {"steps": 2, "batch_size": 2, "learning_rate": 1e-3},
        "watch": {"log_every": 1, "evaluate_every": 2},
    }
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


def test_models_are_trained_on_shares_of_the_data_and_not_again(sft, recipe, tmp_path):
    curve = {"recipe": str(sft), "shares": [0.5, 1.0], "set": ["seed=3"]}
    told = []
    settings = recipe(learning_curve=curve, decoding=SHORT)
    verdict = judge(settings, tmp_path / "v", report=lambda *step: told.append(step))
    save(verdict)
    assert labels(verdict) == ["echo", "tiny-50, 6 rows", "tiny-100, 12 rows"]
    assert {one.way for one in verdict.facts.candidates} == {"trained"}
    assert ("tiny-50", 2, 2) in told
    # the rows that are trained on are looked at, though the verdict's recipe does not name them
    assert verdict.facts.data.num_train == 12
    assert [count for count, _ in verdict.facts.curve.points] == [6, 12]
    assert verdict.facts.curve.forecast.num_rows == 24
    curve_told = json.loads(json.dumps(verdict.as_dict()["curve"]))
    assert [point["train_rows"] for point in curve_told["points"]] == [6, 12]
    assert "Score by training rows" in (tmp_path / "v" / "verdict.html").read_text(encoding="utf-8")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "v" / "runs").glob("*/adapter/*.safetensors")}
    assert len(written) == 2
    again = judge(settings, tmp_path / "v")
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert again.facts.curve == verdict.facts.curve

    # the same runs, named
    runs = sorted(str(path) for path in (tmp_path / "v" / "runs").glob("tiny-*"))
    by_name = judge(recipe(learning_curve={"runs": runs}, decoding=SHORT), tmp_path / "named")
    assert by_name.facts.curve == verdict.facts.curve
    # … one of them twice
    with pytest.raises(DataError, match="were both trained on 6 rows, expected a curve; give runs of other numbers"):
        judge(recipe(learning_curve={"runs": [runs[1], runs[1]]}), tmp_path / "twice")
    # as a candidate it is known as trained
    mine = recipe(candidates=[f"transformers:{runs[0]}"], decoding=SHORT)
    assert [one.way for one in look_ahead(mine)[1]] == ["echo", "trained"]


def test_chrf_without_its_library_is_refused_before_the_long_part(both_sides, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("hanpuri.evaluation.verdict.material.is_installed", lambda: False)
    with pytest.raises(EngineError) as caught:
        judge(recipe(measure="chrf"), tmp_path / "v")
    found = 'chrf needs the library sacrebleu, which is not installed; pip install "hanpuri[evaluate]"'
    assert str(caught.value) == found
