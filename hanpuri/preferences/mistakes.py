"""
A model's own mistakes ─► pairs: the right answer before what the model wrote, the hardest first.

In: an engine, and rows with their right answers. Out: rows of the form `preference`:

    {"noisy": "확잠실읾 념뭄 잙앙욤", "clean": "화장실이 너무 작아요"}, the model wrote 확장실이 너무 작아요   ─►
    {"prompt": "확잠실읾 념뭄 잙앙욤", "chosen": "화장실이 너무 작아요", "rejected": "확장실이 너무 작아요",
     "id": "7", "source": "mistakes", "hardness": "1 wrong", "wrong": 1, "rejected_score": 0.8889}

Hard are, of restored texts, first those of another length, then those with the fewest wrong characters: a model that
is nearly right learns most from what it still gets wrong. Of answers to questions it is those that score the most and
are wrong all the same. An answer that never came gives nothing; one that is empty or was cut off, only if asked for.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hanpuri.engines.base import GREEDY, Answer, Decoding, Engine
from hanpuri.engines.cache import AnswerCache
from hanpuri.evaluation.metrics import MEASURES, edit_distance, pooled
from hanpuri.evaluation.rows import EvalRow
from hanpuri.preferences.pairs import Gathered, LeftOut, Line, make_pair, normal, same_text, without_twins
from hanpuri.preferences.sampling.drawing import Progress, draw_answers, seeds

OTHER_LENGTH, ANSWER = "other length", "wrong answer"
UPTO = ((1, "1 wrong"), (4, "2–4 wrong"), (9, "5–9 wrong"))
MANY = "10 or more wrong"
KINDS = (OTHER_LENGTH, *(name for _, name in UPTO), MANY, ANSWER)
"""How hard a wrong answer is to tell from the right one, the hardest first."""
MEASURES_OF_MISTAKES = tuple(
    name for name, one in MEASURES.items() if one.better == "high" and name not in ("chrf", "unchanged_clean")
)
"""What may say that an answer is wrong; chrF is one of whole files."""


@dataclass(frozen=True)
class Wrong:
    """What makes an answer wrong."""

    measure: str = "exact_match"
    """One of MEASURES_OF_MISTAKES."""
    below: float = 1.0
    """An answer that scores less is wrong."""

    def __post_init__(self) -> None:
        if self.measure not in MEASURES_OF_MISTAKES:
            raise ValueError(f"found the measure {self.measure}, expected one of {', '.join(MEASURES_OF_MISTAKES)}")


RESTORED = Wrong()
"""Of restored texts every wrong character counts."""
ANSWERED = Wrong("token_f1", 0.5)
"""Of answers to questions, other words may say the same."""


def mine_mistakes(
    engine: Engine,
    rows: Sequence[EvalRow],
    *,
    decoding: Decoding = GREEDY,
    count: int = 1,
    wrong: Wrong | None = None,
    unfinished: bool = False,
    empty: bool = False,
    most: int | None = None,
    cache: AnswerCache | None = None,
    on_progress: Progress | None = None,
) -> Gathered:
    """
    Ask rows, and make a pair of each wrong answer.

        >>> from hanpuri.engines.echo import EchoEngine
        >>> row = EvalRow("7", "a.jsonl:7", {"noisy": "재밌어오"}, "재밌어오", "재밌어요", {})
        >>> found = mine_mistakes(EchoEngine(), [row])
        >>> found.rows[0]["rejected"], found.kinds
        ('재밌어오', {'1 wrong': 1})

    Args:
        engine: what answers.
        rows: what it is asked, with the right answers.
        decoding: how tokens are chosen; the seed is that of the first answer.
        count: answers to each row; of more than one, the temperature has to be above 0.
        wrong: what makes an answer wrong; for noisy texts RESTORED, for questions ANSWERED, if not given.
        unfinished: whether answers that were cut off stand in pairs too.
        empty: whether those without a text do.
        most: take no more pairs than this, the hardest.
        cache: where answers are kept, and looked up first.
        on_progress: told of every answer.

    Raises:
        DataError, EngineError: as `sampling.sample`.
        ValueError: if there is no such measure, or several answers would all be the likeliest one.
    """
    found: list[tuple[str, Line]] = []
    out: list[LeftOut] = []
    num_rows = 0
    for row, answers in draw_answers(engine, rows, seeds(decoding, count), cache=cache, on_progress=on_progress):
        num_rows += 1
        pairs, whys = _of_row(row, answers, wrong, unfinished=unfinished, empty=empty)
        found += [(row.where, pair) for pair in pairs]
        if not pairs:
            failure = next((answer.failure for answer in answers if answer.failure), "")
            out.append(LeftOut(row.where, Counter(whys).most_common(1)[0][0], failure))
    kept, twins = without_twins(sorted(found, key=lambda one: _hardness(one[1])))
    easier = [LeftOut(where, f"easier than the first {most:,}") for where, _ in kept[most:]] if most else []
    mined = tuple(pair for _, pair in kept[:most])
    kinds = Counter(str(pair["hardness"]) for pair in mined)
    told = {kind: kinds[kind] for kind in KINDS if kinds[kind]}
    return Gathered(num_rows, mined, (*out, *twins, *easier), told)


def _of_row(
    row: EvalRow, answers: Sequence[Answer], wrong: Wrong | None, *, unfinished: bool, empty: bool
) -> tuple[list[Line], list[str]]:
    """Make a pair of each wrong answer to a row, and say of the others why they make none."""
    if not (row.reference or "").strip():
        return [], ["the row has no right answer"]
    wrong = wrong or (RESTORED if "noisy" in row.fields else ANSWERED)
    pairs: list[Line] = []
    whys: list[str] = []
    for answer in answers:
        if why := _why_not(answer, row, wrong, unfinished=unfinished, empty=empty):
            whys.append(why)
        else:
            pairs.append(_pair(row, normal(answer.text), wrong))
    return pairs, whys


def _why_not(answer: Answer, row: EvalRow, wrong: Wrong, *, unfinished: bool, empty: bool) -> str:
    right = row.reference or ""
    if answer.failure:
        return "no answer came"
    if not answer.text.strip() and not empty:
        return "the answer is empty"
    if not answer.finished and not unfinished:
        return "the answer was cut off"
    if same_text(answer.text, right):
        return "the answer is right"
    return "" if _score(wrong.measure, answer.text, row) < wrong.below else f"right by {wrong.measure}"


def _pair(row: EvalRow, text: str, wrong: Wrong) -> Line:
    right = normal(row.reference or "")
    restores = "noisy" in row.fields
    kind, num_wrong = _kind(text, right) if restores else (ANSWER, edit_distance(text, right))
    # That an answer is not the same to the last character says nothing of how near it is.
    near = "char_accuracy" if restores else "token_f1"
    score = _score(near if wrong.measure == "exact_match" else wrong.measure, text, row)
    told = {"hardness": kind, "wrong": num_wrong, "rejected_score": score}
    return make_pair(row.fields, right, text, id=row.id, source="mistakes", **told)


def _kind(text: str, right: str) -> tuple[str, int]:
    """
    Say how hard a wrong text is, and how many characters of it are wrong; of another length, how many edits apart.

        >>> _kind("확장실이", "화장실이"), _kind("화장실", "화장실이")
        (('1 wrong', 1), ('other length', 1))
    """
    if len(text) != len(right):
        return OTHER_LENGTH, edit_distance(text, right)
    num_wrong = sum(one != other for one, other in zip(text, right, strict=True))
    return next((kind for most, kind in UPTO if num_wrong <= most), MANY), num_wrong


def _hardness(pair: Line) -> tuple[int, float]:
    kind, num_wrong, score = str(pair["hardness"]), pair["wrong"], pair["rejected_score"]
    assert isinstance(num_wrong, int)  # as `_pair` writes them
    assert isinstance(score, float)
    return KINDS.index(kind), -score if kind == ANSWER else num_wrong


def _score(measure: str, text: str, row: EvalRow) -> float:
    scale = MEASURES[measure]
    return pooled(scale.tally([text], [row.reference or ""], [row.asked]), pool=scale.pool, empty=0.0)
