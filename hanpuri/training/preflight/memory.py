"""
How much memory a training will take, from the model's config.json alone.

In: a recipe, a config, and the shape of the largest batch. Out: a Memory; of Polyglot-ko 12.8B with QLoRA, gradient
checkpointing and 4 rows of 512 tokens:

    weights             7.2 GiB   in 4 bits, embeddings and the output layer in float32
    adapter             0.2 GiB
    optimizer states   31.7 MiB   69.8 MiB more are paged out
    one step            2.5 GiB   activations 1.7 GiB, gradients 0.2 GiB, and what is held in passing
    spare               0.8 GiB   what CUDA takes for itself, and gaps between pieces in use
    together           10.8 GiB

No weight is read and none is made: the network is laid out on the meta device, where a tensor is a shape, and one step
is run there (`rehearsal`). Weights, gradients and optimizer states are exact; the rest is held against real runs by
benchmarks/memory_estimate.py.
"""

import copy
import os
from dataclasses import asdict, dataclass
from typing import Any

from hanpuri.training.loading.hardware import import_bitsandbytes, resolve_precision, resolve_weights
from hanpuri.training.recipe import QuantizationSettings, TrainRecipe

GIB = 1 << 30
# What CUDA, cuBLAS and compiled kernels hold for themselves on a GPU.
CONTEXT = int(0.7 * GIB)
# Share of the step's own memory that lies unused between pieces in use.
FRAGMENTS = 0.06
TYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
# bitsandbytes: so many weights share a scale, and so many scales a scale of their own.
WEIGHTS_A_SCALE, SCALES_A_SCALE = 64, 256
CODES = 16 * 4
CODES_OF_SCALES = 256 * 4
# bitsandbytes' 8-bit optimizers: smaller tensors keep 32 bits, and so do embeddings; a scale for so many numbers.
SMALLEST_8BIT, NUMBERS_A_SCALE = 4096, 256
SMALLEST_PAGED = 100_000


@dataclass(frozen=True)
class Devices:
    """Over what the training is spread."""

    count: int = 1
    sharded: bool = False
    """FSDP: each device holds its share of weights, gradients and states; else each holds all (DDP)."""

    @classmethod
    def launched(cls) -> "Devices":
        """Read what `accelerate launch` or torchrun has set."""
        sharded = os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("true", "1")
        return cls(int(os.environ.get("WORLD_SIZE", "1")), sharded)


@dataclass(frozen=True)
class Memory:
    """What one device holds, in bytes."""

    weights: int
    """Of the model, buffers included; without an adapter, the learning ones too."""
    adapter: int
    optimizer: int
    paged: int
    """Of the optimizer's states those that lie in main memory between two steps, not counted here."""
    activations: int
    """Kept from the forward for the backward pass."""
    gradients: int
    step: int
    """The most that activations, gradients and what is held in passing take at once."""
    spare: int
    """What CUDA takes for itself, and what lies unused between pieces in use."""
    available: int | None = None
    """What this device has; None if that is not known."""
    answers: int = 0
    """What answers take that are written at an evaluation or to learn from, in the place of the step."""
    reference: int = 0
    """Of the frozen copy of what learns, that it stays near to."""

    @property
    def learning(self) -> int:
        """All that a step needs."""
        return self.weights + self.adapter + self.reference + self.optimizer + self.step + self.spare

    @property
    def answering(self) -> int:
        """All that writing answers needs."""
        return self.learning - self.step + self.answers

    @property
    def total(self) -> int:
        """All of it at the worst moment."""
        return max(self.learning, self.answering)

    @property
    def fits(self) -> bool:
        """Whether the device has as much; True too if that is not known."""
        return self.available is None or self.total <= self.available

    def as_dict(self) -> dict[str, int | bool | None]:
        """Give all parts, the total and the verdict as JSON has them."""
        return {**asdict(self), "total": self.total, "fits": self.fits}


