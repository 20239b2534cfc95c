"""
A model + AdapterSettings ─► the model frozen, with small matrices beside it that learn (LoRA, by PEFT).

In: a PreTrainedModel, `{r: 16, alpha: 32, target_modules: all-linear}`. Out: a PeftModel. Its folder, as `save_adapter`
writes it and `load_adapter` reads it:

    adapter_config.json         {"base_model_name_or_path": "Qwen/Qwen3-0.6B", "r": 16, …}
    adapter_model.safetensors   base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight  (16, 1024)  …

A base that is a folder is named by its absolute path, so that the adapter is found from anywhere on this machine; a
model of the hub by its name, so that it is found on every machine.
"""

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.errors import ModelError, RecipeError
from hanpuri.training.loading.hardware import import_bitsandbytes
from hanpuri.training.loading.lora import OUTPUTS, REWARDS, embedding_names, gives_rewards, make_lora
from hanpuri.training.loading.models import (
    ADAPTER,
    DOWNLOAD,
    check_weights,
    find_download,
    model_place,
    quiet_loading,
    read_shapes,
)
from hanpuri.training.recipe import AdapterSettings

WEIGHTS = "adapter_model"
EMBEDDINGS = ("embed_tokens", "embed_in", *OUTPUTS)
log = logging.getLogger("hanpuri.training")


@dataclass(frozen=True)
class Parameters:
    """How many numbers a model has in all, and how many of them learn."""

    all: int
    trainable: int


def attach_adapter(model: Any, settings: AdapterSettings, seed: int) -> Any:
    """
    Freeze a model and lay an adapter beside it: a new one, or the one that `settings.path` names.

    A model in 4 bits is prepared for it first, as PEFT does. An adapter that goes on keeps its own rank, modules and
    dropout: it could not be read otherwise.

    Args:
        model: a PreTrainedModel; it is changed in place.
        settings: what the recipe says.
        seed: decides the new matrices.

    Raises:
        RecipeError: if a module that it names is not in the model.
        ModelError: if the adapter to go on with is none, or belongs to another model.
    """
    import torch
    from peft import get_peft_model, prepare_model_for_kbit_training

    import_bitsandbytes()
    config = make_lora(model, settings) if settings.path is None else None
    if getattr(model, "is_loaded_in_4bit", False):  # checkpointing is decided by `training`, not here
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if config:
            return get_peft_model(model, config)
        adapted = load_adapter(model, str(settings.path), learns=True)
    if hasattr(adapted.get_output_embeddings(), "lora_A"):  # the loss is computed past it
        found = f"{settings.path}: found an adapter of the layer that writes tokens, which could not go on learning"
        raise ModelError(found, "begin a new adapter, or merge this one first: hanpuri publish")
    _tell_differences(adapted.peft_config["default"], settings)
    return adapted


def load_adapter(model: Any, path: str | Path, *, learns: bool = False) -> Any:
    """
    Lay a saved adapter beside its base.

    If the adapter brings embeddings for more tokens than the base has, because it was trained with new ones, the base
    gets as many rows first; they are the adapter's from then on.

    Args:
        model: the base.
        path: the adapter's folder, or that of its run.
        learns: whether it goes on learning.

    Raises:
        ModelError: if there is no such adapter, it is not whole, or it belongs to another model.
    """
    from peft import PeftModel

    import_bitsandbytes()
    folder = adapter_place(path)
    check_base(model, folder)
    rows = _embedding_rows(folder)
    if rows and rows != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(rows, mean_resizing=False)
    with quiet_loading(), warnings.catch_warnings():
        warnings.filterwarnings("error", "Found missing adapter keys")  # PEFT goes on with random ones
        try:
            adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=learns)
        except (UserWarning, RuntimeError, ValueError) as error:
            told = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"{folder}: cannot be read as an adapter of this model ({told})", DOWNLOAD) from None
    adapted.peft_config["default"].base_model_name_or_path = model.name_or_path
    return adapted


