"""
Pairs, judged ─► rows to learn from, and a ledger that keeps every pair with all that was said of it.

In: a Material, a Judge, perhaps labels. Out: a Feedback; its rows are of the form `preference`:

    {"prompt": "쨰밌어요", "chosen": "재밌어요", "rejected": "째밌어요", "source": "judge", "judge": "restoration", …}

Ties, disagreements and unjudged pairs give no row; they stand in the ledger, and are counted. Of preference rows the
judge may take the other side: such a row is turned round, and says so, unless only confirmed ones are wanted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from hanpuri.preferences.judge.agreement import Agreement, agreement_of
from hanpuri.preferences.judge.asking import Tell
from hanpuri.preferences.judge.biases import (
    ByLength,
    Longer,
    Position,
    agreement_by_length,
    length_bias,
    position_bias,
)
from hanpuri.preferences.judge.judge import Cost, Judge
from hanpuri.preferences.judge.judgements import OUTCOMES, Judgement, Outcome
from hanpuri.preferences.judge.labelled import Labelled
from hanpuri.preferences.judge.material import Material, Pair, pairs_once
from hanpuri.preferences.pairs import Line


@dataclass(frozen=True)
class Feedback:
    """What a judge says of a file."""

    material: Material
    judge: str
    engine: str
    by: str
    judged: dict[tuple[str, str, str], Judgement]
    """By `Pair.key`: those of the file, and those that people have labelled."""
    labelled: tuple[Labelled, ...]
    cost: Cost
    confirmed: bool = False
    """Take of preference rows only those whose chosen answer the judge takes too."""
    itself: bool = False
    """Whether the judge is the model that wrote the answers."""

    def of(self, pair: Pair) -> Judgement:
        """Give the judgement of a pair."""
        return self.judged[pair.key]

    @cached_property
    def outcomes(self) -> dict[Outcome, int]:
        """Count the pairs of the file by what came of them."""
        counts = Counter(self.of(pair).outcome for pair in self.material.pairs)
        return {outcome: counts[outcome] for outcome in OUTCOMES}

    @cached_property
    def rows(self) -> list[Line]:
        """The rows to learn from, in the order of the file; none in which an answer without a word is chosen."""
        told = ((pair, self.of(pair)) for pair in pairs_once(self.material.pairs))
        wanted = ("first",) if self.confirmed else ("first", "second")
        rows = [self._row(pair, judgement) for pair, judgement in told if judgement.outcome in wanted]
        return [row for row in rows if str(row["chosen"]).strip()]

    @cached_property
    def ledger(self) -> list[Line]:
        """A line for every pair: what was asked, what the judge wrote, what came of it."""
        lines: list[Line] = [
            {"where": pair.where, **pair.asked, "first": pair.first, "second": pair.second, **self.of(pair).as_dict()}
            for pair in self.material.pairs
        ]
        lines += [{"where": one.where, "outcome": "left out", "why": one.why} for one in self.material.left_out]
        if self.labelled:
            lines += [self._labelled_line(one) for one in self.labelled]
        return lines

    @cached_property
    def agreement(self) -> Agreement | None:
        """What the judge and people have in common; None without labels."""
        if not self.labelled:
            return None
        verdicts = [(one.label, self.of(one.pair).outcome) for one in self.labelled]
        return agreement_of(verdicts, [one.pair.key for one in self.labelled])

    @cached_property
    def position(self) -> Position:
        """What the place of an answer decides, in all pairs that were judged."""
        return position_bias(list(self.judged.values()))

    @cached_property
    def longer(self) -> list[Longer]:
        """What longer answers win, in the pairs of the file."""
        pairs = self.material.pairs
        return length_bias(pairs, [self.of(pair).outcome for pair in pairs])

    @cached_property
    def longer_given(self) -> Longer | None:
        """What longer answers win by the file itself, if it is of preference rows."""
        pairs = self.material.pairs
        return length_bias(pairs, ["first"] * len(pairs))[0] if self.material.origin == "preferences" else None

    @cached_property
    def longer_by_people(self) -> Longer | None:
        """What longer answers win by people."""
        told = [one for one in self.labelled if one.label != "tie"]
        pairs = [one.pair for one in told]
        sides: list[Outcome] = [one.label for one in told]
        return length_bias(pairs, sides)[0] if told else None

    @cached_property
    def by_length(self) -> ByLength | None:
        """Where the judge is right, by length; None without labels."""
        if not self.labelled:
            return None
        pairs, labels = [one.pair for one in self.labelled], [one.label for one in self.labelled]
        return agreement_by_length(pairs, labels, [self.of(pair).outcome for pair in pairs])

    def as_dict(self) -> dict[str, object]:
        """Give the figures for JSON."""
        position = self.position
        shares = {name: _told(getattr(position, name)) for name in ("contradicted", "changed", "first_place")}
        lengths = {
            one.name if who == "judge" else who: {"pairs": one.num_pairs, "won": _told(one.won)}
            for who, several in (
                ("judge", self.longer),
                ("file", [self.longer_given]),
                ("people", [self.longer_by_people]),
            )
            for one in several
            if one is not None
        }
        return {
            "judge": self.judge,
            "engine": self.engine,
            "by": self.by,
            "rows": self.material.num_rows,
            "pairs": len(self.material.pairs),
            "left_out": len(self.material.left_out),
            "outcomes": self.outcomes,
            "written": len(self.rows),
            "agreement": self.agreement.as_dict() if self.agreement else None,
            "position": {"pairs": position.num_pairs, **shares},
            "longer_wins": lengths,
            "judges_itself": self.itself,
            "cost": asdict(self.cost),
        }

    def _row(self, pair: Pair, judgement: Judgement) -> Line:
        turned = judgement.outcome == "second"
        texts = (pair.second, pair.first) if turned else (pair.first, pair.second)
        scores = (pair.second_score, pair.first_score) if turned else (pair.first_score, pair.second_score)
        about = {
            "id": pair.id or None,
            "source": "judge",
            "judge": self.judge,
            "share": _rounded(judgement.share, turned=turned),
            "chosen_score": scores[0],
            "rejected_score": scores[1],
            "turned": True if turned and self.material.origin == "preferences" else None,
        }
        told = {key: value for key, value in about.items() if value is not None}
        return {**pair.asked, "chosen": texts[0], "rejected": texts[1], **told}

    def _labelled_line(self, one: Labelled) -> Line:
        pair = one.pair
        about = {"where": pair.where, **pair.asked, "first": pair.first, "second": pair.second}
        return {**about, "label": one.label, **self.of(pair).as_dict()}


def judge_material(
    judge: Judge,
    material: Material,
    labelled: Sequence[Labelled] = (),
    *,
    confirmed: bool = False,
    itself: bool = False,
    tell: Tell = lambda done, total: None,
) -> Feedback:
    """
    Judge the pairs of a file, and those that people have labelled; a pair that stands in both is asked once.

    Args:
        judge: who is asked.
        material: the pairs.
        labelled: what people say.
        confirmed: see `Feedback.confirmed`.
        itself: see `Feedback.itself`.
        tell: hears of each reply.

    Raises:
        DataError: if a row holds no question.
        EngineError: if nothing can be asked.
    """
    pairs = pairs_once(material.pairs, [one.pair for one in labelled])
    judgements = judge.compare(
        [pair.asked for pair in pairs],
        [pair.first for pair in pairs],
        [pair.second for pair in pairs],
        names=[pair.where for pair in pairs],
        tell=tell,
    )
    judged = {pair.key: judgement for pair, judgement in zip(pairs, judgements, strict=True)}
    recipe = judge.recipe
    about = judge.name, recipe.engine.name, recipe.by
    return Feedback(material, *about, judged, tuple(labelled), judge.cost, confirmed, itself)


def _rounded(share: float | None, *, turned: bool) -> float | None:
    return None if share is None else round(1 - share if turned else share, 4)


def _told(score: object) -> dict[str, float] | None:
    told = {name: round(value, 5) for name, value in vars(score).items()}
    return None if told["value"] != told["value"] else told
