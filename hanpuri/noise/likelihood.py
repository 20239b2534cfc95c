"""
How likely the generator makes this noisy text of that clean one: exact, over all the choices that it can have made.

In:  the noisy "념뭄", the clean "너무".   Out: log P(noisy | clean) = −4.60; for the clean "나무" it is −inf.

The generator of `hanpuri.noise.airbnb` passes letters only between neighbours, and has passed them all before a
syllable changes by itself. So of what it did to the syllables so far, little matters for those that come: whether the
last one may change at all and, if so, whether a tail has moved into it. Three numbers go from left to right: how likely
the noisy text so far is, together with each of these states. At the end their sum is the likelihood. How one syllable
changes, in up to ten tries with two places of three and a tail that may be put in, is tabulated once
(`hanpuri.noise.changes`).

A search for the clean text extends many readings at a time (`Paths`): a step is a few look-ups in that table.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from hanpuri.hangul import FIRST_SYLLABLE, LEADS, TAILS, Indices, Mask, code_points, syllable_mask
from hanpuri.noise.airbnb import LEAD_STEP, MIDDLE, Letters, Sliders, double, liaise
from hanpuri.noise.changes import Probabilities, change_table, fitting

# How the last syllable of a reading stands: it may not change; it may; it may, and the tail before it has moved in.
KEPT, PLAIN, MOVED = range(3)
FULL: Mapping[float, float] = {1.0: 1.0}


@dataclass(frozen=True)
class Paths:
    """
    N readings of a text, each from its first syllable to the same place, and how the generator can stand there.

    Attributes:
        clean: (N,) the number of the last clean syllable.
        moved: (N,) what it becomes when the tail before it moves in; the same, if none can.
        noisy: (N,) what stands in its place in the noisy text.
        weights: (N, K, 3) how the K strengths and the states KEPT, PLAIN and MOVED share the likelihood; they sum to 1.
        log_likelihood: (N,) log P(noisy syllables before the last one | clean ones up to it).
    """

    clean: Indices
    moved: Indices
    noisy: Indices
    weights: Probabilities
    log_likelihood: Probabilities

    def take(self, places: Indices) -> "Paths":
        """Pick readings by their places, each as often as it is named."""
        return Paths(
            self.clean[places],
            self.moved[places],
            self.noisy[places],
            self.weights[places],
            self.log_likelihood[places],
        )

    def where(self, chosen: Mask, other: "Paths") -> "Paths":
        """Take the `other` readings where `chosen`, (N,), and these elsewhere."""
        return Paths(
            np.where(chosen, other.clean, self.clean),
            np.where(chosen, other.moved, self.moved),
            np.where(chosen, other.noisy, self.noisy),
            np.where(chosen[:, None, None], other.weights, self.weights),
            np.where(chosen, other.log_likelihood, self.log_likelihood),
        )


class Channel:
    """
    The generator as a probability.

    >>> channel = Channel()
    >>> round(channel.log_likelihood("념뭄", "너무"), 2), channel.log_likelihood("념뭄", "나무")
    (-4.6, -inf)
    """

    def __init__(
        self,
        sliders: Sliders = MIDDLE,
        *,
        strengths: Mapping[float, float] = FULL,
        ks_x_1001: bool = True,
        profile: str = "airbnb",
    ) -> None:
        """
        Set the noise, in the words of `hanpuri.noise.obfuscate`.

        Args:
            sliders: the generator's four probabilities.
            strengths: the share of a text's syllables that may change at all, and of how many texts it is the share;
                {1: 0.9, 0: 0.1} says that a tenth of the texts was left as it is.
            ks_x_1001: whether only syllables that KS X 1001 holds are made.
            profile: "airbnb" or "hand".

        Raises:
            ValueError: if the profile is unknown, a strength is no share, or not all texts have one.
        """
        for strength in strengths:
            if not 0.0 <= strength <= 1.0:
                raise ValueError(f"the strength is {strength}; it is a share from 0 to 1")
        if not math.isclose(total := sum(strengths.values()), 1.0):
            raise ValueError(f"the shares of the strengths sum to {total}, expected 1")
        self.sliders = sliders
        may = np.array(list(strengths))
        # Of a strength, how likely each state is for a syllable, if whether a tail moves in is known.
        self._states = np.stack([1.0 - may, may, may], -1)
        self._shares = np.array(list(strengths.values()))
        self._fits = fitting(ks_x_1001)
        self._changes = change_table(profile, sliders, ks_x_1001=ks_x_1001)

    def log_likelihood(self, noisy: str, clean: str) -> float:
        """
        Give log P(noisy | clean), in nats; −inf if the one cannot have become the other.

        What is no syllable stays, for certain:

            >>> Channel().log_likelihood("Wi-Fi!", "Wi-Fi!"), Channel().log_likelihood("Wi-Fi!", "WiFi!!")
            (0.0, -inf)
        """
        before, after = code_points(clean), code_points(noisy)
        if len(before) != len(after):
            return -math.inf
        is_syllable = syllable_mask(before)
        places = np.flatnonzero(is_syllable)
        if (before != after)[~is_syllable].any() or not syllable_mask(after[places]).all():
            return -math.inf
        if not len(places):
            return 0.0
        return self._chain(after[places] - FIRST_SYLLABLE, before[places] - FIRST_SYLLABLE, np.diff(places) == 1)

    def _chain(self, noisy: Indices, clean: Indices, joined: Mask) -> float:
        """Work out all steps of a text at once, then go through them."""
        moved = clean.copy()
        moved[1:] = self._moved(clean[:-1], clean[1:], joined)
        weights, total = self._shares[:, None] * self._states * [1.0, 1.0, 0.0], 0.0
        for step in self._steps(clean[:-1], moved[:-1], noisy[:-1], clean[1:], joined):
            weights = (weights @ step) * self._states
            here = float(weights.sum())
            if not here:
                return -math.inf
            total += math.log(here)
            weights = weights / here
        last = float((weights @ self._ends(clean[-1:], moved[-1:], noisy[-1:])[0]).sum())
        return total + math.log(last) if last else -math.inf

    def begin(self, num_readings: int) -> Paths:
        """Begin readings of nothing yet: before them stands a nominal syllable that has stayed as it was."""
        nominal = np.zeros(num_readings, dtype=np.int64)
        weights = self._shares[:, None] * [1.0, 0.0, 0.0]
        return Paths(nominal, nominal, nominal, np.tile(weights, (num_readings, 1, 1)), np.zeros(num_readings))

    def extend(self, paths: Paths, clean: Indices, noisy: Indices, joined: Mask) -> Paths:
        """
        Go on by a syllable.

        Args:
            paths: N readings.
            clean: (N,) the next syllable of each.
            noisy: (N,) what it became.
            joined: (N,) whether it stands right behind the last one, with nothing between.
        """
        steps = self._steps(paths.clean, paths.moved, paths.noisy, clean, joined)
        weights = (paths.weights @ steps) * self._states
        total = weights.sum((1, 2))
        with np.errstate(divide="ignore"):
            log_likelihood = paths.log_likelihood + np.log(total)
        weights /= np.where(total, total, 1.0)[:, None, None]
        return Paths(clean, self._moved(paths.clean, clean, joined), noisy, weights, log_likelihood)

    def end(self, paths: Paths) -> Probabilities:
        """Give log P(noisy | clean) of N readings that end here, (N,)."""
        return self._close(paths, self._ends(paths.clean, paths.moved, paths.noisy))

    def foresee(self, paths: Paths, following: Indices) -> Probabilities:
        """
        Guess what `end` will be worth when the readings go on: the mean over syllables that may follow, (N,).

        How likely the last noisy syllable is hangs on the lead behind it, so readings cannot be compared without.

        Args:
            paths: N readings.
            following: (N, F) syllables that may stand right behind them; −1 for fewer than F.
        """
        joined = (following >= 0).ravel()
        clean, moved, noisy = (np.repeat(e, following.shape[1]) for e in (paths.clean, paths.moved, paths.noisy))
        steps = self._steps(clean, moved, noisy, np.where(joined, following.ravel(), 0), joined)
        # Whether the next syllable may change is left open: here it may.
        each = steps[:, :, PLAIN:].sum(-1).reshape(*following.shape, 3)
        counts = joined.reshape(following.shape)
        counts[~counts.any(1), 0] = True
        return self._close(paths, (each * counts[..., None]).sum(1) / counts.sum(1)[:, None])

    def _close(self, paths: Paths, last: Probabilities) -> Probabilities:
        with np.errstate(divide="ignore"):
            total: Probabilities = paths.log_likelihood + np.log((paths.weights.sum(1) * last).sum(1))
        return total

    def _ends(self, clean: Indices, moved: Indices, noisy: Indices) -> Probabilities:
        """P(noisy syllable | state) where nothing follows, (N, 3)."""
        both = self._changes.probability(np.stack([clean, moved], -1), noisy[:, None])
        return np.concatenate([(clean == noisy)[:, None], both], -1)

    def _moved(self, left: Indices, right: Indices, joined: Mask) -> Indices:
        """What each right syllable becomes if the tail of the left one moves in; it may not fit."""
        return np.where(joined, right + _joins(liaise)[1, left % len(TAILS), right // LEAD_STEP], right)

    def _steps(self, clean: Indices, moved: Indices, noisy: Indices, right: Indices, joined: Mask) -> Probabilities:
        """P(noisy, whether the tail moves | state of the left one), (N, 3, 3), by the state that the right one has."""
        left, lead = np.stack([clean, moved], -1), (right // LEAD_STEP)[:, None]
        stays = left + _joins(liaise)[0, left % len(TAILS), lead]
        arrives = self._moved(clean, right, joined)
        # The generator asks only whether what it makes fits: a clean syllable that does not may stand.
        fits = self._fits[stays] & self._fits[arrives][:, None]
        share = np.where((stays != left) & fits & joined[:, None], self.sliders.liaison, 0.0)
        ends = self._ends(clean, moved, noisy)
        steps = np.zeros((len(clean), 3, 3))
        steps[:, :, KEPT] = ends
        steps[:, KEPT, PLAIN] = ends[:, KEPT]
        steps[:, PLAIN:, PLAIN] = (1.0 - share) * self._after_doubling(left, lead, noisy, joined)
        steps[:, PLAIN:, MOVED] = share * self._after_doubling(stays, (arrives // LEAD_STEP)[:, None], noisy, joined)
        return steps

    def _after_doubling(self, left: Indices, lead: Indices, noisy: Indices, joined: Mask) -> Probabilities:
        """P(noisy | left syllable after the liaison), (N, 2), whether the next lead is copied into it or not."""
        doubled = left + _joins(double)[0, left % len(TAILS), lead]
        share = np.where((doubled != left) & self._fits[doubled] & joined[:, None], self.sliders.doubling, 0.0)
        once = self._changes.probability(left, noisy[:, None])
        return once + share * (self._changes.probability(doubled, noisy[:, None]) - once)


@cache
def _joins(join: Callable[[Letters, Letters], tuple[Letters, Letters]]) -> Indices:
    """Tabulate a step across two syllables: what is added to the left and the right number, (2, 28 tails, 19 leads)."""
    table = np.zeros((2, len(TAILS), len(LEADS)), dtype=np.int64)
    for old_tail, tail in enumerate(TAILS):
        for old_lead, lead in enumerate(LEADS):
            (*_, new_tail), (new_lead, *_) = join(("ㄱ", "ㅏ", tail), (lead, "ㅏ", ""))
            table[0, old_tail, old_lead] = TAILS.index(new_tail) - old_tail
            table[1, old_tail, old_lead] = (LEADS.index(new_lead) - old_lead) * LEAD_STEP
    return table
