"""
The door of the room: a recipe of any kind ─► its Assembly.

In: a recipe, checked. Out: an Assembly, with the network on its device.
"""

from collections.abc import Sequence
from pathlib import Path

from hanpuri.training.assembling.assembly import Assembly, Measures, Report
from hanpuri.training.assembling.corpora import assemble_corpora
from hanpuri.training.assembling.rows import assemble_rows
from hanpuri.training.loading.models import model_place, read_config
from hanpuri.training.preflight.ahead import check_disk_early
from hanpuri.training.recipe import (
    DpoRecipe,
    PretrainRecipe,
    ReinforcementRecipe,
    RewardRecipe,
    SftRecipe,
    TrainRecipe,
)
from hanpuri.training.reinforcement.reward import Reward


def assemble(
    recipe: TrainRecipe,
    folder: Path,
    cache: Path,
    *,
    device: str,
    measures: Measures,
    rewards: Sequence[Reward] = (),
    report: Report = lambda *_: None,
) -> Assembly:
    """
    Read, render, load.

    Args:
        recipe: what to train.
        folder: the run's; a new tokenizer goes there.
        cache: where the tokens of corpora are kept, for other runs too; the run's checkpoints go on the same disk.
        device: where the network goes.
        measures: by what answers are scored.
        rewards: what answers are learnt by, of the kinds that learn from their own.
        report: is told how far the work is.

    Raises:
        DataError, ModelError, RecipeError: as the rooms that do this.
    """
    if isinstance(recipe, PretrainRecipe):
        return assemble_corpora(recipe, folder, cache, device=device)
    check_disk_early(recipe, read_config(model_place(str(recipe.model.path))), cache.parent / recipe.name, device)
    if isinstance(recipe, SftRecipe):
        return assemble_rows(recipe, device=device, measures=measures, report=report)
    if isinstance(recipe, RewardRecipe | DpoRecipe):
        from hanpuri.training.assembling.pairs import assemble_pairs

        return assemble_pairs(recipe, device=device, measures=measures, report=report)
    assert isinstance(recipe, ReinforcementRecipe)
    from hanpuri.training.assembling.prompts import assemble_prompts

    return assemble_prompts(recipe, folder, device=device, measures=measures, rewards=rewards, report=report)
