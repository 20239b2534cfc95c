"""
Signs that look like Hangul letters or syllables, and syllables turned on their head ─► the letters, the syllables.

In:  "ㅇl번 口ㅏ음 ユ래 ㅓV실".   Out: changes that make "ㅇㅣ번 ㅁㅏ음 그래 사실" of it; loose letters are composed
later.

The tables are those by which text is hidden (hanpuri.hiding.tables). A sign counts only where nothing but Hangul can be
meant: a vowel behind a lone lead, a lead before a lone vowel, a syllable that touches Hangul.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product

from hanpuri.hangul import LEADS, compose, decompose, is_syllable
from hanpuri.hiding.shapes import TURNED_LEADS, TURNED_VOWELS
from hanpuri.hiding.tables import read_table
from hanpuri.unhiding.draft import Change

PLAIN = frozenset("!|-_^~+.,:;/\\'\"()[]{}<>*=#@%&?")
"""Signs of every text: beside chat letters they are no vowels, ㅇㅋ! ㅠ_ㅠ."""
WRITTEN = re.compile("[A-Za-z0-9]")
SMALL_LETTER = "ㄹ"
"""For 근, at the beginning of a word alone."""
DRAWN = {"ㅏㅇ": "ㅏㅑㅘ", "ㅓㅇ": "ㅓㅕㅝ", "ㅣㅇ": "ㅣㅟㅢㅚ"}
"""Behind these vowels it is a syllable drawn out: 좋아ㅏㅇ."""
CHATTED = frozenset("ㅋㅎㅇㄷㄱㅉㅊㅅㅂ")
"""Leads that stand doubled in chats."""


@cache
def _signs_of(place: str) -> dict[str, str]:
    """Sign ─► letter, for leads or vowels; what is a letter itself, or meant for several, is the first one's."""
    found: dict[str, str] = {}
    for letter, signs, where in read_table("letters.tsv"):
        for sign in signs.split(" ") if where == place else ():
            if sign and not PLAIN & set(sign) and not re.fullmatch("[가-힣ㄱ-ㅎㅏ-ㅣ]", sign):
                found.setdefault(sign, letter)
    return found


@cache
def _vowel_pattern() -> re.Pattern[str]:
    return re.compile(f"(?<=[ㄱ-ㅎ])(?:{_either(_signs_of('vowel'))})")


@cache
def _lead_pattern() -> re.Pattern[str]:
    return re.compile(f"(?:{_either(_lead_signs())})(?=[ㅏ-ㅣ])")


@cache
def _lead_signs() -> dict[str, str]:
    """Latin letters but o are not among them: before a vowel they are read as what they sound like."""
    return {sign: lead for sign, lead in _signs_of("lead").items() if sign in "oO" or not re.match("[A-Za-z]", sign)}


def _either(signs: dict[str, str]) -> str:
    return "|".join(re.escape(sign) for sign in sorted(signs, key=len, reverse=True))


def find_letter_signs(text: str) -> Iterator[Change]:
    """
    Find signs in the place of a letter.

        >>> [change[:3] for change in find_letter_signs("ㅇl ㄱr격 口ㅏ음 ㅋㅋ1 ㅂrr")]
        [(1, 2, 'ㅣ'), (4, 5, 'ㅏ'), (7, 8, 'ㅁ')]
    """
    vowels, leads = _signs_of("vowel"), _lead_signs()
    found = [(one, vowels) for one in _vowel_pattern().finditer(text) if _can_be_vowel(text, one)]
    taken = {one.start() for one, _ in found}
    found += [
        (one, leads) for one in _lead_pattern().finditer(text) if one.start() not in taken and _can_lead(text, one)
    ]
    for one, letters in sorted(found, key=lambda pair: pair[0].start()):
        yield Change(one.start(), one.end(), letters[one[0]], "pieces")