def estimate_memory(
    recipe: TrainRecipe,
    config: Any,
    batch: Any,
    *,
    device: str,
    devices: Devices | None = None,
    available: int | None = None,
) -> Memory:
    """
    Reckon what a training takes on each device.

    Args:
        recipe: decides the method, the number formats, the optimizer.
        config: the model's, as transformers reads it.
        batch: a `rehearsal.Batch`.
        device: "cuda" or "cpu".
        devices: over what it is spread; as launched, if not given.
        available: what the device has.
    """
    from hanpuri.training.preflight.answers import answer_bytes
    from hanpuri.training.preflight.copies import reference_bytes
    from hanpuri.training.preflight.rehearsal import rehearse

    devices = devices or Devices.launched()
    on_gpu = device.startswith("cuda")
    model = sketch_model(recipe, config, device)
    whole, adapter = weight_bytes(model, recipe.model.quantization), 0
    if recipe.adapter:
        adapter = sum(_nbytes(one) for one in model.parameters() if one.requires_grad)
    states, paged, passing = optimizer_bytes(model, recipe.training.optimizer, on_gpu=on_gpu)
    rehearsal = rehearse(
        model,
        batch,
        compute=_compute_type(recipe, model, device),
        eager=recipe.model.attention == "eager",
        on_gpu=on_gpu,
        again=recipe.training.accumulation > 1,
    )
    gradients = rehearsal.gradients
    reference = reference_bytes(recipe, whole, adapter, device)
    step = max(rehearsal.peak, gradients + passing)
    whole -= adapter
    if devices.count > 1 and devices.sharded:
        layer = _largest_layer(model)
        # Two layers stand whole at a time: the one at work, and the next one under way.
        step = max(0, step - gradients) + gradients // devices.count + 2 * layer
        whole, adapter, states = whole // devices.count, adapter // devices.count, states // devices.count
        gradients, reference = gradients // devices.count, reference // devices.count
    elif devices.count > 1:
        step += gradients  # DDP sends gradients in buckets of its own
    spare = int(FRAGMENTS * step) + (CONTEXT if on_gpu else 0)
    answers = answer_bytes(recipe, config, batch, device)
    activations = rehearsal.activations
    held = whole, adapter, states, paged, activations, gradients, step, spare
    return Memory(*held, available=available, answers=answers, reference=reference)


def sketch_model(recipe: TrainRecipe, config: Any, device: str) -> Any:
    """Lay out the network on the meta device with the number formats that a training would hold it in."""
    import torch
    from transformers import AutoModelForCausalLM

    from hanpuri.training.preflight.rehearsal import ATTENTION, FourBitLinear, on_meta, recomputing, replace_linears

    config = copy.deepcopy(config)
    config._attn_implementation = ATTENTION
    config.__dict__.pop("quantization_config", None)  # a loaded model's says that it is in 4 bits
    quantization = recipe.model.quantization
    held = "fp32" if recipe.model.scratch else resolve_weights(recipe.model, device, learns_whole=not recipe.adapter)
    dtype = getattr(torch, TYPES[held])
    with on_meta(torch.float32):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    if quantization:
        head = model.get_output_embeddings()

        def make(name: str, layer: torch.nn.Linear) -> torch.nn.Linear | None:
            if layer is head:
                return None
            with on_meta(dtype):
                new = FourBitLinear(layer.in_features, layer.out_features, layer.bias is not None)
            new.compute = getattr(torch, TYPES[quantization.compute])
            return new

        replace_linears(model, make)
        for module in model.modules():  # as PEFT prepares what is not in 4 bits
            if not isinstance(module, FourBitLinear):
                for one in module.parameters(recurse=False):
                    one.data = one.data.to(torch.float32)
    if recipe.adapter:
        model.requires_grad_(False)
        model = _attach(model, recipe)
    if recipe.training.gradient_checkpointing:
        # There are no random numbers on the meta device that could be preserved.
        told = {"use_reentrant": False, "preserve_rng_state": False, "context_fn": recomputing}
        model.gradient_checkpointing_enable(told)
    return model


def _attach(model: Any, recipe: TrainRecipe) -> Any:
    import torch

    from hanpuri.training.loading.adapters import attach_adapter
    from hanpuri.training.preflight.copies import as_new

    assert recipe.adapter is not None
    import_bitsandbytes()  # before PEFT does, so that it stays quiet
    with torch.device("meta"):
        wrapped = attach_adapter(model, as_new(recipe.adapter), recipe.seed)
    return wrapped


def _compute_type(recipe: TrainRecipe, model: Any, device: str) -> Any:
    """Tell what autocast computes in; None if what learns is held in that type already."""
    import torch

    precision = resolve_precision(recipe.model, device)
    learns_in_fp32 = any(one.dtype == torch.float32 for one in model.parameters() if one.requires_grad)
    return getattr(torch, TYPES[precision]) if precision != "fp32" and learns_in_fp32 else None


