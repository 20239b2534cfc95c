"""
The noisy channel, with models that have learnt nothing or two answers by heart: the search finds what it claims to.

In: noisy texts, tiny models with a tokenizer of characters, and one of bytes that is refused. Out: restored texts.
"""

import re
import unicodedata
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.engines.base import Decoding
from hanpuri.engines.noisy_channel.engine import STRENGTHS, WEIGHT, NoisyChannelEngine
from hanpuri.engines.noisy_channel.slots import Spelling, read_slots
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import parse_engine
from hanpuri.errors import DataError, EngineError, RecipeError
from hanpuri.hangul import is_syllable
from hanpuri.noise.channel import feasible_letters, feasible_originals
from hanpuri.noise.likelihood import Channel

NOISY = ["확잠실읾 념뭄 잙앙욤", "뷰갸 녀뮤 좋핬써욘", "죠식", "Wi-Fi 됌! 👩‍❤️", "", "  ", "1박"]
ANY_TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("방이좋아요 .뢥힣ㅋ\n"), max_size=12)


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer_folder):
    """A llama with random weights that writes character by character."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    fast = AutoTokenizer.from_pretrained(tokenizer_folder("characters"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"bos_token_id": fast.bos_token_id, "eos_token_id": fast.eos_token_id}
    config = LlamaConfig(vocab_size=len(fast), max_position_embeddings=512, initializer_range=0.3, **sizes, **ids)
    place = tmp_path_factory.mktemp("models") / "characters"
    LlamaForCausalLM(config).save_pretrained(place)
    fast.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def engine(folder):
    with open_engine(parse_engine(f"transformers:{folder},channel=airbnb")) as opened:
        yield opened


def restored(engine, texts, **settings):
    return [answer.text for answer in engine.generate([{"noisy": text} for text in texts], Decoding(**settings))]


def has_token(tokenizer, syllable: str) -> bool:
    ids = tokenizer.encode(syllable, after="가")
    return len(ids) == 1 and tokenizer.decode(ids, continues=True) == syllable


def test_the_best_text_of_all_is_found(folder, engine):
    """Every original of a short word is weighed by hand, each by itself, without a cache."""
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer, model = load_tokenizer(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    spelling, channel = Spelling.of(tokenizer), Channel(strengths=STRENGTHS)

    def weigh(noisy: str, clean: str) -> float:
        ids = [tokenizer.bos_id, *(id for character in clean for id in spelling.spell(character))]
        with torch.inference_mode():
            told = torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), -1)
        model_says = sum(float(told[place, id]) for place, id in enumerate(ids[1:]))
        return model_says + WEIGHT * channel.log_likelihood(noisy, clean)

    for noisy in ("좋야", "뷰갸", "방 이"):
        originals = [
            [one for one in sorted(allowed) if not is_syllable(one) or has_token(tokenizer, one)]
            for allowed in feasible_originals(noisy)
        ]
        assert all(originals)
        best = max(("".join(each) for each in product(*originals)), key=lambda clean: weigh(noisy, clean))
        assert restored(engine, [noisy]) == [best]


@settings(max_examples=25)
@given(st.lists(ANY_TEXT, min_size=1, max_size=3))
def test_length_and_all_that_is_no_syllable_are_kept(engine, texts):
    for noisy, answer in zip(texts, restored(engine, texts), strict=True):
        normal = unicodedata.normalize("NFC", noisy)
        assert len(answer) == len(normal)
        for before, after, allowed in zip(normal, answer, feasible_originals(normal), strict=True):
            assert after in allowed or after == before


def test_neighbours_in_a_batch_change_nothing(engine):
    alone = [text for noisy in NOISY for text in restored(engine, [noisy])]
    assert restored(engine, NOISY, batch_size=16) == restored(engine, NOISY, batch_size=2) == alone
    assert alone[4:6] == ["", "  "]


def test_a_model_that_was_taught_to_restore_reads_the_noisy_text_first(taught):
    folder = taught("restoration", "characters")
    # By ear 장 becomes 잠; the generator never makes it so.
    with open_engine(parse_engine(f"transformers:{folder},channel=hand")) as engine:
        (answer,) = engine.generate([{"noisy": NOISY[0]}])
        assert answer.text.startswith("화장실")
        assert answer.finished
        assert answer.num_prompt_tokens > len(NOISY[0])
        with pytest.raises(
            DataError, match=r"^row 1: found a prompt of .* tokens, expected under 192, the model's pos"
        ):
            engine.generate([{"noisy": "방" * 400}])


def test_a_text_that_is_longer_than_the_model_looks_back_is_restored_too(folder):
    from hanpuri.engines.noisy_channel.language_model import CausalModel
    from hanpuri.engines.transformers import TransformersEngine

    asked = TransformersEngine.load(str(folder))
    engine = NoisyChannelEngine("short", asked._model, asked._tokenizer, asked.prompting, profile="airbnb")
    whole = restored(engine, ["방이 좋아요", "뷰갸 녀뮤 좋핬써욘 " * 4])
    engine._model = CausalModel(asked._model, pad_id=0, window=8)
    short = restored(engine, ["방이 좋아요", "뷰갸 녀뮤 좋핬써욘 " * 4])
    assert short[0] == whole[0]
    assert len(short[1]) == len(whole[1])


def test_slots_hold_the_tokens_of_feasible_originals(tokenizer_of):
    tokenizer = tokenizer_of("characters")
    spelling = Spelling.of(tokenizer)
    slots = read_slots("좋핬 뢥!", spelling, feasible_letters())
    originals = feasible_originals("좋핬 뢥!")
    for slot, allowed in zip(slots[:2], originals, strict=False):
        told = {tokenizer.decode([token], continues=True) for token in slot.tokens.tolist()}
        assert told == {one for one in allowed if has_token(tokenizer, one)}
    assert [slot.joined for slot in slots[:3]] == [False, True, False]
    assert slots[0].following
    assert not slots[1].following
    # 뢥 has no token, nor has anything that can have become it: it stays.
    assert [slot.clean.tolist() for slot in slots[2:]] == [[-1], [ord("뢥") - ord("가")], [-1]]


def test_a_tokenizer_of_longer_tokens_is_refused(tiny_model):
    message = re.compile(
        r"^the tokenizer tiny-llama has tokens of several characters, such as '.+'; channel needs a model that writes "
        r"character by character; take one that was trained with tokenizer\.train\.type: character, or aligned in "
        r"place of channel$",
        re.DOTALL,
    )
    with (
        pytest.raises(EngineError, match=message),
        open_engine(parse_engine(f"transformers:{tiny_model()},channel=hand")),
    ):
        pass


@pytest.mark.parametrize(
    ("row", "message"),
    [
        # nothing to restore
        (
            {"instruction": "요약해 줘"},
            "row 7: found the fields instruction, expected noisy: a channel restores, no more; ask without channel",
        ),
        # no text
        ({"noisy": "뷰\ud800"}, "row 7: found half a surrogate pair, expected text; clean the text first"),
    ],
)
def test_a_row_without_a_noisy_text_is_refused(engine, row, message):
    for ask in (lambda: engine.generate([row], names=["row 7"]), lambda: engine.prompt(row, "row 7")):
        with pytest.raises(DataError, match=exactly(message)):
            ask()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("compact:base,channel=airbnb", "channel was given to compact, it needs transformers"),
        (
            "transformers:runs/faq,channel=airbnb,aligned=hand",
            "found aligned and channel, expected one of them: channel holds the text in place too",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(spec, message):
    with pytest.raises(RecipeError, match=re.escape(message)):
        parse_engine(spec)


def test_the_identity_tells_profiles_apart(folder, engine):
    with open_engine(parse_engine(f"transformers:{folder},channel=hand")) as other:
        assert other.identity != engine.identity
        assert other.name == f"transformers:{folder},channel=hand"
    assert engine.prompt({"noisy": "뷰갸"}, "row 1") == "뷰갸"
    assert np.isclose(sum(STRENGTHS.values()), 1.0)
