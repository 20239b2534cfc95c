"""
What would spoil a training in silence: found before it begins, all of it at once.

In: the figures of the rows, the recipe, the model's configuration. Out: Findings: faults, for which nothing is trained,
and warnings, which are said and kept. Two of them in one line:

    3 of 1,000 rows train no token, row 17 first: their loss is 0 and says nothing; …
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.templates import Template
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError, HanpuriError, ModelError, RecipeError
from hanpuri.training.loading.rope import reach
from hanpuri.training.preflight.rows import Figures
from hanpuri.training.prompting import FILE, Prompting, hash_template
from hanpuri.training.recipe import SftRecipe, TrainRecipe

# From these shares on it is said.
UNKNOWN, STOPLESS = 0.005, 0.1
MANY_TOKENS = 1.5
"""Tokens a character; Korean text in a tokenizer that has Korean pieces takes 0.4 to 0.8."""
MASK_MEND = "mend the rows or the template: hanpuri templates show"


@dataclass
class Findings:
    """What was found."""

    faults: list[HanpuriError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self) -> None:
        """
        Raise what was found: one fault as it is, several in one line.

        Raises:
            HanpuriError: of the kind of the first fault.
        """
        if not self.faults:
            return
        if len(self.faults) == 1:
            raise self.faults[0]
        told = "; ".join(f"{number}. {fault}" for number, fault in enumerate(self.faults, 1))
        raise type(self.faults[0])(f"found {len(self.faults)} faults: {told}", "mend all of them")


def check_mask(figures: Figures, findings: Findings) -> None:
    """Look for rows that teach nothing: their loss looks like any other."""
    untrained = figures.untrained_rows
    if untrained and len(untrained) == figures.looked_at:
        findings.faults.append(DataError(f"none of the {figures.rows:,} rows trains a token", MASK_MEND))
        return
    if untrained:
        found = f"{len(untrained):,} of {figures.looked_at:,} rows train no token, row {untrained[0]} first"
        findings.faults.append(DataError(found, MASK_MEND))
    if figures.wrong_labels:
        found = f"{figures.wrong_labels:,} labels are another token than the one that stands there"
        findings.faults.append(DataError(found, "labels are the tokens themselves; trainers move them by one"))
    if figures.distinct <= 1:
        findings.faults.append(DataError("every row trains the same token, and no other", MASK_MEND))


def check_stop(figures: Figures, prompting: Prompting, tokenizer: Tokenizer, model: Any, findings: Findings) -> None:
    """Look whether the model learns to end its answers, and with a token at which generation stops."""
    stops = [tokenizer.piece(id) for id in prompting.stop_ids]
    if not prompting.stop_ids:
        findings.faults.append(ModelError(f"the tokenizer {tokenizer.name} has no token to end with", "give it an eos"))
        return
    if not figures.stops:
        why = ", though it stands there: is it taken for padding?" if figures.masked_stops else ""
        found = f"no row trains a token that ends an answer ({' or '.join(stops)}){why}"
        findings.faults.append(DataError(found, "a model trained so never stops; " + MASK_MEND))
    elif (without := figures.texts - figures.stops) > STOPLESS * figures.texts:
        findings.warnings.append(
            f"{without:,} of {figures.texts:,} answers train no stop token (cut at max_length?): the model may not stop"
        )
    ends = _ends(model)
    if ends and not ends & set(prompting.stop_ids):
        found = f"generation stops at {_named(ends, tokenizer)}, and the answers end in {' or '.join(stops)}"
        mend = f"write eos_token_id: {prompting.stop_ids[0]} in the model's generation_config.json"
        findings.faults.append(ModelError(found, mend))
    elif ends and prompting.stop_ids[0] not in ends:
        findings.warnings.append(
            f"answers end in {stops[0]}, and other programs stop this model at {_named(ends, tokenizer)}"
        )


def _ends(model: Any) -> set[int]:
    """Give the tokens at which the model's own settings stop."""
    for place in (getattr(model, "generation_config", None), model.config.get_text_config()):
        told = getattr(place, "eos_token_id", None)
        if told is not None:
            return {told} if isinstance(told, int) else set(told)
    return set()