def weight_bytes(model: Any, quantization: QuantizationSettings | None = None) -> int:
    """Add up weights and buffers, shared ones once; layers in 4 bits with their scales."""
    from hanpuri.training.preflight.rehearsal import FourBitLinear

    four_bit = {id(one.weight) for one in model.modules() if isinstance(one, FourBitLinear)}
    double = quantization is not None and quantization.double
    total = 0
    for one in {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}.values():
        total += four_bit_bytes(one.numel(), double=double) if id(one) in four_bit else _nbytes(one)
    return total


def four_bit_bytes(numbers: int, *, double: bool) -> int:
    """
    Say what bitsandbytes holds of so many weights: half a byte each, and a scale for every 64.

        >>> [round(four_bit_bytes(4096 * 4096, double=double) / 4096**2, 3) for double in (False, True)]
        [0.563, 0.516]
    """
    scales = -(-numbers // WEIGHTS_A_SCALE)
    half = -(-numbers // 2)
    if not double:
        return half + 4 * scales + CODES
    return half + scales + 4 * -(-scales // SCALES_A_SCALE) + 4 + CODES + CODES_OF_SCALES


def optimizer_bytes(model: Any, name: str, *, on_gpu: bool) -> tuple[int, int, int]:
    """
    Say what an optimizer holds for good, what of it lies in main memory, and what it holds besides while it steps.

    Args:
        model: whose weights with a gradient learn.
        name: as the recipe names it.
        on_gpu: paged states move out of a GPU that needs the room, so they count as held while stepping alone.
    """
    import torch

    embeddings = {id(one.weight) for one in model.modules() if isinstance(one, torch.nn.Embedding)}
    learning = {id(one): one for one in model.parameters() if one.requires_grad}.values()
    if name.startswith("adamw_torch"):
        states = sum(2 * _nbytes(one) + 4 for one in learning)
        sizes = [_nbytes(one) for one in learning]
        # The plain variant computes all square roots at once on a GPU, and one tensor's at a time on a CPU.
        return states, 0, 0 if "fused" in name else sum(sizes) if on_gpu else max(sizes, default=0)
    if name == "adafactor":
        return sum(map(_adafactor_bytes, learning)), 0, max((3 * 4 * one.numel() for one in learning), default=0)
    held, paged, largest = 0, 0, 0
    for one in learning:
        states = _two_states(one.numel(), eight="8bit" in name and id(one) not in embeddings)
        if on_gpu and name.startswith("paged") and one.numel() >= SMALLEST_PAGED:
            paged, largest = paged + states, max(largest, states)
        else:
            held += states
    return held, paged, largest


def _two_states(numbers: int, *, eight: bool) -> int:
    if not eight or numbers < SMALLEST_8BIT:
        return 8 * numbers
    return 2 * numbers + 2 * 4 * -(-numbers // NUMBERS_A_SCALE)


def _adafactor_bytes(weight: Any) -> int:
    shape, size = weight.shape, 4  # one number a tensor besides
    if len(shape) < 2:
        return size + 4 * int(weight.numel())
    return size + 4 * int(weight.numel() // shape[-1] + weight.numel() // shape[-2])


def tell_bytes(size: int) -> str:
    """
    Write a size for people.

        >>> tell_bytes(3 * GIB // 2), tell_bytes(5 << 20)
        ('1.5 GiB', '5.0 MiB')
    """
    return f"{size / GIB:.1f} GiB" if size >= GIB // 10 else f"{size / 2**20:.1f} MiB"


def _nbytes(tensor: Any) -> int:
    return int(tensor.numel() * tensor.element_size())


def _largest_layer(model: Any) -> int:
    """Find the largest block, as FSDP wraps them; its weights stand whole while it works."""
    from torch.nn import ModuleList

    layers = [layer for one in model.modules() if isinstance(one, ModuleList) for layer in one]
    return max((sum(map(_nbytes, layer.parameters())) for layer in layers), default=0)


def available_memory(device: str) -> int:
    """Say what a device could give this process, in bytes, what the process holds already included."""
    if device.startswith("cuda"):
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device))
    import psutil

    return int(psutil.virtual_memory().available + psutil.Process().memory_info().rss)
