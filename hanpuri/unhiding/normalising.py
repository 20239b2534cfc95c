"""
All rules in their order: a text ─► a draft of it in plain Hangul, or the text itself where nothing is hidden.

In:  "ㄱr격二 ㅂㅣ싸ㄷㅏ".   Out: a Draft whose text is "가격이 비싸다", with what became what and why.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from hanpuri.unhiding.characters import find_enclosed, find_invisible, find_styled
from hanpuri.unhiding.decorations import find_decorations, find_parting_signs
from hanpuri.unhiding.draft import Change, Draft
from hanpuri.unhiding.hanja import find_hanja
from hanpuri.unhiding.jamo import find_loose_letters
from hanpuri.unhiding.latin import find_latin
from hanpuri.unhiding.lookalikes import find_letter_signs, find_syllable_signs, find_turned

KINDS = {
    "invisible": ("what nobody sees: no width, no ink, or drawn over others", "한\u200b국", "한국"),
    "wide": ("styled letters: mathematical, circled, half-width; words in full width", "𝓰𝓸𝓸𝓭 방", "good 방"),
    "between": ("one sign between all syllables of a word", "화.장.실.이", "화장실이"),
    "latin": ("Latin letters for Hangul ones", "sㅏ람 있neun", "사람 있는"),
    "turned": ("syllables on their head or side", "ㅓV실", "사실"),
    "pieces": ("letters, and signs that look like letters", "ㅇlㅂ┫", "이버"),
    "sign": ("signs that look like syllables, and enclosed ones", "ユ래 ㈎요", "그래 가요"),
    "split": ("loose letters", "ㅎㅏㄴ식", "한식"),
    "symbol": ("signs put between words", "완¿전 ✧ ♡ 짜증 ≥ㅁ≤ 나", "완전 짜증 나"),
    "hanja": ("Hanja for the syllables that they are read as", "水상해", "수상해"),
}
"""What each kind is, hidden and read: all that rules find. The order is that in which they are looked for."""

PLAIN = re.compile("[가-힣\\s\\dㅋㅎㅠㅜ.,!?~;:()'\"^-]*")
"""Texts of nothing else hide nothing that these rules find."""
PARTED = re.compile("[가-힣][.,!?~;:^-][가-힣][.,!?~;:^-][가-힣]")
RULES: tuple[Callable[[str], Iterable[Change]], ...] = (
    find_invisible,
    find_styled,
    find_parting_signs,
    find_latin,
    find_turned,
    find_letter_signs,
    find_decorations,
    find_enclosed,
    find_loose_letters,
    find_syllable_signs,
    find_hanja,
)


def normalise(text: str) -> Draft:
    """
    Write a text in plain Hangul as far as rules are certain.

        >>> draft = normalise("ㄱr격二 gㅔ 비ㅆㅏ다 ㅋㅋ")
        >>> draft.text
        '가격이 게 비싸다 ㅋㅋ'
        >>> [change.kind for change in draft.changes()]
        ['pieces', 'hanja', 'latin', 'split']

    Args:
        text: any text in NFC; it may hold Hangul of one letter, as old texts do: those stay.
    """
    draft = Draft(text)
    if PLAIN.fullmatch(text) and not PARTED.search(text):
        return draft
    for rule in RULES:
        draft.replace(rule(draft.text))
    if draft.text != text:  # a text that hides is read less carefully
        draft.replace(find_enclosed(draft.text, alone=True))
        draft.replace(find_hanja(draft.text, hides=True))
        draft.replace(find_uncomposed(draft.text))
    return draft


def find_uncomposed(text: str) -> Iterator[Change]:
    """Find where a text is no longer in NFC: what stood between a letter and its accent may be gone."""
    composed = unicodedata.normalize("NFC", text)
    if composed == text:
        return
    first = _num_shared(text, composed)
    last = _num_shared(text[first:][::-1], composed[first:][::-1])
    yield Change(first, len(text) - last, composed[first : len(composed) - last], "wide")


def _num_shared(one: str, other: str) -> int:
    """Count the characters at the beginning that two texts share."""
    differ = (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(differ, min(len(one), len(other)))
