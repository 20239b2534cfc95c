"""
Questions ─► what a model says to each, asked until it can be read, or given up and said why.

In: questions, and what reads a reply. Out: of each what was read, all replies, and what they cost:

    "…\\n판정: A\\n판정: B\\n판정: 비김"   ─►   Said("A", ("음, 글쎄요", "판정: A"), num_tokens=14)

A reply that cannot be read is asked for again with another seed, and drawn more freely, as the same words would come
again otherwise; what got no answer, because a server is down, is asked again after a pause that doubles. A server's own
retries are the engine's. Where the model tells how likely it holds words, these are compared, and nothing is written.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer, Decoding, Engine, ScoringEngine
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.questions import row_that_asks
from hanpuri.errors import DataError
from hanpuri.evaluation.asking import ask, find_fitting
from hanpuri.preferences.judge.recipe import RetrySettings

Read = TypeVar("Read")
Tell = Callable[[int, int], None]
"""Hears how many of how many replies have come."""


@dataclass(frozen=True, slots=True)
class Said(Generic[Read]):
    """What came of one question."""

    read: Read | None
    replies: tuple[str, ...] = ()
    """Try by try; "" where nothing came."""
    why: str = ""
    """Why nothing could be read; "" if it could."""
    num_prompt_tokens: int = 0
    num_tokens: int = 0

    def heard(self, answer: Answer, read: Read | None) -> "Said[Read]":
        """Add another reply."""
        cut = "a reply was cut at max_new_tokens" if not answer.finished else "no verdict stands in the last line"
        why = "" if read is not None else answer.failure or cut
        asked = self.num_prompt_tokens + (answer.num_prompt_tokens or 0)
        return Said(read, (*self.replies, answer.text), why, asked, self.num_tokens + answer.num_tokens)


class JudgingEngine(Engine, ScoringEngine, Protocol):
    """An engine that answers, and tells how likely it holds answers."""


def ask_until_read(
    engine: Engine,
    questions: Sequence[str],
    names: Sequence[str],
    read: Callable[[Answer], Read | None],
    *,
    decoding: Decoding,
    retry: RetrySettings,
    cache: AnswerCache | None = None,
    tell: Tell = lambda done, total: None,
) -> list[Said[Read]]:
    """
    Ask all questions, and those whose replies cannot be read again.

    Args:
        engine: who is asked.
        questions: the texts.
        names: how what is said of a question names it.
        read: gives what stands in a reply; None if nothing does.
        decoding: how tokens are chosen at the first try.
        retry: how often and how others follow.
        cache: where replies are kept, readable or not, and looked up first.
        tell: hears of each reply.

    Raises:
        EngineError: if no question can be answered: a wrong key, a setting that the server lacks.
    """
    rows = [row_that_asks(engine, question) for question in questions]
    said: list[Said[Read]] = [Said(None)] * len(rows)
    left, progress = list(range(len(rows))), _Progress(tell)
    for attempt in range(retry.tries + 1):
        progress.total += len(left)
        answers = _ask(engine, rows, names, left, _how(decoding, retry, attempt), cache, progress.step)
        for place, answer in zip(left, answers, strict=True):
            said[place] = said[place].heard(answer, read(answer))
        unread = [(place, one) for place, one in zip(left, answers, strict=True) if said[place].read is None]
        left = [place for place, answer in unread if answer.num_tries]  # without one, the question itself is refused
        if not left or attempt == retry.tries:
            break
        if any(answer.failure for _, answer in unread):
            time.sleep(retry.pause_seconds * 2**attempt)
    return said


def compare_likelihoods(
    engine: JudgingEngine,
    questions: Sequence[str],
    options: Sequence[str],
    names: Sequence[str],
    *,
    batch_size: int,
    cache: AnswerCache | None = None,
    tell: Tell = lambda done, total: None,
) -> list[Said[tuple[float, ...]]]:
    """
    Ask how likely a model would write each of a few words; what is read are their shares, which add up to 1.

    Args:
        engine: who is asked.
        questions: the texts.
        options: the words, such as A and B.
        names: as in `ask_until_read`.
        batch_size: questions at a time; after each batch its figures are kept.
        cache: as in `ask_until_read`.
        tell: hears of each question.
    """
    rows = [row_that_asks(engine, question) for question in questions]
    said: list[Said[tuple[float, ...]]] = []
    for start in range(0, len(rows), batch_size):
        batch, where = rows[start : start + batch_size], names[start : start + batch_size]
        found: list[list[float] | DataError] = []
        try:
            found.extend(_score_batch(engine, batch, options, where, cache))
        except DataError:  # a row that does not fit takes no other along
            found.extend(_score(engine, row, options, name, cache) for row, name in zip(batch, where, strict=True))
        said.extend(_shared(scores, options) for scores in found)
        tell(len(said), len(rows))
    return said


def shares_of(log_probabilities: Sequence[float]) -> tuple[float, ...]:
    """
    Give the shares of words by their log-probabilities.

        >>> shares_of([-1.0, -1.0])
        (0.5, 0.5)
        >>> shares_of([-2000.0, -1000.0])
        (0.0, 1.0)
    """
    most = max(log_probabilities)
    weights = [math.exp(one - most) for one in log_probabilities]
    return tuple(weight / sum(weights) for weight in weights)


def _how(decoding: Decoding, retry: RetrySettings, attempt: int) -> Decoding:
    if not attempt:
        return decoding
    return replace(decoding, seed=decoding.seed + attempt, temperature=max(decoding.temperature, retry.temperature))


@dataclass
class _Progress:
    tell: Tell
    done: int = 0
    total: int = 0

    def step(self) -> None:
        self.done += 1
        self.tell(self.done, self.total)


def _ask(
    engine: Engine,
    rows: Sequence[Fields],
    names: Sequence[str],
    places: Sequence[int],
    how: Decoding,
    cache: AnswerCache | None,
    step: Callable[[], None],
) -> list[Answer]:
    """Ask some of the rows; one that does not fit the engine gets an answer of no tries that says why."""
    asked, where = [rows[place] for place in places], [names[place] for place in places]
    refused, _ = find_fitting(engine, asked, where, how, cache)
    return ask(engine, asked, where, how, cache, refused, step)


def _score(
    engine: JudgingEngine, row: Fields, options: Sequence[str], name: str, cache: AnswerCache | None
) -> list[float] | DataError:
    """Score one row alone; the error if it does not fit the engine."""
    try:
        return _score_batch(engine, [row], options, [name], cache)[0]
    except DataError as error:
        return error


def _score_batch(
    engine: JudgingEngine,
    rows: Sequence[Fields],
    options: Sequence[str],
    names: Sequence[str],
    cache: AnswerCache | None,
) -> list[list[float]]:
    """Give each row the log-probability of each option; what is in the cache is not computed again."""
    pairs = [(row, option, name) for row, name in zip(rows, names, strict=True) for option in options]
    keys = [_key(engine, *pair) for pair in pairs]
    kept = {key: found for key in keys if cache is not None and (found := cache.find(key))}
    new = [place for place, key in enumerate(keys) if key not in kept]
    asked = [pairs[place] for place in new]
    scored = engine.score([one[0] for one in asked], [one[1] for one in asked], names=[one[2] for one in asked])
    for place, likelihood in zip(new, scored, strict=True):
        kept[keys[place]] = Answer(repr(likelihood.log_probability), 0, finished=True)
        if cache is not None:
            cache.add(keys[place], kept[keys[place]])
    flat = [float(kept[key].text) for key in keys]
    return [flat[start : start + len(options)] for start in range(0, len(flat), len(options))]


def _key(engine: Engine, row: Fields, option: str, name: str) -> str:
    """Name a figure with all that it depends on; the word sets it apart from an answer's key."""
    said = json.dumps(["likelihood", engine.identity, engine.prompt(row, name), option], ensure_ascii=False)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _shared(scores: list[float] | DataError, options: Sequence[str]) -> Said[tuple[float, ...]]:
    if isinstance(scores, DataError):
        return Said(None, why=str(scores))
    told = ", ".join(f"{option} {score:.4f}" for option, score in zip(options, scores, strict=True))
    if not all(map(math.isfinite, scores)):
        return Said(None, (told,), "the model gives no number for a word")
    return Said(shares_of(scores), (told,))
