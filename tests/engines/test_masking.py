"""Under aligned decoding a model that has learnt nothing writes nothing but what fits."""

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.engines.alignment import make_pattern
from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import DataError, EngineError
from hanpuri.training import writing

ROOM = Decoding(max_new_tokens=160)
DRAWN = Decoding(max_new_tokens=160, temperature=2.0, top_k=50, top_p=0.98, seed=1)
TEXTS = [
    "확잠실읾 념뭄 잙앙욤!",
    "뷰갸 (5.0)*? [좋] {1}\\d+",
    "ㅋㅋ 😀 뷁\ufffd\n\tnote: 2층\u11a8",
    "가",
]


@pytest.fixture(autouse=True)
def rows_leave_early(monkeypatch):
    """Rows that are done leave their batch after few tokens, and the masks of the others go on."""
    monkeypatch.setattr(writing, "STRETCH", 5)


@pytest.fixture(scope="module")
def engine_of(tiny_model):
    made = {}

    def load(aligned="syllables", architecture="llama", chat=None, kind="bytes", template=None):
        key = aligned, architecture, chat, kind, template
        if key not in made:
            folder = str(tiny_model(architecture, chat, kind))
            made[key] = TransformersEngine.load(folder, device="cpu", aligned=aligned, template=template)
        return made[key]

    yield load
    for engine in made.values():
        engine.close()


def rows_of(texts):
    return [{"noisy": text} for text in texts]


def misfits(engine, texts, decoding, aligned):
    """The answers that do not fit their texts, or do not end."""
    return [
        (text, answer)
        for text, answer in zip(texts, engine.generate(rows_of(texts), decoding), strict=True)
        if answer.failure or not answer.finished or not make_pattern(text, aligned).matches(answer.text)
    ]


# bytes: BPE; unigram, legacy: a space is ▁; fallback: a token a character, and bytes
@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy", "fallback"])
@pytest.mark.parametrize("aligned", ["syllables", "airbnb"])
def test_whatever_the_text_the_answer_fits_it(engine_of, aligned, kind):
    engine = engine_of(aligned, kind=kind)
    anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    korean = st.text(st.sampled_from("뷰갸녀뮤좋핬써욘각값 \n.!(\\\"'[]{}-5aㅋ😀"), max_size=12)

    @given(st.lists(anything | korean, min_size=1, max_size=4), st.sampled_from([ROOM, DRAWN]))
    @settings(max_examples=5)
    def check(texts, decoding):
        assert not misfits(engine, texts, decoding, aligned)

    check()
    assert not misfits(engine, TEXTS, ROOM, aligned)


# architecture, chat template, template file: what stands around an answer, and what ends it
ASKED = [
    ("llama", "llama", None),
    # thoughts before the answer
    ("qwen3", "qwen3", None),
    ("gemma", "gemma", None),
    ("gemma2", "gemma", None),
    ("gemma3", "chatml", None),
    # the answer begins with a space
    ("gpt-neox", None, "koalpaca"),
    # a turn ends in a line end, and the answer in eos
    ("llama", "bare", None),
]


@pytest.mark.parametrize(("architecture", "chat", "template"), ASKED)
@pytest.mark.parametrize("decoding", [ROOM, DRAWN])
def test_every_architecture_and_what_stands_around_an_answer(engine_of, architecture, chat, template, decoding):
    assert not misfits(engine_of("airbnb", architecture, chat, "bytes", template), TEXTS, decoding, "airbnb")


@pytest.mark.parametrize("decoding", [ROOM, DRAWN])
def test_an_aligned_answer_is_the_same_alone_and_beside_others(engine_of, decoding):
    engine = engine_of()
    together = engine.generate(rows_of(TEXTS), decoding)
    assert together == [engine.generate([row], decoding)[0] for row in rows_of(TEXTS)]
    assert [answer.num_prompt_tokens for answer in together] == [engine.count_tokens(row) for row in rows_of(TEXTS)]


def test_a_streamed_aligned_answer_is_that_of_a_batch(engine_of):
    engine = engine_of("syllables", "qwen3", "qwen3")
    for row in rows_of(TEXTS):
        pieces = []
        answer = engine.stream(row, pieces.append, ROOM)
        assert "".join(pieces) == answer.text
        assert [answer] == engine.generate([row], ROOM)


