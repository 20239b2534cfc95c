"""
Prompts ─► texts: what a model answers, in the middle of its training or after it.

In: a model, its tokenizer and prompts as templates write them. Out: an answer each, in the order of the prompts:

    "### 질문: 한강은 어디로 흐르나요?\\n\\n### 답변:"   ─►   Generated(" 서해로 흐릅니다.", 9, finished=True)

A prompt becomes the very tokens that stood before the response in training (`data.examples.prompt_ids`). The text is
read as the continuation that it is; the token that ends it and other special ones are not spelled out.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.examples import prompt_ids
from hanpuri.data.records.records import Record
from hanpuri.data.templates import Rendered, Template
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError
from hanpuri.training.decoding import Decoding, Ends, Generated, Listener, read_answer
from hanpuri.training.loading.rope import reach, turns_alike
from hanpuri.training.prompting import Prompting, make_prompting
from hanpuri.training.recipe import GenerationSettings
from hanpuri.training.writing import Guide, make_batches, write

LENGTH_WATCHER = "transformers.generation.stopping_criteria"
"""Warns when padding and answer together pass the model's positions; each row has its own room, in which it stays."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A validation row that a model has answered."""

    where: str
    prompt: str
    reference: str
    hypothesis: str
    finished: bool


def generate(
    model: Any,
    tokenizer: Tokenizer,
    prompts: Sequence[Rendered],
    decoding: Decoding,
    *,
    stop_ids: Iterable[int] = (),
    stop_text: str = "",
    before: str = "",
    guide: Callable[[Sequence[int]], Guide] | None = None,
    longest: Sequence[int] | None = None,
) -> list[Generated]:
    """
    Answer prompts, several at once; a prompt's answer is the one that it gets alone.

    The model may be in training: it comes back as it was, with dropout, gradient checkpointing and random numbers.

    Args:
        model: a causal model of transformers, also with an adapter or in 4 bits.
        tokenizer: its tokenizer.
        prompts: of a template's `prompt`.
        decoding: how tokens are chosen.
        stop_ids: tokens that end an answer, besides those that the model's generation settings name.
        stop_text: text that ends an answer too, besides those of `decoding`.
        before: what the template has the model write before an answer; no stop is looked for in there.
        guide: what rules tokens out, for those of the prompts that are answered together.
        longest: tokens of each answer at most; `decoding` says it for all, if not given.

    Raises:
        DataError: if a prompt is empty, leaves no position for an answer, or spells out a special token; it names it.
    """
    tokens = [checked_ids(prompt, tokenizer, find_positions(model)) for prompt in prompts]
    ends = _ends(model, stop_ids, stop_text, decoding, before)
    answers: list[Generated | None] = [None] * len(tokens)
    with _answering(model) as base:
        rooms = _rooms(tokens, find_positions(model), longest or [decoding.max_new_tokens] * len(tokens))
        for places in make_batches(tokens, rooms, decoding.batch_size, mixed=turns_alike(model.config)):
            prompted = [tokens[place] for place in places]
            left = [rooms[place] for place in places]
            rows = write(base, prompted, tokenizer, decoding, left, ends, guide=guide and guide(places))
            for place, ids in zip(places, rows, strict=True):
                answers[place] = read_answer(ids, tokenizer, ends)
    return [answer for answer in answers if answer is not None]


