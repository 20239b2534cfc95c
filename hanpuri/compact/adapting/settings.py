"""What `hanpuri adapt` may be told, one sentence a field."""

from pydantic import Field

from hanpuri.recipe import Settings

MINUTES_ON_CPU, MINUTES_ON_GPU = 25.0, 5.0


class AdaptSettings(Settings):
    """How long to learn, how hard, and how far to move away from the model that is begun with."""

    minutes: float | None = Field(default=None, gt=0, description="Time for all of it; 25 on a CPU, 5 on a GPU.")
    passes: float = Field(default=10, gt=0, description="How often to go through the texts at most.")
    share: float = Field(default=0.8, gt=0, le=1, description="How far to go from the old weights to the learnt ones.")
    learning_rate: float = Field(default=3e-4, gt=0, description="Peak rate; it falls in a line to 1 % of that.")
    pull: float = Field(default=1.0, ge=0, description="Weight of answering random syllables as the old model does.")
    general_share: float = Field(
        default=0.25, gt=0, lt=1, description="Share of windows drawn from general text, if there is any."
    )
    phrases: bool = Field(default=True, description="Whether what the texts say again and again goes with the model.")
    seed: int = Field(default=0, ge=0, description="Decides which texts are kept apart, windows and noise.")
