"""
How fast the restorer trains, and where a step's time goes.

In:  a recipe of `kind: compact`, and any text.   Out: two tables.

    python benchmarks/training_speed.py [base] [--texts FILE] [--steps 200] [--set training.batch_tokens=98304]
    python benchmarks/training_speed.py --tiny          a shape of seconds, for a CPU

The first table: items a second, milliseconds a step, and the arithmetic of the network as a share of what the same
device does in one large square product of 16-bit numbers (8192 on a GPU, 512 on a CPU). Counted are the products of
the blocks, the head and the attention, three times each: forward, gradient of the input, gradient of the weight.
Noise, optimisers and the padding of the head count nothing, so that the share is what is left for learning.

The second table: the kernels of a step by what they do, from torch.profiler. On a GPU a step is one graph, and kernels
that overlap would add up to more than the step; on a CPU the times are those of operations without what they call.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from hanpuri.cli.recipes import find_recipe
from hanpuri.compact.learning.trainer import Trainer
from hanpuri.compact.settings import CompactRecipe, CorpusSettings
from hanpuri.recipe import read_recipe
from hanpuri.runs import Run

TEXTS = Path("tests/cases/sentences.txt")
TINY = (
    *("network.width=64", "network.num_layers=2", "training.batch_tokens=1024", "training.window_lengths=[48, 32]"),
    *("training.compile=false", "training.precision=fp32"),
)
PROFILED_STEPS = 10
# What a kernel does, by what its name holds; the first that fits counts.
COMPILED = (
    ("GELU", ("gelu", "erf")),
    ("normalising", ("rms_norm", "rsqrt")),
    ("loss", ("softmax", "nll_loss")),
    ("noise and sampling", ("rand", "searchsorted", "bitwise", "remainder")),
    ("rotation, adding", ("cat", "stack", "split")),
)
OTHERS = (
    ("attention", ("flash", "fmha", "sdpa", "scaled_dot_product", "mha")),
    ("products", ("gemm", "nvjet", "cutlass", "xmma", "cublas", "splitk", "::mm", "::addmm", "::bmm", "::baddbmm")),
    ("optimisers", ("adam", "multi_tensor", "foreach", "::_foreach")),
    ("copies", ("memcpy", "memset", "::copy_", "::fill_", "::zero_")),
)


@dataclass(frozen=True)
class Speed:
    """What a training step takes."""

    device: str
    torch: str
    items_per_second: float
    milliseconds: float
    mflop_per_item: float
    tflops: float
    product_tflops: float

    @property
    def share(self) -> float:
        """The network's arithmetic by what the device does in one large product."""
        return self.tflops / self.product_tflops


@dataclass(frozen=True)
class Group:
    """The kernels of a step that do one thing."""

    name: str
    milliseconds: float
    launches: float


def make_trainer(
    recipe: CompactRecipe, texts: Path, folder: Path, device: torch.device, as_graph: bool | None = None
) -> Trainer:
    """Make a trainer of a recipe's network and noise, on any text: what it reads does not change its speed."""
    data = (CorpusSettings(path=texts, weight=1, final_weight=1),)
    recipe = recipe.model_copy(update={"data": data, "evaluation": ()})
    return Trainer(recipe, Run.start(folder, recipe, [texts]), device, as_graph=as_graph)


def measure(trainer: Trainer, num_steps: int) -> Speed:
    """Time steps after a few that do not count."""
    take_steps(trainer, 2 * len(trainer.recipe.training.window_lengths))
    seconds = time_of(partial(take_steps, trainer, num_steps), trainer.device) / num_steps
    rate = trainer.recipe.training.batch_tokens / seconds
    mflop = mflop_per_item(trainer)
    on_gpu = trainer.device.type == "cuda"
    name = torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} threads"
    product = product_tflops(trainer.device)
    return Speed(name, torch.__version__, rate, 1e3 * seconds, mflop, rate * mflop / 1e6, product)


def take_steps(trainer: Trainer, count: int) -> None:
    """Train on."""
    for _ in range(count):
        trainer.take_step()


def time_of(function: Callable[[], object], device: torch.device) -> float:
    """Seconds until all that a function asks for is done."""
    wait: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    started = time.perf_counter()
    function()
    wait()
    return time.perf_counter() - started


