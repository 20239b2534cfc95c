"""A model scores the tokens that training makes of an answer: by hand, by the training loop and by bits per byte."""

import math

import numpy as np
import pytest
import torch

from hanpuri.data.examples import Example, make_examples, prompt_ids
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.engines.base import ScoringEngine
from hanpuri.engines.likelihood import BATCH_SIZE, score_examples
from hanpuri.engines.settings import EngineSettings
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import DataError
from hanpuri.training.answering import answered
from hanpuri.training.loop.bits import bits_per_byte

QUESTIONS = ["바다가 보이나요?", "주차장이 있나요?", "아침 식사가 나오나요? 두 사람입니다.", "뷁?"]
ANSWERS = ["네.", "건물 뒤에 두 대까지 됩니다.", "아니요\n빵집을 알려 드립니다.", "뷁😀"]
ROWS = [{"instruction": question, "input": ""} for question in QUESTIONS]


@pytest.fixture(scope="module")
def engine_of(tiny_model):
    made = {}

    def load(architecture="llama", chat=None, kind="bytes", template=None):
        key = architecture, chat, kind, template
        if key not in made:
            folder = str(tiny_model(architecture, chat, kind))
            made[key] = TransformersEngine.load(folder, device="cpu", template=template)
        return made[key]

    return load


