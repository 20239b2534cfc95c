"""
wandb, trackio and tensorboard, as transformers speaks to them, each so that it cannot hurt a run.

In: the names in `watch.trackers`. Out: trackers that are told each line; their files lie in the run's `trackers/`:

    train/loss 1.93, train/learning_rate 0.0002, eval/char_accuracy 0.83   at step 200

None is imported unless it is named, and none is asked for a login: wandb without one stays on this machine. A tracker
that raises, or does not begin in time, is dropped with one line.
"""

import io
import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from contextvars import copy_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hanpuri.training.recipe import WatchSettings

SECONDS_TO_ANSWER = 30.0
logger = logging.getLogger("hanpuri.training")
CALLBACKS = {"wandb": "WandbCallback", "trackio": "TrackioCallback", "tensorboard": "TensorBoardCallback"}


class Tracker:
    """One service that is told of the run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._callback: Any = None
        self._told: tuple[Any, ...] = ()
        self._context = copy_context()  # trackio keeps its run in one, and events come from several threads

    def begin(self, arguments: Any, model: Any) -> str | None:
        """Open it; says what went wrong, or None."""

        def open_it() -> None:
            from transformers import TrainerState
            from transformers.integrations import integration_utils

            state = TrainerState(is_world_process_zero=True, is_local_process_zero=True)
            self._callback = getattr(integration_utils, CALLBACKS[self.name])()
            self._told = arguments, state, SimpleNamespace()
            self._callback.on_train_begin(*self._told, model=model)

        return self._in_time(open_it)

    def log(self, step: int, figures: Mapping[str, float]) -> str | None:
        """Tell it figures; says what went wrong, or None."""
        self._told[1].global_step = step
        return self._guarded(lambda: self._callback.on_log(*self._told, logs=dict(figures)))

    def end(self) -> str | None:
        """Close it; says what went wrong, or None."""

        def close_it() -> None:
            self._callback.on_train_end(*self._told)
            if self.name == "wandb":  # transformers leaves that to the end of the process
                import wandb

                wandb.finish()

        return self._in_time(close_it)

    def _in_time(self, work: Callable[[], object]) -> str | None:
        """Do work that may hang, such as dialling, in a thread that is left alone when its time is over."""
        faults: list[str | None] = [f"no answer in {SECONDS_TO_ANSWER:.0f} seconds"]
        thread = threading.Thread(target=lambda: faults.append(self._guarded(work)), daemon=True)
        with redirect_stdout(io.StringIO()):  # trackio greets
            thread.start()
            thread.join(SECONDS_TO_ANSWER)
        return faults[-1]

    def _guarded(self, work: Callable[[], object]) -> str | None:
        try:
            self._context.run(work)
        except BaseException as error:  # a library may even exit; whatever it does, the run goes on
            if isinstance(error, KeyboardInterrupt):
                raise
            return " ".join(str(error).split())[:200] or type(error).__name__
        return None


def open_trackers(
    settings: WatchSettings, folder: Path, arguments: Any, model: Any, lost: Callable[[str], None]
) -> list[Tracker]:
    """
    Open the trackers that are named.

    Args:
        settings: which ones.
        folder: the run's.
        arguments: what the trainer was told; trackers show it beside the curves.
        model: for the same.
        lost: is told in one line of each that could not be opened.
    """
    opened = []
    for name in settings.trackers:
        _settle_environment(name, settings.project, folder / "trackers")
        tracker = Tracker(name)
        if fault := tracker.begin(arguments, model):
            lost(f"{name} could not begin and is told nothing: {fault}")
        else:
            opened.append(tracker)
    return opened


def is_wandb_alone() -> bool:
    """Say whether wandb has neither a login nor an order, so that it would ask for one."""
    import netrc

    if any(os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE")):
        return False
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").split("//")[-1].split("/")[0]
    try:
        return netrc.netrc().authenticators(host) is None
    except (OSError, netrc.NetrcParseError):
        return True


def _settle_environment(name: str, project: str, folder: Path) -> None:
    """Say by the environment, which is how these libraries are told, where files go and that nobody is asked."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "wandb":
        os.environ["WANDB_PROJECT"] = project
        os.environ.setdefault("WANDB_DIR", str(folder))
        os.environ.setdefault("WANDB_SILENT", "true")
        if is_wandb_alone():
            logger.info("wandb has no login here, so it keeps the run in %s; `wandb sync` sends it later", folder)
            os.environ["WANDB_MODE"] = "offline"
    elif name == "trackio":
        os.environ.setdefault("TRACKIO_DIR", str(folder / "trackio"))
    else:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / "tensorboard")
