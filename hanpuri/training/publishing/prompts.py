"""
What a model is asked for the proof: prompts of the run's own data, in tokens.

In: an Origin, its tokenizer and how it is asked. Out: a dozen prompts, from the shortest to the longest of its
validation rows; of a pre-trained model, the beginnings of texts:

    Prompt("faq.jsonl:17", {"instruction": "심심해", …}, "### 질문: 심심해\\n\\n### 답변:", (5, 41, 9, 77, 8, 12))
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from hanpuri.data.examples import prompt_ids
from hanpuri.data.files.sources import open_source
from hanpuri.data.records.forms import open_rows
from hanpuri.data.templates import Fields
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError
from hanpuri.training.answering import asked_row
from hanpuri.training.feeding.rows import open_training_rows
from hanpuri.training.prompting import Prompting
from hanpuri.training.publishing.origin import Origin
from hanpuri.training.recipe import CorpusSettings, PretrainRecipe

NUM_PROMPTS = 12
READ_ROWS = 400
"""Rows to choose from: the proof does not wait for a large file."""
MAX_TOKENS = 512
BEGINNING = 64
"""Tokens of a text at most that a pre-trained model goes on from."""


@dataclass(frozen=True)
class Prompt:
    """What a model is asked."""

    id: str
    fields: Fields
    """The row it comes from, to ask the same of another tokenizer or template."""
    text: str
    ids: tuple[int, ...]


def choose_prompts(
    origin: Origin, tokenizer: Tokenizer, prompting: Prompting, max_tokens: int, file: Path | None = None
) -> tuple[Prompt, ...]:
    """
    Choose prompts of different lengths from the run's validation rows, and from its training rows if these are few.

    Args:
        origin: the run.
        tokenizer: the run's.
        prompting: how the run's model is asked.
        max_tokens: longer prompts are left out.
        file: rows to take instead, where the run's data are no longer there.

    Raises:
        DataError: if the data are gone, or nothing in them can be asked.
    """
    recipe = origin.recipe
    rows = _texts(recipe, file) if isinstance(recipe, PretrainRecipe) else _rows(recipe, prompting, file)
    found: dict[tuple[int, ...], Prompt] = {}
    for id, fields in islice(rows, READ_ROWS):
        with suppress(DataError):  # a row that the run has left out too
            prompt = ask(fields, id, tokenizer, prompting)
            if 0 < len(prompt.ids) <= min(max_tokens, MAX_TOKENS):
                found.setdefault(prompt.ids, prompt)
    if not found:
        told = f"{origin.folder}: found no row in the run's data that can be asked within {max_tokens} tokens"
        raise DataError(told, "give rows to ask: --prompts FILE")
    return _spread(sorted(found.values(), key=lambda prompt: (len(prompt.ids), prompt.ids)))


def ask(fields: Fields, id: str, tokenizer: Tokenizer, prompting: Prompting) -> Prompt:
    """
    Make the prompt of a row; of a text alone, its first half.

    Raises:
        DataError: if the row does not fit the template.
    """
    if "text" not in fields:
        rendered = prompting.template.prompt(fields, id)
        return Prompt(id, fields, rendered.text, tuple(prompt_ids(rendered, tokenizer)))
    ids = tokenizer.encode(str(fields["text"]))
    half = ids[: min(BEGINNING, (len(ids) + 1) // 2)]
    begin = [tokenizer.bos_id] if tokenizer.starts_with_bos and tokenizer.bos_id is not None else []
    return Prompt(id, fields, tokenizer.decode(half), (*begin, *half) if half else ())


def _spread(prompts: list[Prompt]) -> tuple[Prompt, ...]:
    """Take the shortest, the longest, and others evenly between."""
    last, count = len(prompts) - 1, min(NUM_PROMPTS, len(prompts))
    return tuple(prompts[last * place // max(1, count - 1)] for place in range(count))


def _rows(recipe: Any, prompting: Prompting, file: Path | None) -> Iterator[tuple[str, Fields]]:
    if file is not None:
        records = open_rows(file, recipe.data.form, recipe.data.fields).records()
    else:
        rows = open_training_rows(recipe.data, recipe.seed, recipe.examples.faults)
        records = chain(rows.validation(), rows.train())
    for record in records:
        yield record.id or Path(record.where).name, _asked(record.fields, prompting)


def _asked(fields: Fields, prompting: Prompting) -> Fields:
    """Give a row as the model is asked it; of a preference, its prompt."""
    if "chosen" not in fields:
        return fields
    prompt: Any = fields["prompt"]
    with suppress(DataError):
        return asked_row(prompt, str(fields.get("input") or ""), prompting)
    return {}


def _texts(recipe: PretrainRecipe, file: Path | None) -> Iterator[tuple[str, Fields]]:
    """Read some texts of each corpus; those held out, where a corpus names them."""
    corpora = recipe.data.corpora
    places = [(file, None)] if file else [(_corpus_file(corpus), corpus.field) for corpus in corpora]
    for path, field in places:
        for row in islice(open_source(path, field=field).rows(), READ_ROWS // len(places)):
            yield Path(row.where).name, {"text": row.text}


def _corpus_file(corpus: CorpusSettings) -> Path:
    if not corpus.path.is_dir():
        return corpus.path
    held_out = corpus.path / "validation.parquet"
    return held_out if held_out.is_file() else corpus.path / "train.parquet"
