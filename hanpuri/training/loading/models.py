"""
A model's folder ─► a network in memory, checked before it is read.

In: `{path: runs/first}` of a recipe. Out: a PreTrainedModel, from the first of these that `path` is:

    models/qwen3-0.6b     a folder with config.json and weights
    runs/first            a run's folder: its model/
    Qwen/Qwen3-0.6B       a model of the hub that was downloaded before

Nothing is downloaded here, no hub is asked, and code that lies beside weights is never run.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import ModelError
from hanpuri.training.loading.hardware import import_bitsandbytes, resolve_weights
from hanpuri.training.loading.rope import scale_rope
from hanpuri.training.recipe import ModelSettings

ADAPTER = "adapter_config.json"
DOWNLOAD = "download or save it again"
Head = Literal["words", "reward", "new reward"]
HEADS: dict[Head, str] = {
    "words": "AutoModelForCausalLM",
    "reward": "AutoModelForSequenceClassification",
    "new reward": "AutoModelForSequenceClassification",
}
HEAD = "score.weight"
"""The one matrix of a reward model that no language model has."""
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def load_model(settings: ModelSettings, *, learns_whole: bool, device: str, head: Head = "words") -> Any:
    """
    Load a causal language model as the recipe says, in evaluation mode.

    Args:
        settings: with a `path`.
        learns_whole: whether all weights will learn; then `weights: auto` is float32.
        device: where it will run; weights go to a GPU at once, without standing in main memory as a whole.
        head: what stands on the network; see `rewards`, which asks for another one.

    Raises:
        ModelError: if there is no such model, it is not whole, or it is no causal language model.
        RecipeError: if its positions cannot be scaled as told.
    """
    import torch
    import transformers

    folder = model_place(str(settings.path))
    config = read_config(folder, rewards=head == "reward")
    check_weights(folder, "model")
    if head == "new reward":
        config.num_labels = 1
    if settings.rope_scaling:
        scale_rope(config, settings.rope_scaling)
    weights = resolve_weights(settings, device, learns_whole=learns_whole)
    how: dict[str, Any] = {"config": config, "dtype": getattr(torch, DTYPES[weights])}
    if settings.attention != "auto":
        how["attn_implementation"] = settings.attention
    if settings.quantization:
        how["quantization_config"] = _quantization(settings)
    if device.startswith("cuda") or settings.quantization:
        how["device_map"] = {"": device}
    with quiet_loading():
        try:
            model, told = getattr(transformers, HEADS[head]).from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, output_loading_info=True, **how
            )
        except (torch.OutOfMemoryError, MemoryError):
            mend = "take model.weights: bf16 or model.quantization, or a smaller model"
            raise ModelError(f"{folder}: found too little memory on {device} for the model's weights", mend) from None
        except Exception as error:  # each kind of damage is another exception there
            raise ModelError(f"{folder}: cannot be read as a model ({_first_line(error)})", DOWNLOAD) from None
    if lost := sorted(set(told["missing_keys"]) - ({HEAD} if head == "new reward" else set())):
        raise ModelError(f"{folder}: found no weights for {len(lost)} parts of the model, such as {lost[0]}", DOWNLOAD)
    if learns_whole and getattr(model, "is_quantized", False):
        mend = "give `adapter`, or take the model that they were made from"
        raise ModelError(f"{folder}: found quantised weights, which cannot learn themselves", mend)
    if getattr(model, "is_loaded_in_4bit", False):
        _keep_layout(model)
    return model


def model_place(path: str) -> Path:
    """
    Find the folder that a recipe's `path` means: the folder itself, a run's model/, or where a download lies.

    Raises:
        ModelError: if there is none.
    """
    folder = Path(path)
    if not folder.exists():
        return _downloaded(path)
    if not folder.is_dir():
        raise ModelError(f"{path}: found a file, expected a model's folder", f"give the folder: {folder.parent}")
    for place in (folder, folder / "model"):
        if (place / "config.json").is_file():
            return place.absolute()
    for place in (folder, folder / "adapter"):
        if (place / ADAPTER).is_file():
            raise ModelError(
                f"{path}: found an adapter, expected a whole model",
                f"give its base as model.path and go on with adapter.path: {place}, or merge it first: hanpuri publish",
            )
    if (folder / "recipe.yaml").is_file():
        raise ModelError(f"{path}: found a run that is not finished, expected its model/", "finish it: hanpuri train")
    raise ModelError(f"{path}: found no config.json in this folder", "give the folder of a model")


def _downloaded(path: str) -> Path:
    if found := find_download(path, "config.json"):
        return found
    what, mends = "folder", []
    if near := _nearest_folder(Path(path)):
        mends.append(f"did you mean {near}?")
    if Path(path).parent.name == "runs":
        mends.append(f"train it first: hanpuri train {Path(path).name}")
    elif _is_hub_name(path):
        what += ", nor a downloaded model of that name"
        mends.append(f"download it first: hf download {path}")
    raise ModelError(f"{path}: found no such {what}", " or ".join(mends) or "check the path")


def find_download(name: str, file: str) -> Path | None:
    """Look among what was downloaded from the hub for the folder of a name that holds a file."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, file) if _is_hub_name(name) else None
    return Path(found).parent if isinstance(found, str) else None


