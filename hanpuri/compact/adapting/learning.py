"""
Texts, a network and minutes ─► the recipe of a short training, and the training.

In:  26,000 reviews, `base`, 25 minutes on two processors.   Out: a CompactRecipe such as

    training: {seconds: 1338, batch_tokens: 6144, window_lengths: [128], learning_rate: 0.0003, …}

How fast the machine is, is measured before: where the texts can be gone through as often as is of use, the training is
counted in steps, else in seconds, and ends annealed either way. Needs torch.
"""

import copy
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from hanpuri.compact.adapting.settings import AdaptSettings
from hanpuri.compact.adapting.staying import STRANGE_SHARE, StayingTrainer
from hanpuri.compact.learning.loss import head_loss
from hanpuri.compact.learning.trainer import Beginning
from hanpuri.compact.learning.training import TrainingResult, train
from hanpuri.compact.network import RestorerNetwork
from hanpuri.compact.settings import CompactRecipe
from hanpuri.recipe import dump_recipe, read_recipe
from hanpuri.runs.files import write_whole

Report = Callable[[int, dict[str, float]], None]
NAME = "adapted"
RECIPE = "adapting.yaml"
WINDOW = 128
# The batch is chosen for about so many steps, within these bounds, in windows: the largest takes a GPU of 8 GB.
NUM_STEPS = 250
SMALLEST_BATCH, LARGEST_BATCH = 16, 128
# Tried with: fewer would keep a GPU waiting for launches, which a recorded step does not.
PROBED_ON_CPU, PROBED_ON_GPU, PROBED_STEPS = 16, LARGEST_BATCH, 2
# To and fro, a window of text costs as much as three forwards, and its share of a strange one as much as four.
COST_OF_STAYING = 1 + 4 / 3 * STRANGE_SHARE
# Where the texts are gone through in less than this share of the time that there is, steps are counted.
SURELY = 0.9


def measure_rate(network: RestorerNetwork, device: torch.device) -> float:
    """Say how many items a second can be learnt from, by trying."""
    tried = copy.deepcopy(network).to(device)
    highest = network.shape.num_embeddings, network.shape.num_labels
    windows = PROBED_ON_CPU if device.type == "cpu" else PROBED_ON_GPU
    features = torch.randint(highest[0], (windows, WINDOW, 6), device=device)
    labels = torch.randint(highest[1], (windows, WINDOW), device=device)
    for number in range(1 + PROBED_STEPS):
        if number == 1:  # the first one finds out how to compute
            _wait(device)
            started = time.monotonic()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = head_loss(tried.encode(features), tried.head.weight, tried.head.bias, labels)
        loss.backward()  # type: ignore[no-untyped-call]
    _wait(device)
    return PROBED_STEPS * labels.numel() / (time.monotonic() - started) / COST_OF_STAYING


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def plan(
    folder: Path,
    texts: Path,
    settings: AdaptSettings,
    network: RestorerNetwork,
    *,
    num_items: int,
    seconds: float,
    device: torch.device,
    general: Path | None = None,
) -> CompactRecipe:
    """
    Make the recipe, or read the one that an earlier start has made: a machine is never exactly as fast again.

    Args:
        folder: where the training is kept.
        texts: the file to learn from, a text a line.
        settings: what was asked for.
        network: what to begin with.
        num_items: characters of the texts, but for spaces.
        seconds: for the steps.
        device: where they are taken.
        general: a file of other texts to mix in.
    """
    path = folder / RECIPE
    if not path.exists():
        rate = measure_rate(network, device)
        wanted, possible = settings.passes * num_items, rate * seconds
        items = min(wanted, possible)
        batch = WINDOW * min(LARGEST_BATCH, max(SMALLEST_BATCH, round(items / NUM_STEPS / WINDOW)))
        steps = max(1, round(items / batch))
        measure: dict[str, float] = {"steps": steps} if wanted < SURELY * possible else {"seconds": seconds}
        measure |= {"batch_tokens": batch, "learning_rate": settings.learning_rate}
        write_whole(path, dump_recipe(_recipe(texts, settings, network, general, device, measure)))
    recipe = read_recipe(path, {"compact": CompactRecipe})
    assert isinstance(recipe, CompactRecipe)
    return recipe


def _recipe(
    texts: Path,
    settings: AdaptSettings,
    network: RestorerNetwork,
    general: Path | None,
    device: torch.device,
    measure: dict[str, float],
) -> CompactRecipe:
    share = settings.general_share if general else 0.0
    data = [{"path": texts, "weight": 1 - share, "final_weight": 1 - share}]
    data += [{"path": general, "weight": share, "final_weight": share, "shuffle": True}] if general else []
    training = {
        **{"window_lengths": [WINDOW], "precision": "bf16" if device.type == "cuda" else "fp32"},
        **{"warmup_steps": 20, "weight_decay": 0.0, "dropout": 0.0, "optimizer": "adamw", "compile": False},
        **measure,
    }
    fields = {
        **{"kind": "compact", "name": NAME, "seed": settings.seed, "data": data, "training": training},
        "network": {"width": network.shape.width, "num_layers": network.shape.num_layers},
        "watch": {"log_every": 10, "evaluate_every": 1_000_000_000, "save_every": 100},
    }
    return CompactRecipe.model_validate(fields)


def learn(
    recipe: CompactRecipe, folder: Path, begin_from: Beginning, *, pull: float, device: torch.device, report: Report
) -> TrainingResult:
    """
    Train, or go on with what stands in `folder`.

    Raises:
        KeyboardInterrupt: at ctrl-C, once the step is done and saved.
    """
    make_trainer = partial(StayingTrainer, pull=pull)
    return train(
        recipe,
        folder,
        score=lambda hypotheses, references: float("nan"),
        report=report,
        device=str(device),
        begin_from=begin_from,
        make_trainer=make_trainer,
    )


def count_items(texts: tuple[str, ...]) -> int:
    """
    Count characters but for spaces, with the line break behind each text.

    >>> count_items(("방이 넓어요", "좋아요"))
    10
    """
    return sum(len(text) - text.count(" ") + 1 for text in texts)