def mflop_per_item(trainer: Trainer) -> float:
    """Count multiplications and additions of an item in millions, forward and backward."""
    matrices = [p.numel() for block in trainer.network.blocks for p in block.parameters()]
    lengths, shape = trainer.recipe.training.window_lengths, trainer.network.shape
    attention = 4 * statistics.mean(lengths) * shape.width * shape.num_layers
    return 3 * (2 * (sum(matrices) + trainer.network.head.weight.numel()) + attention) / 1e6


def product_tflops(device: torch.device) -> float:
    """Measure one large product of random 16-bit numbers, the median of five."""
    size, repeats = (8192, 10) if device.type == "cuda" else (512, 2)
    one, other = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    times = [time_of(lambda: [one @ other for _ in range(repeats)], device) for _ in range(6)]
    return 2 * size**3 * repeats / statistics.median(times[1:]) / 1e12


def where_time_goes(trainer: Trainer) -> list[Group]:
    """Profile a few steps, and add up what does the same thing; the largest first."""
    on_gpu = trainer.device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as profiler:
        time_of(partial(take_steps, trainer, PROFILED_STEPS), trainer.device)
    milliseconds: dict[str, float] = defaultdict(float)
    launches: dict[str, float] = defaultdict(float)
    for event in profiler.events():
        # The device's side of a range that the optimiser names is no kernel.
        if (event.device_type.name == "CUDA") != on_gpu or event.name.startswith("Optimizer."):
            continue
        name = group_of(event.name)
        milliseconds[name] += (event.device_time if on_gpu else event.self_cpu_time_total) / 1e3 / PROFILED_STEPS
        launches[name] += 1 / PROFILED_STEPS
    groups = [Group(name, milliseconds[name], launches[name]) for name in milliseconds]
    return sorted(groups, key=lambda group: -group.milliseconds)


def group_of(kernel: str) -> str:
    """
    Say what a kernel or an operation does.

    >>> group_of("triton_poi_fused_gelu_3"), group_of("nvjet_hsh_128x256"), group_of("aten::copy_")
    ('GELU', 'products', 'copies')
    """
    name = kernel.lower()
    is_compiled = name.startswith("triton")
    for group, marks in COMPILED if is_compiled else OTHERS:
        if any(mark in name for mark in marks):
            return group
    return "other compiled" if is_compiled else "other"


def print_tables(speed: Speed, groups: list[Group]) -> None:
    """Print what was measured."""
    print(f"{speed.device}, torch {speed.torch}")
    print(f"{speed.items_per_second / 1e6:.4f}M items/s, {speed.milliseconds:.2f} ms a step")
    print(
        f"{speed.mflop_per_item:.1f} MFLOP an item: {speed.tflops:.2f} of {speed.product_tflops:.2f} TFLOP/s "
        f"in one large product, {speed.share:.1%}"
    )
    total = sum(group.milliseconds for group in groups)
    print(f"\n{'kernels':<20} {'ms a step':>10} {'share':>7} {'launches':>9}")
    for group in groups:
        share = group.milliseconds / total
        print(f"{group.name:<20} {group.milliseconds:>10.3f} {share:>7.1%} {group.launches:>9.1f}")
    print(f"{'all':<20} {total:>10.3f} {'':>7} {sum(group.launches for group in groups):>9.1f}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="base")
    parser.add_argument("--texts", type=Path, default=TEXTS)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--set", nargs="*", default=[], help="keys of the recipe to override")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--no-graph", action="store_true", help="launch each kernel by itself on a GPU, too")
    parser.add_argument("--json", type=Path, help="write both tables here, too")
    asked = parser.parse_args()
    overrides = [*(TINY if asked.tiny else ()), *asked.set]
    recipe = read_recipe(find_recipe(asked.recipe, "compact"), {"compact": CompactRecipe}, overrides)
    assert isinstance(recipe, CompactRecipe)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(recipe, asked.texts, Path(folder), device, False if asked.no_graph else None)
        speed, groups = measure(trainer, asked.steps), where_time_goes(trainer)
    print_tables(speed, groups)
    if asked.json:
        tables = {"speed": {**asdict(speed), "share": speed.share}, "kernels": [asdict(group) for group in groups]}
        asked.json.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
