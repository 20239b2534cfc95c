"""
The trainers of `kind: grpo` and `kind: rloo`: TRL's, with our prompts, our rewards and our evaluation.

In: a model and the numbers of questions. Out: the same model, further on. Answering, advantages, loss and KL are TRL's;
what is written anew here and why:

    _tokenize_prompts          theirs knows no template of ours, and may put a bos token where training has none
    _generate_single_turn      in theirs the model's own generation settings rule what is drawn
    _calculate_rewards         theirs reads answers otherwise than our engines, and takes a missing number for 0
    _get_train_sampler         theirs begins anew with the first epoch's order in a run that goes on
    the reference              theirs is loaded by the name in the model's configuration, perhaps from a hub

A step's line in metrics.jsonl has, besides the loss, `reward`, `reward_std`, the mean of each part as `reward_<name>`,
`kl`, `entropy`, `mean_length`, `clipped`, `repetition`, `empty`, `alike` and `unscored`. Needs trl, as `engine` does.
"""

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from trl.trainer.utils import RepeatSampler, add_fused_lm_head, disable_dropout_in_model

from hanpuri.runs import write_json
from hanpuri.training.loop import checkpoints
from hanpuri.training.loop.engine import SAVE_FAULTS, Loop
from hanpuri.training.loop.progress import Evaluation
from hanpuri.training.recipe import ReinforcementRecipe
from hanpuri.training.reinforcement.filling import fill_unscored
from hanpuri.training.reinforcement.questions import Questions
from hanpuri.training.reinforcement.reference import freeze_copy, take_off
from hanpuri.training.reinforcement.reward import score_answers
from hanpuri.training.reinforcement.samples import SampleScorer, cut_samples, keep_samples
from hanpuri.training.reinforcement.signs import PART, Sign, Signs
from hanpuri.training.reinforcement.texts import is_empty, repeated
from hanpuri.training.reinforcement.trainers import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

SIGNS = "signs.json"
ANSWERS = "answers-{}.pt"  # of each process
SAME = 1e-6  # rewards that differ by less are the same
OURS = ("unscored", "alike", "repetition", "empty")
LOGGED = {
    "reward": "reward",
    "reward_std": "reward_std",
    "kl": "kl",
    "entropy": "entropy",
    "completions/mean_length": "mean_length",
    "completions/clipped_ratio": "clipped",
    **{name: name for name in OURS},
}
"""TRL's name of a figure, and ours."""


@dataclass(frozen=True)
class LoopOf:
    """A trainer with the questions that it asks: what `loop.trainer` takes in the place of a class."""

    kind: "type[Reinforcing]"
    questions: Questions

    def settings(self, recipe: Any) -> tuple[type, dict[str, Any]]:
        """Give the class of TRL's arguments, and what this kind tells it."""
        return self.kind.settings(recipe)

    def __call__(self, recipe: Any, material: Any, arguments: Any, *others: Any) -> Loop:
        """Make the trainer of one run."""
        return self.kind(self.questions, recipe, material, arguments, *others)


