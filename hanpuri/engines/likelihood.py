"""
How likely a model holds a text that it is given, token by token.

In: examples as in training, of which the answer's tokens and the one that ends it are labelled. Out: of each, the sum
of their log-probabilities, how many they are, and how many of them the model would have taken itself:

    prompt "### 질문: …", answer " 서해로 흐릅니다.", end </s>   ─►   (−7.31, 9 tokens, 8 right)
"""

from collections.abc import Sequence
from typing import Any

from hanpuri.data.examples import IGNORE, Example, collate

BATCH_SIZE = 16


def score_examples(model: Any, examples: Sequence[Example]) -> list[tuple[float, int, int]]:
    """
    Score examples; each gets what it gets alone, whichever stand beside it.

    Args:
        model: a causal model of transformers that is not in training.
        examples: of `data.examples`.

    Returns:
        for each the sum of log-probabilities in nats, its labelled tokens, and those that were the likeliest.
    """
    scores: list[tuple[float, int, int]] = [(0.0, 0, 0)] * len(examples)
    # The longest first: where memory does not do, it fails at once.
    order = sorted(range(len(examples)), key=lambda place: -len(examples[place]))
    for start in range(0, len(order), BATCH_SIZE):
        places = order[start : start + BATCH_SIZE]
        for place, score in zip(places, _score_batch(model, [examples[place] for place in places]), strict=True):
            scores[place] = score
    return scores


def _score_batch(model: Any, examples: Sequence[Example]) -> list[tuple[float, int, int]]:
    import torch

    batch = collate(examples, pad_id=0)
    device = next(model.parameters()).device
    labels = torch.from_numpy(batch.labels).to(device)
    inputs = {name: torch.from_numpy(getattr(batch, name)).to(device) for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        logits = model(**inputs).logits
    scores = []
    for row in range(len(examples)):  # one by one: all logits in float32 would take twice the memory
        places = (labels[row, 1:] != IGNORE).nonzero().squeeze(-1)
        expected = labels[row, 1:][places]
        shares = torch.log_softmax(logits[row].index_select(0, places).float(), dim=-1)
        likely = shares.gather(1, expected[:, None]).double().sum()
        scores.append((float(likely), len(expected), int((shares.argmax(-1) == expected).sum())))
    return scores
