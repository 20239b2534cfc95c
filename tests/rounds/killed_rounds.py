"""
Rounds that a machine ends in the middle of a training step. Started by `test_rounds`, in a process of its own.

In: a folder with rows and a model, and a recipe as JSON. Out: nothing; the process is killed (kill -9) at the second
step of the first DPO, after its checkpoint.
"""

import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.rounds.rounds import run_rounds
from hanpuri.training.loop.watching import Watch


@contextmanager
def show(step, look):
    """End at once, without a word to anybody."""

    def report_step(number, steps, line):
        if step.name == "round-1/dpo" and number == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    yield lambda done, total: None, report_step


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    Watch.draw_curves = lambda self, *, now=False: None
    run_rounds(RoundsRecipe.model_validate(json.loads(sys.argv[2])), Path("runs/killed"), show=show)
