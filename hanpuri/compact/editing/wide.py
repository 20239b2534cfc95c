"""
Text hidden by whatever means ─► readable text, of another length if need be.

In:  "ㄱr격二 넓뭄 비싸욤 ✧ ♤ ≥ㅁ≤".   Out: Restoration(text="가격이 너무 비싸요", …) with edits such as

    PartEdit(0, "ㄱr", "가", 0.99, "pieces"), PartEdit(3, "二", "이", 0.99, "hanja"), …

What nobody sees and letters in another style are made plain by rules, which are certain of them. A model that edits
reads the text; of what it would do to it, `gate` takes what may be. Where it finds nothing but syllables that became
others all over the text, that is the web generator's noise, which the model that labels syllables knows better.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from hanpuri.compact.editing.gate import allowed
from hanpuri.compact.editing.kinds import kind_of
from hanpuri.compact.editing.reader import EditReader, EditReading, leave_clean, take_back
from hanpuri.compact.restoring.labelling import Restoring
from hanpuri.compact.restoring.restoration import PartEdit, Restoration
from hanpuri.compact.restoring.runtime import SOUND
from hanpuri.compact.restoring.windows import take_chunks
from hanpuri.hangul import is_syllable
from hanpuri.unhiding.characters import find_invisible, find_styled
from hanpuri.unhiding.draft import Change, Draft
from hanpuri.unhiding.normalising import find_uncomposed, normalise

ALL_OVER = 0.7
"""Share of the syllables that the web generator changes at least, at its usual strength."""


@dataclass(frozen=True)
class Wide:
    """What restores with a wide reach."""

    reader: EditReader
    restoring: Restoring
    """For the web generator's noise."""
    spacing: bool = False
    """Whether spaces are moved too."""

    def restore_stream(self, texts: Iterable[str], alternatives: int = 0) -> Iterator[Restoration]:
        """Restore texts as they come; see `Restorer.restore`."""
        for chunk in take_chunks(texts):
            drafts = [read(text) for text in chunk]
            readings = self.reader.read([draft.text for draft in drafts], spacing=self.spacing, careful=False)
            judged = [judge(*both) for both in zip(drafts, readings, strict=True)]
            web_noise = [one.draft.text for one in judged if one.is_web_noise]
            yield from finish(judged, self.restoring.restore_stream(web_noise, alternatives))


@dataclass(frozen=True)
class Judged:
    """A text, and what of the model's edits may be."""

    draft: Draft
    reading: EditReading
    rules: Sequence[Change]
    """What rules find hidden in it."""

    @cached_property
    def is_web_noise(self) -> bool:
        """Whether syllables became others all over the text, and nothing else."""
        changed = 0
        for start, end, restored, _ in self.reading.edits:
            if end - start != len(restored) or not all(map(is_syllable, self.reading.noisy[start:end] + restored)):
                return False
            changed += end - start
        return not self.rules and changed > ALL_OVER * sum(map(is_syllable, self.reading.noisy))


def read(text: str) -> Draft:
    """
    Make plain what rules are certain of, before a model reads it.

    >>> read("방\\u200b이 𝓰𝓸𝓸𝓭").text
    '방이 good'
    """
    draft = Draft(unicodedata.normalize("NFC", text))
    for rule in (find_invisible, find_styled, find_uncomposed):
        draft.replace(rule(draft.text))
    return draft


def judge(draft: Draft, reading: EditReading) -> Judged:
    """
    Take of what the model would do to a text what may be.

    A text in which rules find something hides; of another one each line is left alone that is too likely clean.

        >>> from hanpuri.compact.editing.reader import TextEdit
        >>> edits = (TextEdit(0, 1, "너", 0.9), TextEdit(1, 2, "무", 0.99))
        >>> judge(Draft("넓뭄"), EditReading("넓뭄", "너무", edits, (0.9, 0.99))).is_web_noise
        True
    """
    rules = normalise(reading.noisy).changes() if reading.edits else []
    kept = tuple(allowed(reading.noisy, reading.edits, rules))
    if len(kept) < len(reading.edits):
        reading = take_back(reading, kept)
    return Judged(draft, reading if rules else leave_clean(reading), rules)


def finish(judged: Sequence[Judged], labelled: Iterable[Restoration]) -> Iterator[Restoration]:
    """Say of each text what was restored; `labelled` are those of the web generator's noise."""
    labels = iter(labelled)
    for one in judged:
        yield join(one.draft, next(labels) if one.is_web_noise else revise(one))


def revise(judged: Judged) -> Restoration:
    """
    Take over what the model that edits made of a draft.

        >>> from hanpuri.compact.editing.reader import TextEdit
        >>> draft = Draft("룸이 ♡")
        >>> reading = EditReading("룸이 ♡", "방이", (TextEdit(0, 1, "방", 0.8), TextEdit(2, 4, "", 0.9)), (0.8, 1.0))
        >>> revise(Judged(draft, reading, [])).text, draft.changes()[1]
        ('방이', Change(start=2, end=4, text='', kind='symbol'))
    """
    draft, reading = judged.draft, judged.reading
    by_rules = {place: rule.kind for rule in judged.rules for place in range(rule.start, rule.end)}
    draft.replace(
        Change(start, end, restored, by_rules.get(start) or kind_of(reading.noisy, start, end, restored))
        for start, end, restored, _ in reading.edits
    )
    sure = reading.confidence
    if composed := list(find_uncomposed(draft.text)):  # what parted a letter and its accent is gone
        draft.replace(composed)
        sure = (1.0,) * len(draft.text)
    return Restoration(draft.text, draft.text, sure)


def join(draft: Draft, restored: Restoration) -> Restoration:
    """
    Say of the first text what was restored of the draft.

        >>> join(read("방\\u200b임"), Restoration("방임", "방이", (1.0, 0.7))).edits[-1]
        PartEdit(position=2, noisy='임', restored='이', confidence=0.7, kind='sound')
    """
    edits, positions = [], {}
    for start, end, from_, to, kind in draft.blocks():
        noisy, text = draft.source[start:end], restored.text[from_:to]
        if end - start == to - from_ == 1:
            positions[from_] = start
        if noisy != text:
            sure = min(restored.confidence[from_:to], default=1.0)
            edits.append(PartEdit(start, noisy, text, sure, kind or SOUND))
    alternatives = {positions[at]: some for at, some in restored.alternatives.items() if at in positions}
    return Restoration(draft.source, restored.text, restored.confidence, alternatives, tuple(edits))
