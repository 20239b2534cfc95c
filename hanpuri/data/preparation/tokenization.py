"""
What tokenizers make of the training rows: how long examples become, and what a syllable costs.

In: the recipe's template and tokenizers, and rows. Out: one `TokenFacts` a tokenizer. Examples are counted whole, as
long as they are before `max_length` cuts or drops them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from hanpuri.data.chats import ChatTemplate, choose_template
from hanpuri.data.examples import Counts, iterate_examples, make_examples
from hanpuri.data.preparation.content import said
from hanpuri.data.quality.facts import TokenFacts
from hanpuri.data.quality.lengths import share_over
from hanpuri.data.quality.tokens import audit_tokenizer
from hanpuri.data.recipe import FORMS, ExampleSettings, Form, PrepareRecipe
from hanpuri.data.templates import CHAT, Rendered, Template
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import DataError

MAX_EXAMPLES = 20_000  # rows whose tokens are counted
MAX_AUDITED = 2_000  # texts that are turned into tokens and back
COUNT_ALL = {
    "max_length": 1 << 30,
    "faults": "drop",
}  # settings under which no example is cut and no row stops the work


def check_examples(recipe: PrepareRecipe) -> None:
    """
    Load template and tokenizers, and fill the template once: what is wrong with them is said before the work.

    Raises:
        RecipeError: if there is no such template.
        ModelError: if a tokenizer cannot be loaded, or has no eos token or chat template where one is needed.
        DataError: if the template does not fit rows of this form.
    """
    if recipe.examples is None:
        return
    for tokenizer in map(load_tokenizer, recipe.examples.tokenizers):
        rendered = _try_template(_template(recipe.examples, tokenizer), recipe.final_form)
        make_examples([rendered], tokenizer, recipe.examples.model_copy(update=COUNT_ALL))
    if not recipe.examples.tokenizers and recipe.examples.template != CHAT:
        _try_template(_template(recipe.examples, None), recipe.final_form)


def _try_template(template: Template | ChatTemplate, form: Form) -> Rendered:
    """Fill a template with made-up rows; it may be one for rows with an input, or for rows without."""
    faults = []
    for row in _sample_rows(form):
        try:
            return template.render(row, "a row")
        except DataError as error:
            faults.append(error)
    raise faults[0]


def token_facts(recipe: PrepareRecipe, rows: Iterable[dict[str, Any]]) -> tuple[TokenFacts, ...]:
    """Look at the first training rows with each tokenizer of the recipe."""
    settings = recipe.examples
    if settings is None or not settings.tokenizers:
        return ()
    some = list(islice(rows, MAX_EXAMPLES))
    return tuple(_look(recipe.final_form, settings, load_tokenizer(path), some) for path in settings.tokenizers)


def _look(form: Form, settings: ExampleSettings, tokenizer: Tokenizer, rows: list[dict[str, Any]]) -> TokenFacts:
    template = _template(settings, tokenizer)
    whole = settings.model_copy(update=COUNT_ALL)
    examples = iterate_examples(_rendered(template, rows), tokenizer, whole, Counts())
    lengths = Counter(len(example) for example in examples)
    num_over = round(share_over(lengths, settings.max_length) * lengths.total())
    clean, noisy = _texts(form, rows[:MAX_AUDITED])
    return TokenFacts(
        tokenizer=tokenizer.name,
        vocabulary=tokenizer.vocab_size,
        lengths=dict(lengths),
        max_length=settings.max_length,
        too_long=settings.too_long,
        dropped=num_over if settings.too_long == "drop" else 0,
        truncated=num_over if settings.too_long == "truncate" else 0,
        clean=audit_tokenizer(tokenizer, clean),
        noisy=audit_tokenizer(tokenizer, noisy) if noisy else None,
    )


def _template(settings: ExampleSettings, tokenizer: Tokenizer | None) -> Template | ChatTemplate:
    return choose_template(settings.template, tokenizer, settings.train_on)


def _rendered(template: Template | ChatTemplate, rows: Iterable[dict[str, Any]]) -> Iterator[Rendered | DataError]:
    for row in rows:
        try:
            yield template.render(row, row["id"])
        except DataError as error:
            yield error


def _texts(form: Form, rows: Iterable[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Part clean texts and noisy ones; only pairs have noisy ones."""
    if form != "pairs":
        return [text for row in rows for text in said(row, form)], []
    rows = list(rows)
    return [row["clean"] for row in rows], [row["noisy"] for row in rows]


def _sample_rows(form: Form) -> list[dict[str, Any]]:
    if form == "messages":
        return [{"messages": [{"role": "user", "content": "안녕?"}, {"role": "assistant", "content": "네."}]}]
    row = dict.fromkeys(FORMS[form], "네.")
    if form == "preference":
        row |= {"rejected": "글쎄요."}
    return [row | {"input": ""}, row] if "input" in row else [row]
