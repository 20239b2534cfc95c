"""
Signs that a reward rises for the wrong reason, or that nothing is learnt from it.

In: what is logged of the answers, and what it was before the first step. Out: a line for each sign that appears:

    {"mean_length": 212.0, …} beside {"mean_length": 48.0, …}
      ─►   Sign("length", "answers are 4.4 times as long as before the first step: 212 tokens", hacking=True)

    length, repetition, empty, entropy   the reward may be hacked: they are compared with what was before the first step
    no_spread, clipped, by_heart         little is learnt: answers are all worth the same, are cut off, or known already

A sign that stays is told once; one that went away and comes back is told again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hanpuri.training.recipe import HackingSettings
from hanpuri.training.reinforcement.by_heart import known_by_heart

ALIKE = 0.9  # share of the prompts whose answers all got the same reward, from which on it is said
CUT = 0.5  # share of the answers that were cut off, from which on it is said

PART = "reward_"  # stands before the name of each part of the reward

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Sign:
    """One sign, and what to say of it."""

    name: str
    message: str
    hacking: bool
    """Whether it is one of a reward that is hacked, and not of one that teaches nothing."""


class Signs:
    """Watches the figures of one run; `state` goes with its checkpoints."""

    def __init__(self, settings: HackingSettings) -> None:
        self._settings = settings
        self.start: dict[str, float] = {}
        """The figures before the first step; empty until they are known."""
        self._standing: set[str] = set()

    def look(self, figures: Figures, held_out: Figures | None = None) -> list[Sign]:
        """Give the signs that have appeared since the last look; `held_out` are scores before the first step."""
        if self._settings.action == "off" or not self.start:
            return []
        found = [*_find(figures, self.start, self._settings), *_find_known(figures, held_out or {})]
        new = [sign for sign in found if sign.name not in self._standing]
        self._standing = {sign.name for sign in found}
        return new

    @property
    def state(self) -> dict[str, object]:
        """What a run that goes on has to know."""
        return {"start": self.start, "standing": sorted(self._standing)}

    @state.setter
    def state(self, state: Mapping[str, object]) -> None:
        start, standing = state["start"], state["standing"]
        assert isinstance(start, dict)
        assert isinstance(standing, list)
        self.start, self._standing = dict(start), set(standing)


def _find(now: Figures, start: Figures, limits: HackingSettings) -> Iterator[Sign]:
    length, before = now.get("mean_length", 0.0), start.get("mean_length", 0.0)
    if before and length >= limits.length * before:
        times = f"{length / before:.1f} times as long as before the first step"
        yield Sign("length", f"answers are {times}: {length:,.0f} tokens", hacking=True)
    if _over("repetition", now, start, limits.repetition):
        told = f"{now['repetition']:.0%} of an answer says again what it said, {_before('repetition', start)}"
        yield Sign("repetition", told, hacking=True)
    if _over("empty", now, start, limits.empty):
        told = f"{now['empty']:.0%} of the answers have no word, {_before('empty', start)}"
        yield Sign("empty", told, hacking=True)
    entropy, choice = now.get("entropy"), start.get("entropy", 0.0)
    if entropy is not None and choice > 0 and entropy <= limits.entropy * choice:
        told = f"the model has hardly any choice left: entropy {entropy:.3g}, {choice:.3g} before the first step"
        yield Sign("entropy", told, hacking=True)
    if (alike := now.get("alike", 0.0)) >= ALIKE:
        told = f"nothing is learnt from {alike:.0%} of the prompts: all answers to one got the same reward"
        yield Sign("no_spread", told, hacking=False)
    if (cut := now.get("clipped", 0.0)) >= CUT:
        told = f"{cut:.0%} of the answers were cut off at sampling.max_new_tokens, and rewarded as they are"
        yield Sign("clipped", told, hacking=False)


def _find_known(now: Figures, held_out: Figures) -> Iterator[Sign]:
    """Find parts of the reward that are measures, and high on the prompts alone."""
    for name in [one for one in now if one.startswith(PART) and one in held_out]:
        if told := known_by_heart(name.removeprefix(PART), now[name], held_out[name]):
            yield Sign("by_heart", told, hacking=False)
            return


def _over(name: str, now: Figures, start: Figures, limit: float) -> bool:
    """Say whether a share is over its limit, and was not so before the first step."""
    return now.get(name, 0.0) >= limit and now[name] > start.get(name, 0.0)


def _before(name: str, start: Figures) -> str:
    return f"{start.get(name, 0.0):.0%} before the first step"
