"""
TRL's trainers of this room, imported without trackio, which they would bring.

Out: GRPOTrainer, RLOOTrainer and their arguments. With them TRL imports trackio wherever it is installed, and trackio
settles for good where its files go when it is imported: a run that names it would not find them in its own folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import transformers
from transformers import integrations
from transformers.integrations import integration_utils

ASKED = "is_trackio_available"


@contextmanager
def _without_trackio() -> Iterator[None]:
    """Say no, wherever TRL asks whether trackio is there."""

    def answer() -> bool:
        return False

    with (
        patch.object(transformers, ASKED, answer),
        patch.object(integrations, ASKED, answer),
        patch.object(integration_utils, ASKED, answer),
    ):
        yield


with _without_trackio():
    from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

__all__ = ["GRPOConfig", "GRPOTrainer", "RLOOConfig", "RLOOTrainer"]