def save_adapter(model: Any, folder: Path) -> None:
    """
    Save an adapter so that it names its base as anybody would look for it.

    PEFT alone would ask the hub whether the base has other embeddings; here those that learnt are saved in any case.
    """
    # Preference training lays a frozen copy beside it, which is nobody's result.
    model.save_pretrained(folder, save_embedding_layers=False, selected_adapters=["default"])
    path = folder / ADAPTER
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["base_model_name_or_path"] = base_name(model.name_or_path)
    path.write_text(json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def base_name(place: str) -> str:
    """
    Name a model's place as an adapter keeps it: a download by its name on the hub, another folder by its whole path.

        >>> base_name("/cache/hub/models--Qwen--Qwen3-0.6B/snapshots/c1899de")
        'Qwen/Qwen3-0.6B'
        >>> base_name("/data/runs/first/model")
        '/data/runs/first/model'
    """
    folder = Path(place)
    if folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--"):
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
    return str(folder.absolute())


def adapter_place(path: str | Path) -> Path:
    """
    Find an adapter's folder: the folder itself, adapter/ of a run, or where a download from the hub lies.

    Raises:
        ModelError: if there is none, or its weights are not whole.
    """
    for place in (Path(path), Path(path) / "adapter", find_download(str(path), ADAPTER)):
        if place and (place / ADAPTER).is_file():
            check_weights(place, WEIGHTS)
            return place.absolute()
    if Path(path).is_dir():
        raise ModelError(f"{path}: found no {ADAPTER} in this folder", "give the folder of an adapter")
    raise ModelError(f"{path}: found no such folder, expected one with an adapter", "check adapter.path")


def read_base(folder: Path, *, rewards: bool = False) -> str:
    """
    Read which model an adapter was trained on: an absolute path, or a name on the hub.

    Args:
        folder: the adapter's.
        rewards: whether it has to make a reward model of its base, and not a model that writes text.

    Raises:
        ModelError: if its adapter_config.json is damaged or does not tell, or it is an adapter of the other sort.
    """
    try:
        fields = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
        base, task = fields["base_model_name_or_path"], fields.get("task_type")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        base, task = None, None
    if not isinstance(base, str) or not base:
        raise ModelError(f"{folder}/{ADAPTER}: found no base_model_name_or_path", "write the name of its base there")
    if (task == REWARDS) != rewards:
        sorts = "a reward model's adapter", "an adapter of a model that writes text"
        found, expected = sorts if task == REWARDS else sorts[::-1]
        mend = "train one with a recipe of `kind: reward`" if rewards else "it gives scores: hanpuri score"
        raise ModelError(f"{folder}: found {found}, expected {expected}", mend)
    return base


def check_base(model: Any, folder: Path) -> None:
    """
    See that an adapter belongs to a model: by the name that it gives, and by the shapes of its matrices.

    Raises:
        ModelError: if it does not.
    """
    check_base_name(model.name_or_path, folder, rewards=gives_rewards(model))
    for name, shape in sorted(_shapes(folder).items()):
        _check_fit(model, folder, name, shape)


def check_base_name(loaded: str, folder: Path, *, rewards: bool = False) -> None:
    """
    See that an adapter belongs to the model of a name, which need not be loaded for it.

    Raises:
        ModelError: if it does not.
    """
    base = read_base(folder, rewards=rewards)
    if not _same_base(base, loaded):
        raise ModelError(
            f"{folder}: found an adapter for {base}, expected one for {base_name(loaded)}",
            f"give model.path: {base}, or if it was only moved, correct base_model_name_or_path in its {ADAPTER}",
        )


def check_new_tokens(model: Any, settings: AdapterSettings) -> None:
    """
    See that embeddings will learn; to be asked if the tokenizer got new tokens, which else would mean nothing for ever.

    Raises:
        RecipeError: if `modules_to_save` does not name them. To be adapted is not enough: their first values are in no
            file then.
    """
    frozen = [name for name in embedding_names(model) if name not in settings.modules_to_save]
    if frozen:
        raise RecipeError(
            f"tokenizer.extend adds tokens, and the adapter leaves their embeddings ({', '.join(frozen)}) as they are",
            f"write adapter.modules_to_save: [{', '.join(embedding_names(model))}]",
        )


def count_parameters(model: Any) -> Parameters:
    """Count a model's numbers; those in 4 bits are counted as what they stand for, not as the bytes that hold them."""
    everything = [(_size(parameter), parameter.requires_grad) for parameter in model.parameters()]
    return Parameters(sum(size for size, _ in everything), sum(size for size, learns in everything if learns))


def _size(parameter: Any) -> int:
    state = getattr(parameter, "quant_state", None)
    return int(state.shape.numel() if state is not None else parameter.numel())


def _tell_differences(found: Any, settings: AdapterSettings) -> None:
    """Say where the recipe asks for another shape than the adapter has that it goes on with."""
    have = {"r": found.r, "alpha": found.lora_alpha, "dropout": found.lora_dropout}
    have |= {"rslora": found.use_rslora, "dora": found.use_dora}
    for key in sorted(settings.model_fields_set & have.keys()):
        if (wish := getattr(settings, key)) != have[key]:
            log.warning("adapter.%s is %s; the adapter that goes on has %s, which counts", key, wish, have[key])


def _same_base(base: str, loaded: str) -> bool:
    """Tell whether two names mean one model: the same place, or, where one is not here, the same last name."""
    try:
        return model_place(base).resolve() == model_place(loaded).resolve()
    except ModelError:
        return _title(base) == _title(base_name(loaded))


def _title(base: str) -> str:
    path = Path(base)
    return (path.parent.name if path.name == "model" else path.name).casefold()


def _check_fit(model: Any, folder: Path, name: str, shape: tuple[int, ...]) -> None:
    """Hold one matrix of an adapter against the module that it stands beside."""
    part, _, matrix = name.removeprefix("base_model.model.").partition(".lora_")
    if not matrix:
        return
    try:
        module = model.get_submodule(part)
    except AttributeError:
        raise ModelError(
            f"{folder}: found an adapter for {part}, which the model does not have", "take the model that it belongs to"
        ) from None
    inputs, outputs = getattr(module, "in_features", None), getattr(module, "out_features", None)
    wide, found = {"A.weight": (inputs, shape[-1]), "B.weight": (outputs, shape[0])}.get(matrix, (None, 0))
    if wide is not None and wide != found:
        raise ModelError(
            f"{folder}: found an adapter for a {part} of {found} numbers, and the model's has {wide}",
            "take the model that it belongs to",
        )


def _embedding_rows(folder: Path) -> int | None:
    """Find how many tokens the embeddings have that an adapter brings along, if it does."""
    whole = tuple(f".{name}.weight" for name in EMBEDDINGS)
    return next((shape[0] for name, shape in _shapes(folder).items() if name.endswith(whole)), None)


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    weights = folder / f"{WEIGHTS}.safetensors"
    return read_shapes(weights) if weights.is_file() else {}
