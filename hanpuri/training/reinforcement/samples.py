"""
The watched rows at an evaluation: answered greedily, rewarded, scored, and kept for people to read.

In: questions, and the model as it is now. Out: figures, and a line of samples.jsonl for each answer:

    {"time": …, "step": 100, "where": "pairs.jsonl:7", "asked": "쨰밌어요", "right": "재밌어요", "answer": "재밋어요",
     "finished": true, "reward": 0.75, "reward_char_accuracy": 0.75}

A run that goes back to a checkpoint drops the lines behind it. `samples_page` shows them side by side.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.data.templates import Fields
from hanpuri.runs.metrics import append_line, cut_lines
from hanpuri.runs.wording import printable
from hanpuri.training.decoding import Decoding
from hanpuri.training.generation import generate
from hanpuri.training.processes import is_first
from hanpuri.training.reinforcement.questions import Question, Questions
from hanpuri.training.reinforcement.reward import add_up, right_answer, score_answers
from hanpuri.training.reinforcement.samples_page import write_samples_page
from hanpuri.training.reinforcement.texts import is_empty, repeated

FILE = "samples.jsonl"
TOLD = 3  # samples in the log of each evaluation
SHOWN = 40  # characters of a text there

Measures = Mapping[str, Callable[[Sequence[str], Sequence[str]], float]]

logger = logging.getLogger("hanpuri.training")


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer at one evaluation."""

    question: Question
    asked: str
    right: str | None
    answer: str
    finished: bool
    reward: float
    parts: Mapping[str, float]

    def as_line(self, step: int) -> dict[str, Any]:
        """Give it as samples.jsonl has it; what is no number is null there."""
        parts = {f"reward_{name}": _or_none(value) for name, value in self.parts.items()}
        said = {"asked": self.asked, "right": self.right, "answer": self.answer, "finished": self.finished}
        return {"step": step, "where": self.question.name, **said, "reward": _or_none(self.reward), **parts}


class SampleScorer:
    """
    Answers the same rows at each evaluation, and says how good the answers are; called with the model.

    `last` holds the latest samples; of several processes the first one alone has them, and gives figures.
    """

    def __init__(
        self, watched: Sequence[Question], questions: Questions, decoding: Decoding, measures: Measures
    ) -> None:
        self._watched, self._questions, self._decoding = watched, questions, decoding
        asking = questions.prompting.prompt
        self._prompts = [asking(question.row, question.name) for question in watched]
        self._rights = [right_answer(question.row) for question in watched]
        self._measures = measures if all(right is not None for right in self._rights) else {}
        self.last: tuple[Sample, ...] = ()

    def __call__(self, model: Any) -> dict[str, float]:
        """Give the mean reward and its parts, each measure, and what is seen of the answers themselves."""
        prompting = self._questions.prompting
        written = generate(
            model,
            self._questions.tokenizer,
            self._prompts,
            self._decoding,
            stop_ids=prompting.stop_ids,
            before=prompting.before,
        )
        if not is_first():
            return {}
        answers = [prompting.answer_of(one.text) for one in written]
        rows, names = [one.row for one in self._watched], [one.name for one in self._watched]
        rewards = self._questions.rewards
        parts = {reward.name: score_answers(reward, rows, answers, names) for reward in rewards}
        totals = add_up(rewards, list(parts.values()))
        self.last = tuple(
            Sample(question, question_text(question.row, prompt.row_texts), right, answer, one.finished, total, each)
            for question, prompt, right, answer, one, total, each in zip(
                self._watched, self._prompts, self._rights, answers, written, totals, _by_row(parts), strict=True
            )
        )
        rights = [right or "" for right in self._rights]
        scores = {name: measure(answers, rights) for name, measure in self._measures.items()}
        return {
            "reward": _mean(totals),
            **{f"reward_{name}": _mean(values) for name, values in parts.items()},
            **scores,
            "unscored": _mean([math.isnan(total) for total in totals]),
            "unfinished": _mean([not one.finished for one in written]),
            "mean_length": _mean([one.num_tokens for one in written]),
            "repetition": _mean([repeated(answer) for answer in answers]),
            "empty": _mean([is_empty(answer) for answer in answers]),
        }


def keep_samples(folder: Path, step: int, samples: Sequence[Sample]) -> None:
    """Add the samples of an evaluation to a run's folder, write its page anew, and tell a few; no fault stops a run."""
    for sample in samples[:TOLD]:
        told = f"{_short(sample.asked)} ─► {_short(sample.answer)} (reward {sample.reward:.3g}"
        right = "" if sample.right is None else f", right: {_short(sample.right)}"
        logger.info("step %s: sample %s: %s%s)", step, printable(sample.question.name), told, right)
    try:
        for sample in samples:
            append_line(folder / FILE, sample.as_line(step))
        write_samples_page(folder, folder / FILE)
    except (OSError, ValueError, ImportError) as error:
        logger.warning("step %s: its samples were not kept: %s", step, " ".join(str(error).split()))


def cut_samples(folder: Path, step: int) -> None:
    """Drop the samples behind a step, to which a run goes back; -1 drops all."""
    cut_lines(folder / FILE, step)


def question_text(row: Fields, row_texts: Sequence[str]) -> str:
    """
    Give what a row asks, without the words that its template puts around it.

        >>> question_text({"instruction": "요약해 줘", "input": "긴 글"}, ("요약해 줘", "긴 글", ""))
        '요약해 줘\\n\\n긴 글'

    Args:
        row: the row; pairs ask their noisy text alone.
        row_texts: what a template took from it.
    """
    return str(row["noisy"]) if "noisy" in row else "\n\n".join(text for text in row_texts if text)


def _by_row(parts: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    return [dict(zip(parts, values, strict=True)) for values in zip(*parts.values(), strict=True)]


def _mean(values: Sequence[float]) -> float:
    """Give the mean of what are numbers; nan if none is."""
    numbers = [float(value) for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
