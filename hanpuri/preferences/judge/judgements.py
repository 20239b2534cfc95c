"""
Replies to both orders of a pair ─► a judgement: which answer is better, or why nobody knows.

In: "A" to the pair as it stands, "B" to the pair turned round. Out: Judgement("first"):

    first first     ─►  first           tie tie, tie first  ─►  tie: no order takes the other side
    second second   ─►  second          first second        ─►  disagreement: the place decided, not the answer
    nothing         ─►  unjudged        one order unread    ─►  unjudged
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["first", "second", "tie"]
Outcome = Literal["first", "second", "tie", "disagreement", "unjudged"]
OUTCOMES: tuple[Outcome, ...] = ("first", "second", "tie", "disagreement", "unjudged")


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of asking in one order."""

    turned: bool
    """Whether the second answer stood first, as A."""
    side: Side | None
    """Which answer it takes; None if no verdict could be read."""
    replies: tuple[str, ...] = ()
    """All that it wrote, try by try; "" where it wrote nothing."""
    why: str = ""
    """Why there is no verdict; "" if there is one."""
    share: float | None = None
    """By likelihood: how likely the first answer is the better one, from 0 to 1."""
    num_prompt_tokens: int = 0
    num_tokens: int = 0

    @property
    def place(self) -> Literal["A", "B", "tie"] | None:
        """
        Which place won in this order.

            >>> Heard(True, "first").place, Heard(False, "first").place
            ('B', 'A')
        """
        if self.side is None or self.side == "tie":
            return self.side
        return "A" if (self.side == "first") != self.turned else "B"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge says of a pair."""

    outcome: Outcome
    heard: tuple[Heard, ...] = ()
    """Of each order that was asked; none where both answers are the same text."""

    @property
    def why(self) -> str:
        """Why the pair is unjudged; "" if it is not."""
        return next((one.why for one in self.heard if one.side is None), "")

    @property
    def share(self) -> float | None:
        """By likelihood: the mean over the orders of how likely the first answer is the better one."""
        shares = [one.share for one in self.heard if one.share is not None]
        return sum(shares) / len(shares) if shares else None

    def as_dict(self) -> dict[str, Any]:
        """Give what a ledger keeps: the outcome, and what was said in each order."""
        heard = [
            {"turned": one.turned, "side": one.side, "replies": list(one.replies)}
            | ({"why": one.why} if one.why else {})
            | ({"share": one.share} if one.share is not None else {})
            for one in self.heard
        ]
        return {"outcome": self.outcome, "heard": heard}


def settle(heard: Sequence[Heard], tie_within: float = 0.0) -> Judgement:
    """
    Make one judgement of what was said in the orders that were asked.

        >>> settle([Heard(False, "first"), Heard(True, "first")]).outcome
        'first'
        >>> settle([Heard(False, "first"), Heard(True, "second")]).outcome
        'disagreement'
        >>> settle([Heard(False, "first", share=0.9), Heard(True, "second", share=0.3)]).outcome
        'first'

    Args:
        heard: one or two orders.
        tie_within: by likelihood, where the mean of both orders decides: so near to one half is a tie.
    """
    judgement = Judgement("unjudged", tuple(heard))
    sides = {one.side for one in heard}
    if not sides or None in sides:
        return judgement
    if (share := judgement.share) is not None:
        return Judgement(_by_share(share, tie_within), judgement.heard)
    if sides == {"first", "second"}:
        return Judgement("disagreement", judgement.heard)
    outcome: Outcome = "tie" if "tie" in sides else "first" if "first" in sides else "second"
    return Judgement(outcome, judgement.heard)


def _by_share(share: float, tie_within: float) -> Side:
    if abs(share - 0.5) <= tie_within:
        return "tie"
    return "first" if share > 0.5 else "second"