def _is_hub_name(path: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(path)
    except HFValidationError:
        return False
    return True


def _nearest_folder(path: Path) -> Path | None:
    """Find what stands beside a folder that is not there and is called almost the same."""
    if not path.parent.is_dir():
        return None
    names = [place.name for place in path.parent.iterdir() if place.is_dir()]
    near = difflib.get_close_matches(path.name, names, n=1)
    return path.parent / near[0] if near else None


def read_config(folder: Path, *, rewards: bool = False) -> Any:
    """
    Read a model's configuration.

    Args:
        folder: the model's.
        rewards: whether it has to be a reward model, and not one that writes text.

    Raises:
        ModelError: if it is damaged, of an unknown architecture, or not of such a model.
    """
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    try:
        fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = fields.get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{folder}/config.json cannot be read ({_first_line(error)})", DOWNLOAD) from None
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # an unknown type, a field of a wrong type: each raises something else
        known = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        if kind not in known:
            near = difflib.get_close_matches(str(kind), known, n=1)
            mend = f"did you mean {near[0]}?" if near else "take a model that the installed transformers knows"
            raise ModelError(
                f"{folder}: found the architecture {kind}, which transformers does not know", mend
            ) from None
        raise ModelError(f"{folder}/config.json cannot be read ({_first_line(error)})", DOWNLOAD) from None
    names = config.architectures or [kind]
    if rewards:
        _check_rewards(folder, names, config.num_labels)
        return config
    causal = type(config) in AutoModelForCausalLM._model_mapping and not config.is_encoder_decoder
    if not causal or (config.architectures and not set(names) & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())):
        raise ModelError(
            f"{folder}: found {', '.join(names)}, expected a causal language model such as LlamaForCausalLM",
            "take a model that writes text from left to right",
        )
    return config


def _check_rewards(folder: Path, names: Sequence[str], num_labels: int) -> None:
    if not all(name.endswith("ForSequenceClassification") for name in names) or num_labels != 1:
        raise ModelError(
            f"{folder}: found {', '.join(names)}, expected a reward model such as LlamaForSequenceClassification with"
            " one label",
            "train one with a recipe of `kind: reward`",
        )


