"""
A run's folder ─► what there is to publish: adapter or whole model, its base, and what the run wrote down about them.

In: `runs/faq-qlora`. Out: an Origin, or one line on what is missing or was changed since:

    Origin(weights=runs/faq-qlora/adapter, base=models/qwen3-0.6b, recipe=SftRecipe(…), result={"steps": 1200, …})

The base may have moved or changed since the training; an adapter on another base is another model. So the run's
`environment.json` may hold a fingerprint of the base (`hashes: {base: …}`), and it is compared.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from hanpuri.errors import ModelError
from hanpuri.recipe import read_recipe
from hanpuri.training.loading.adapters import read_base
from hanpuri.training.loading.models import model_place
from hanpuri.training.recipe import KINDS, RewardRecipe, TrainRecipe

Precision = Literal["fp32", "bf16", "fp16"]
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
BASE = "base"
"""Under which key the run keeps the base's fingerprint."""
SAMPLES, SAMPLE_BYTES = 64, 1 << 16


@dataclass(frozen=True)
class Origin:
    """What a run has to offer. Made by `open_origin`."""

    folder: Path
    recipe: TrainRecipe
    result: Mapping[str, Any]
    environment: Mapping[str, Any]
    weights: Path
    """The run's `adapter` or `model` folder."""
    base: Path | None
    """The model that the adapter goes on; None for a whole model."""
    base_name: str
    """As the recipe names it, without folders above."""
    notes: tuple[str, ...]
    """What is not as it should be, and yet no reason to refuse."""

    @property
    def merges(self) -> bool:
        """Whether there is an adapter to merge."""
        return self.base is not None

    @property
    def method(self) -> str:
        """full, lora, qlora or scratch."""
        if self.recipe.model.scratch:
            return "scratch"
        if not self.merges:
            return "full"
        return "qlora" if self.recipe.model.quantization else "lora"

    @property
    def precision(self) -> Precision:
        """
        What merged weights are held in: fp32 or fp16 if the base was so in training, else bf16.

        A 4-bit base is merged in bf16, from the weights that it was quantised from: merging into the 4-bit ones would
        add the quantisation error to the model for good.
        """
        settings = self.recipe.model
        if settings.quantization:
            return "bf16"
        if (held := self.result.get("weights")) in get_args(Precision):
            return cast(Precision, held)
        for setting in (settings.weights, settings.precision):
            if setting != "auto":
                return setting
        return "bf16" if str(self.result.get("device", "cpu")).startswith("cuda") else "fp32"


def open_origin(folder: Path) -> Origin:
    """
    Open a run to publish it.

    Raises:
        RecipeError: if its recipe cannot be read, or is of another kind.
        ModelError: if it trains no model that answers, has not trained to one yet, or the base is gone or another one
            than in training.
    """
    if not (folder / "recipe.yaml").is_file():
        raise ModelError(f"{folder}: found no recipe.yaml, expected the folder of a run", _runs_beside(folder))
    recipe = cast(TrainRecipe, read_recipe(folder / "recipe.yaml", KINDS))
    if isinstance(recipe, RewardRecipe):
        found = f"{folder}: found a reward model, expected one that answers"
        raise ModelError(found, f"score with it as it is: hanpuri score FILE --model {folder}")
    weights = next((folder / name for name in ("adapter", "model") if _holds_weights(folder / name)), None)
    if weights is None:
        raise ModelError(
            f"{folder}: found neither adapter/ nor model/ with weights, expected one: the run has not come to its end",
            "go on with it: the same `hanpuri train` command",
        )
    result, environment = _read_json(folder / "result.json"), _read_json(folder / "environment.json")
    notes = [] if result.get("finished") else ["the run had not come to its end when this model was published"]
    base, name = None, str(recipe.model.path or "")
    if weights.name == "adapter":
        name = read_base(weights)
        base = model_place(name)
        notes += _check_base(base, environment.get("hashes", {}).get(BASE), folder)
    return Origin(folder, recipe, result, environment, weights, base, _short(name), tuple(notes))


def fingerprint(folder: Path) -> str:
    """
    Tell a model from any other by its config and samples of its weights: a second for a file of any size.

    Of each file of weights the size, the header and blocks spread over it are hashed. What changes a few numbers only,
    and none of those blocks, is not seen; another model, another revision, a merge or a conversion is.

    Raises:
        ModelError: if the folder holds no weights.
    """
    digest = hashlib.sha256()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key not in ("transformers_version", "_name_or_path")}
    digest.update(json.dumps(kept, sort_keys=True).encode())
    files = list(weight_files(folder))
    if not files:
        raise ModelError(f"{folder}: found no weights, expected .safetensors files", "give the folder of a model")
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for place in sorted({size * part // SAMPLES for part in range(SAMPLES)}):
                file.seek(place)
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


def weight_files(folder: Path) -> Iterator[Path]:
    """List the files of weights in a model's folder: .safetensors, or the older kind if there are none."""
    for pattern in WEIGHTS:
        if files := sorted(folder.glob(pattern)):
            yield from files
            return


def _runs_beside(folder: Path) -> str:
    runs = sorted(path.parent.name for path in folder.parent.glob("*/recipe.yaml"))
    return f"there are {', '.join(runs[:5])}" if runs else "see `hanpuri runs`"


def _holds_weights(folder: Path) -> bool:
    return folder.is_dir() and any(weight_files(folder))


def _read_json(path: Path) -> dict[str, Any]:
    """Read what a run wrote; nothing if it wrote nothing yet."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise ModelError(f"{path}: not JSON", "the run's folder is damaged: copy it again") from None


def _check_base(base: Path, recorded: str | None, run: Path) -> list[str]:
    if recorded is None:
        return ["the run kept no fingerprint of its base: that the base is still the same was not checked"]
    if fingerprint(base) != recorded:
        raise ModelError(
            f"{base}: found another model than the one that {run.name} was trained on, by its fingerprint",
            "put the model back that the adapter was trained on",
        )
    return []


def _short(name: str) -> str:
    """Name a base as a reader elsewhere may know it: hub names whole, folders by their last part."""
    path = Path(name)
    return path.name if path.is_absolute() or path.exists() or name.count("/") != 1 else name
