"""
Tokenizers trained and extended: every text comes back, old ids keep their meaning, new rows begin as their parts' mean.

In: our own sentences. Out: folders as a model has them.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.errors import DataError, ModelError, RecipeError
from hanpuri.training.loading.vocabulary import extend_tokenizer, grow_embeddings, train_tokenizer
from hanpuri.training.recipe import ExtendTokenizerSettings, TrainTokenizerSettings

SENTENCES = (Path(__file__).parents[2] / "cases" / "sentences.txt").read_text(encoding="utf-8").splitlines()
LETTERS = "가나다라마바사아자차카타파하고노도로모보"
TEXTS = [
    *SENTENCES,
    *(
        f"{when} {noun}{particle} {verb}"
        for when in ("오늘은", "어제는", "여름에", "가끔")
        for noun in ("바다", "호수", "나무", "도서관", "시장", "골목", "운동장", "라디오")
        for particle in ("에서", "부터", "까지", "처럼")
        for verb in ("걸었어요", "기다렸습니다", "노래하네요", "만나자")
    ),
    # Words without a pattern: the pieces of a unigram model have to differ in how they are used.
    *(
        f"{LETTERS[i]}{LETTERS[i * j % 20]}{LETTERS[(i + j) % 20]} {LETTERS[j]}{LETTERS[(j * 3 + i) % 20]}"
        for i in range(20)
        for j in range(20)
    ),
]
TYPES = ("bpe", "unigram", "character")
ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")
TOKENS = ("호텔", " 바다가", "ㅋㅋㅋ")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    made = {}
    for type in TYPES:
        told = TrainTokenizerSettings(type=type, vocab_size=500)
        made[type] = train_tokenizer(told, iter(TEXTS), tmp_path_factory.mktemp("trained") / type)
    return made


# Letters, what a tokenizer's own notation is made of, and anything at all.
texts = st.lists(
    st.sampled_from(
        ["안녕하세요", "쨰밌어요", " ", "  ", "\n", "\t", "▁", "Ġ", "<0xEA>", "<0x41>", "\ufffd", "ᄒ", "👍🏽"]
    )
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    max_size=8,
).map("".join)


# --- trained


@pytest.mark.parametrize("type", TYPES)
@given(text=texts)
@settings(max_examples=150)
def test_every_text_comes_back_letter_by_letter(trained, type, text):
    tokenizer = trained[type]
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("type", TYPES)
def test_a_trained_tokenizer_has_as_many_tokens_as_asked_for_and_three_signs(trained, type):
    tokenizer = trained[type]
    assert (tokenizer.vocab_size, sorted(tokenizer.special_ids)) == (500, [0, 1, 2])
    assert (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.unk_id) == (0, 1, 2, None)
    assert tokenizer.starts_with_bos
    assert load_tokenizer(tokenizer.fast.name_or_path).encode(SENTENCES[0]) == tokenizer.encode(SENTENCES[0])


@pytest.mark.parametrize("type", ["bpe", "unigram"])
def test_no_piece_goes_beyond_a_word_and_the_space_stands_before_it(trained, type):
    tokenizer = trained[type]
    pieces = [tokenizer.decode([id]) for id in range(tokenizer.vocab_size) if id not in tokenizer.special_ids]
    assert [piece for piece in pieces if " " in piece.strip(" ") or piece != piece.rstrip() != ""] == []
    assert any(piece.startswith(" ") and len(piece) > 2 for piece in pieces)


def test_a_tokenizer_of_characters_has_one_token_for_each_that_is_common(trained):
    tokenizer = trained["character"]
    assert len(tokenizer.encode("오늘은 바다에서")) == len("오늘은 바다에서")
    assert len(tokenizer.encode("뛣")) == 3  # bytes


@pytest.mark.parametrize("type", TYPES)
def test_the_same_texts_give_the_same_files(trained, tmp_path, type):
    again = train_tokenizer(TrainTokenizerSettings(type=type, vocab_size=500), TEXTS, tmp_path)
    before = Path(trained[type].fast.name_or_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tokenizer.json", "tokenizer_config.json"]
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (before / file.name).read_bytes()
    assert str(tmp_path.parent) not in (tmp_path / "tokenizer_config.json").read_text(encoding="utf-8")
    assert again.encode("물") == trained[type].encode("물")


def test_nothing_is_read_as_a_byte_that_is_only_written_like_one(trained):
    ids = trained["unigram"].encode("<0xEA><0xB0><0x80>")
    assert trained["unigram"].decode(ids) == "<0xEA><0xB0><0x80>"


@pytest.mark.parametrize("type", TYPES)
def test_no_text_is_a_fault(tmp_path, type):
    with pytest.raises(DataError) as caught:
        train_tokenizer(TrainTokenizerSettings(type=type, vocab_size=500), [], tmp_path)
    assert str(caught.value) == "the corpora hold no text to train a tokenizer on; give a file with a text a line"


def test_too_little_text_for_so_many_tokens_is_a_fault(tmp_path):
    with pytest.raises(DataError) as caught:
        train_tokenizer(TrainTokenizerSettings(vocab_size=9000), ["바다가 보여요", "바다가 넓어요"], tmp_path)
    assert str(caught.value) == (
        "14 characters give a tokenizer of 270 tokens, expected 9,000;"
        " give more text, or lower tokenizer.train.vocab_size"
    )
    assert list(tmp_path.iterdir()) == []


# --- extended


@pytest.mark.parametrize("kind", ["bytes", "unigram"])
def test_a_new_token_is_found_before_particles_and_eats_no_space(tokenizer_of, tmp_path, kind):
    old = tokenizer_of(kind)
    extension = extend_tokenizer(old, ExtendTokenizerSettings(tokens=("호텔",)), (), tmp_path)
    (new,) = extension.parts
    assert (new, extension.tokenizer.vocab_size) == (old.vocab_size, old.vocab_size + 1)
    assert old.decode(extension.parts[new], continues=True) == old.decode(
        old.encode("호텔", after="이"), continues=True
    )
    for text in ("호텔에서 잤어요", "이 호텔은", "그 호텔 방", "신라호텔이"):
        ids = extension.tokenizer.encode(text)
        assert ids.count(new) == 1, text
        assert extension.tokenizer.decode(ids) == text


def test_a_new_token_may_take_the_place_of_unknown_ones(tokenizer_of, tmp_path):
    old = tokenizer_of("characters")
    extension = extend_tokenizer(old, ExtendTokenizerSettings(tokens=("호텔",)), (), tmp_path)
    assert extension.parts == {old.vocab_size: (old.unk_id, old.unk_id)}
    assert extension.tokenizer.decode(extension.tokenizer.encode("호텔은")) == "호텔은"


@pytest.mark.parametrize("kind", ["bytes", "unigram"])
@given(text=st.lists(st.sampled_from([*TOKENS, "호", "텔", "에서", " ", "a", "물</", ">", "\n", "3"])).map("".join))
@settings(max_examples=60)
def test_texts_come_back_as_before_and_those_without_a_new_token_keep_their_ids(tokenizer_of, extended, kind, text):
    old, new = tokenizer_of(kind), extended(kind).tokenizer
    ids = new.encode(text)
    assert new.decode(ids) == old.decode(old.encode(text))
    if not set(ids) & set(extended(kind).parts):
        assert ids == old.encode(text)


@pytest.fixture(scope="module")
def extended(tokenizer_of, tmp_path_factory):
    made = {}

    def extend(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            made[kind] = extend_tokenizer(tokenizer_of(kind), ExtendTokenizerSettings(tokens=TOKENS), (), folder)
        return made[kind]

    return extend


def test_a_chat_template_stays_with_the_tokenizer(tokenizer_of, tmp_path):
    old = tokenizer_of("bytes", "chatml")
    new = extend_tokenizer(old, ExtendTokenizerSettings(tokens=("호텔",)), (), tmp_path).tokenizer
    messages = [{"role": "user", "content": "호텔"}]
    assert new.apply_chat_template(messages, "1") == old.apply_chat_template(messages, "1")
    assert new.special_ids == old.special_ids
    assert not new.is_byte_fallback(new.vocab_size - 1)


def test_words_that_save_tokens_are_found_in_the_texts(tokenizer_of, tmp_path):
    reviews = ["이 쌀국수가 좋아요", "그 쌀국수는 별로", "또 쌀국수 먹어요", "이 쌀국수집 어때요"] * 5
    told = ExtendTokenizerSettings(count=1, min_frequency=15)
    for kind in ("bytes", "unigram"):
        extension = extend_tokenizer(tokenizer_of(kind), told, reviews, tmp_path / kind)
        assert [extension.tokenizer.piece(id) for id in extension.parts] == [" 쌀국수"]


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        (" ", "' ' is blank"),
        ("</s>", "'</s>' holds a special token"),
        # a letter that the tokenizer was trained on
        ("은", "'은' is a token already"),
    ],
)
def test_what_is_no_new_token_is_a_fault(tokenizer_of, tmp_path, token, fault):
    with pytest.raises(RecipeError) as caught:
        extend_tokenizer(tokenizer_of("bytes"), ExtendTokenizerSettings(tokens=(token,)), (), tmp_path)
    assert str(caught.value) == f"tokenizer.extend.tokens: {fault}; take it out of the list"


def test_a_tokenizer_that_puts_spaces_around_new_tokens_is_refused(tokenizer_of, tmp_path):
    with pytest.raises(ModelError) as caught:
        extend_tokenizer(tokenizer_of("legacy"), ExtendTokenizerSettings(tokens=("호텔",)), (), tmp_path)
    assert str(caught.value) == (
        "the tokenizer tiny-legacy reads '호텔에서 호텔 호텔' back as '호텔 에서 호텔  호텔' with a new token in it;"
        " it puts spaces around added tokens: do without tokenizer.extend"
    )
    assert list(tmp_path.iterdir()) == []


# --- embeddings


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_new_rows_are_the_mean_of_their_parts_rows_and_old_rows_stay(tiny_model, extended, architecture, tied):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    configuration = AutoConfig.from_pretrained(tiny_model(architecture), tie_word_embeddings=tied)
    model = AutoModelForCausalLM.from_config(configuration)
    extension = extended("bytes")
    before = [ends.weight.detach().clone() for ends in (model.get_input_embeddings(), model.get_output_embeddings())]
    grow_embeddings(model, extension)
    assert model.config.vocab_size == extension.tokenizer.vocab_size == len(before[0]) + len(TOKENS)
    for old, ends in zip(before, (model.get_input_embeddings(), model.get_output_embeddings()), strict=True):
        assert torch.equal(ends.weight[: len(old)], old)
        for new, parts in extension.parts.items():
            assert torch.allclose(ends.weight[new], old[list(parts)].mean(0), atol=1e-6)
    shared = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert shared is tied
    ids = torch.tensor([extension.tokenizer.encode("이 호텔에서")])
    assert model(ids).logits.shape[-1] == extension.tokenizer.vocab_size


def test_a_model_with_spare_rows_is_not_made_larger(tiny_model, extended):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model())
    model.resize_token_embeddings(1000, mean_resizing=False)
    grow_embeddings(model, extended("bytes"))
    assert model.config.vocab_size == 1000


def test_what_is_saved_is_valid_json_with_the_signs_named(trained):
    folder = Path(trained["bpe"].fast.name_or_path)
    told = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert (told["pad_token"], told["eos_token"]) == ("<|pad|>", "<|end_of_text|>")
