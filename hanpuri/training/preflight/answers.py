"""
How much memory the answers take that are written in the middle of a training: at an evaluation, or to learn from.

In: a recipe with `watch.generation` or `sampling`, a config, the largest batch. Out: bytes beside what the training
holds for good; of gemma 7B with QLoRA, 16 answers of 256 tokens to prompts of 230:

    7.1 GB   keys and values of all tokens, in float32 as a model in 4 bits has them
    1.6 GB   the output layer, cast from float32 to bfloat16 at each token

Seen on an H100 with 16 answers of 64 tokens: a peak of 12.4 GiB where 13.7 are reckoned; a step alone took 10.3.
"""

from collections.abc import Iterator
from typing import Any

from hanpuri.training.loading.hardware import resolve_precision, resolve_weights
from hanpuri.training.preflight.rehearsal import Batch
from hanpuri.training.recipe import ReinforcementRecipe, TrainRecipe

HALF, FULL = 2, 4  # bytes a number
TENSORS_OF_LAYER = 2  # as wide as its feed-forward part, alive at once while a prompt is read
COPIES_OF_LOGITS = 3  # as computed, in float32, and as masked


def answer_bytes(recipe: TrainRecipe, config: Any, batch: Batch, device: str) -> int:
    """
    Say what writing answers takes at its worst moment; 0 where none are written.

    Args:
        recipe: decides how many are written at once, how long, and the number formats.
        config: the model's.
        batch: the largest; its rows without what is trained of them stand for the longest prompts.
        device: "cuda" or "cpu".
    """
    prompt = max(1, batch.length - batch.trained // batch.rows)
    return max((_written_bytes(recipe, config, prompt, *one, device) for one in _written(recipe)), default=0)


def _written(recipe: TrainRecipe) -> Iterator[tuple[int, int]]:
    """Give how many answers are written at once, and how long they may be: at an evaluation, and to learn from."""
    if told := recipe.watch.generation:
        yield min(told.rows, told.batch_size), told.max_new_tokens
    if isinstance(recipe, ReinforcementRecipe):
        yield recipe.training.batch_size * recipe.training.accumulation, recipe.sampling.max_new_tokens


def _written_bytes(recipe: TrainRecipe, config: Any, prompt: int, rows: int, room: int, device: str) -> int:
    text = config.get_text_config()
    tokens = prompt + room
    held = resolve_weights(recipe.model, device, learns_whole=not recipe.adapter)
    held = "fp32" if recipe.model.quantization else held  # what is not in 4 bits
    size = FULL if held == "fp32" else HALF
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    cache = 2 * text.num_hidden_layers * heads * head * rows * tokens * size
    casts = size == FULL and resolve_precision(recipe.model, device) != "fp32"
    writing = text.vocab_size * (HALF * text.hidden_size * casts + COPIES_OF_LOGITS * FULL * rows)
    reading = TENSORS_OF_LAYER * rows * prompt * text.intermediate_size * size
    return int(cache + max(writing, reading))