def check_weights(folder: Path, stem: str) -> None:
    """
    See that a folder's weights are there and whole, without reading them.

    Args:
        folder: a model's or an adapter's.
        stem: what the files are called: "model" or "adapter_model".

    Raises:
        ModelError: if there are none, a part is missing, or a file ends before its last tensor.
    """
    older = {"model": "pytorch_model", "adapter_model": "adapter_model"}[stem]
    for index in (folder / f"{stem}.safetensors.index.json", folder / f"{older}.bin.index.json"):
        if index.is_file():
            shards = sorted(
                {folder / name for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
            )
            break
    else:
        shards = [place for place in (folder / f"{stem}.safetensors", folder / f"{older}.bin") if place.is_file()][:1]
    if not shards:
        raise ModelError(f"{folder}: found no weights, expected {stem}.safetensors", DOWNLOAD)
    for shard in shards:
        if not shard.is_file():
            raise ModelError(f"{folder}: found no {shard.name}, expected {len(shards)} files of weights", DOWNLOAD)
        if shard.suffix == ".safetensors":
            read_shapes(shard)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """
    Read the names and shapes of a file's tensors, and see that the file goes to their end.

    Raises:
        ModelError: if it does not.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length)) if 8 + length <= size else None
        except ValueError:
            header = None
    if not isinstance(header, dict):
        raise ModelError(f"{path}: found {size:,} bytes that are no safetensors file", DOWNLOAD)
    header.pop("__metadata__", None)
    expected = 8 + length + max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    if size < expected:
        raise ModelError(f"{path}: found {size:,} bytes, expected {expected:,}: the file is cut short", DOWNLOAD)
    return {name: tuple(tensor["shape"]) for name, tensor in header.items()}


def check_tokenizer(config: Any, tokenizer: Tokenizer) -> None:
    """
    See that a tokenizer is the model's own.

    Args:
        config: the model's.
        tokenizer: what its texts will be written with.

    A sign that no text and no chat template brings may lie beyond the embeddings: Gemma 3's for a piece of a picture
    does, where the model is one that only reads.

    Raises:
        ModelError: if it has more tokens than the model embeddings, far fewer, or ends texts with another token.
    """
    rows, tokens = config.get_text_config().vocab_size, _last_token(tokenizer) + 1
    mend = "take the tokenizer of this model"
    if tokens > rows:
        found = f"the tokenizer {tokenizer.name} has {tokens:,} tokens, and the model embeddings for {rows:,}"
        raise ModelError(found, f"{mend}, or extend the model's own: tokenizer.extend")
    if rows - tokens > max(128, rows // 10):  # a few rows more make the matrix a round one
        found = f"the tokenizer {tokenizer.name} has {tokens:,} tokens, and the model embeddings for {rows:,}"
        raise ModelError(f"{found}: they do not belong together", mend)
    told = config.get_text_config().eos_token_id
    ends = [told] if isinstance(told, int) else list(told or [])
    if ends and tokenizer.eos_id is not None and tokenizer.eos_id not in ends:
        raise ModelError(
            f"the tokenizer {tokenizer.name} ends texts with token {tokenizer.eos_id}, and the model with "
            + " or ".join(map(str, ends)),
            f"{mend}, or correct eos_token_id in its config.json",
        )


def _last_token(tokenizer: Tokenizer) -> int:
    """Give the highest id of a token that may come up."""
    written = str(tokenizer.fast.chat_template or "")
    own = {tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id, tokenizer.unk_id}
    silent = {id for id in tokenizer.special_ids - own if tokenizer.piece(id) not in written}
    return max((id for id in tokenizer.fast.get_vocab().values() if id not in silent), default=-1)


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep the libraries' progress bars and reports off the terminal; what matters is raised."""
    from transformers.utils import logging

    import_bitsandbytes()
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _quantization(settings: ModelSettings) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    wish = settings.quantization
    assert wish is not None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=wish.type,
        bnb_4bit_use_double_quant=wish.double,
        bnb_4bit_compute_dtype=getattr(torch, DTYPES[wish.compute]),
    )


def _keep_layout(model: Any) -> None:
    """
    Have bitsandbytes leave 4-bit weights on a CPU laid out as they are.

    In evaluation it would lay them out anew for processors with bf16 instructions, and stay with that: a training that
    goes on after an evaluation would then have no gradient through any frozen matrix, without a word.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
