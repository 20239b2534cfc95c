"""vLLM answers as the engine transformers does: the same prompts, tokens, ends, texts, and the same hold on them."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from hanpuri.data.examples import make_example
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import load_template
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.engines.alignment import make_pattern
from hanpuri.engines.base import Decoding, PromptedEngine, ScoringEngine
from hanpuri.engines.opening import open_engine
from hanpuri.engines.restoring import restore
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.engines.vllm import VllmEngine
from hanpuri.errors import HanpuriError
from hanpuri.training.prompting import make_prompting

# Texts that it has not learnt, of other lengths: what it makes of them is nonsense, and has to be the same nonsense.
UNKNOWN = [{"noisy": text} for text in ("쪼씩이 맜잇써욥", "와잎퐈이 앉 됌", "쌔톱 칫쏠 1깨 곁재", "갅다", "읾 " * 20)]


@pytest.fixture(scope="module")
def engine(taught, settings_of):
    with open_engine(settings_of(taught)) as engine:
        yield engine


@pytest.fixture(scope="module")
def other(taught, settings_of):
    """The same model in the engine transformers, in fp32 as vLLM has it on a processor."""
    return TransformersEngine.open(settings_of(taught, "transformers", device="cpu"))


def test_it_is_an_engine_that_is_asked_in_our_templates_and_tells_probabilities(engine):
    assert isinstance(engine, VllmEngine)
    assert isinstance(engine, PromptedEngine)
    assert isinstance(engine, ScoringEngine)


def test_what_it_has_learnt_it_gives_word_for_word(engine, learnt):
    answers = engine.generate([{"noisy": noisy} for noisy in learnt])
    assert [answer.text for answer in answers] == list(learnt.values())
    assert all(answer.finished for answer in answers)


def test_vllm_is_given_the_token_ids_that_were_trained(engine, learnt, taught, monkeypatch):
    rows, given = [{"noisy": noisy} for noisy in learnt], []
    engine.generate(rows)
    original = engine._llm.generate
    monkeypatch.setattr(
        engine._llm, "generate", lambda *asked, **how: given.extend(asked[0]) or original(*asked, **how)
    )
    engine.generate(rows, Decoding(max_new_tokens=1))
    tokenizer = load_tokenizer(taught)
    for row, clean, asked in zip(rows, learnt.values(), given, strict=True):
        rendered = engine.prompting.template.render({**row, "clean": clean}, "a row")
        example = make_example(rendered, tokenizer, ExampleSettings())
        assert asked["prompt_token_ids"] == example.input_ids[example.labels == -100].tolist()


# how tokens are chosen, why
DECODINGS = [
    (Decoding(max_new_tokens=100), "up to the token that ends it"),
    (Decoding(max_new_tokens=1), "cut in the middle of a character"),
    (Decoding(max_new_tokens=7), "cut elsewhere"),
    (Decoding(max_new_tokens=100, stop=(" ",)), "up to a text"),
    (Decoding(max_new_tokens=100, stop=("작", "니", "다")), "up to one of several texts"),
    (Decoding(max_new_tokens=100, temperature=1.0, top_k=1), "drawn from one token"),
    (Decoding(max_new_tokens=100, temperature=1.0, top_p=1e-6), "drawn from next to nothing"),
    (Decoding(max_new_tokens=1000, by_text=True), "up to what its own text may take"),
]


@pytest.mark.parametrize("decoding", [decoding for decoding, _ in DECODINGS], ids=[why for _, why in DECODINGS])
def test_its_answers_are_those_of_transformers_with_all_that_is_counted(engine, other, learnt, decoding):
    rows = [{"noisy": noisy} for noisy in learnt] + UNKNOWN
    assert engine.generate(rows, decoding) == other.generate(rows, decoding)


def test_a_stop_that_stands_in_what_the_template_begins_an_answer_with_ends_none(engine, other, monkeypatch):
    asked = make_prompting(load_template("koalpaca"), other._tokenizer)
    assert asked.before == " "
    for one in (engine, other):
        monkeypatch.setattr(one, "prompting", asked)
    rows = [{"instruction": text, "input": ""} for text in ("주차장이 있나요?", "너무 작아요.")]
    for stop in (" ", " 작", "요"):
        decoding = Decoding(max_new_tokens=30, stop=(stop,))
        assert engine.generate(rows, decoding) == other.generate(rows, decoding)


def test_what_is_drawn_depends_on_seed_and_prompt_and_not_on_its_neighbours(engine):
    decoding = Decoding(max_new_tokens=30, temperature=1.5, seed=3)
    together = [answer.text for answer in engine.generate(UNKNOWN, decoding)]
    assert [engine.generate([row], decoding)[0].text for row in UNKNOWN] == together
    assert [answer.text for answer in engine.generate(UNKNOWN, replace(decoding, seed=4))] != together


def test_rows_that_are_longer_together_than_vllm_reads_at_a_time_are_drawn_too(engine):
    rows = [{"noisy": f"{number} " + "읾 뇸 " * 25} for number in range(70)]
    assert sum(engine.count_tokens(row) for row in rows) > 4096
    decoding = Decoding(max_new_tokens=3, temperature=1.0, seed=3)
    answers = engine.generate(rows, decoding)
    assert not any(answer.failure for answer in answers)
    assert engine.generate(rows[-1:], decoding) == answers[-1:]


def test_its_probabilities_are_those_of_transformers(engine, other, learnt):
    rows, texts = [{"noisy": noisy} for noisy in learnt], [*learnt.values()]
    texts[1] = "뷰가 너무 나빴어요!"
    for told, expected in zip(engine.score(rows, texts), other.score(rows, texts), strict=True):
        assert told.log_probability == pytest.approx(expected.log_probability, abs=1e-3)
        assert told == replace(expected, log_probability=told.log_probability)


def test_nothing_is_asked_where_there_is_no_row(engine):
    assert engine.generate([]) == []
    assert engine.score([], []) == []


# --- aligned decoding, of models that know nothing

STRANGE = [
    '그는 "괜차나" 랬다',  # a quote
    "1+1=2 (맏쬬?) [네] {응} \\ | ^ $ . * + ?",  # what an expression reads as a sign
    "윗쭐\n아랫쭐\t끗",  # line end, tab
    "조하욧 😀👍🏽 \ufffd ㅋㅋㅋ ㅠㅠ",  # more than 16 bits, a broken character, lone letters
    " 앞뒤로  빈칸 ",
    "abc 123 —… ~!@#%&=_`'<>/;:,",  # no syllable at all
    "갉낡닭" * 20,
]


@pytest.mark.parametrize(("kind", "aligned"), [("bytes", "airbnb"), ("unigram", "syllables")])
def test_an_untrained_model_keeps_every_place(untrained, settings_of, kind, aligned):
    settings = settings_of(untrained(kind), aligned=aligned, template="restoration")
    with open_engine(settings) as engine:
        answers = list(restore(engine, STRANGE))
        drawn = list(restore(engine, STRANGE, Decoding(max_new_tokens=300, temperature=1.0, batch_size=7)))
    for text, answer in zip(STRANGE * 2, answers + drawn, strict=True):
        assert (answer.failure, answer.finished) == ("", True)
        assert make_pattern(text, aligned).matches(answer.text)
    assert [answer.text for answer in answers] != [answer.text for answer in drawn]


def test_what_a_model_has_learnt_it_still_gives_in_place(taught, settings_of, learnt):
    with open_engine(settings_of(taught, aligned="syllables")) as engine:
        assert [answer.text for answer in restore(engine, list(learnt))] == list(learnt.values())
        (cut,) = engine.generate([{"noisy": next(iter(learnt))}], Decoding(max_new_tokens=4))
        assert not cut.finished
        with pytest.raises(HanpuriError) as error:
            engine.generate([{"instruction": "어디예요?", "input": ""}])
    assert str(error.value) == (
        "row 1: found the fields instruction, input, expected noisy: aligned decoding restores, no more; "
        "ask without aligned"
    )


# --- how long rows may be, and when vLLM is started


def test_vllm_is_started_at_the_first_rows_and_anew_only_for_longer_ones(taught, settings_of, learnt):
    rows = [{"noisy": noisy} for noisy in learnt]
    with open_engine(settings_of(taught)) as engine:
        assert engine._llm is None
        engine.generate(rows, Decoding(max_new_tokens=8))
        first, length = engine._llm, engine._plan.max_length
        assert first.model_config.max_model_len == length
        engine.generate(rows, Decoding(max_new_tokens=12))
        assert engine._llm is first
        (answer, *_) = engine.generate(rows, Decoding(max_new_tokens=400))
        assert (engine._plan.max_length, answer.text) == (512, "화장실이 너무 작아요.")


def test_vllm_is_started_for_the_longest_row_that_was_seen(taught, settings_of):
    with open_engine(settings_of(taught)) as engine:
        for text in ("앉뇽", "읾" * 60):
            engine.prompt({"noisy": text}, "a row")
        engine.make_ready(Decoding(max_new_tokens=8))
        started = engine._llm
        assert len(engine.generate([{"noisy": "앉뇽"}, {"noisy": "읾" * 60}], Decoding(max_new_tokens=8))) == 2
        assert (engine._llm is started, engine._plan.max_length) == (True, 512)


# settings, a row, what is said: all of it before vLLM is started
REFUSED = [
    (
        {},
        {"noisy": "읾" * 600},
        "row 2: found a prompt of 1,341 tokens, expected under 512, the model's positions; shorten it",
    ),
    (
        {"vllm": {"max_length": 160}},
        {"noisy": "읾" * 20},
        "row 2: found a prompt of 181 tokens, expected under 160, vllm.max_length; raise it, or shorten the row",
    ),
    ({}, {"noisy": "앉뇽</s>"}, "row 2: found the special token </s> spelled out in the text"),
    (
        {"aligned": "airbnb"},
        {"noisy": "앉\ud83d뇽"},
        "row 2: found half a surrogate pair, expected text; clean the text first",
    ),
]


@pytest.mark.parametrize(("more", "row", "message"), REFUSED)
def test_a_row_that_cannot_be_answered_is_told_before_vllm_is_started(taught, settings_of, more, row, message):
    engine = VllmEngine.load(settings_of(taught, **more))
    for call in (lambda: engine.generate([{"noisy": "앉뇽"}, row]), lambda: engine.prompt(row, "row 2")):
        with pytest.raises(HanpuriError) as error:
            call()
        assert str(error.value).startswith(message)
    assert engine._llm is None


# what the settings ask for, what is said
WRONG = [
    ({"four_bit": True}, "asks for 4 bits, which vLLM does not load; leave four_bit out, or take transformers"),
    (
        {"device": "cuda"},
        "the device cuda was asked for, and the installed vLLM runs on cpu; "
        "leave the device out; which GPUs are taken is said in CUDA_VISIBLE_DEVICES",
    ),
    (
        {"vllm": {"max_length": 513}},
        "vllm.max_length is 513, and the model has 512 positions; leave it out, or say less",
    ),
    ({"template": "koalpca"}, "no template is called 'koalpca'; there are"),
]


@pytest.mark.parametrize(("more", "message"), WRONG)
def test_what_it_lacks_it_says_at_the_start(taught, settings_of, more, message):
    with pytest.raises(HanpuriError) as error:
        VllmEngine.load(settings_of(taught, **more))
    assert message in str(error.value)


def test_vllm_that_does_not_start_says_why_in_one_line(taught, settings_of):
    with open_engine(settings_of(taught, vllm={"memory_share": 1e-9})) as engine, pytest.raises(HanpuriError) as error:
        engine.generate(UNKNOWN)
    assert str(error.value).startswith(f"vLLM did not start with {taught} (")
    assert str(error.value).endswith(
        "); take transformers; or, where memory was short, lower vllm.max_num_seqs or vllm.max_length"
    )


# --- adapters


@pytest.fixture(scope="module")
def adapter(taught, tmp_path_factory):
    """An adapter on the taught model that changes what it says."""
    import torch

    from hanpuri.training.loading.adapters import attach_adapter, save_adapter
    from hanpuri.training.loading.models import load_model
    from hanpuri.training.recipe import AdapterSettings, ModelSettings

    model = load_model(ModelSettings(path=str(taught)), learns_whole=False, device="cpu")
    adapted = attach_adapter(model, AdapterSettings(r=4), seed=0)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    folder = tmp_path_factory.mktemp("runs") / "second" / "adapter"
    save_adapter(adapted, folder)
    load_tokenizer(taught).fast.save_pretrained(folder)
    shutil.copy(taught / "prompt_template.yaml", folder)
    return folder


def test_an_adapter_answers_as_in_transformers(adapter, engine, settings_of, learnt):
    rows = [{"noisy": noisy} for noisy in learnt] + UNKNOWN
    decoding = Decoding(max_new_tokens=40)
    expected = TransformersEngine.open(settings_of(adapter.parent, "transformers", device="cpu")).generate(
        rows, decoding
    )
    with open_engine(settings_of(adapter.parent)) as adapted:
        assert adapted.generate(rows, decoding) == expected
        # Two in one process: the one that is asked has vLLM, the other gets it back when it is asked again.
        assert engine.generate(rows, decoding) != expected
        assert adapted.generate(rows, decoding) == expected
        assert adapted.identity != engine.identity


# what is changed in adapter_config.json, what is said
UNFIT = [
    ({"use_dora": True}, "it is DoRA"),
    ({"modules_to_save": ["lm_head", "embed_tokens"]}, "it brings its own embed_tokens, lm_head"),
    ({"r": 1024}, "its rank is 1024, and 512 is the highest"),
]


@pytest.mark.parametrize(("change", "why"), UNFIT)
def test_an_adapter_that_vllm_cannot_lay_on_is_to_be_merged(adapter, settings_of, tmp_path, change, why):
    folder = tmp_path / "adapter"
    shutil.copytree(adapter, folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(HanpuriError) as error:
        VllmEngine.load(settings_of(tmp_path))
    assert str(error.value) == (
        f"{folder}: found an adapter that vLLM cannot lay on its base ({why}); "
        f"merge it first: hanpuri publish {tmp_path} --to FOLDER"
    )


def test_an_adapter_whose_run_stretched_positions_is_to_be_merged(adapter, settings_of, tmp_path):
    shutil.copytree(adapter, tmp_path / "adapter")
    recipe = "model: {rope_scaling: {type: yarn, factor: 2}}"
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    with pytest.raises(HanpuriError, match="its run stretched the positions of the base"):
        VllmEngine.load(settings_of(tmp_path))


# --- what is left behind


def test_a_call_that_breaks_off_leaves_nothing_to_the_next(engine, learnt, monkeypatch):
    rows = [{"noisy": noisy} for noisy in learnt]
    engine.generate(rows)
    steps = iter(range(3))

    def step(original=engine._llm.llm_engine.step):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return original()

    monkeypatch.setattr(engine._llm.llm_engine, "step", step)
    with pytest.raises(KeyboardInterrupt):
        engine.generate(UNKNOWN)
    assert [answer.text for answer in engine.generate(rows)] == list(learnt.values())


def test_what_fails_in_vllm_is_one_line(engine):
    with pytest.raises(HanpuriError) as error:
        engine.generate(UNKNOWN, Decoding(temperature=3.0))
    assert str(error.value).startswith("vLLM failed (temperature must be in [0, 2], got 3.0.")


PROGRAM = """
import os
import sys

def main():
    import psutil
    import torch
    from hanpuri.engines.opening import open_engine
    from hanpuri.engines.settings import parse_engine

    before, threads = dict(os.environ), torch.set_num_threads
    with open_engine(parse_engine(f"vllm:{sys.argv[1]}")) as engine:
        engine.generate([{"noisy": "확잠실읾"}])
    assert dict(os.environ) == before and torch.set_num_threads is threads
    assert not psutil.Process().children(recursive=True)
    print("done")

if __name__ == "__main__":
    main()
"""


def test_nothing_is_said_and_no_process_and_no_setting_is_left(taught, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, str(program), str(taught)], capture_output=True, text=True, timeout=300, check=False
    )
    assert (finished.stdout, finished.stderr, finished.returncode) == ("done\n", "", 0)