def by_hand(folder, prompt, rest):
    """Score the tokens behind a prompt one after another, with a model of one's own."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    total, right = 0.0, 0
    with torch.no_grad():
        for place, id in enumerate(rest):
            logits = model(torch.tensor([[*prompt, *rest[:place]]])).logits[0, -1].double()
            total += float(logits[id] - logits.logsumexp(0))
            right += int(logits.argmax()) == id
    return total, len(rest), right


# architecture, chat template, tokenizer, template file; what stands around an answer
ASKED = [
    ("llama", None, "bytes", "koalpaca", " {}"),
    ("llama", None, "legacy", "plain", "{}"),
    ("gpt-neox", None, "unigram", "koalpaca", " {}"),
    ("qwen3", "chatml", "bytes", None, "{}<|im_end|>"),
    ("qwen3", "qwen3", "bytes", None, "<think>\n\n</think>\n\n{}<|im_end|>"),
    ("gemma3", "gemma", "bytes", None, "{}<end_of_turn>"),
]


@pytest.mark.parametrize(("architecture", "chat", "kind", "template", "whole"), ASKED)
def test_scores_are_the_sums_that_are_worked_out_by_hand(
    engine_of, tiny_model, architecture, chat, kind, template, whole
):
    engine: ScoringEngine = engine_of(architecture, chat, kind, template)
    folder = tiny_model(architecture, chat, kind)
    tokenizer = load_tokenizer(folder)
    scores = engine.score(ROWS, ANSWERS)
    for row, text, score in zip(ROWS, ANSWERS, scores, strict=True):
        prompt = engine.prompting.prompt(row, "row 1")
        rest = tokenizer.encode(whole.format(text), after=prompt.text)
        rest += [] if chat else [tokenizer.eos_id]
        total, count, right = by_hand(folder, prompt_ids(prompt, tokenizer), rest)
        assert score.log_probability == pytest.approx(total, abs=1e-4)
        assert (score.num_tokens, score.num_right, score.num_bytes) == (count, right, len(text.encode()))


def test_a_row_scores_the_same_alone_and_beside_others(engine_of):
    engine = engine_of("llama", None, "bytes", "koalpaca")
    rows, answers = ROWS * (BATCH_SIZE // 2), ANSWERS * (BATCH_SIZE // 2)
    scores = engine.score(rows, answers)
    for row, answer, score in zip(ROWS, ANSWERS, scores, strict=False):
        (alone,) = engine.score([row], [answer])
        assert alone.log_probability == pytest.approx(score.log_probability, abs=1e-4)
        assert (alone.num_tokens, alone.num_right) == (score.num_tokens, score.num_right)
    assert scores[:4] == pytest.approx(scores[-4:])
    assert engine.score([], []) == []


def test_a_learnt_answer_is_likelier_than_any_other(taught, learnt):
    engine = TransformersEngine.load(str(taught("koalpaca")), device="cpu")
    rows = [{"instruction": question, "input": ""} for question in learnt]
    right = engine.score(rows, list(learnt.values()))
    wrong = engine.score(rows, list(learnt.values())[::-1])
    assert all(one.num_right == one.num_tokens for one in right)
    assert all(one.log_probability > -2 > -10 > other.log_probability for one, other in zip(right, wrong, strict=True))


def test_of_a_conversation_the_last_answer_is_scored(engine_of):
    engine = engine_of("qwen3", "chatml")
    turns = [
        {"role": "user", "content": "주차장이 있나요?"},
        {"role": "assistant", "content": "네."},
        {"role": "user", "content": "얼마인가요?"},
    ]
    (score,) = engine.score([{"messages": turns}], ["무료입니다."])
    assert score.num_tokens == len(engine._tokenizer.encode("무료입니다.<|im_end|>", after="\n"))
    last = {"role": "assistant", "content": "다른 답"}
    assert engine.score([{"messages": [*turns, last]}], ["무료입니다."]) == [score]


def test_the_loss_of_the_training_loop_is_the_same(tiny_model, tmp_path, monkeypatch):
    from hanpuri.runs import Run
    from hanpuri.training.feeding.datasets import from_examples
    from hanpuri.training.loading.models import load_model
    from hanpuri.training.loop.trainer import Material, run_loop
    from hanpuri.training.prompting import save_prompting
    from hanpuri.training.recipe import ModelSettings, SftRecipe

    monkeypatch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)
    folder = tiny_model()
    tokenizer, settings = load_tokenizer(folder), ExampleSettings(template="koalpaca")
    prompting = TransformersEngine.load(str(folder), device="cpu", template="koalpaca").prompting
    rendered = [answered(prompting, row, text, "1") for row, text in zip(ROWS, ANSWERS, strict=True)]
    rows = from_examples(make_examples(rendered, tokenizer, settings).examples)
    recipe = SftRecipe.model_validate(
        {
            **{"kind": "sft", "name": "tried", "model": {"path": "tiny"}, "data": {"path": "rows.jsonl"}},
            "training": {"steps": 1, "batch_size": 2, "learning_rate": 1e-3},
            "watch": {"log_every": 1, "evaluate_every": 1},
        }
    )
    model = load_model(ModelSettings(path=str(folder)), learns_whole=True, device="cpu")
    run = Run.start(tmp_path / "run", recipe, [])
    result = run_loop(recipe, run, Material(model, tokenizer, rows, rows), device="cpu")
    save_prompting(run.folder / "model", prompting.template, settings)
    scores = TransformersEngine.load(str(run.folder), device="cpu").score(ROWS, ANSWERS)
    trained = sum(score.num_tokens for score in scores)
    assert -sum(score.log_probability for score in scores) / trained == pytest.approx(result.scores["loss"], abs=1e-5)
    assert sum(score.num_right for score in scores) / trained == pytest.approx(result.scores["token_accuracy"])


@pytest.mark.parametrize("kind", ["bytes", "fallback"])
def test_bits_per_byte_are_those_of_the_pretraining(engine_of, kind):
    engine = engine_of(kind=kind)
    model, tokenizer = engine._model, engine._tokenizer
    # As pretraining lays out texts: behind the end of the one before.
    blocks = [np.array([tokenizer.eos_id, *tokenizer.encode(answer, after="가")], np.int32) for answer in ANSWERS]
    scores = score_examples(model, [Example("", block, block) for block in blocks])
    nats, num_bytes = -sum(score[0] for score in scores), sum(len(answer.encode()) for answer in ANSWERS)
    expected = bits_per_byte(model, blocks, tokenizer, 2, "cpu")
    assert nats / math.log(2) / num_bytes == pytest.approx(expected, rel=1e-5)


# an answer, what is said
WRONG = [
    (" ", "faq:2: found no token to train, expected a response; give the row a response, or leave it out"),
    (
        "바다 " * 300,
        "faq:2: found 610 tokens of a prompt and its answer, expected at most 512, the model's positions; shorten it",
    ),
]


@pytest.mark.parametrize(("answer", "message"), WRONG)
def test_an_answer_that_cannot_be_scored_is_named(engine_of, answer, message):
    engine = engine_of("llama", None, "bytes", "plain")
    with pytest.raises(DataError) as error:
        engine.score(ROWS[:2], ["네.", answer], names=["faq:1", "faq:2"])
    assert str(error.value) == message


@pytest.mark.parametrize(("chat", "template"), [("chatml", None), (None, "koalpaca")])
def test_a_system_text_is_asked_and_scored_behind(tiny_model, engine_of, chat, template):
    told = {"engine": "transformers", "device": "cpu", "template": template, "system": "짧게 답하세요."}
    plain = engine_of("llama", chat, "bytes", template)
    engine = TransformersEngine.open(EngineSettings(model=str(tiny_model("llama", chat)), **told))
    text = answered(engine.prompting, ROWS[0], "네.", "1").text
    assert text.startswith(engine.prompt(ROWS[0], "1"))
    assert text.count("짧게 답하세요.") == 1
    assert engine.score(ROWS[:1], ["네."]) != plain.score(ROWS[:1], ["네."])
