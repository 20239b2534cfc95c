"""
Several answers to each question, in a file: written once, read by whatever learns from them.

In: a `Sampled`. Out: a line of JSONL, and back:

    {"id": "7", "where": "pairs.jsonl:7", "asked": {"noisy": "쨰밌어요"}, "reference": "재밌어요",
     "answers": [{"text": "재밋어요", "score": 0.75, "num_tokens": 4, "finished": true}, …], "greedy": {…}}

An answer that never came says why in `failure`; a score that is no number is null.
"""

import math
from collections.abc import Mapping
from numbers import Real
from pathlib import Path

from hanpuri.data.files.encodings import check_encoding
from hanpuri.data.files.formats import Fault, open_fault
from hanpuri.data.files.tables import kind_of, read_jsonl
from hanpuri.data.files.textfiles import TextFile
from hanpuri.engines.base import Answer
from hanpuri.engines.questions import question_of
from hanpuri.errors import DataError
from hanpuri.evaluation.rows import EvalRow
from hanpuri.preferences.pairs import Line
from hanpuri.preferences.sampling.drawing import Sampled, Scored
from hanpuri.training.reinforcement.reward import LARGEST

MEND = "give a file that `hanpuri sample` wrote"


def sample_line(one: Sampled) -> Line:
    """
    Write a row with its answers as an object of JSON.

        >>> row = EvalRow("7", "pairs.jsonl:7", {"noisy": "쨰밌"}, "쨰밌", "재밌", {})
        >>> sample_line(Sampled(row, (Answer("째밌", 2, True),), (0.5,)))["answers"]
        [{'text': '째밌', 'score': 0.5, 'num_tokens': 2, 'finished': True}]
    """
    row = one.row
    answers = [_line(*scored) for scored in zip(one.answers, one.scores, strict=True)]
    greedy = {} if one.greedy is None else {"greedy": _line(one.greedy, one.greedy_score)}
    told = {"id": row.id, "where": row.where, "asked": dict(row.fields), "reference": row.reference}
    return {**told, "answers": answers, **greedy}


def read_samples(path: Path) -> list[Sampled]:
    """
    Read what `sample_line` wrote.

    Raises:
        DataError: if the file cannot be read, or a line of it is none of these.
    """
    if not path.is_file():
        raise open_fault(path, IsADirectoryError() if path.is_dir() else FileNotFoundError())
    found: list[Sampled] = []
    for line, values, _ in read_jsonl(TextFile(path, check_encoding("utf-8")).lines()):
        if isinstance(values, Fault):
            raise DataError(f"{path}:{line}: {values.message}", values.mend)
        try:
            found.append(_read(values))
        except ValueError as error:
            raise DataError(f"{path}:{line}: {error}", MEND) from None
    if not found:
        raise DataError(f"{path}: found no row, expected rows with answers", MEND)
    return found


def _line(answer: Answer, score: float) -> dict[str, object]:
    told: dict[str, object] = {
        "text": answer.text,
        "score": None if math.isnan(score) else score,
        "num_tokens": answer.num_tokens,
        "finished": answer.finished,
    }
    return told | ({"failure": answer.failure} if answer.failure else {})


def _read(values: Mapping[str, object]) -> Sampled:
    fields, answers, reference = (values.get(name) for name in ("asked", "answers", "reference"))
    if not isinstance(fields, dict) or not isinstance(answers, list) or not answers:
        raise ValueError(f"found the fields {', '.join(values) or 'none at all'}, expected asked and answers")
    if not isinstance(reference, str | None):
        raise ValueError(f"found {kind_of(reference)} as the reference, expected a text or null")
    try:
        asked = question_of(fields, "asked")
    except (DataError, TypeError, KeyError, AttributeError):
        raise ValueError("found no question in asked") from None
    scored = [_scored(one) for one in answers]
    greedy = _scored(values["greedy"]) if "greedy" in values else (None, math.nan)
    row = EvalRow(str(values.get("id", "")), str(values.get("where", "")), fields, asked, reference, {})
    return Sampled(row, tuple(one for one, _ in scored), tuple(score for _, score in scored), *greedy)


def _scored(told: object) -> Scored:
    if not isinstance(told, Mapping) or not isinstance(text := told.get("text"), str):
        raise ValueError(f"found {kind_of(told)} among the answers, expected an object with a text")
    score = told.get("score")
    if isinstance(score, bool) or not isinstance(score, Real | None):
        raise ValueError(f"found {kind_of(score)} as a score, expected a number or null")
    try:
        number = math.nan if score is None else float(score)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if abs(number) > LARGEST:
        raise ValueError("found a score too large to add up, expected a number or null")
    num_tokens = told.get("num_tokens")
    failure = str(told.get("failure", ""))
    counted = num_tokens if isinstance(num_tokens, int) else 0
    return Answer(text, counted, finished=told.get("finished") is True, failure=failure), number