class Reinforcing(Loop):
    """What GRPO and RLOO share; stands before a trainer of TRL among the bases of a class."""

    recipe: ReinforcementRecipe

    def __init__(self, questions: Questions, recipe: Any, material: Any, arguments: Any, *others: Any) -> None:
        self.questions = questions
        self.signs = Signs(recipe.hacking)
        parts = {f"rewards/{reward.name}/mean": f"{PART}{reward.name}" for reward in questions.rewards}
        self.logged = {**LOGGED, **parts}  # type: ignore[misc]  # the names of the rewards are the recipe's
        beta, arguments.beta = arguments.beta, 0.0  # without it, TRL makes no reference
        reference = freeze_copy(recipe, material.model) if beta and not recipe.adapter else None
        with _pads_kept(material):
            super().__init__(recipe, material, arguments, *others)
            # It pads with a token of its own where the tokenizer has none, which is nobody else's affair.
            self._tokenizer = copy.deepcopy(material.tokenizer.fast)
        take_off(material.model)  # TRL's RLOO lays one beside every adapter, whatever beta is
        if beta and recipe.adapter:
            freeze_copy(recipe, material.model)
            disable_dropout_in_model(material.model)  # as TRL has done with the rest of it
        self.args.beta = self.beta = beta
        self.ref_model = reference and self._prepare_reference(reference)
        self.eos_token_ids = sorted(questions.ends.ids)
        self.generation_config.eos_token_id = self.generation_kwargs["eos_token_id"] = self.eos_token_ids

    def parts(self) -> dict[str, Any]:
        """Give the rewards by name; they are asked in `_calculate_rewards`."""
        return {"reward_funcs": [_named(reward.name) for reward in self.questions.rewards]}

    def _prepare_reference(self, reference: Any) -> Any:
        add_fused_lm_head(reference, temperature=self.temperature)
        if self.is_fsdp_enabled:
            from trl.models import prepare_fsdp

            return prepare_fsdp(reference, self.accelerator)
        return self.accelerator.prepare_model(reference, evaluation_mode=True)

    # --- one step

    def count_batch(self, inputs: Any) -> int:
        """Count nothing yet: the answers are not written."""
        return 0

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        repeats = self.num_iterations * self.args.steps_per_generation
        return _Prompts(
            data_source=self.train_dataset,
            mini_repeat_count=self.num_generations,
            batch_size=self.args.generation_batch_size // self.num_generations,
            repeat_count=repeats,
            seed=self.args.seed,
        )

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        inputs = super()._prepare_inputs(generation_batch)
        self.tokens_here += int(inputs["prompt_mask"].sum() + inputs["completion_mask"].sum())
        return inputs

    def _generate(self, prompts: list[str]) -> Any:
        self.processing_class = self._tokenizer  # it spells answers out that nobody reads
        try:
            return super()._generate(prompts)
        finally:
            self.processing_class = None

    def _tokenize_prompts(self, prompts: Sequence[str]) -> Any:
        return [list(self.questions.asked[int(number)].ids) for number in prompts], None, {}

    def _generate_single_turn(self, *given: Any) -> Any:
        with _own_settings_off(self.accelerator.unwrap_model(self.model)):
            return super()._generate_single_turn(*given)

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        """Reward the answers of this process, and give the rewards of all: (answers, rewards)."""
        asked = [self.questions.asked[int(number)] for number in prompts]
        answers = [self.questions.read(ids) for ids in completion_ids_list]
        rows, names = [one.row for one in asked], [one.name for one in asked]
        rewards = self.questions.rewards
        parts = [score_answers(reward, rows, answers, names) for reward in rewards]
        seen = [[repeated(answer) for answer in answers], [float(is_empty(answer)) for answer in answers]]
        table = torch.tensor([*parts, *seen], dtype=torch.float32, device=self.accelerator.device).T.contiguous()
        table = self.accelerator.gather(table)
        given = table[:, : len(parts)]
        filled = fill_unscored(given, self.num_generations, [reward.name for reward in rewards], names[0])
        totals = (filled @ self.reward_weights.to(filled.device)).view(-1, self.num_generations)
        alike = totals.std(1) < SAME  # TRL's own figure takes the KL for a part of the reward in RLOO
        figures = (given.isnan().any(1).float().mean(), alike.float().mean(), *table[:, len(parts) :].mean(0))
        for name, figure in zip(OURS, figures, strict=True):
            self._metrics["train"][name].append(float(figure))
        return filled

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        """Take a batch forward and backward; of the very first, keep what the answers are like."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if not self.signs.start:
            told = self._metrics["train"]
            self.signs.start = {called: told[name][-1] for name, called in self.logged.items() if told.get(name)}
        return loss

    # --- what is told

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, and say the signs that have appeared."""
        super().log(logs, start_time)
        if "loss" not in logs:
            return
        figures = {called: logs[name] for name, called in self.logged.items() if logs.get(name) is not None}
        for sign in self.signs.look(figures, self.progress.start):
            self._tell(sign)

    def _tell(self, sign: Sign) -> None:
        step = self.state.global_step
        self.watch.event("hacking" if sign.hacking else sign.name, step, f"{sign.message}; see samples.html")
        if sign.hacking and self.recipe.hacking.action == "stop":
            self._stop_early(f"a sign of a hacked reward: {sign.name}")
            self.control.should_evaluate = self.material.evaluates
            self.control.should_save = self.progress.finished = True

    def _judge(self, evaluation: Evaluation) -> None:
        super()._judge(evaluation)
        scorer = next((one for one in self.material.scorers if isinstance(one, SampleScorer)), None)
        if scorer and self.watch.is_first:
            keep_samples(self.watch.run.folder, evaluation.step, scorer.last)

    # --- going on

    def train(self, resume_from_checkpoint: str | None = None, **other: Any) -> Any:
        """Take the steps that are left, with the answers and signs that a checkpoint has kept."""
        start = Path(resume_from_checkpoint) if resume_from_checkpoint else None
        self.args.eval_on_start = start is None and self.material.evaluates
        step = self._go_on(start) if start else -1
        if self.watch.is_first:
            cut_samples(self.watch.run.folder, step)
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **other)

    def _go_on(self, start: Path) -> int:
        step = int(start.name.rpartition("-")[2])
        self._step = step * self.args.gradient_accumulation_steps
        if (start / SIGNS).is_file():
            self.signs.state = json.loads((start / SIGNS).read_text(encoding="utf-8"))
        answers = start / ANSWERS.format(self.args.process_index)
        if answers.is_file():
            self._buffered_inputs = torch.load(answers, map_location=self.args.device, weights_only=True)
        return step

    def _write(self, model: Any, trial: Any) -> str | None:
        """Keep the signs too, and answers that are not learnt from to the end (`iterations`)."""
        if fault := super()._write(model, trial):
            return fault
        saved = self.folder / checkpoints.SAVING / f"checkpoint-{self.state.global_step}"
        try:
            if self.is_world_process_zero():
                write_json(saved / SIGNS, self.signs.state)
            if self._step % (self.args.steps_per_generation * self.num_iterations):
                torch.save(self._buffered_inputs, saved / ANSWERS.format(self.args.process_index))
        except SAVE_FAULTS as error:
            return " ".join(str(error).split()) or type(error).__name__
        return None

    def release_model(self) -> None:
        """Take off the model what was laid around and beside it for training."""
        super().release_model()
        take_off(self.accelerator.unwrap_model(self.model))


