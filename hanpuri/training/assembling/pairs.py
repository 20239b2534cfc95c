"""
Pairs of answers ─► pairs as tokens, how they are asked, and the network.

In: a RewardRecipe or a DpoRecipe. Out: an Assembly. A reward model is the network of its base with a new head; direct
preference optimisation goes on with the model itself:

    reward.yaml  ─►  Assembly(model=LlamaForSequenceClassification, train=Dataset(10,000), trainer=RewardLoop, …)
"""

from collections.abc import Iterable, Sequence
from typing import Any

from hanpuri.data.examples import Counts
from hanpuri.data.records.records import Record
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import DataError
from hanpuri.training.answering import answered_row, asked_row
from hanpuri.training.assembling.assembly import Assembly, Measures, Report, answer_scorers, counted, first_place, load
from hanpuri.training.assembling.inputs import prompting_of, tokenizer_place
from hanpuri.training.feeding.datasets import from_examples
from hanpuri.training.feeding.pairs import PairExample, chosen_examples, from_pairs, iterate_pairs
from hanpuri.training.feeding.rows import draw_rows, open_training_rows
from hanpuri.training.feeding.shares import SourceTally
from hanpuri.training.loading.adapters import attach_adapter
from hanpuri.training.loading.models import check_tokenizer, model_place, read_config
from hanpuri.training.loading.rewards import load_new_rewards, padding_id
from hanpuri.training.loading.rope import reach
from hanpuri.training.preflight.preflight import check_room
from hanpuri.training.prompting import Prompting
from hanpuri.training.publishing.origin import weight_files
from hanpuri.training.recipe import DpoRecipe, RewardRecipe

PairsRecipe = RewardRecipe | DpoRecipe


def assemble_pairs(recipe: PairsRecipe, *, device: str, measures: Measures, report: Report) -> Assembly:
    """
    Write the rows as tokens, and load the network.

    Raises:
        DataError, ModelError, RecipeError: if a row makes no pair, there is none, or the model cannot be loaded.
    """
    tokenizer = load_tokenizer(tokenizer_place(recipe))
    prompting = prompting_of(recipe, tokenizer)
    rows = open_training_rows(recipe.data, recipe.seed, recipe.examples.faults)
    watched = draw_rows(rows.validation(), recipe.watch.evaluation_rows, recipe.seed)
    counts, tally = Counts(), SourceTally(rows.mixture)
    made = iterate_pairs(counted(rows.train(), report), prompting, tokenizer, recipe.examples, counts)
    train = list(tally.passing(made, _sizes))
    counts.leave_out(rows.left_out())
    if not train:
        raise DataError(f"{recipe.data.title}: found no pair to train on", "give rows with prompt, chosen and rejected")
    held_out = list(iterate_pairs(watched, prompting, tokenizer, recipe.examples, Counts()))
    _check_lengths(recipe, [*train, *held_out])
    looked_at = from_examples(chosen_examples(train))
    model = _load(recipe, looked_at, tokenizer, prompting, device)
    check_tokenizer(model.config, tokenizer)
    asked = _as_asked(watched, prompting) if recipe.watch.generation else ()
    return Assembly(
        model=model,
        tokenizer=tokenizer,
        template=prompting.template,
        form=prompting.form,
        train=from_pairs(train),
        validation=from_pairs(held_out),
        scorers=answer_scorers(recipe, asked, prompting.template, tokenizer, measures),
        packed=False,
        counts=counts,
        shares=tally.shares(),
        notes=tally.notes(),
        trainer=_trainer(recipe),
    )


def _trainer(recipe: PairsRecipe) -> Any:
    if isinstance(recipe, RewardRecipe):
        from hanpuri.training.preference.reward import RewardLoop

        return RewardLoop
    from hanpuri.training.preference.dpo import DpoLoop

    return DpoLoop


def _load(recipe: PairsRecipe, looked_at: Any, tokenizer: Tokenizer, prompting: Prompting, device: str) -> Any:
    if isinstance(recipe, RewardRecipe):
        return _load_reward(recipe, looked_at, tokenizer, prompting, device)
    from hanpuri.training.preference.references import check_reference

    check_reference(recipe, tokenizer)
    return load(recipe, looked_at, device)


def _load_reward(recipe: RewardRecipe, looked_at: Any, tokenizer: Tokenizer, prompting: Prompting, device: str) -> Any:
    """Load the base with a new head, and with an adapter beside it if the recipe says so."""
    place = model_place(str(recipe.model.path))
    weight_bytes = sum(path.stat().st_size for path in weight_files(place))
    check_room(recipe, read_config(place), looked_at, device=device, weight_bytes=weight_bytes)
    model = load_new_rewards(
        recipe.model,
        learns_whole=recipe.adapter is None,
        device=first_place(recipe, device),
        seed=recipe.seed,
        pad_id=padding_id(tokenizer, prompting),
    )
    return attach_adapter(model, recipe.adapter, recipe.seed) if recipe.adapter else model


def _sizes(pair: PairExample) -> tuple[int, int]:
    return pair.num_tokens, len(pair.chosen_ids) + len(pair.rejected_ids)


def _check_lengths(recipe: PairsRecipe, pairs: Iterable[PairExample]) -> None:
    """See that both sides fit into the model; the pre-flight looks at the chosen one alone."""
    config = read_config(model_place(str(recipe.model.path)))
    positions = reach(config)
    if positions is None or recipe.model.rope_scaling:
        return  # of a scaled model nobody knows it before it is loaded
    for pair in pairs:
        longest = len(pair.prompt_ids) + max(len(pair.chosen_ids), len(pair.rejected_ids))
        if longest > positions:
            found = f"{pair.id}: found {longest:,} tokens, and the model has {positions:,} positions"
            raise DataError(found, "lower examples.max_length with too_long: drop, or set model.rope_scaling")


def _as_asked(records: Sequence[Record], prompting: Prompting) -> list[Record]:
    """Write pairs as questions with the chosen answer, so that what the model says to them can be scored."""
    rows = []
    for record in records:
        fields: Any = record.fields
        row = asked_row(fields["prompt"], str(fields.get("input") or ""), prompting)
        rows.append(record._replace(fields=dict(answered_row(row, str(fields["chosen"])))))
    return rows
