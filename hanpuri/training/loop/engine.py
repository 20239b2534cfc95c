"""
What every trainer of TRL is given here that a run must not lose: whole checkpoints, no step on a loss of nan.

In: a model, its rows and a Progress. Out: the same, further on. The steps themselves (loss, forward, backward,
optimiser, accumulation, several processes) are TRL's and transformers'. A kind of training is `Loop` before a trainer
of TRL, as `next_token.NextToken` is; what is written anew here and why:

    evaluate           their mean over batches weighs a row of 3 trained tokens like one of 300
    _save_checkpoint   theirs leaves half a checkpoint under a whole one's name, and a full disk ends the run
    training_step      theirs logs a loss of nan and goes on
    _send_telemetry    theirs tells a server of each run

Needs trl, so it is imported only when a run starts.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from transformers import DefaultFlowCallback, PrinterCallback, Trainer

from hanpuri.errors import ModelError
from hanpuri.runs import Run
from hanpuri.training.feeding.datasets import count_tokens
from hanpuri.training.loading.adapters import save_adapter
from hanpuri.training.loop import checkpoints
from hanpuri.training.loop.compiling import as_written, compile_blocks, release_blocks
from hanpuri.training.loop.material import Material
from hanpuri.training.loop.numbers import Losses, need_number
from hanpuri.training.loop.progress import Evaluation, Progress, find_best, find_rise, peak_memory, without_gain
from hanpuri.training.loop.rhythm import Rhythm
from hanpuri.training.loop.stopping import Stopping
from hanpuri.training.loop.watching import Watch
from hanpuri.training.recipe import TrainRecipe

SAVE_FAULTS = (OSError, RuntimeError, SafetensorError)  # what a full disk looks like to torch and safetensors


class Loop(Trainer):  # type: ignore[misc]
    """What all trainers share; stands before a trainer of TRL among the bases of a class."""

    control: Any
    logged: ClassVar[Mapping[str, str]] = {"mean_token_accuracy": "token_accuracy"}
    """What of the trainer's own metrics goes into metrics.jsonl, and what it is called there."""

    @staticmethod
    def settings(recipe: Any) -> tuple[type, dict[str, Any]]:
        """Give the class of TRL's arguments, and what this kind alone tells it."""
        raise NotImplementedError

    def parts(self) -> dict[str, Any]:
        """Give what this trainer takes besides model, arguments, rows and tokenizer, such as a collator."""
        return {}

    def score_rows(self) -> dict[str, float]:
        """Score the validation rows, in eval mode and without gradients; without any there is nothing to say."""
        return {}

    def tell(self, run: Run) -> None:
        """Write into the run's folder what there is to tell of the weights that are kept, which the model has now."""

    def count_batch(self, inputs: Any) -> int:
        """Count the tokens of a batch that are learnt from, padding left out."""
        return count_tokens(inputs)

    def __init__(
        self,
        recipe: TrainRecipe,
        material: Material,
        arguments: Any,
        progress: Progress,
        watch: Watch,
        stopping: Stopping,
    ) -> None:
        self.recipe, self.material = recipe, material
        self.progress, self.watch, self.stopping = progress, watch, stopping
        model = material.model
        learnt = {name: weight.data for name, weight in model.named_parameters() if weight.requires_grad}
        # The trainer writes this into the model's configuration, which is kept; TRL trains without a cache in any case.
        arguments.use_cache = getattr(model.config.get_text_config(), "use_cache", True)
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=material.train,
            processing_class=material.tokenizer.fast,
            **self.parts(),
        )
        # The tokenizer's ids are not laid over the model's: which token ends a text is the model's own affair.
        self.processing_class = None
        # TRL rounds the adapter of a model in 4 bits to bf16, where small steps get lost.
        for name, weight in self.model.named_parameters():
            if name in learnt:
                weight.data = learnt[name]
        self.folder = Path(arguments.output_dir)
        self.save_faults = SAVE_FAULTS
        self.saving = False
        self.needed_bytes = 0
        self.save_fault: str | None = None
        self.tokens_here = 0  # of this process since the last count over all
        self.losses = Losses()
        if getattr(recipe.training, "compile", False):
            compile_blocks(model)
        self.remove_callback(PrinterCallback)
        self.remove_callback(DefaultFlowCallback)
        self.add_callback(Rhythm(self))

    def _send_telemetry(self) -> None:
        """Tell nobody."""

    def create_model_card(self, *_: object, **__: object) -> None:
        """Write none beside each checkpoint; `publish` writes one from the whole run."""

    # --- one step

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        """Take a batch forward and backward; count its tokens, and keep its loss to be looked at."""
        self.tokens_here += self.count_batch(inputs)
        loss = super().training_step(model, inputs, num_items_in_batch)
        # One of several processes must not stop alone; it makes the gradient of all of them no number, which all see.
        if self.args.world_size == 1 or self.accelerator.scaler is not None:
            self.losses.keep(loss)
        return loss

    def _clip_grad_norm(self, model: Any) -> Any:
        self.losses.check(*self.where())
        norm = super()._clip_grad_norm(model)
        if self.accelerator.scaler is None:  # in fp16 a gradient too large is usual: the step is left out
            need_number(float(norm), "gradient", *self.where())
        return norm

    def where(self) -> tuple[int, float, Path]:
        """Say for an error at which step it is, at what rate, and where its checkpoints are."""
        return self.state.global_step + 1, self._get_learning_rate(), self.folder

    def count_all_tokens(self) -> int:
        """Give the tokens learnt from so far by all processes; each of them has to ask."""
        here = torch.tensor(self.tokens_here, device=self.args.device)
        self.progress.tokens += int(self.accelerator.reduce(here, "sum"))
        self.tokens_here = 0
        return self.progress.tokens

    def _note_memory(self) -> None:
        """Keep the memory of the process that has taken the most."""
        here = torch.tensor([peak_memory(self.args.device.type)], device=self.args.device)
        most = int(self.accelerator.gather(here).max())
        self.progress.peak_memory_bytes = max(self.progress.peak_memory_bytes, most)

    # --- evaluation

    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """
        Score the validation rows and ask the scorers, without a trace in the training that goes on.

        Returns:
            `eval_loss` (mean over all trained tokens), `eval_token_accuracy`, and the scorers' under `eval_`.
        """
        started = time.monotonic()
        was_training = self.model.training
        with self._as_if_nobody_looked():
            scores = self.score_rows() | self._ask_scorers()
        self.model.train(was_training)
        if self.recipe.watch.best_by not in scores:
            found = f"the evaluation gives {', '.join(scores)}, not {self.recipe.watch.best_by}"
            raise ValueError(f"{found}, which watch.best_by needs")
        self._judge(Evaluation(self.state.global_step, round(self.state.epoch or 0.0, 4), scores))
        self.watch.pause(time.monotonic() - started)
        metrics = {f"eval_{name}": score for name, score in scores.items()}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    @contextmanager
    def _as_if_nobody_looked(self) -> Iterator[None]:
        """Leave random numbers and what is logged of the training as they were."""
        cuda = [torch.cuda.current_device()] if self.args.device.type == "cuda" else []
        self.model.eval()
        with torch.random.fork_rng(cuda), torch.no_grad(), self.accelerator.autocast(), as_written(self.material.model):
            yield

    def _ask_scorers(self) -> dict[str, float]:
        """Ask on every process, because a sharded model computes on all of them; the first one's answer counts."""
        model = self.accelerator.unwrap_model(self.model)
        given = [{name: score for scorer in self.material.scorers for name, score in scorer(model).items()}]
        if self.args.world_size > 1:
            torch.distributed.broadcast_object_list(given)
        return given[0]

    def _judge(self, evaluation: Evaluation) -> None:
        """Keep an evaluation and say aloud what it tells."""
        watch, told = self.recipe.watch, self.progress
        self.watch.line(evaluation.step, evaluation.epoch, {f"eval_{k}": v for k, v in evaluation.scores.items()})
        self.watch.draw_curves()
        if evaluation.step == 0:
            told.start = evaluation.scores
            return
        told.evaluations.append(evaluation)
        if find_best(told.evaluations, watch.best_by) is evaluation:
            self.watch.event(
                "best", evaluation.step, f"best so far: {watch.best_by} {evaluation.scores[watch.best_by]:.4f}"
            )
        if (rise := find_rise(told.evaluations)) and rise[1] == 2:
            since = rise[0]
            self.watch.event(
                "overfitting",
                evaluation.step,
                f"overfitting from epoch {since.epoch:.2f} (step {since.step}) on: the validation loss rose twice in a"
                f" row, from {since.scores['loss']:.4f} to {evaluation.scores['loss']:.4f}",
            )
            if watch.stop_on_overfitting:
                self._stop_early("overfitting")
        stopping = watch.early_stopping
        if stopping and without_gain(told.evaluations, watch.best_by, stopping.min_gain) >= stopping.patience:
            self._stop_early(f"no better {watch.best_by} in {stopping.patience} evaluations")

    def _stop_early(self, reason: str) -> None:
        if self.progress.stopped_early is None and self.state.global_step < self.state.max_steps:
            self.progress.stopped_early = reason
            self.watch.event("early_stop", self.state.global_step, f"stopped early: {reason}")
        self.control.should_training_stop = True

    # --- checkpoints

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.folder / checkpoints.SAVING if self.saving else self.folder)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save all that the next step depends on; where the disk does not take it, say so and go on."""
        started = time.monotonic()
        self.count_all_tokens()
        self._note_memory()
        saved = self.folder / checkpoints.SAVING / f"checkpoint-{self.state.global_step}"
        fault = self._agree(self._find_no_room() if self.is_world_process_zero() else None)
        if not fault:
            fault = self._agree(self._write(model, trial))
        if not fault and self.is_world_process_zero():
            fault = self._finish(saved)
        fault = self._agree(fault)
        self.save_fault = fault
        if fault:
            if self.is_world_process_zero():
                checkpoints.clear_halves(self.folder)
            told = f"step {self.state.global_step} was not saved: {fault}; training goes on, the next save tries again"
            self.watch.event("checkpoint_failed", self.state.global_step, told)
        self.watch.pause(time.monotonic() - started)

    def _find_no_room(self) -> str | None:
        lacking = checkpoints.lacking_bytes(self.folder, self.needed_bytes)
        return f"the disk lacks {lacking:,} bytes" if lacking else None

    def _write(self, model: Any, trial: Any) -> str | None:
        """Have the trainer write its checkpoint into the folder for unfinished ones."""
        self.saving = True
        try:
            super()._save_checkpoint(model, trial)
        except SAVE_FAULTS as error:
            return _one_line(error)
        finally:
            self.saving = False
        return None

    def _finish(self, saved: Path) -> str | None:
        """Add our own progress, make the checkpoint whole, and let old ones go."""
        self.progress.seconds = self.watch.seconds()
        try:
            self.progress.save(saved)
            whole = checkpoints.make_whole(saved)
            self.needed_bytes = checkpoints.size_of(whole)
            best = find_best(
                self.progress.evaluations, self.recipe.watch.best_by, checkpoints.list_checkpoints(self.folder)
            )
            checkpoints.rotate(self.folder, self.recipe.watch.keep, best.step if best else None)
            checkpoints.clear_halves(self.folder)
        except OSError as error:
            return _one_line(error)
        return None

    def _agree(self, fault: str | None) -> str | None:
        """Give the first process's fault, or any other's, to all: they save together or not at all."""
        if self.args.world_size == 1:
            return fault
        faults: list[str | None] = [None] * self.args.world_size
        torch.distributed.all_gather_object(faults, fault)
        return next((one for one in faults if one), None)

    def checkpoint_bytes(self) -> int:
        """Say how large a checkpoint is; before there is one, by the weights that learn and two moments of each."""
        learnt = (weight.numel() * weight.element_size() for weight in self.model.parameters() if weight.requires_grad)
        return self.needed_bytes or 3 * sum(learnt)

    # --- weights

    @property
    def is_adapter(self) -> bool:
        """Whether an adapter learns, and not the whole model."""
        return hasattr(self.material.model, "peft_config")

    def load_weights(self, checkpoint: Path) -> None:
        """Put the weights of a checkpoint into the model."""
        self._load_from_checkpoint(str(checkpoint), self.model_wrapped if self.is_fsdp_enabled else None)

    def write_weights(self, folder: Path) -> None:
        """Write the model or the adapter, with its tokenizer; sharded models are gathered for it."""
        if self.is_fsdp_enabled:
            self.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        self.save_model(str(folder), _internal_call=True)
        if self.is_world_process_zero():
            self.material.tokenizer.fast.save_pretrained(folder)

    def release_model(self) -> None:
        """Take off the model what was laid around it for training."""
        release_blocks(self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False).eval())

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """
        Write the weights alone: PEFT would ask a hub about the base, and transformers pickle its arguments.

        Checkpoints have the names that the weights bear in memory. Those of published models differ in some families
        (gpt-neox: embed_out is lm_head), and transformers would resume without the weights that it does not find.
        """
        folder, model = Path(output_dir or self.folder), self.accelerator.unwrap_model(self.model)
        if self.is_adapter and state_dict is None:
            save_adapter(model, folder)
        else:
            own: dict[str, Any] = {"save_embedding_layers": False, "selected_adapters": ["default"]}
            how = own if self.is_adapter else {"save_original_format": not self.saving}
            # Gathered from shards, a matrix that reads and writes tokens is there twice, under both its names.
            once = state_dict and {k: v for k, v in state_dict.items() if k not in model.all_tied_weights_keys}
            model.save_pretrained(folder, state_dict=once, **how)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Refuse weights that are not the model's: theirs warns and trains on with what was there by chance."""
        tensors = self.model.state_dict(keep_vars=True)
        there = {id(tensor) for name, tensor in tensors.items() if name not in load_result.missing_keys}
        missing = [name for name in load_result.missing_keys if id(tensors[name]) not in there]  # tied ones are there
        if wrong := [*missing, *load_result.unexpected_keys]:
            found = (
                f"the checkpoint does not fit the model: {len(wrong)} weights are missing or unknown, {wrong[0]} first"
            )
            raise ModelError(found, "remove the run's folder to begin anew, or give the run another name")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