class GrpoLoop(Reinforcing, GRPOTrainer):  # type: ignore[misc]
    """Group relative policy optimisation."""

    @staticmethod
    def settings(recipe: Any) -> tuple[type, dict[str, Any]]:
        """Translate what of GRPO may be chosen."""
        own = recipe.grpo
        names = {"loss_type": own.loss, "scale_rewards": own.scale}
        return GRPOConfig, {**_shared(recipe, own), **names}


class RlooLoop(Reinforcing, RLOOTrainer):  # type: ignore[misc]
    """REINFORCE leave-one-out."""

    @staticmethod
    def settings(recipe: Any) -> tuple[type, dict[str, Any]]:
        """Translate what of RLOO may be chosen."""
        own = recipe.rloo
        return RLOOConfig, {**_shared(recipe, own), "normalize_advantages": own.normalize}


class _Prompts(RepeatSampler):  # type: ignore[misc]
    """The order of the prompts, of each epoch its own: told by its number, and not by the epochs before it."""

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch."""
        self.generator.manual_seed(self.seed + epoch)


def _shared(recipe: Any, own: Any) -> dict[str, Any]:
    sampling = recipe.sampling
    return {
        "beta": own.beta,
        "epsilon": own.epsilon,
        "num_iterations": own.iterations,
        "num_generations": sampling.answers,
        "max_completion_length": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "reward_weights": [term.weight for term in recipe.rewards],
        "disable_dropout": True,  # answers and what is learnt from them come from one and the same model
        "log_completions": False,
    }


def _named(name: str) -> Any:
    """Give TRL something that has a reward's name."""

    def reward(**_: Any) -> list[float]:
        raise AssertionError("rewards are asked in _calculate_rewards")

    reward.__name__ = name
    return reward


@contextmanager
def _pads_kept(material: Any) -> Iterator[None]:
    """Put back what TRL writes into tokenizer and configuration: both are saved with the result."""
    model, fast = material.model, material.tokenizer.fast
    config, generation = model.config.get_text_config(), model.generation_config
    before = fast.pad_token, config.pad_token_id, generation.pad_token_id
    try:
        yield
    finally:
        config.pad_token_id, generation.pad_token_id = before[1:]
        if before[0] is None and fast.pad_token is not None:
            fast.pad_token = None


@contextmanager
def _own_settings_off(model: Any) -> Iterator[None]:
    """Take the model's own generation settings off: none may penalise or draw in silence."""
    make_settings: Any = transformers.GenerationConfig  # its signature has no types
    holders = [model, *([model.get_base_model()] if hasattr(model, "get_base_model") else [])]
    before = [holder.generation_config for holder in holders]
    for holder in holders:
        holder.generation_config = make_settings()
    try:
        yield
    finally:
        for holder, own in zip(holders, before, strict=True):
            holder.generation_config = own