def stream(
    model: Any,
    tokenizer: Tokenizer,
    prompt: Rendered,
    decoding: Decoding,
    on_text: Callable[[str], None],
    prompting: Prompting,
    guide: Guide | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Generated:
    """
    Answer one prompt, and hand on the answer piece by piece while it grows; no piece breaks a syllable.

    The text is the answer alone, without what the template puts around it. Where a guide rules tokens out, it says too
    what ends the answer, and the template's own stop text does not. `stopped` is asked at each token whether the answer
    is to end there, cut.

    Raises:
        DataError: as `generate`.
    """
    positions = find_positions(model)
    ids = checked_ids(prompt, tokenizer, positions)
    ends = _ends(model, prompting.stop_ids, "" if guide else prompting.stop_text, decoding, prompting.before)
    listener = Listener(tokenizer, ends, prompting, on_text)
    with _answering(model) as base:
        rooms = _rooms([ids], positions, [decoding.max_new_tokens])
        rows = write(base, [ids], tokenizer, decoding, rooms, ends, guide=guide, listener=listener, stopped=stopped)
    raw = read_answer(rows[0], tokenizer, ends)
    answer = Generated(prompting.answer_of(raw.text), raw.num_tokens, raw.finished, raw.num_trimmed)
    listener.close(answer.text)
    return answer


def checked_ids(prompt: Rendered, tokenizer: Tokenizer, positions: int | None) -> list[int]:
    """
    Turn a prompt into tokens.

    Raises:
        DataError: as `generate`.
    """
    for text in prompt.row_texts:
        if special := tokenizer.find_special(text):
            found = (
                f"{prompt.id}: found the special token {special} spelled out in the text, which is a sign to the model"
            )
            raise DataError(found, "take it out of the text")
    ids = prompt_ids(prompt, tokenizer)
    if not ids:
        raise DataError(f"{prompt.id}: found an empty prompt, expected a text", "leave it out")
    if positions is not None and len(ids) >= positions:
        found = (
            f"{prompt.id}: found a prompt of {len(ids):,} tokens, expected under {positions:,}, the model's positions"
        )
        raise DataError(found, "shorten it")
    return ids


def find_positions(model: Any) -> int | None:
    """Give how many tokens a model can read and write in all; None if its configuration does not say."""
    return reach(model.config)


class AnswerScorer:
    """
    Answers the same validation rows at each evaluation and scores the answers. Made by `make_answer_scorer`.

    `last` holds the latest answers to `rows`, for people to read.
    """

    def __init__(
        self,
        rows: Sequence[Record],
        prompting: Prompting,
        tokenizer: Tokenizer,
        settings: GenerationSettings,
        measures: Mapping[str, Callable[[Sequence[str], Sequence[str]], float]],
    ) -> None:
        self.rows = rows
        self.prompting = prompting
        self._tokenizer = tokenizer
        self._decoding = Decoding(max_new_tokens=settings.max_new_tokens, batch_size=settings.batch_size)
        self._measures = measures
        self._prompts = [prompting.template.prompt(row.fields, row.where) for row in rows]
        self._references = [_reference(row, prompting) for row in rows]
        self.last: tuple[Answered, ...] = ()

    def __call__(self, model: Any) -> dict[str, float]:
        """Give each measure of the answers, and as "unfinished" the share of answers that the model did not end."""
        asked, prompting = self._prompts, self.prompting
        answers = generate(
            model,
            self._tokenizer,
            asked,
            self._decoding,
            stop_ids=prompting.stop_ids,
            stop_text=prompting.stop_text,
        )
        texts = [prompting.answer_of(answer.text) for answer in answers]
        self.last = tuple(
            Answered(prompt.id, prompt.text, reference, text, answer.finished)
            for prompt, reference, text, answer in zip(asked, self._references, texts, answers, strict=True)
        )
        scores = {name: measure(texts, self._references) for name, measure in self._measures.items()}
        return scores | {"unfinished": sum(not answer.finished for answer in answers) / max(1, len(answers))}


def make_answer_scorer(
    rows: Sequence[Record],
    template: Template | ChatTemplate,
    tokenizer: Tokenizer,
    settings: GenerationSettings,
    measures: Mapping[str, Callable[[Sequence[str], Sequence[str]], float]],
) -> AnswerScorer:
    """
    Make what scores a model by what it writes: called with the model, it gives {"char_accuracy": 0.91, …}.

    Args:
        rows: validation rows; of a conversation the last answer is asked for.
        template: what they are trained with.
        tokenizer: the model's.
        settings: how long answers may be, how many are written at once.
        measures: each a function of hypotheses and references.

    Raises:
        DataError: if a row does not fit the template.
    """
    return AnswerScorer(rows, make_prompting(template, tokenizer), tokenizer, settings, measures)


def _reference(row: Record, prompting: Prompting) -> str:
    """Give the last answer of a row as the template writes it, so that what it trims is not missed."""
    text = ""
    for segment in prompting.template.render(row.fields, row.where).segments:
        text = text + segment.text if segment.trained else ""
    return prompting.answer_of(text.removesuffix(prompting.end))


def _ends(model: Any, stop_ids: Iterable[int], stop_text: str, decoding: Decoding, before: str) -> Ends:
    texts = dict.fromkeys(text for text in (stop_text, *decoding.stop) if text)
    return Ends(frozenset({*stop_ids, *own_stops(model)}), tuple(texts), before)


def own_stops(model: Any) -> set[int]:
    """Give the tokens at which the model's own generation settings say to stop; instruction models name a few."""
    own = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return set(own) if isinstance(own, list | tuple) else set() if own is None else {int(own)}


@contextmanager
def _answering(model: Any) -> Iterator[Any]:
    """Take a model out of training, and its own generation settings off: none may penalise or draw in silence."""
    import torch
    import transformers

    make_settings: Any = transformers.GenerationConfig  # its signature has no types
    base = model.get_base_model() if hasattr(model, "get_base_model") else model  # the adapter lies in its layers
    before = {module: module.training for module in model.modules()}
    own, watcher = base.generation_config, logging.getLogger(LENGTH_WATCHER)
    model.eval()
    level = watcher.level
    watcher.setLevel(logging.ERROR)
    base.generation_config = make_settings()
    try:
        with torch.no_grad():
            yield base
    finally:
        base.generation_config = own
        watcher.setLevel(level)
        for module, training in before.items():
            module.training = training


def _rooms(tokens: Sequence[Sequence[int]], positions: int | None, longest: Sequence[int]) -> list[int]:
    """Count how many tokens each prompt may get behind it."""
    pairs = zip(tokens, longest, strict=True)
    return [most if positions is None else min(positions - len(ids), most) for ids, most in pairs]
