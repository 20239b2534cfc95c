"""The engine asks in the very tokens that were trained: a model that learnt four answers gives them word for word."""

import json
import shutil

import pytest

from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.records.records import Record
from hanpuri.data.templates import load_template
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.engines.base import Decoding, Engine
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import EngineSettings
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import HanpuriError
from hanpuri.evaluation.metrics import char_accuracy, exact_match, token_f1
from hanpuri.training.generation import make_answer_scorer
from hanpuri.training.prompting import save_prompting
from hanpuri.training.recipe import AdapterSettings, GenerationSettings, ModelSettings, QuantizationSettings


@pytest.fixture(scope="module")
def engine_of(taught):
    made = {}

    def load(*model):
        if model not in made:
            made[model] = TransformersEngine.load(str(taught(*model)), device="cpu")
        return made[model]

    return load


# Tokenizers of sentencepiece put a space, or a bos token, before a text that they are given.
@pytest.mark.parametrize("kind", ["bytes", "legacy"])
def test_four_learnt_answers_come_back_word_for_word(engine_of, learnt, kind):
    engine: Engine = engine_of("koalpaca", kind)
    answers = engine.generate([{"instruction": question, "input": ""} for question in learnt])
    assert [(answer.text, answer.finished) for answer in answers] == [(text, True) for text in learnt.values()]
    assert engine.name == "taught-koalpaca"


def test_a_prompt_is_given_as_text_and_its_tokens_are_counted(engine_of, learnt):
    engine = engine_of("koalpaca")
    rows = [{"instruction": question, "input": ""} for question in learnt]
    texts = [engine.prompt(row, "1") for row in rows]
    assert texts[0] == "### 질문: 입실은 몇 시부터 하나요?\n\n### 답변:"
    counts = [engine.count_tokens(row) for row in rows]
    assert [answer.num_prompt_tokens for answer in engine.generate(rows)] == counts
    assert engine.stream(rows[0], lambda piece: None).num_prompt_tokens == counts[0]


def test_a_stream_that_is_stopped_is_cut_at_the_next_token(engine_of, learnt):
    engine, (question, text) = engine_of("koalpaca"), next(iter(learnt.items()))
    pieces = []
    answer = engine.stream({"instruction": question, "input": ""}, pieces.append, stopped=lambda: len(pieces) >= 2)
    assert text.startswith(answer.text)
    assert ("".join(pieces), answer.finished) == (answer.text, False)
    assert 2 <= len(pieces) <= 3


def test_an_answer_that_never_ends_has_no_more_room_than_its_own_text(tiny_model):
    engine = TransformersEngine.load(str(tiny_model("llama")), device="cpu", template="restoration")
    texts = ["뷰갸", "뷰갸 녀뮤 좋핬써욘! " * 4, "a"]
    rows = [{"noisy": text} for text in texts]
    answers = engine.generate(rows, Decoding(max_new_tokens=100, by_text=True))
    rooms = [len(text.encode()) + 16 for text in texts]
    assert rooms[1] > 100
    assert [answer.num_tokens for answer in answers] == [rooms[0], 100, rooms[2]]
    assert not any(answer.finished for answer in answers)
    assert [answers[0]] == engine.generate(rows[:1], Decoding(max_new_tokens=rooms[0]))
    assert engine.stream(rows[0], lambda piece: None, Decoding(max_new_tokens=100, by_text=True)) == answers[0]
    other = [{"instruction": "뷰갸"}]
    asked = TransformersEngine.load(str(tiny_model("llama")), device="cpu", template="koalpaca")
    assert asked.generate(other, Decoding(max_new_tokens=30, by_text=True))[0].num_tokens == 30


