"""The standard pronunciation, rule by rule. In: words as they are written. Out: words as they are heard."""

import random

import pytest

from hanpuri.hiding.sounds import letters_of, pronounce, syllable_of


@pytest.mark.parametrize(
    ("word", "heard"),
    [
        ("옷을", "오슬"),  # a tail is carried over
        ("없어", "업써"),  # of two the second
        ("강이", "강이"),  # ㅇ stays
        ("많은", "마는"),  # ㅎ is lost
        ("좋은", "조은"),
        ("같이", "가치"),  # ㅌ before ㅣ
        ("굳이", "구지"),
        ("생각해", "생가캐"),  # melts with ㅎ
        ("좋다", "조타"),
        ("않고", "안코"),
        ("국물", "궁물"),  # nasal before ㄴ and ㅁ
        ("합니다", "함니다"),
        ("심리", "심니"),  # ㄹ behind ㅁ
        ("국립", "궁닙"),
        ("신라", "실라"),  # ㄴ and ㄹ
        ("꽃", "꼳"),  # a last tail, as it is heard
        ("나", "나"),
    ],
)
def test_a_word_is_pronounced(word, heard):
    letters = pronounce([letters_of(syllable) for syllable in word], random.Random(0))
    assert "".join(map(syllable_of, letters)) == heard
