"""
Questions and answers ─► examples, a template and the network.

In: an SftRecipe. Out: an Assembly.
"""

from collections.abc import Iterable
from typing import Any

from hanpuri.data.chats import ChatTemplate, choose_template
from hanpuri.data.examples import Counts, Example, iterate_examples
from hanpuri.data.packing import pack_examples
from hanpuri.data.records.records import Record
from hanpuri.data.templates import Template
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import DataError
from hanpuri.training.assembling.assembly import Assembly, Measures, Report, answer_scorers, counted, load
from hanpuri.training.assembling.inputs import tokenizer_place
from hanpuri.training.feeding.datasets import from_examples, from_packs
from hanpuri.training.feeding.rows import draw_rows, open_training_rows, render_rows
from hanpuri.training.feeding.shares import SourceTally
from hanpuri.training.loading.models import check_tokenizer
from hanpuri.training.recipe import SftRecipe


def assemble_rows(recipe: SftRecipe, *, device: str, measures: Measures, report: Report) -> Assembly:
    """Render the rows, and load the network."""
    tokenizer = load_tokenizer(tokenizer_place(recipe))
    template = choose_template(recipe.examples.template, tokenizer, recipe.examples.train_on)
    rows = open_training_rows(recipe.data, recipe.seed, recipe.examples.faults)
    watched = draw_rows(rows.validation(), recipe.watch.evaluation_rows, recipe.seed)
    counts, tally = Counts(), SourceTally(rows.mixture)
    train = _lay_out(recipe, counted(rows.train(), report), template, tokenizer, counts, tally)
    counts.leave_out(rows.left_out())
    if not len(train):
        raise DataError(f"{recipe.data.title}: found no row to train on", "see one: hanpuri templates show")
    model = load(recipe, train, device)
    check_tokenizer(model.config, tokenizer)
    return Assembly(
        model=model,
        tokenizer=tokenizer,
        template=template,
        form=rows.form,
        train=train,
        validation=_lay_out(recipe, watched, template, tokenizer, Counts(), SourceTally(None)),
        scorers=answer_scorers(recipe, watched, template, tokenizer, measures),
        packed=recipe.packing,
        counts=counts,
        shares=tally.shares(),
        notes=tally.notes(),
    )


def _lay_out(
    recipe: SftRecipe,
    records: Iterable[Record],
    template: Template | ChatTemplate,
    tokenizer: Tokenizer,
    counts: Counts,
    tally: SourceTally,
) -> Any:
    """Make the examples of rows, and packs of them if the recipe says so, as a Dataset."""
    made = iterate_examples(render_rows(template, records), tokenizer, recipe.examples, counts)
    examples = tally.passing(made, _sizes)
    if recipe.packing:
        return from_packs(pack_examples(list(examples), recipe.examples.max_length))
    return from_examples(examples)


def _sizes(example: Example) -> tuple[int, int]:
    return len(example), example.num_trained