def test_a_trained_restorer_keeps_its_answers(taught):
    engine = TransformersEngine.load(str(taught("restoration")), device="cpu", aligned="airbnb")
    assert engine.ask("뷰갸 녀뮤 좋핬써욘").text == "뷰가 너무 좋았어요"
    assert engine.ask("뷰갸 녀뮤").text.startswith("뷰가 너무")
    engine.close()


def test_an_answer_that_is_cut_is_the_beginning_of_one_that_fits(engine_of):
    engine, slots = engine_of("airbnb"), make_pattern(TEXTS[0], "airbnb").slots
    for length in range(1, 12):
        (answer,) = engine.generate(rows_of(TEXTS[:1]), Decoding(max_new_tokens=length))
        assert not answer.finished
        assert len(answer.text) < len(slots)
        assert all(character in slot for character, slot in zip(answer.text, slots, strict=False))


def test_a_stop_that_is_asked_for_ends_an_aligned_answer_too(engine_of):
    (answer,) = engine_of().generate(rows_of(["뷰갸 녀뮤 좋"]), Decoding(max_new_tokens=60, stop=(" ",)))
    assert (len(answer.text), answer.finished, answer.failure) == (2, True, "")


def test_embeddings_of_no_token_are_never_taken(tiny_model, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_model()
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(model.config.vocab_size + 71, mean_resizing=False)
    with torch.no_grad():
        model.lm_head.weight[-71:] = 5 * model.lm_head.weight[:71]
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    engine = TransformersEngine.load(str(tmp_path), device="cpu", aligned="syllables")
    assert not misfits(engine, TEXTS, ROOM, "syllables")
    engine.close()


def test_a_character_that_no_token_spells_fails_its_row_alone(tiny_model, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_model(kind="unigram")
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    parts = json.loads(path.read_text(encoding="utf-8"))
    parts["model"]["byte_fallback"] = False
    parts["model"]["vocab"] = [
        [f"없음{place}" if piece.startswith("<0x") else piece, score]
        for place, (piece, score) in enumerate(parts["model"]["vocab"])
    ]
    path.write_text(json.dumps(parts), encoding="utf-8")
    engine = TransformersEngine.load(str(tmp_path), device="cpu", aligned="syllables")
    first, second = engine.generate(rows_of(["뷰가 😀", "뷰가"]), ROOM)
    assert first == Answer.failed("the model has no token for a character of the noisy text")
    assert (second.finished, len(second.text)) == (True, 2)
    engine.close()


def test_a_tokenizer_that_cannot_be_read_is_said_at_once(tiny_model):
    folder = str(tiny_model(kind="characters"))
    with pytest.raises(EngineError) as error:
        TransformersEngine.load(folder, device="cpu", aligned="syllables")
    assert str(error.value) == (
        "aligned decoding cannot read the tokenizer tiny-llama"
        ' (can\'t determine decoder type: Some(Fuse(Fuse { type_: MustBe!("Fuse") })));'
        " take a model whose tokens are bytes or spell them out, as byte-level BPE and sentencepiece do"
    )


# a row, what is said
WRONG = [
    (
        {"instruction": "네?", "input": ""},
        "faq:3: found the fields instruction, input, expected noisy: aligned decoding restores, no more;"
        " ask without aligned",
    ),
    ({"noisy": "가\ud83d"}, "faq:3: found half a surrogate pair, expected text; clean the text first"),
]


@pytest.mark.parametrize(("row", "message"), WRONG)
def test_a_row_that_cannot_be_aligned_is_named(engine_of, row, message):
    engine = engine_of()
    for ask in (
        lambda: engine.generate([*rows_of(["가"]), row], names=["faq:2", "faq:3"]),
        lambda: engine.prompt(row, "faq:3"),
        lambda: engine.stream(row, print, name="faq:3"),
    ):
        with pytest.raises(DataError) as error:
            ask()
        assert str(error.value) == message


def test_nothing_is_left_running_once_an_engine_is_closed(tiny_model):
    from hanpuri.engines.opening import open_engine
    from hanpuri.engines.settings import EngineSettings

    before = set(threading.enumerate())
    settings = EngineSettings(engine="transformers", model=str(tiny_model()), device="cpu", aligned="hand")
    with open_engine(settings) as engine:
        assert engine.generate(rows_of(TEXTS[:1]), ROOM)[0].finished
        assert set(threading.enumerate()) - before
    assert not set(threading.enumerate()) - before
