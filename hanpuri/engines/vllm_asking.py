"""
What vLLM is asked for each prompt, and how likely it says that a text is.

In: a prompt's tokens, and how the next ones are chosen. Out: a `vllm.SamplingParams`:

    [5, 41], Decoding(max_new_tokens=64)   ─►   SamplingParams(max_tokens=64, temperature=0.0, stop_token_ids=[2], …)
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from hanpuri.data.examples import IGNORE, Example
from hanpuri.engines.base import Decoding, Likelihood
from hanpuri.training.decoding import Ends


def sampling(ids: Sequence[int], decoding: Decoding, ends: Ends, *, room: int, regex: str | None = None) -> Any:
    """
    Say how vLLM chooses the tokens behind a prompt.

    Args:
        ids: the prompt's tokens.
        decoding: how tokens are chosen.
        ends: what ends an answer.
        room: tokens that the model has left for it.
        regex: what it may be; anything, if not given.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    # vLLM looks for a stop from the first character on. One that could stand in what the template has the model
    # write before the answer ends nothing there: those are found afterwards.
    texts = [text for text in ends.texts if not _overlap(ends.before, text)]
    return SamplingParams(
        max_tokens=min(decoding.max_new_tokens, room),
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        top_k=decoding.top_k,
        seed=seed_of(decoding.seed, ids) if decoding.temperature else None,
        stop=texts,
        stop_token_ids=sorted(ends.ids),
        detokenize=bool(texts),
        skip_special_tokens=False,
        structured_outputs=StructuredOutputsParams(regex=regex) if regex is not None else None,
    )


def scoring() -> Any:
    """Have vLLM write nothing worth reading, and tell how likely each token of the prompt was."""
    from vllm import SamplingParams

    return SamplingParams(max_tokens=1, temperature=0, detokenize=False, prompt_logprobs=0)


def likelihood(output: Any, example: Example, answer: str) -> Likelihood:
    """Add up what vLLM gives for each token of an example that training would have the model learn."""
    pairs = zip(example.labels.tolist(), output.prompt_logprobs, strict=True)
    told = [given[label] for label, given in pairs if label != IGNORE]
    total, right = sum(one.logprob for one in told), sum(one.rank == 1 for one in told)
    return Likelihood(float(total), len(told), right, num_bytes=len(answer.encode()))


def seed_of(seed: int, ids: Sequence[int]) -> int:
    """
    Make the seed of one row of the seed of all and its prompt, so that its neighbours do not matter.

        >>> seed_of(0, [5, 41]) == seed_of(0, [5, 41]) != seed_of(1, [5, 41])
        True
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {list(ids)}".encode()).digest()[:7])


def _overlap(before: str, text: str) -> bool:
    """
    Tell whether a text can be found where an answer has not begun: within what stands before it, or begun there.

        >>> _overlap("답:\\n", "\\n\\n"), _overlap("답:\\n", "###"), _overlap("", "\\n")
        (True, False, False)
    """
    return text in before or any(text.startswith(before[start:]) for start in range(len(before)))
