"""
The recipes of LLM training: one class a section, one sentence a field.

In: `kind: sft`, `model: {path: models/qwen3-0.6b}`, `adapter: {r: 16}` in a file. Out: the recipe of its kind, frozen:

    pretrain   next-token training on running text          kinds
    sft        questions and answers                        kinds
    reward     pairs of answers, of which one is better     preference
    dpo        the same pairs, for the model itself         preference
    grpo rloo  answers of its own, and a reward for each    reinforcement

`model`, `tokenizer`, `material` and `steps` hold the sections that they share.
"""

from hanpuri.recipe import Settings
from hanpuri.training.recipe.kinds import PretrainRecipe, SftRecipe, TrainRecipe
from hanpuri.training.recipe.material import CorporaSettings, CorpusSettings, RowsSettings
from hanpuri.training.recipe.model import (
    ALL_LINEAR,
    AdapterSettings,
    Architecture,
    ModelSettings,
    Precision,
    QuantizationSettings,
    RopeScalingSettings,
    ScratchSettings,
)
from hanpuri.training.recipe.preference import AskSettings, DpoRecipe, DpoSettings, RewardRecipe
from hanpuri.training.recipe.reinforcement import (
    GrpoRecipe,
    HackingSettings,
    ReinforcementRecipe,
    RewardTermSettings,
    RlooRecipe,
    SamplingSettings,
)
from hanpuri.training.recipe.steps import GenerationSettings, OptimizationSettings, WatchSettings
from hanpuri.training.recipe.tokenizer import ExtendTokenizerSettings, TokenizerSettings, TrainTokenizerSettings

__all__ = [
    "ALL_LINEAR",
    "KINDS",
    "AdapterSettings",
    "Architecture",
    "AskSettings",
    "CorporaSettings",
    "CorpusSettings",
    "DpoRecipe",
    "DpoSettings",
    "ExtendTokenizerSettings",
    "GenerationSettings",
    "GrpoRecipe",
    "HackingSettings",
    "ModelSettings",
    "OptimizationSettings",
    "Precision",
    "PretrainRecipe",
    "QuantizationSettings",
    "ReinforcementRecipe",
    "RewardRecipe",
    "RewardTermSettings",
    "RlooRecipe",
    "RopeScalingSettings",
    "RowsSettings",
    "SamplingSettings",
    "ScratchSettings",
    "SftRecipe",
    "TokenizerSettings",
    "TrainRecipe",
    "TrainTokenizerSettings",
    "WatchSettings",
]

KINDS: dict[str, type[Settings]] = {
    "pretrain": PretrainRecipe,
    "sft": SftRecipe,
    "reward": RewardRecipe,
    "dpo": DpoRecipe,
    "grpo": GrpoRecipe,
    "rloo": RlooRecipe,
}
