"""
When a run logs, looks, saves and stops.

In: a step that is done. Out: what follows it. With `log_every: 10, evaluate_every: 200`:

    step 10: a line     step 200: a line, an evaluation, a checkpoint     the last step: the same

Every evaluation is followed by a checkpoint, so that the best step can be kept. Needs transformers, as `engine` does.
"""

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from hanpuri.training.loop.engine import Loop


class Rhythm(TrainerCallback):  # type: ignore[misc]
    """When to log, evaluate, save and stop: asked after each step."""

    def __init__(self, loop: "Loop") -> None:
        self.loop = loop

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:
        """Say that it begins, or from where it goes on."""
        watch, tokens = self.loop.watch, self.loop.progress.tokens
        watch.begin(state.max_steps, tokens)
        if state.global_step:
            told = f"resumed at step {state.global_step:,} of {state.max_steps:,}"
            watch.event("resumed", state.global_step, told)
        else:
            watch.event("started", 0, f"started: {state.max_steps:,} steps")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:
        """Decide what follows this step."""
        loop, watch, step = self.loop, self.loop.recipe.watch, state.global_step
        loop.watch.tick(step)
        is_last = step >= state.max_steps
        stops = loop.stopping.asked(loop.accelerator, loop.args.device)
        looks = loop.material.evaluates and (step % watch.evaluate_every == 0 or is_last)
        control.should_evaluate = looks
        control.should_save = looks or stops or is_last or step % (watch.save_every or watch.evaluate_every) == 0
        # A line ends at each checkpoint, so that the mean of the next one does not hang on where a run was cut off.
        control.should_log = control.should_save or step % watch.log_every == 0
        control.should_training_stop = stops or is_last
        loop.progress.finished = is_last

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: object) -> None:
        """Pass on what the trainer would log."""
        if logs and "loss" in logs:
            names = {"loss": "loss", **self.loop.logged, "learning_rate": "learning_rate", "grad_norm": "grad_norm"}
            metrics = {called: logs[name] for name, called in names.items() if logs.get(name) is not None}
            tokens = self.loop.count_all_tokens()
            self.loop.watch.training_line(state.global_step, round(state.epoch or 0.0, 4), metrics, tokens)
        state.log_history.clear()  # metrics.jsonl has it; here it would grow with each checkpoint

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: object) -> None:
        """A run that stops early has come to its end."""
        if self.loop.progress.stopped_early:
            self.loop.progress.finished = True
