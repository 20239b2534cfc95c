"""
Text that was read in a wrong encoding.

In: Korean, spoilt in each way in which it happens; and whatever else is rare. Out: the first is seen, the other is not.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.cleaning.mojibake import mojibake
from hanpuri.noise.obfuscate import obfuscate

CASES = Path(__file__).parents[2] / "cases"
SENTENCES = (CASES / "sentences.txt").read_text(encoding="utf-8").splitlines()
OWN = [
    "사장님이 친절하시고 방도 따뜻했어요",
    "다음에도 꼭 다시 오고 싶은 곳입니다",
    "지하철역에서 걸어서 오 분이면 도착합니다",
    "밤에는 조금 시끄러웠지만 잠은 잘 잤어요",
    "욕실이 좁아서 아이와 씻기 힘들었습니다",
]


def read_by_windows(text: str) -> str:
    """UTF-8 read as cp949 by a reader that writes "?" for two bytes that it does not know."""
    spoilt, data = "", text.encode()
    while data:
        size = 1 if data[0] < 0x80 else 2
        spoilt += data[:size].decode("cp949", "ignore").rjust(1, "?")
        data = data[size:]
    return spoilt


WAYS = {
    "UTF-8 as cp949, lost bytes as U+FFFD": lambda text: text.encode().decode("cp949", "replace"),
    'UTF-8 as cp949, lost bytes as "?"': read_by_windows,
    "UTF-8 as Latin-1": lambda text: text.encode().decode("latin-1"),
    "UTF-8 as cp1252": lambda text: text.encode().decode("cp1252", "replace"),
    "cp949 as Latin-1": lambda text: text.encode("cp949").decode("latin-1"),
    "cp949 as cp1252": lambda text: text.encode("cp949").decode("cp1252", "replace"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", OWN)
def test_korean_that_was_read_in_a_wrong_encoding_is_seen(way, text):
    assert mojibake(WAYS[way](text))


@pytest.mark.parametrize("way", WAYS)
def test_a_spoilt_word_is_seen_among_good_ones(way):
    assert mojibake(f"방은 {WAYS[way]('깨끗했습니다')} 그리고 넓어요")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "사장님이 친절하시고 방도 따뜻했어요 ㅋㅋㅋ ㅠㅠ",
        "뭐?진짜?가?왜?뷁?",  # question marks before syllables, common and rare
        "뷁 똠방각하 햏햏 쀍쀏 뷟",  # syllables that KS X 1001 does not hold
        "�을 잃어버린 글자",  # one lost character
        "大韓民國 漢字 媛(원) 諛 醫院 留學 二元論이라고",  # hanja, with some that mojibake is made of
        "원적(原籍)은 二月 留任 議長",
        "ひらがな カタカナ 中文 简体字",
        "😀👍🏽👨‍👩‍👧‍👦❤️🇰🇷1️⃣ ★☆♥ ①② ㉮ ㎡ ℃",
        "café, naïve, Øresund, Ærø, São Paulo, Zürich, Ελλάδα, Москва, Tiếng Việt",
        "25°C ± 3 × 4 ÷ 2, £10 €20 ₩3,000, §5 ¶2 ½ ®™",
        "좋았음······ ‡‡ 주석 ‘†’ ¤¤ °°°°",  # signs in a row
        "“따옴표” ‘작은’ «겹꺾쇠» … — ·",
        "ᄒ\u119eᆫ글 \ua960\ud7b0",  # old Hangul
    ],
)
def test_what_is_only_rare_is_not_taken_for_it(text):
    assert not mojibake(text)


def test_no_line_of_the_shared_cases_is_taken_for_it():
    negative = [
        json.loads(line)["text"] for line in (CASES / "negative.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [text for text in SENTENCES + negative if mojibake(text)] == []


@pytest.mark.parametrize("profile", ["airbnb", "hand"])
@pytest.mark.parametrize("ks_x_1001", [True, False])
def test_obfuscated_korean_is_not_taken_for_it(profile, ks_x_1001):
    noisy = [
        obfuscate(text, seed=seed, profile=profile, ks_x_1001=ks_x_1001).noisy for text in OWN for seed in range(50)
    ]
    assert [text for text in noisy if mojibake(text)] == []


@given(st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)))
def test_no_syllables_however_rare_are_taken_for_it(text):
    assert not mojibake(text)


@given(st.text(alphabet=st.characters()))
def test_it_looks_at_any_text(text):
    assert mojibake(text) in (True, False)