def test_a_stop_ends_an_answer_in_a_batch_and_in_a_stream(engine_of, learnt):
    engine, (question, text) = engine_of("koalpaca"), list(learnt.items())[3]
    # The answer itself begins with a space of the template, which ends nothing.
    decoding = Decoding(stop=("\n", " 창문"))
    assert text.index(" 창문") < text.index("\n")
    row, pieces = {"instruction": question, "input": ""}, []
    (answer,) = engine.generate([row], decoding)
    assert (answer.text, answer.finished) == (text[: text.index(" 창문")], True)
    assert engine.stream(row, pieces.append, decoding) == answer
    assert "".join(pieces) == answer.text
    assert engine.generate([row], Decoding(stop=(" ",)))[0].text == text.split(" ")[0]


# what is asked for besides: each changes what may be answered, and so what answers are kept under
OTHERWISE = [
    {"template": "alpaca-ko"},
    {"system": "짧게."},
    {"aligned": "syllables"},
    {"precision": "bf16"},
    {"four_bit": True},
]


def test_an_engine_is_opened_as_it_is_written(taught, learnt):
    folder = taught("koalpaca")
    told = {"engine": "transformers", "model": str(folder), "device": "cpu"}
    question, text = next(iter(learnt.items()))
    with open_engine(EngineSettings(**told)) as engine:
        assert engine.name == f"transformers:{folder}"
        assert engine.generate([{"instruction": question, "input": ""}])[0].text == text
        identities = [engine.identity]
    for other in OTHERWISE:
        with open_engine(EngineSettings(**told, **other)) as engine:
            identities.append(engine.identity)
    with open_engine(EngineSettings(**told)) as engine:
        assert engine.identity == identities[0]
        engine.prompting = engine.prompting.with_system("짧게.")
        assert engine.identity == identities[2]
    assert len(set(identities)) == 1 + len(OTHERWISE)


def test_a_streamed_answer_comes_in_pieces_that_make_up_the_whole(engine_of, learnt):
    engine = engine_of("koalpaca", "bytes")
    for question, text in learnt.items():
        pieces = []
        answer = engine.stream(engine.prompting.question(question), pieces.append)
        assert "".join(pieces) == answer.text == text
        assert len(pieces) > 3
        assert not any("\ufffd" in piece for piece in pieces)


def test_an_answer_cut_anywhere_is_a_beginning_with_no_broken_syllable(engine_of, learnt):
    engine, (question, text) = engine_of("koalpaca", "bytes"), list(learnt.items())[3]
    row = engine.prompting.question(question)
    whole = engine.generate([row])[0]
    trimmed = 0
    for length in range(1, whole.num_tokens + 1):
        pieces = []
        cut = engine.stream(row, pieces.append, Decoding(max_new_tokens=length))
        assert text.startswith(cut.text)
        assert "".join(pieces) == cut.text
        assert not cut.finished
        trimmed += cut.num_trimmed
    assert trimmed > 0  # some syllables are spelled in bytes


def test_a_restorer_is_asked_with_a_noisy_text(engine_of):
    assert engine_of("restoration").ask("뷰갸 녀뮤 좋핬써욘").text == "뷰가 너무 좋았어요"


def test_a_conversation_is_asked_with_all_of_its_turns(engine_of):
    engine = engine_of("chat")
    assert engine.ask("얼마인가요?").text == "무엇이 얼마인지 알려 주세요."
    talk = [
        {"role": "user", "content": "주차장이 있나요?"},
        {"role": "assistant", "content": "네, 두 대까지 됩니다."},
        {"role": "user", "content": "얼마인가요?"},
    ]
    (answer,) = engine.generate([{"messages": talk}])
    assert (answer.text, answer.finished) == ("주차는 무료입니다.", True)


def test_the_score_during_training_is_that_of_the_engine(taught, learnt):
    from transformers import AutoModelForCausalLM

    folder = taught("koalpaca")
    rows = [
        Record({"instruction": question, "input": "", "output": text}, "", "faq", question)
        for question, text in learnt.items()
    ]
    measures = {"exact_match": exact_match, "char_accuracy": char_accuracy, "token_f1": token_f1}
    tokenizer = load_tokenizer(folder)
    scorer = make_answer_scorer(rows, load_template("koalpaca"), tokenizer, GenerationSettings(), measures)
    model = AutoModelForCausalLM.from_pretrained(folder).train()
    assert scorer(model) == {"exact_match": 1.0, "char_accuracy": 1.0, "token_f1": 1.0, "unfinished": 0.0}
    assert [(one.where, one.hypothesis, one.finished) for one in scorer.last] == [
        (question, text, True) for question, text in learnt.items()
    ]


