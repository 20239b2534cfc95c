"""
AdapterSettings + a model ─► what PEFT is told, once every name in the settings was found in the model.

In: `{target_modules: [q_proj, v_prj]}` and a llama. Out: a LoraConfig, or here one line:

    adapter.target_modules: found no linear module v_prj in the model; did you mean v_proj?
"""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from hanpuri.errors import RecipeError
from hanpuri.training.recipe import ALL_LINEAR, AdapterSettings

OUTPUTS = ("lm_head", "embed_out")
REWARDS = "SEQ_CLS"
"""How PEFT calls what a reward model does; such an adapter brings the head, which learns as a whole."""


def make_lora(model: Any, settings: AdapterSettings) -> Any:
    """
    Write PEFT's configuration of a new adapter for a model.

    In a model that sees pictures too, only the part that writes text is adapted.

    Raises:
        RecipeError: if a module that the settings name is not in the model, or cannot learn as told.
    """
    from peft import LoraConfig

    _check_modules(model, settings)
    whole, alpha = list(settings.modules_to_save), settings.alpha
    targets = settings.target_modules
    return LoraConfig(
        task_type=REWARDS if gives_rewards(model) else "CAUSAL_LM",
        r=settings.r,
        lora_alpha=int(alpha) if alpha == int(alpha) else alpha,  # engines read a whole number as one
        lora_dropout=settings.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        modules_to_save=whole or None,
        exclude_modules=_beside_the_text(model),
        use_rslora=settings.rslora,
        use_dora=settings.dora,
        ensure_weight_tying=_ties_embeddings(model, settings),
    )


def gives_rewards(model: Any) -> bool:
    """Tell a reward model from one that writes text: it has a head of its own, and no output for tokens."""
    from torch import nn

    return isinstance(getattr(model, "score", None), nn.Module)


def embedding_names(model: Any) -> list[str]:
    """List the matrices that have a row for each token, as `modules_to_save` would name them; a shared one once."""
    reading, writing = model.get_input_embeddings(), model.get_output_embeddings()
    both = [reading] if writing is None or writing.weight is reading.weight else [reading, writing]
    names = {id(module): name for name, module in model.named_modules()}
    return [names[id(module)].rpartition(".")[2] for module in both]


def _beside_the_text(model: Any) -> str | None:
    """Give a pattern of the modules that have nothing to do with text, if the model is one of several senses."""
    if model.config.get_text_config() is model.config:
        return None
    text = next(name for name, module in model.named_modules() if module is model.get_decoder())
    return rf"(?!{re.escape(text)}\.).*"


def _named(settings: AdapterSettings) -> tuple[str, ...]:
    return () if isinstance(settings.target_modules, str) else settings.target_modules


def _check_modules(model: Any, settings: AdapterSettings) -> None:
    """See that each module that the recipe names is one of the model, and one that can be adapted."""
    from torch import nn

    modules = dict(model.named_modules())
    adaptable = [name for name, module in modules.items() if isinstance(module, nn.Linear | nn.Embedding)]
    for setting, names, among in (
        ("target_modules", _named(settings), adaptable),
        ("modules_to_save", settings.modules_to_save, [name for name in modules if name]),
    ):
        for name in names:
            if not _ending_in(name, among):
                raise RecipeError(
                    f"adapter.{setting}: found no {'linear ' if among is adaptable else ''}module {name} in the model",
                    _suggest(name, among, setting),
                )


def _ties_embeddings(model: Any, settings: AdapterSettings) -> bool:
    """
    Tell whether one matrix for reading and writing tokens learns as a whole, and so has to stay one.

    Raises:
        RecipeError: if it would not: if it is to be adapted, which merging would do twice, or if PEFT does not know it
            by its name.
    """
    names = embedding_names(model)
    shared = {*names, *OUTPUTS} if len(names) == 1 and model.get_output_embeddings() is not None else set()
    found = f"the model reads and writes tokens with one matrix ({names[0]})"
    if adapted := shared & set(_named(settings)):
        mend = f"take {', '.join(sorted(adapted))} out of adapter.target_modules; to learn it whole, save it"
        raise RecipeError(f"{found}, which cannot be adapted", f"{mend}: adapter.modules_to_save: [{names[0]}]")
    if (names[-1] in _named(settings)) and len(names) > 1:
        # The loss is computed from its weights alone, past any adapter.
        found = f"adapter.target_modules: {names[-1]} writes the tokens, and can only learn as a whole"
        raise RecipeError(found, f"take it out, or save it: adapter.modules_to_save: [{names[-1]}]")
    whole = shared & set(settings.modules_to_save)
    if whole and names != ["embed_tokens"]:
        mend = f"take {', '.join(sorted(whole))} out of adapter.modules_to_save, or train the whole model"
        raise RecipeError(f"{found}, and PEFT would make it two", mend)
    return bool(whole)


def _ending_in(name: str, names: Iterable[str]) -> bool:
    return any(full == name or full.endswith(f".{name}") for full in names)


def _suggest(name: str, names: Iterable[str], setting: str) -> str:
    last = dict.fromkeys(full.rpartition(".")[2] for full in names)
    words = [word for word in last if not word.isdecimal()]
    if near := difflib.get_close_matches(name, words, n=1):
        return f"did you mean {near[0]}?"
    if setting == "target_modules":
        return f"take {ALL_LINEAR}, or some of {', '.join(words)}"
    return "take the last part of a module's name, such as embed_tokens"
