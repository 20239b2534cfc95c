"""
Which edits of a model that edits are taken: it knows hidden text well, and the signs of clean text less.

In:  "15:00에 김○○ 씨와 「책」", and edits that delete ":", "○○" and the brackets.   Out: none of them, for no rule
finds anything hidden there. In "ユ래 15:00 ✧ 씨와 ♡", which hides, those of ✧ and ♡ are taken; that of ":" is not.

Of syllables that become other syllables the model is the judge.
"""

import re
from collections.abc import Iterable, Iterator

from hanpuri.compact.editing.reader import TextEdit
from hanpuri.unhiding.draft import Change

SURE = 0.5
"""How sure it has to be that Latin letters stand for Hangul where nothing else shows that a text hides."""
EMOJI = "[\U0001f1e6-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u200d\ufe0f\u20e3]"
NEVER = re.compile(
    r"[a-z][a-z0-9+.-]{1,20}://[^\s]+"  # addresses
    r"|[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"
    r"|(?<![A-Za-z0-9])[@#][A-Za-z0-9_가-힣]+"  # people and tags
    r"|(?<!\d)[₩$€£]?\d+(?:[.,:/~×x%+-]{1,3}\d+)+%?|(?<!\d)\d+%|[₩$€£]\d+"  # numbers, times, dates, prices
    rf"|{EMOJI}{{0,20}}[\U0001f1e6-\U0001faff]{EMOJI}{{0,20}}"
)
"""What is written so in any text."""
SYLLABLES = re.compile("[가-힣 ]*")
LATIN = re.compile("[가-힣ㄱ-ㅎㅏ-ㅣ]*[A-Za-z][A-Za-z가-힣ㄱ-ㅎㅏ-ㅣ]*")


def allowed(text: str, edits: Iterable[TextEdit], rules: Iterable[Change]) -> Iterator[TextEdit]:
    """
    Take the edits that may be.

        >>> edits = [TextEdit(0, 1, "방", 0.8), TextEdit(2, 5, "", 0.9)]
        >>> list(allowed("룸 ○○실", edits, []))
        [TextEdit(start=0, end=1, restored='방', confidence=0.8)]

    Args:
        text: what was read.
        edits: what the model would do to it, from left to right.
        rules: what rules find hidden in it.
    """
    hides = any(True for _ in rules)
    kept = [one.span() for one in NEVER.finditer(text)]
    at = 0
    for group in grouped(edits):
        start, end = group[0].start, group[-1].end
        while at < len(kept) and kept[at][1] <= start:
            at += 1
        touches = at < len(kept) and kept[at][0] < end
        noisy = text[start:end]
        if SYLLABLES.fullmatch(noisy) or (not touches and (hides or _is_spelled(noisy, group))):
            yield from group


def grouped(edits: Iterable[TextEdit]) -> Iterator[list[TextEdit]]:
    """Put edits together that touch: half a word is worse than none."""
    group: list[TextEdit] = []
    for edit in edits:
        if group and group[-1].end < edit.start:
            yield group
            group = []
        group.append(edit)
    if group:
        yield group


def _is_spelled(noisy: str, group: list[TextEdit]) -> bool:
    sure = min(edit.confidence for edit in group)
    return sure >= SURE and bool(LATIN.fullmatch(noisy)) and any(edit.restored.strip() for edit in group)
