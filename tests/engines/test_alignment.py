"""A pattern has a place for each character, and every grammar that is written of it says the same."""

import re
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.engines.alignment import SYLLABLES, make_pattern
from hanpuri.errors import DataError
from hanpuri.hangul import is_syllable
from hanpuri.noise.channel import feasible_originals
from hanpuri.noise.obfuscate import obfuscate

KINDS = ("syllables", "airbnb", "hand")
SIGNS = "\\^$.|?*+()[]{}-&~#\"'/<>%,: \n\r\t\x00\x07\x7f\x85\u2028\ufeff\ufffd\u0301\u11a8😀🇰🇷ㄱ가Ａ"

characters = st.one_of(
    st.sampled_from(SIGNS), st.characters(exclude_categories=["Cs"]), st.sampled_from(sorted(SYLLABLES))
)
texts = st.text(characters, max_size=12)


@pytest.mark.parametrize("aligned", KINDS)
@given(noisy=texts, data=st.data())
@settings(max_examples=80)
def test_what_fits_has_the_same_length_and_the_same_characters_but_for_syllables(aligned, noisy, data):
    pattern, normal = make_pattern(noisy, aligned), normalize("NFC", noisy)
    assert pattern.matches(normal)
    text = "".join(data.draw(st.sampled_from(sorted(slot))) for slot in pattern.slots)
    assert pattern.matches(text)
    assert [one for one in text if not is_syllable(one)] == [one for one in normal if not is_syllable(one)]
    assert len(normalize("NFC", text)) == len(text) == len(normal)


@pytest.mark.parametrize("aligned", KINDS)
@given(noisy=texts, before=texts, after=texts, other=texts)
@settings(max_examples=80)
def test_the_regular_expression_says_what_the_pattern_says(aligned, noisy, before, after, other):
    pattern, normal = make_pattern(noisy, aligned), normalize("NFC", noisy)
    regex = re.compile(pattern.regex(before, after))
    for text in (normal, other, normal + other, other + normal, normal[1:], normal[::-1], normal.replace(" ", "\\ ")):
        assert bool(regex.fullmatch(before + text + after)) == pattern.matches(text)


# A reader of GBNF that is not ours turns it into a grammar, which then reads texts byte by byte.
@pytest.mark.parametrize("aligned", KINDS)
@given(noisy=texts, other=texts)
@settings(max_examples=40)
def test_the_grammar_of_llama_cpp_says_what_the_pattern_says(byte_reader, aligned, noisy, other):
    from llguidance.gbnf_to_lark import gbnf_to_lark

    pattern, normal = make_pattern(noisy, aligned), normalize("NFC", noisy)
    if not normal:
        assert pattern.gbnf() == 'root ::= ""'
        return
    lark = gbnf_to_lark(pattern.gbnf("» ", "\n"))
    for text in (normal, other, normal + other, normal[1:]):
        assert byte_reader(lark, f"» {text}\n") == pattern.matches(text)


@pytest.fixture(scope="module")
def byte_reader():
    """Tell whether a text is one of a grammar's, with a tokenizer of bytes."""
    from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

    class Bytes:
        bos_token_id, eos_token_id = None, 256

        def __init__(self):
            self.tokens = [*(bytes([byte]) for byte in range(256)), b"<eos>"]
            self.special_token_ids = [256]

        def __call__(self, text):
            return list(text)

    tokenizer = LLTokenizer(TokenizerWrapper(Bytes()))

    def reads(grammar, text):
        matcher = LLMatcher(tokenizer, grammar)
        assert not matcher.is_error(), matcher.get_error()
        ids = list(text.encode())
        return matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting()

    return reads


# noisy, aligned, the regular expression
WRITTEN = [
    # a space stands as it is, a sign is escaped
    ("뷰가 (5)?", "syllables", r"[가-힣][가-힣] \(5\)\?"),
    # a line end has a name, another control character its number
    ("가\n\x07", "syllables", r"[가-힣]\n\x07"),
    # jamo and Latin letters are no syllables
    ("ㅋㅋ ok", "airbnb", "ㅋㅋ ok"),
    # what is decomposed is taken in NFC
    (normalize("NFD", "값"), "syllables", "[가-힣]"),
    ("", "airbnb", ""),
]


@pytest.mark.parametrize(("noisy", "aligned", "expected"), WRITTEN)
def test_patterns_are_written_so(noisy, aligned, expected):
    assert make_pattern(noisy, aligned).regex() == expected


def test_a_syllable_is_one_of_those_that_the_noise_can_have_come_from():
    noisy = "확잠실읾 념뭄 잙앙욤!"
    assert make_pattern(noisy, "airbnb").slots == tuple(feasible_originals(noisy, "airbnb"))


@pytest.mark.parametrize("profile", ["airbnb", "hand"])
@given(st.text(st.sampled_from("가각값좋았어요 바다가 넓고 편했습니다.\n"), max_size=30), st.integers(0, 9))
@settings(max_examples=40)
def test_the_original_always_fits(profile, clean, seed):
    assert make_pattern(obfuscate(clean, profile=profile, seed=seed).noisy, profile).matches(normalize("NFC", clean))


def test_a_lone_tail_stays_alone():
    # 가 before it would be 각 in NFC, and the text a character shorter
    pattern = make_pattern("각\u11a8", "syllables")
    assert not pattern.matches("가\u11a8")
    assert pattern.matches("낙\u11a8")


def test_half_a_surrogate_pair_cannot_be_written():
    with pytest.raises(DataError) as error:
        make_pattern("가\ud83d", "syllables", name="reviews:3")
    assert str(error.value) == "reviews:3: found half a surrogate pair, expected text; clean the text first"


def test_no_pattern_is_made_where_nothing_is_aligned():
    with pytest.raises(ValueError, match=r"^aligned is off, expected syllables, airbnb or hand$"):
        make_pattern("가", "off")
