"""
What a judge wrote ─► its verdict or its mark; what is none is None, and never guessed.

In: "A는 맞춤법이 맞습니다.\\n판정: A". Out: "A". The verdict is the last line that is not empty. No verdict is a
reply that was cut, names both, leaves the line out, or says two different things:

    "판정: A|B|비김"    "A가 낫다"    "판정: A\\n판정: B"    ""    <html>…    ─►    None
"""

import re
from typing import Literal

from hanpuri.engines.base import Answer

Letter = Literal["A", "B", "tie"]

LETTERS: dict[str, Letter] = {"A": "A", "B": "B", "비김": "tie"}
VERDICT = re.compile(r"판정\s*[:：]\s*(A|B|비김)")
MARK = re.compile(r"점수\s*[:：]\s*(\d{1,6}(?:\.\d{1,6})?)(?:\s*점)?")
THOUGHT = re.compile(r"\A.*</think>", re.DOTALL)  # some templates have opened it before the model writes
AROUND = " \t*_`#>.\"'"
"""Signs with which models make a line bold or a heading."""


def read_letter(answer: Answer) -> Letter | None:
    """
    Read which answer is the better one.

        >>> read_letter(Answer("맞춤법이 맞습니다.\\n\\n**판정: A**", 9, finished=True))
        'A'
        >>> read_letter(Answer("판정: 비김", 3, finished=True)), read_letter(Answer("둘 다 좋아요", 4, finished=True))
        ('tie', None)
    """
    found = _last_line(answer, VERDICT)
    return None if found is None else LETTERS[found]


def read_mark(answer: Answer, scale: tuple[int, int]) -> float | None:
    """
    Read a mark, as a share of the scale: 0 is the worst, 1 the best.

        >>> read_mark(Answer("점수: 7", 3, finished=True), (0, 10))
        0.7
        >>> read_mark(Answer("점수: 12", 3, finished=True), (0, 10)) is None
        True
    """
    found = _last_line(answer, MARK)
    worst, best = scale
    if found is None or not worst <= float(found) <= best:
        return None
    return (float(found) - worst) / (best - worst)


def _last_line(answer: Answer, pattern: re.Pattern[str]) -> str | None:
    if answer.failure or not answer.finished:  # of a reply that was cut, nobody knows the last line
        return None
    text = THOUGHT.sub("", answer.text)
    lines = [line for whole in text.splitlines() if (line := whole.strip(AROUND))]
    said = [match[1] for line in lines if (match := pattern.fullmatch(line))]
    if not said or not pattern.fullmatch(lines[-1]) or len(set(said)) > 1:
        return None
    return said[-1]
