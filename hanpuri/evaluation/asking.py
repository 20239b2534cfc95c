"""
Rows ─► answers, and what the engine holds of the right ones; no row takes the others along.

In: an engine and rows, of which one is too long for the model. Out: an answer each; that row's says why there is none:

    Answer("화장실이", 4, finished=True), Answer("", 0, finished=False, failure="faq.csv:7: found 9,000 tokens, …")
"""

from collections.abc import Callable, Mapping, Sequence

from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer, Decoding, Engine, Likelihood, PromptedEngine, ScoringEngine
from hanpuri.engines.cache import AnswerCache, answer_rows, key_of
from hanpuri.errors import DataError
from hanpuri.evaluation.rows import RowSet


def longer_than_learnt(engine: Engine, answers: Sequence[Answer]) -> str:
    """
    Say how many prompts are longer than any that the model was trained on; "" if none is, or nothing is known of it.

    In such a text a model loses its place: what it learnt holds for the lengths that it saw.
    """
    prompting = engine.prompting if isinstance(engine, PromptedEngine) else None
    if prompting is None or prompting.longest_prompt is None:
        return ""
    asked = [one.num_prompt_tokens for one in answers if one.num_prompt_tokens is not None]
    longer = [length for length in asked if length > (prompting.longest_prompt or 0)]
    if not longer:
        return ""
    some = f"{len(longer):,} of {len(answers):,} prompts have up to {max(longer):,} tokens"
    mend = ", or give long noisy texts in pieces, such as pieces=100" if prompting.form == "pairs" else ""
    return f"{some}, and the longest that it was trained on {prompting.longest_prompt:,}: expect worse answers{mend}"


def find_fitting(
    engine: Engine, rows: Sequence[Fields], names: Sequence[str], decoding: Decoding, cache: AnswerCache | None
) -> tuple[dict[int, DataError], frozenset[int]]:
    """
    Find the rows that do not fit the engine, before the long part starts, and those whose answers are kept.

        >>> from hanpuri.engines.base import GREEDY
        >>> from hanpuri.engines.compact import CompactEngine
        >>> from hanpuri.engines.settings import parse_engine
        >>> engine = CompactEngine.load(parse_engine("compact:small"))
        >>> rows = [{"noisy": "념뭄"}, {"instruction": "몇 시예요?"}]
        >>> refused, kept = find_fitting(engine, rows, ["a.jsonl:1", "a.jsonl:2"], GREEDY, None)
        >>> list(refused), sorted(kept)
        ([1], [])
    """
    refused: dict[int, DataError] = {}
    kept: set[int] = set()
    for place, row in enumerate(rows):
        try:
            if cache is None:
                engine.prompt(row, names[place])
            elif cache.find(key_of(engine, row, decoding, names[place])):
                kept.add(place)
        except DataError as error:
            refused[place] = error
    return refused, frozenset(kept)


def ask(
    engine: Engine,
    rows: Sequence[Fields],
    names: Sequence[str],
    decoding: Decoding,
    cache: AnswerCache | None,
    refused: Mapping[int, DataError],
    tell: Callable[[], None],
) -> list[Answer]:
    """
    Answer the rows that fit the engine, and say of the others why they do not.

    Args:
        engine: what answers.
        rows: what it is given.
        names: how errors name them.
        decoding: how tokens are chosen.
        cache: where answers are kept, and looked up first.
        refused: by place, the rows that do not fit, as `find_fitting` finds them.
        tell: called at every answer.

    Raises:
        EngineError: if no row can be answered.
    """
    fitting = [place for place in range(len(rows)) if place not in refused]
    asked, where = [rows[place] for place in fitting], [names[place] for place in fitting]
    found = answer_rows(engine, asked, decoding, names=where, cache=cache)
    answers: list[Answer] = []
    for place in range(len(rows)):
        # Asked in the rows' order, so the next answer is that of the next row that fits.
        answers.append(Answer.failed(str(refused[place]), num_tries=0) if place in refused else next(found))
        tell()
    return answers


def score_references(engine: Engine, row_set: RowSet) -> list[Likelihood]:
    """Let the engine score the right answers, if it can; a row that does not fit adds nothing."""
    if not isinstance(engine, ScoringEngine) or not row_set.has_references:
        return []
    names = [row.where for row in row_set.rows]
    rows, references = [row.fields for row in row_set.rows], [row.reference or "" for row in row_set.rows]
    try:
        return engine.score(rows, references, names=names)
    except DataError:
        return [_likelihood(engine, *row) for row in zip(rows, references, names, strict=True)]


def _likelihood(engine: ScoringEngine, row: Fields, reference: str, name: str) -> Likelihood:
    try:
        return engine.score([row], [reference], names=[name])[0]
    except DataError:
        return Likelihood(0.0, 0, 0, 0)
