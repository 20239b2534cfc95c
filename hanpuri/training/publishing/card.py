"""
The model card of what is published, written from what the run wrote down.

In: the run, the proof, what was converted. Out: README.md: a YAML head for the hub, then what a reader asks:

    what it is · base, licence · data with hashes · how to ask it · method · scores · the proof · how to load · limits

Only what was measured stands in it; what was not is said to be not. File names are given without the folders above.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hanpuri.data.chats import ChatTemplate
from hanpuri.recipe import dump_recipe
from hanpuri.runs.folder import starts_of
from hanpuri.training.publishing.building import Asked, Proof
from hanpuri.training.publishing.chat_template import ChatForm
from hanpuri.training.publishing.gguf import Converted
from hanpuri.training.publishing.origin import Origin
from hanpuri.training.publishing.parity import TOLERANCE, TYPICAL, Comparison
from hanpuri.training.recipe import DpoRecipe, GrpoRecipe, PretrainRecipe, RlooRecipe, TrainRecipe

if TYPE_CHECKING:
    from jinja2 import Template

HUB_NAME_PARTS = 2
FACTS = (
    *("steps", "best_step", "epochs", "train_rows", "sources"),
    *("parameters", "trainable_parameters", "device", "seconds"),
)
"""What of the run's result is told; a run may have left some of it out."""
TASKS = {
    "pretrain": "Pre-trained",
    "sft": "Fine-tuned",
    "dpo": "Tuned to pairs of answers (direct preference optimisation)",
    "grpo": "Tuned by rewards for its own answers (GRPO)",
    "rloo": "Tuned by rewards for its own answers (RLOO)",
}
METHODS = {
    "full": "all weights trained",
    "lora": "LoRA, merged",
    "qlora": "QLoRA (LoRA on a base held in 4 bits), merged",
    "scratch": "pre-trained from random weights",
}


@dataclass(frozen=True)
class Card:
    """What a card is written from."""

    origin: Origin
    asked: Asked
    proof: Proof
    chat: ChatForm
    converted: tuple[Converted, ...]
    license: str | None
    title: str
    """The repository's name, or the folder's."""


def write_card(card: Card) -> str:
    """Write README.md."""
    recipe = card.origin.recipe
    return _template().render(
        head=_head(card),
        card=card,
        recipe=recipe,
        result={**dict.fromkeys(FACTS), **card.origin.result},
        task=TASKS[recipe.kind],
        preferences=_preferences(card.origin),
        is_text=isinstance(recipe, PretrainRecipe),
        method=METHODS[card.origin.method],
        data=_data(card.origin.environment),
        libraries=_libraries(card.origin.environment),
        question=card.proof.questions[0],
        template=_template_name(card),
        typical_limit=f"{TYPICAL:.0f}",
        tolerance=f"{TOLERANCE:.0f}",
        comparisons=list(_comparisons(card.proof)),
        settings=_without_folders(dump_recipe(recipe), recipe).strip(),
        scores=card.origin.result.get("scores") or {},
    )


def read_license(origin: Origin) -> str | None:
    """Read the licence of the base from the head of its model card; None if it does not say."""
    card = (origin.base or origin.weights) / "README.md"
    if not card.is_file():
        return None
    head = card.read_text(encoding="utf-8", errors="replace").split("---\n")
    try:
        fields = yaml.safe_load(head[1]) if len(head) > 2 and not head[0].strip() else None
    except yaml.YAMLError:
        return None
    license = fields.get("license") if isinstance(fields, dict) else None
    return license if isinstance(license, str) else None


def _preferences(origin: Origin) -> str:
    """Say what preferences or rewards were learnt, and what it stayed near to; "" for the kinds that have none."""
    recipe = origin.recipe
    if isinstance(recipe, DpoRecipe):
        told = recipe.dpo
        return f"Loss: {' and '.join(told.loss)}, beta {told.beta:g}. Reference: {_reference(recipe)}."
    if not isinstance(recipe, GrpoRecipe | RlooRecipe):
        return ""
    beta = (recipe.grpo if isinstance(recipe, GrpoRecipe) else recipe.rloo).beta
    rewards = ", ".join(f"{term.title} × {term.weight:g}" for term in recipe.rewards)
    near = f"beta {beta:g}, reference: {_reference(recipe)}" if beta else "no reference"
    return f"Rewards: {rewards}; {recipe.sampling.answers} answers a prompt; {near}."


def _reference(recipe: TrainRecipe) -> str:
    """Name what the model was kept near to."""
    if recipe.adapter:
        path = recipe.adapter.path
        return f"the adapter {_tail(path)} as it was before the first step" if path else "the base without the adapter"
    other = recipe.dpo.reference if isinstance(recipe, DpoRecipe) else None
    return f"`{_tail(other)}`" if other else "the model as it was before the first step"


def _head(card: Card) -> str:
    recipe, base = card.origin.recipe, card.origin.base_name
    fields: dict[str, Any] = {"language": ["ko"], "library_name": "transformers", "pipeline_tag": "text-generation"}
    fields["license"] = card.license or "unknown"
    if base.count("/") == HUB_NAME_PARTS - 1:  # the hub takes no other name
        fields |= {"base_model": base, "base_model_relation": "finetune"}
    fields["tags"] = ["hanpuri", recipe.kind, card.origin.method]
    return yaml.safe_dump(fields, allow_unicode=True, sort_keys=False).strip()


def _data(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the data files that the run was started with, without the folders of that machine."""
    return [(_tail(path), digest) for path, digest in (environment.get("data") or {}).items()]


def _libraries(environment: Mapping[str, Any]) -> str:
    start = next(iter(starts_of(environment)), {})
    versions = {"python": start.get("python"), **(start.get("libraries") or {})}
    return ", ".join(
        f"{name} {version}" for name, version in versions.items() if version not in (None, "not installed")
    )


def _tail(path: str) -> str:
    """Name a file by its last two parts."""
    return "/".join(part for part in Path(path).parts[-2:] if part != "/")


def _template_name(card: Card) -> str:
    template = card.asked.prompting.template
    return "its own chat template" if isinstance(template, ChatTemplate) else f"the template `{template.name}`"


def _comparisons(proof: Proof) -> Sequence[tuple[str, Comparison, bool]]:
    """Name what was compared, and whether it had to be equal."""
    named = (
        ("merged, in memory", proof.merged, True),
        ("this folder, loaded by transformers", proof.exported, True),
        ("the base without the adapter", proof.effect, False),
        ("the adapter on the 4-bit base of the training", proof.quantized, False),
    )
    return [(name, one, judged) for name, one, judged in named if one is not None]


def _without_folders(text: str, recipe: Any) -> str:
    """Take the folders of the machine out of a recipe: absolute paths are written by their last two parts."""
    for path in {str(value) for value in _paths(json.loads(recipe.model_dump_json()))}:
        text = text.replace(path, _tail(path))
    return text


def _paths(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [path for inner in value.values() for path in _paths(inner)]
    if isinstance(value, list):
        return [path for inner in value for path in _paths(inner)]
    return [value] if isinstance(value, str) and Path(value).is_absolute() and len(Path(value).parts) > 2 else []


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # Markdown
    )
    return environment.get_template("card.md.j2")
