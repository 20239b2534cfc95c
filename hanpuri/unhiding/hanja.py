"""
Hanja in the place of syllables, inside Korean words ─► the syllables that they are read as.

In:  "水상해 말二야".   Out: changes that make "수상해 말이야" of it.

Hanja that stand for themselves stay: 한자(漢字), 美 대통령, 방송中.
"""

import re
from collections.abc import Iterator

from hanpuri.hiding.tables import readings
from hanpuri.unhiding.draft import Change

HANJA = "一-龥㐀-䶵"
WORD = re.compile(f"[가-힣ㄱ-ㅎㅏ-ㅣ{HANJA}]+")
SOME_HANJA = re.compile(f"[{HANJA}]+")
NEWS = frozenset("美日中北南韓英獨佛露與野前現故朴李尹文盧洪鄭崔新舊對反親脫駐非超")
"""What newspapers put before a word for itself: 美대통령, 前대통령."""
BEHIND = frozenset("中前後時行發産外內別用間")
"""What they put behind one: 방송中, 서울發."""
PARTICLES = re.compile(
    "[은는이가을를의에로도와과만]|으로|에서|에게|에는|이나|이란|이라|라는|이라는|보다|처럼|들[은이을의]"
)
"""Behind Hanja at the beginning of a word they are no sign of hiding: 聖人이 道를."""
BRACKETED = re.compile("[(（\\[〔][^()（）\\[\\]〔〕\n]{1,80}[)）\\]〕]")
NOT = ("女", "안")
"""Alone it is no woman: the lower half of 安."""
ENOUGH = 2
"""Hanja inside Korean words, from which on others of the text are taken for hidden too."""


def find_hanja(text: str, *, hides: bool = False) -> Iterator[Change]:
    """
    Find Hanja that stand for syllables of Korean words.

        >>> [change[:3] for change in find_hanja("水상해 말二야 한자(漢字)")]
        [(0, 1, '수'), (5, 6, '이')]
        >>> list(find_hanja("漢字는 美대통령"))
        []

    Args:
        text: any text.
        hides: whether it is known that the text hides; then Hanja that stand alone are read too.
    """
    if not SOME_HANJA.search(text):
        return
    in_brackets = {at for one in BRACKETED.finditer(text) for at in range(*one.span())}
    words = [one for one in WORD.finditer(text) if SOME_HANJA.search(one[0]) and one.start() not in in_brackets]
    surely = [change for word in words if _surely_hides(word[0]) for change in _read_word(word)]
    if hides or len(surely) >= ENOUGH:
        yield from (change for word in words for change in _read_word(word))
    else:
        yield from surely


def _surely_hides(word: str) -> bool:
    """Say whether one Hanja stands in a Korean word where nobody would put it for itself."""
    place = SOME_HANJA.search(word)
    if place is None or len(place[0]) > 2 or len(word) == 1 or _is_gloss(word, place):
        return False
    if place.start() == 0:
        return len(place[0]) == 1 and word[0] not in NEWS and not PARTICLES.fullmatch(word[1:])
    return place.end() < len(word) or word[-1] not in BEHIND


def _is_gloss(word: str, run: re.Match[str]) -> bool:
    """Say whether Hanja tell again what stands before them: 교주敎主."""
    before = word[max(0, 2 * run.start() - run.end()) : run.start()]
    return len(before) == len(run[0]) and all(map(_is_read, run[0], before))


def _is_read(hanja: str, syllable: str) -> bool:
    return syllable in readings().get(hanja, "")


def _read_word(word: re.Match[str]) -> Iterator[Change]:
    for run in SOME_HANJA.finditer(word[0]):
        if _is_gloss(word[0], run):
            continue
        for at, character in enumerate(run[0], start=run.start()):
            syllable = NOT[1] if word[0] == NOT[0] else _reading(character, first=at == 0)
            if syllable:
                yield Change(word.start() + at, word.start() + at + 1, syllable, "hanja")


def _reading(character: str, *, first: bool) -> str:
    """
    Read a Hanja; at the beginning of a word ㄹ and ㄴ fall away or soften, as in 여자 and 남녀.

        >>> _reading("女", first=True), _reading("女", first=False), _reading("龘", first=True)
        ('여', '녀', '')
    """
    found = readings().get(character, "")
    if first and len(found) > 1 and found[0] in "녀뇨뉴니랴려례료류리":
        return next((one for one in found[1:] if "아" <= one < "자"), found[0])
    return found[:1]
