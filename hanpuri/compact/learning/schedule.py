"""
How far a training is ─► its learning rate, which texts it draws, whether it is over.

In:  the step, and the seconds that were spent on steps.   Out: plain numbers.

A training is measured in `steps` or in `seconds`, by what its recipe names. The rate rises over the warm-up and falls
in a line to the end of that measure: however fast the machine, and however often it stopped, a training ends annealed.

    >>> schedule = Schedule(TrainingSettings(seconds=600, learning_rate=1.0))
    >>> schedule.learning_rate(step=5_000, seconds=450)
    0.25
"""

from dataclasses import dataclass

from hanpuri.compact.settings import TrainingSettings

# The rate ends at this share of its peak.
FINAL_RATE = 0.01


@dataclass(frozen=True)
class Schedule:
    """What a training does when, by `step` (steps taken so far) and `seconds` (spent on them)."""

    settings: TrainingSettings

    def progress(self, step: int, seconds: float) -> float:
        """The share of the training that is done, 0 to 1."""
        if self.settings.seconds is not None:
            return min(1.0, seconds / self.settings.seconds)
        assert self.settings.steps is not None
        return min(1.0, step / self.settings.steps)

    def learning_rate(self, step: int, seconds: float) -> float:
        """Rise in a line over the warm-up, then fall in a line to 1 % of the peak."""
        warmup, steps = self.settings.warmup_steps, self.settings.steps
        rising = min(1.0, (step + 1) / max(1, warmup))
        # How long a warm-up takes is not known beforehand: where seconds count, the fall begins at once.
        risen = 0.0 if steps is None else min(warmup, steps - 1) / steps
        falling = (1 - self.progress(step, seconds)) / (1 - risen)
        return self.settings.learning_rate * max(FINAL_RATE, min(rising, falling))

    def is_last_part(self, step: int, seconds: float) -> bool:
        """Whether texts are drawn by their `final_weight`s."""
        return self.progress(step, seconds) >= 1 - self.settings.final_share

    def is_over(self, step: int, seconds: float) -> bool:
        """Whether there is no step left to take."""
        return self.progress(step, seconds) >= 1
