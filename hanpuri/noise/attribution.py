"""
Which rules made a noisy text: for a report on a training set, and for scores rule by rule.

In:  "값이 너무", "갑시 넓뮤".   Out: liaison 1, tail insertion 1, vowel 1.

The rules act on letters, and across syllables only on the tail of one and the lead of the next. So a pair of texts
falls into vowels, each by itself, and into joints: a tail and the lead that follows it, before and after. All joints
are worked out once, forwards through the three steps of the generator.

Where several explanations fit, the one with the fewest rules counts; among equals the one with more rules across
syllables, so that 나나 → 난나 is a doubling and not one of 27 insertions. The letter tables of all profiles count as
known. Where no explanation fits, tail and lead are each looked at alone.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

from hanpuri.hangul import FIRST_SYLLABLE, LEADS, TAILS, VOWELS, Indices, code_points, split, syllable_mask
from hanpuri.noise.airbnb import double, liaise
from hanpuri.noise.rules import LETTER_TABLES, RULES, Place

OTHER = "other"  # a letter that no rule can have made, or a change that is none of syllables
NAMES = (*(rule.name for rule in RULES), OTHER)
NO_LEAD, NO_TAIL = len(LEADS), len(TAILS)  # where a text or a word begins and ends

Rules = tuple[str, ...]
Joint = tuple[str, str]  # a tail and the lead that follows it
Counts = npt.NDArray[np.uint8]


def rules_used(clean: str, noisy: str) -> Counter[str] | None:
    """
    Count the rules that lead from a clean text to a noisy one; None if the texts differ in length.

    A count is a step taken: 값이 → 갑시 is one liaison, 너무 → 녀뮤 is two vowels.

        >>> sorted(rules_used("값이 너무", "갑시 넓뮤").items())
        [('liaison', 1), ('tail insertion', 1), ('vowel', 1)]
        >>> rules_used("너무", "나무"), rules_used("너무", "넘")
        (Counter({'other': 1}), None)
    """
    if len(clean) != len(noisy):
        return None
    if clean == noisy:
        return Counter()
    before, after = code_points(clean), code_points(noisy)
    both = syllable_mask(before) & syllable_mask(after)
    old_leads, old_vowels, old_tails = _letters(before, both)
    new_leads, new_vowels, new_tails = _letters(after, both)
    joints, vowels = _joint_table()[old_tails, old_leads, new_tails, new_leads], _vowel_table()[old_vowels, new_vowels]
    counts = joints.sum(0, dtype=np.int64) + vowels.sum(0, dtype=np.int64)
    counts[-1] += np.count_nonzero((before != after) & ~both)
    return Counter({name: count for name, count in zip(NAMES, counts.tolist(), strict=True) if count})


def _letters(points: Indices, both: npt.NDArray[np.bool_]) -> tuple[Indices, Indices, Indices]:
    """Lead and tail at each of the T + 1 joints of a text of T characters, and the vowels of its syllables."""
    leads, vowels, tails = split(points - FIRST_SYLLABLE)
    at_joints = np.full((2, len(points) + 1), [[NO_LEAD], [NO_TAIL]])
    at_joints[0, :-1][both] = leads[both]
    at_joints[1, 1:][both] = tails[both]
    return at_joints[0], vowels[both], at_joints[1]


def _counts(rules: Rules) -> Counts:
    return np.array([rules.count(name) for name in NAMES], dtype=np.uint8)


@cache
def _vowel_table() -> Counts:
    """What counts for each clean and noisy vowel, (21, 21, names)."""
    return np.array([[_counts(_within("vowel", old, new)) for new in VOWELS] for old in VOWELS])


@cache
def _joint_table() -> Counts:
    """What counts for each clean tail and lead and noisy tail and lead, (29, 20, 29, 20, names); the last is none."""
    tails = np.zeros((NO_TAIL + 1, NO_TAIL + 1, len(NAMES)), dtype=np.uint8)
    leads = np.zeros((NO_LEAD + 1, NO_LEAD + 1, len(NAMES)), dtype=np.uint8)
    tails[:-1, :-1] = [[_counts(_within("tail", old, new)) for new in TAILS] for old in TAILS]
    leads[:-1, :-1] = [[_counts(_within("lead", old, new)) for new in LEADS] for old in LEADS]
    table = tails[:, None, :, None] + leads[None, :, None, :]
    tail_number = {tail: number for number, tail in enumerate(TAILS)}
    for tail in TAILS:
        for lead in LEADS:
            for (new_tail, new_lead), rules in _across((tail, lead)):
                entry = table[tail_number[tail], LEADS.index(lead), tail_number[new_tail], LEADS.index(new_lead)]
                # Of equals the one across, which comes later, is taken.
                if entry[-1] or len(rules) <= entry.sum():
                    entry[:] = _counts(rules)
    return table


def _across(joint: Joint) -> Iterator[tuple[Joint, Rules]]:
    """All that liaison, doubling or both and then changes within can make of a joint; the ways with more come last."""
    moved, moving = _liaison(joint)
    doubled, doubling = _doubling(moved)
    ways = [(moved, moving)] if moving else []
    ways += [(doubled, (*moving, *doubling))] if doubling else []
    for (tail, lead), rules in ways:
        for new_tail in _kin("tail", tail):
            for new_lead in _kin("lead", lead):
                within = _within("tail", tail, new_tail) + _within("lead", lead, new_lead)
                yield (new_tail, new_lead), rules + within


def _liaison(joint: Joint) -> tuple[Joint, Rules]:
    (*_, tail), (lead, *_) = liaise(("ㄱ", "ㅏ", joint[0]), (joint[1], "ㅏ", ""))
    if (tail, lead) == joint:
        return joint, ()
    return (tail, lead), ("liaison",) if joint[1] == "ㅇ" else ("aspiration",)


def _doubling(joint: Joint) -> tuple[Joint, Rules]:
    (*_, tail), (lead, *_) = double(("ㄱ", "ㅏ", joint[0]), (joint[1], "ㅏ", ""))
    return (tail, lead), () if (tail, lead) == joint else ("doubling",)


@cache
def _kin(place: Place, letter: str) -> tuple[str, ...]:
    """All that a change can make of a letter, itself among them."""
    if not letter:
        return TAILS
    candidates = (letter, *(kin for tables in LETTER_TABLES.values() for kin in tables.candidates(place, letter)))
    return tuple(dict.fromkeys(candidates))


def _within(place: Place, old: str, new: str) -> Rules:
    if old == new:
        return ()
    if new not in _kin(place, old):
        return (OTHER,)
    return (place,) if old else ("tail insertion",)