def _can_be_vowel(text: str, sign: re.Match[str]) -> bool:
    at = sign.start()
    lead, before, after = text[at - 1], text[max(0, at - 2) : at - 1], text[sign.end() : sign.end() + 1]
    if lead not in LEADS or (before == lead and lead in CHATTED):
        return False
    if not WRITTEN.match(sign[0]):
        return True
    # A letter or figure of every text: only if no word or number goes on, and none of them could end there.
    in_hangul = bool(re.match("[가-힣ㄱ-ㅎㅏ-ㅣ]", after)) or bool(re.match("[가-힣]", before))
    return not WRITTEN.match(after) and (in_hangul or sign[0].isalpha())


def _can_lead(text: str, sign: re.Match[str]) -> bool:
    if not WRITTEN.match(sign[0]):
        return True
    vowel, before = text[sign.end()], text[max(0, sign.start() - 1) : sign.start()]
    return vowel not in "ㅠㅜㅡㅗㅛ" and not WRITTEN.match(before)


@cache
def _syllable_pattern() -> re.Pattern[str]:
    """Longer signs first; a lone letter for a syllable counts where no other letter stands beside it."""
    signs = sorted(_syllable_signs(), key=len, reverse=True)
    lone = [sign for sign in signs if re.fullmatch("[ㄱ-ㅎ]", sign)]
    others = [re.escape(sign) for sign in signs if sign not in lone]
    return re.compile(f"{'|'.join(others)}|(?<![ㄱ-ㅎㅏ-ㅣ])[{''.join(lone)}](?![ㄱ-ㅎㅏ-ㅣ])")


@cache
def _syllable_signs() -> dict[str, str]:
    return {sign: syllable for sign, syllable, _ in read_table("signs.tsv")}


def find_syllable_signs(text: str) -> Iterator[Change]:
    """
    Find signs in the place of a syllable, as a part of a Korean word.

        >>> [change[:3] for change in find_syllable_signs("ユ래 먹ㅍ ㅍㅎㅎ 弓 20º")]
        [(0, 1, '그'), (4, 5, '고')]
    """
    for one in _syllable_pattern().finditer(text):
        before, after = text[max(0, one.start() - 1) : one.start()], text[one.end() : one.end() + 1]
        is_word = bool(WRITTEN.match(one[0])) and bool(WRITTEN.match(before) or WRITTEN.match(after))
        is_slip = one[0] == SMALL_LETTER and (is_syllable(before) or not is_syllable(after))
        if re.search("[가-힣]", before + after) and not is_word and not is_slip:
            yield Change(one.start(), one.end(), _syllable_signs()[one[0]], "sign")


@cache
def _turned() -> dict[str, str]:
    forms: dict[str, str] = {}
    for (vowel, vowels), (lead, leads) in product(TURNED_VOWELS.items(), TURNED_LEADS.items()):
        for form in map("".join, product(vowels, leads)):
            if not form.isascii():  # IV and CIA are words
                forms.setdefault(form, compose(lead, vowel))
    written = {row[1]: row[0] for row in reversed(read_table("rotations.tsv"))}
    return forms | {form: syllable for form, syllable in written.items() if not is_syllable(form)}


@cache
def _turned_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """For one syllable, and for a run of them."""
    one = _either(_turned())
    return re.compile(one), re.compile(f"(?:{one})+")


def find_turned(text: str) -> Iterator[Change]:
    """
    Find syllables that stand on their head or lie on their side.

        >>> [change[:3] for change in find_turned("ㅓV실 코로ㅓㄱㅓㄹ서 ㅁㅓㄱ")]
        [(0, 2, '사'), (6, 8, '나'), (8, 10, '라')]
    """
    forms = _turned()
    one_syllable, run_of_them = _turned_patterns()
    for run in run_of_them.finditer(text):
        before, after = text[max(0, run.start() - 1) : run.start()], text[run.end() : run.end() + 1]
        drawn = run[0] in DRAWN and is_syllable(before) and decompose(before)[1] in DRAWN[run[0]]
        if drawn or re.match("[ㄱ-ㅎㅏ-ㅣ]", before) or not re.search("[ㄱ-ㅎㅏ-ㅣ가-힣]", before + run[0] + after):
            continue
        for one in one_syllable.finditer(run[0]):
            yield Change(run.start() + one.start(), run.start() + one.end(), forms[one[0]], "turned")