def test_another_template_may_be_told(taught):
    engine = TransformersEngine.load(str(taught("koalpaca")), device="cpu", template="plain")
    assert engine.prompting.prompt(engine.prompting.question("네?"), "1").text == "네?\n"


@pytest.fixture(scope="module")
def run(taught, tmp_path_factory):
    """A run that trained an adapter on the model of a run: here one that changes nothing yet."""
    from hanpuri.training.loading.adapters import attach_adapter, save_adapter
    from hanpuri.training.loading.models import load_model

    first = tmp_path_factory.mktemp("runs") / "first"
    shutil.copytree(taught("koalpaca"), first / "model")
    model = load_model(ModelSettings(path=str(first)), learns_whole=False, device="cpu")
    folder = first.with_name("second") / "adapter"
    save_adapter(attach_adapter(model, AdapterSettings(r=2), seed=0), folder)
    load_tokenizer(first / "model").fast.save_pretrained(folder)
    save_prompting(folder, load_template("koalpaca"), ExampleSettings())
    return folder.parent


@pytest.mark.parametrize("place", ["../first", "../first/model", ".", "adapter"])
def test_a_run_an_adapter_and_a_model_are_found_from_anywhere(run, learnt, monkeypatch, tmp_path, place):
    monkeypatch.chdir(tmp_path)
    engine = TransformersEngine.load(str(run / place), device="cpu")
    question, text = next(iter(learnt.items()))
    assert engine.ask(question).text == text


def test_a_model_in_4_bits_answers(run):
    engine = TransformersEngine.load(str(run), device="cpu", quantization=QuantizationSettings(compute="fp32"))
    assert engine.ask("주차장이 있나요?", Decoding(max_new_tokens=4)).num_tokens == 4


def test_an_adapter_whose_base_is_gone_says_so(run, tmp_path):
    adapter = tmp_path / "moved"
    shutil.copytree(run / "adapter", adapter)
    fields = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    base = tmp_path / "no" / "such" / "model"
    (adapter / "adapter_config.json").write_text(json.dumps({**fields, "base_model_name_or_path": str(base)}))
    with pytest.raises(HanpuriError) as error:
        TransformersEngine.load(str(adapter), device="cpu")
    assert str(error.value) == f"{adapter}: its base is not here: {base}: found no such folder; check the path"


# what is asked for, what is said
WRONG = [
    ({"device": "gpu"}, "the device is 'gpu', expected cuda, cuda:1 and so on, or cpu; take the device cpu"),
    ({"device": "cuda:99"}, "the device cuda:99 was asked for, and torch finds"),
    ({"template": "koalpca"}, "no template is called 'koalpca'; there are"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_what_cannot_be_had_is_said_before_a_weight_is_read(taught, settings, message):
    with pytest.raises(HanpuriError) as error:
        TransformersEngine.load(str(taught("koalpaca")), **{"device": "cpu", **settings})
    assert str(error.value).startswith(message)


def test_a_model_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "first").mkdir()
    with pytest.raises(HanpuriError, match=r"^models/frist: found no such folder.*did you mean models/first\?"):
        TransformersEngine.load("models/frist", device="cpu")


def test_a_row_that_cannot_be_asked_is_named(engine_of):
    engine = engine_of("koalpaca", "bytes")
    rows = [{"instruction": "네?"}, {"instruction": "바다 " * 100}]
    with pytest.raises(HanpuriError, match=r"^row 2: found a prompt of 2\d\d tokens, expected under 192, the model's"):
        engine.generate(rows)
    with pytest.raises(HanpuriError, match=r"^faq.csv:9: found a row with a text alone|^faq.csv:9: "):
        engine.generate([{"text": "네"}], names=["faq.csv:9"])
