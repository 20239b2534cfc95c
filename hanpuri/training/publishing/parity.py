"""
The proof that what is published answers as what was trained.

In: what two models make of the same prompts. Out: a Comparison: how far apart their logits are, measured in what
rounding does to them, and whether they write the same text. Of a model in bf16:

    Comparison(positions=312, max_difference=0.031, typical=0.8, largest=6.1, same_top=0.997, same_text=11, ties=1, …)

**Equal** is defined so. `rounding` measures by what standard deviation σ rounding moves the logits of a position.

- At the typical position (the median) the differences of its logits are 2 σ at most, on the root of their mean square.
- No logit of any position differs by more than 30 σ.
- The greedy texts are the same; or at the first token in which they differ, the two candidates are nearer than 30 σ in
  the reference: a tie, which rounding alone decides. What follows it is another text, and not compared.

Right merges of the six architectures that we train came out at 0.2 to 0.9 σ typically and 2 to 23 σ at most, in fp32
and bf16; an adapter merged twice at 7 to 600,000 σ typically.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hanpuri.errors import ModelError
from hanpuri.training.publishing.prompts import Prompt
from hanpuri.training.publishing.rounding import UNITS, rounded_at_random

TYPICAL, TOLERANCE = 2.0, 30.0
"""How far logits may be apart, in standard deviations of what rounding does: at the typical position, and at any."""
DRAWS = 8
"""Ways of rounding that are tried; with fewer, σ of a position could come out far too small by chance."""
PROMPT_POSITIONS = 32
"""Of a prompt the logits of so many last positions are kept, and those of the whole answer: memory."""
MAX_NEW_TOKENS = 32


@dataclass(frozen=True, eq=False)
class Observed:
    """What a model makes of the prompts."""

    answers: tuple[tuple[int, ...], ...]
    """Its greedy answer to each, in tokens."""
    logits: tuple[Any, ...]
    """(positions, vocabulary) in float32 of each, behind prompt and reference answer."""
    spread: tuple[Any, ...]
    """(positions,) the standard deviation by which rounding moves the reference's logits."""
    unit: float
    """The rounding unit that this was measured with."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same prompts and answers."""

    positions: int
    max_difference: float
    """Of two logits."""
    mean_difference: float
    typical: float
    """The root of the mean square of a position's differences, in σ; of all positions the median."""
    largest: float
    """The largest difference, in σ of its position."""
    same_top: float
    """Share of positions at which the same token is the likeliest."""
    same_text: int
    """Prompts that both answer with the same greedy text."""
    ties: int
    """Prompts whose texts part at a tie."""
    parted: int
    """Prompts whose texts part, and no rounding explains it."""

    @property
    def equal(self) -> bool:
        """Whether rounding explains all differences."""
        return self.typical <= TYPICAL and self.largest <= TOLERANCE and not self.parted

    def as_dict(self) -> dict[str, Any]:
        """Give the figures for a file."""
        return {**asdict(self), "equal": self.equal}


def observe(
    model: Any, prompts: Sequence[Prompt], stop_ids: Sequence[int], reference: "Observed | None" = None
) -> Observed:
    """
    Let a model answer prompts greedily, and read its logits behind them.

    Args:
        model: in evaluation mode.
        prompts: token for token what it is asked.
        stop_ids: what ends an answer.
        reference: whose answers the logits are read behind; its own, if not given.
    """
    import torch

    with torch.no_grad():
        answers = tuple(_answer(model, prompt, stop_ids) for prompt in prompts)
        behind = answers if reference is None else reference.answers
        logits = tuple(_read(model, prompt, answer) for prompt, answer in zip(prompts, behind, strict=True))
        if reference is not None:
            return Observed(answers, logits, reference.spread, reference.unit)
        unit = UNITS[str(model.dtype).removeprefix("torch.")]
        return Observed(answers, logits, _spread(model, prompts, answers, logits, unit), unit)


def compare(reference: Observed, other: Observed, unit: float | None = None) -> Comparison:
    """
    Compare what two models made of the same prompts; what counts as equal is defined above.

    Args:
        reference: the one whose answers both have read.
        other: the one that is judged.
        unit: the rounding unit of the other, where it is held in fewer bits than the reference.

    Raises:
        ModelError: if they have not the same vocabulary, or a logit is no number.
    """
    import torch

    if reference.logits[0].shape != other.logits[0].shape:
        one, two = reference.logits[0].shape[-1], other.logits[0].shape[-1]
        raise ModelError(f"found logits of {two:,} tokens, expected {one:,}", "the tokenizers are not the same")
    differences = torch.cat([(a - b).abs() for a, b in zip(reference.logits, other.logits, strict=True)])
    spread = _grown(reference, unit or reference.unit)
    share = differences / torch.cat(spread)[:, None]
    if not torch.isfinite(differences).all():
        raise ModelError("found logits that are no numbers", "look at the run's losses: it may have diverged")
    tops = torch.cat([a.argmax(-1) == b.argmax(-1) for a, b in zip(reference.logits, other.logits, strict=True)])
    endings = [_part(reference, other, place, spread[place]) for place in range(len(reference.answers))]
    return Comparison(
        positions=len(differences),
        max_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        typical=float(share.square().mean(-1).sqrt().median()),
        largest=float(share.max()),
        same_top=float(tops.double().mean()),
        same_text=endings.count("same"),
        ties=endings.count("tie"),
        parted=endings.count("parted"),
    )


