"""
How much of a GPU a training uses: operations of a token, times tokens a second, over the rate of a large product.

In: a model's sizes, a run's metrics. Out: a share, such as 0.41 of the 780e12 operations a second of 8192³ in bf16.

    python -m benchmarks.llm_experiments.rates           measures the product and prints its rate as JSON

Counted are products alone: 6 operations for each weight of a matrix and token, forward and backward, the head included
and the table of embeddings not, and those of attention over half of the length, as it is causal.
"""

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

SIDE, TIMES = 8192, 30
WARM_STEPS = 40  # compiling, and the first allocations


def operations(config: Mapping[str, Any], length: int) -> float:
    """
    Count the operations that one token takes in training.

    Args:
        config: config.json of a llama.
        length: tokens in a block.
    """
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    return float(6 * (matrices(config) + config["vocab_size"] * hidden) + 6 * layers * length * hidden)


def matrices(config: Mapping[str, Any]) -> int:
    """
    Count the weights of the matrices in the blocks of a llama.

    >>> matrices({"hidden_size": 1024, "num_hidden_layers": 10, "num_attention_heads": 8, "num_key_value_heads": 2,
    ...           "intermediate_size": 2816})
    112721920
    """
    hidden = config["hidden_size"]
    narrow = hidden * config["num_key_value_heads"] // config["num_attention_heads"]
    block = 2 * hidden * hidden + 2 * hidden * narrow + 3 * hidden * config["intermediate_size"]
    return int(config["num_hidden_layers"] * block)


def speed(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """Give the tokens a second of a run: the median of its lines behind the first steps; None where there is none."""
    told = [line["tokens_per_second"] for line in lines if line.get("tokens_per_second") and line["step"] > WARM_STEPS]
    return statistics.median(told) if told else None


def product_rate() -> float | None:
    """Measure operations a second of a large product in bf16; None without a GPU."""
    import torch

    if not torch.cuda.is_available():
        return None
    one, other = (torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        one @ other
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(TIMES):
        one @ other
    torch.cuda.synchronize()
    return float(2 * SIDE**3 * TIMES / (time.perf_counter() - began))


if __name__ == "__main__":
    print(json.dumps({"product_rate": product_rate()}))
