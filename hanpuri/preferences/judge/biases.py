"""
What moves a judge that should not: the place of an answer, and its length.

In: pairs and their judgements. Out: shares with their intervals:

    A B, A A, B A   (a pair a word: the places that won, as it stands and turned round)   ─►
    Position(num_pairs=3, contradicted=1/3, changed=1/3, first_place=4/6)

A judge that looks at the answers alone gives the first place one half, as each pair stands both ways round. Longer
answers may well be the better ones: what the judge gives them stands beside what people, or the file, give them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hanpuri.engines.settings import EngineSettings
from hanpuri.evaluation.significance import Interval, interval
from hanpuri.preferences.judge.judgements import Judgement, Outcome, Side
from hanpuri.preferences.judge.material import Pair

STEPS = ((0.1, "up to 10 % longer"), (0.5, "10–50 % longer"), (math.inf, "more than 50 % longer"))
NOTHING = Interval(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Position:
    """What the place of an answer decides."""

    num_pairs: int
    """Pairs that were asked both ways round, and read."""
    contradicted: Interval
    """Share of them where the orders take opposite sides."""
    changed: Interval
    """Share of them where the orders do not say the same, ties included."""
    first_place: Interval
    """Share of sides taken that went to the answer that stood first."""


@dataclass(frozen=True)
class Longer:
    """What longer answers win."""

    name: str
    num_pairs: int
    """Pairs of different length with a side taken."""
    won: Interval
    """Share of them in which it is the longer one."""


@dataclass(frozen=True)
class ByLength:
    """How often the judge says what people say, by which answer people take."""

    num_longer: int
    longer_right: Interval
    """Where people take the longer answer."""
    num_shorter: int
    shorter_right: Interval
    """Where people take the shorter one."""


def position_bias(judgements: Sequence[Judgement], *, seed: int = 0) -> Position:
    """
    Say what the place decides.

        >>> from hanpuri.preferences.judge.judgements import Heard, settle
        >>> always_a = settle([Heard(False, "first"), Heard(True, "second")])
        >>> found = position_bias([always_a, always_a])
        >>> found.contradicted.value, found.first_place.value
        (1.0, 1.0)
    """
    both = [one.heard for one in judgements if len(one.heard) == 2 and all(heard.side for heard in one.heard)]
    sides = [{heard.side for heard in one} for one in both]
    places = [[heard.place for heard in one] for one in both]
    return Position(
        len(both),
        _share([(float(one == {"first", "second"}), 1.0) for one in sides], seed),
        _share([(float(len(one) > 1), 1.0) for one in sides], seed),
        _share([(one.count("A"), one.count("A") + one.count("B")) for one in places], seed),
    )


def length_bias(pairs: Sequence[Pair], outcomes: Sequence[Outcome], *, seed: int = 0) -> list[Longer]:
    """
    Say what the longer of two answers wins: of all pairs, and by how much longer it is.

        >>> pair = Pair("a.jsonl:1", {"prompt": "몇 시예요?"}, "두 시입니다.", "두 시요.")
        >>> [(one.name, one.won.value) for one in length_bias([pair], ["first"])]
        [('all', 1.0), ('10–50 % longer', 1.0)]
    """
    told = [
        (len(pair.first) / len(pair.second) if pair.second else math.inf, outcome)
        for pair, outcome in zip(pairs, outcomes, strict=True)
        if outcome in ("first", "second") and len(pair.first) != len(pair.second)
    ]
    won = [(max(by, 1 / by if by else math.inf) - 1, (by > 1) == (side == "first")) for by, side in told]
    groups = {"all": [longer for _, longer in won]}
    least = 0.0
    for most, name in STEPS:
        groups[name] = [longer for by, longer in won if least < by <= most]
        least = most
    shares = {name: [(float(longer), 1.0) for longer in of] for name, of in groups.items()}
    return [Longer(name, len(of), _share(of, seed)) for name, of in shares.items() if of or name == "all"]


def agreement_by_length(
    pairs: Sequence[Pair], labels: Sequence[Side], outcomes: Sequence[Outcome], *, seed: int = 0
) -> ByLength:
    """
    Say how often a judge is right where the longer answer is, and where the shorter one is.

    A judge that only counts characters has 1 and 0. What it did not decide is not right.

        >>> long = Pair("a.jsonl:1", {"prompt": "몇 시예요?"}, "두 시입니다.", "두 시요.")
        >>> found = agreement_by_length([long, long], ["first", "second"], ["first", "first"])
        >>> found.longer_right.value, found.shorter_right.value
        (1.0, 0.0)
    """
    right: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for pair, label, outcome in zip(pairs, labels, outcomes, strict=True):
        if label != "tie" and len(pair.first) != len(pair.second):
            takes_longer = (len(pair.first) > len(pair.second)) == (label == "first")
            right[takes_longer].append((float(label == outcome), 1.0))
    longer, shorter = right[True], right[False]
    return ByLength(len(longer), _share(longer, seed), len(shorter), _share(shorter, seed))


def judges_itself(judge: EngineSettings, writer: EngineSettings) -> bool:
    """
    Say whether a judge is the model that wrote the answers: models prefer what they would write themselves.

        >>> from hanpuri.engines.settings import parse_engine
        >>> judges_itself(parse_engine("transformers:runs/faq"), parse_engine("transformers:./runs/faq,aligned=hand"))
        True
    """
    if judge.engine != writer.engine:
        return False
    if judge.engine == "openai":
        return judge.model == writer.model
    return Path(judge.model).resolve() == Path(writer.model).resolve()


def _share(counts: Sequence[tuple[float, float]], seed: int) -> Interval:
    """Give a share with its interval, drawn by pairs; no number where nothing was counted."""
    return interval(np.array(counts, dtype=np.float64), seed=seed) if counts else NOTHING