def digest_weights(model: Any) -> dict[str, str]:
    """Hash each tensor of a model, so that a saved and reloaded one can be held against it bit for bit."""
    import torch

    digests = {}
    for name, tensor in model.state_dict().items():
        plain = tensor.detach().contiguous().cpu().view(-1).view(torch.uint8).numpy()
        digests[name] = hashlib.sha256(plain.data).hexdigest()
    return digests


def check_weights_equal(before: dict[str, str], after: dict[str, str]) -> int:
    """
    Hold the weights that were read back against those that were saved; give how many tensors that were.

    Raises:
        ModelError: with the first tensors that differ.
    """
    differ = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    if differ:
        more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
        raise ModelError(
            f"the saved weights are not those of the merged model: {', '.join(differ[:3])}{more} differ",
            "look at the disk, and publish again",
        )
    return len(before)


def check_equal(comparison: Comparison, what: str) -> None:
    """
    Refuse a model whose answers differ from the trained one's by more than rounding.

    Raises:
        ModelError: with the figures.
    """
    if not comparison.equal:
        parted = f"; {comparison.parted} greedy texts part" if comparison.parted else ""
        raise ModelError(
            f"{what} does not answer as the trained model: logits differ by up to {comparison.max_difference:.3g};"
            f" in standard deviations of rounding {comparison.typical:.1f} typically, expected {TYPICAL:.0f}, and"
            f" {comparison.largest:.1f} at most, expected {TOLERANCE:.0f}{parted}",
            "nothing was published; docs/publish.md says what can cause this",
        )


def _answer(model: Any, prompt: Prompt, stop_ids: Sequence[int]) -> tuple[int, ...]:
    import torch
    from transformers import GenerationConfig

    ids = torch.tensor([prompt.ids], device=model.device)
    greedy = GenerationConfig(
        do_sample=False,
        max_new_tokens=MAX_NEW_TOKENS,
        eos_token_id=list(stop_ids) or None,
        pad_token_id=next(iter(stop_ids), 0),  # nothing is padded: each prompt is asked alone
    )
    with _own_generation_settings(model, greedy):
        written = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=True)
    return tuple(written[0, len(prompt.ids) :].tolist())


@contextmanager
def _own_generation_settings(model: Any, settings: Any) -> Iterator[None]:
    """Generate by these settings alone: those that a model brings would be mixed in."""
    holder = model.get_base_model() if hasattr(model, "get_base_model") else model
    before, holder.generation_config = holder.generation_config, settings
    try:
        yield
    finally:
        holder.generation_config = before


def _read(model: Any, prompt: Prompt, answer: Sequence[int]) -> Any:
    """Read the logits from which each token of an answer was chosen, and those of the prompt's last positions."""
    import torch

    ids = torch.tensor([[*prompt.ids, *answer]], device=model.device)
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0]
    return logits[-(len(answer) + min(PROMPT_POSITIONS, len(prompt.ids))) :].float().cpu()


def _spread(
    model: Any, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]], logits: Sequence[Any], unit: float
) -> tuple[Any, ...]:
    """Measure by what standard deviation rounding moves the logits of each position."""
    import torch

    squares = [torch.zeros(len(one)) for one in logits]
    for draw in range(DRAWS):
        with rounded_at_random(model, unit, seed=draw):
            for place, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
                squares[place] += (_read(model, prompt, answer) - logits[place]).square().mean(-1)
    return tuple((square / DRAWS).sqrt() for square in squares)


def _grown(reference: Observed, unit: float) -> list[Any]:
    """Give σ for another rounding unit: small errors grow with it as they are."""
    return [unit / reference.unit * spread for spread in reference.spread]


def _part(reference: Observed, other: Observed, place: int, spread: Any) -> Literal["same", "tie", "parted"]:
    """Tell how two greedy answers end."""
    ours, theirs = reference.answers[place], other.answers[place]
    if ours == theirs:
        return "same"
    first = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    if first is None:
        return "parted"
    logits = reference.logits[place]
    row = len(logits) - len(ours) - 1 + first  # the position before a token is the one that it is chosen from
    margin = float(logits[row, ours[first]] - logits[row, theirs[first]])
    return "tie" if margin <= TOLERANCE * float(spread[row]) else "parted"