def _named(ids: Iterable[int], tokenizer: Tokenizer) -> str:
    return " or ".join(tokenizer.piece(id) for id in sorted(ids))


def check_template(recipe: TrainRecipe, template: Template | ChatTemplate, findings: Findings) -> None:
    """Compare the template with the one that the adapter or the model was trained with before."""
    from hanpuri.training.loading.adapters import adapter_place
    from hanpuri.training.loading.models import model_place

    findings.warnings.extend(f"template {template.name}: {note}" for note in template.notes)
    if not isinstance(recipe, SftRecipe):
        return
    if recipe.adapter and recipe.adapter.path:
        place = adapter_place(recipe.adapter.path)
        if _trained_with_another(place, template):
            found = f"{place}: the adapter was trained with another template than {template.name}"
            mend = f"give examples.template the one that {FILE} there holds, or begin a new adapter"
            findings.faults.append(RecipeError(found, mend))
    place = model_place(str(recipe.model.path))
    if _trained_with_another(place, template):
        findings.warnings.append(
            f"{place.name} was trained with another template than {template.name}: what it learnt in it may be lost"
        )


def _trained_with_another(place: Path, template: Template | ChatTemplate) -> bool:
    path = place / FILE
    if not path.is_file():
        return False
    try:
        kept = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    if not isinstance(kept, dict) or kept.get("form") == "text":  # running text: nothing was asked yet
        return False
    told = kept.get("sha256")
    return bool(told) and told != hash_template(template)


def check_text(figures: Figures, tokenizer: Tokenizer, findings: Findings) -> None:
    """Look whether the tokenizer knows the language of the rows."""
    tokens = max(1, figures.tokens * figures.looked_at // max(1, figures.rows))
    if (share := figures.unknown / tokens) > UNKNOWN:
        findings.warnings.append(f"{share:.1%} of the tokens are unknown to {tokenizer.name}, and are lost")
    if figures.tokens_per_character > MANY_TOKENS:
        findings.warnings.append(
            f"{figures.tokens_per_character:.1f} tokens a character: the tokenizer {tokenizer.name} hardly knows this"
            " language, training and answers are slow"
        )


def check_length(figures: Figures, config: Any, findings: Findings) -> None:
    """Look whether the model has a position for each token."""
    positions = reach(config)
    if positions and figures.longest > positions:
        found = f"the longest row has {figures.longest:,} tokens, and the model {positions:,} positions"
        findings.faults.append(ModelError(found, "lower max_length, or set model.rope_scaling"))


def check_settings(recipe: TrainRecipe, steps: int, num_validation: int, findings: Findings) -> None:
    """Look for settings that do nothing with so many steps and rows."""
    watch, training = recipe.watch, recipe.training
    if watch.evaluate_every > steps and num_validation:
        findings.warnings.append(
            f"watch.evaluate_every {watch.evaluate_every:,} is over the {steps:,} steps: one evaluation, at the end"
        )
    warmup = int(training.warmup if training.warmup >= 1 else training.warmup * steps)
    if warmup >= steps and training.warmup >= 1:
        findings.warnings.append(
            f"training.warmup {warmup:,} is not under the {steps:,} steps: the learning rate never reaches its peak"
        )
    if not num_validation:
        if watch.best_by != "loss" or watch.early_stopping:
            wish = f"watch.best_by {watch.best_by}" if watch.best_by != "loss" else "watch.early_stopping"
            found = f"{wish} needs rows to watch by, and there are none"
            findings.faults.append(RecipeError(found, "give data.validation, or take it out"))
        else:
            findings.warnings.append("there are no rows to watch by: the last step is kept, overfitting is not seen")


def check_common(common: int, num_validation: int, findings: Findings, *, paired: bool = False) -> None:
    """Look for rows to watch by that are trained on, too; of pairs, for prompts that are."""
    if common:
        share = "all" if common == num_validation else f"{common:,} of"
        rows = "pairs to watch by have a prompt that is" if paired else "rows to watch by are"
        findings.warnings.append(
            f"{share} {num_validation:,} {rows} trained on, too: the scores will be better than the model"
        )
