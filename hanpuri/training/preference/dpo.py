"""
The trainer of `kind: dpo`: TRL's, with an evaluation over all held-out pairs that is exact, and the drift measured.

In: a model, and rows of prompt_ids, chosen_ids and rejected_ids. Out: the same model, further on. An evaluation gives:

    loss, accuracy, margin        over pairs, whatever the batch; a tie counts as half right
    chosen_reward, chosen_logps   and the same of rejected: beta times the nats gained over the reference, and the nats
    kl                            nats a token from the reference, at the held-out chosen answers
    kl_own                        the same at what the model writes itself, with `watch.generation`

The steps, the losses and the reference are TRL's; see `references` for which reference it is. Needs trl.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import use_adapter

from hanpuri.training.generation import AnswerScorer
from hanpuri.training.loop.engine import Loop
from hanpuri.training.loop.material import Material
from hanpuri.training.loop.progress import Evaluation
from hanpuri.training.preference.drift import Drift, batches, choose_rows_at_once, own_examples
from hanpuri.training.preference.references import load_reference
from hanpuri.training.preference.signs import find_signs

REFERENCE = "ref"  # what TRL calls the frozen copy of an adapter
SFT = "sft"  # the one loss that is a mean over tokens
MEANS = ("loss", "accuracy", "chosen_reward", "rejected_reward", "chosen_logps", "rejected_logps")
SUMS = (*MEANS, "trained_logps", "trained", "nats", "pairs")
"""Trained are the tokens of the chosen answers."""


class DpoLoop(Loop, DPOTrainer):  # type: ignore[misc]
    """The trainer of one run."""

    recipe: Any  # a DpoRecipe
    loss_types: Any
    loss_weights: Any
    logged: ClassVar = {
        "rewards/accuracies": "accuracy",
        "rewards/margins": "margin",
        "rewards/chosen": "chosen_reward",
        "rewards/rejected": "rejected_reward",
        "logps/chosen": "chosen_logps",
        "logps/rejected": "rejected_logps",
    }

    @staticmethod
    def settings(recipe: Any) -> tuple[type, dict[str, Any]]:
        """Tell it the loss; rows are tokens already, and whole."""
        told = recipe.dpo
        return DPOConfig, {
            "beta": told.beta,
            "loss_type": list(told.loss),
            "loss_weights": told.loss_weights and list(told.loss_weights),
            "label_smoothing": told.label_smoothing,
            "ld_alpha": told.length_desensitized,
            "max_length": None,
        }

    def parts(self) -> dict[str, Any]:
        """Lay both answers of a pair into one batch, and load a reference where the model has none in itself."""
        return {
            "data_collator": DataCollatorForPreference(pad_token_id=self.material.tokenizer.pad_id or 0),
            "ref_model": load_reference(self.recipe, self.material.model),
        }

    def __init__(self, recipe: Any, material: Material, *others: Any) -> None:
        with padding_kept(material):
            super().__init__(recipe, material, *others)
        if self.is_adapter and not recipe.adapter.path:
            self._drop_copy()  # a new adapter adds nothing yet: the model without it says the same, and is quicker
        # TRL knows of dropout that is a module; some families have it as a number in their attention.
        for module in self.model.modules():
            if isinstance(getattr(module, "attention_dropout", None), float):
                module.attention_dropout = 0.0

    def _prepare_dataset(self, dataset: Any, *_: object) -> Any:
        """Leave rows as they are."""
        return dataset

    def release_model(self) -> None:
        """Take the frozen copy of the adapter off, too."""
        super().release_model()
        self._drop_copy()

    def _drop_copy(self) -> None:
        if REFERENCE in getattr(self.material.model, "peft_config", {}):
            self.material.model.delete_adapter(REFERENCE)

    # --- evaluation

    def score_rows(self) -> dict[str, float]:
        """Give the means over all pairs, and the drift; see the module."""
        rows = self.material.validation
        if rows is None or not len(rows):
            return {}
        with self._given_reference():
            sums = self.accelerator.reduce(sum(self._score_batches(rows)), "sum").tolist()
        self._metrics["eval"].clear()
        told = dict(zip(SUMS, sums, strict=True))
        scores = {name: told[name] / told["pairs"] for name in MEANS}
        weight = dict(zip(self.loss_types, self.loss_weights, strict=True)).get(SFT, 0.0)
        scores["loss"] -= weight * told["trained_logps"] / told["trained"]
        margin = scores["chosen_reward"] - scores["rejected_reward"]
        return {**scores, "margin": margin, "kl": told["nats"] / told["trained"]}

    @contextmanager
    def _given_reference(self) -> Iterator[None]:
        """Hand the reference's likelihoods in beside the rows, and leave the one loss out that no pair has alone."""
        before = self.loss_types, self.loss_weights
        pairs = [(name, weight) for name, weight in zip(*before, strict=True) if name != SFT]
        self.precompute_ref_logps = True
        self.loss_types, self.loss_weights = [name for name, _ in pairs], [weight for _, weight in pairs]
        try:
            yield
        finally:
            self.precompute_ref_logps = False
            self.loss_types, self.loss_weights = before

    def _score_batches(self, rows: Any) -> Iterator[Any]:
        """Give the sums, as `SUMS` names them, of each batch that falls to this process."""
        drift = self._drift()
        for places, counts in self._portions(len(rows)):
            batch = self.data_collator([rows[place] for place in places])
            batch = {name: tensor.to(self.args.device) for name, tensor in batch.items()}
            yield self._score_batch(batch, drift) * counts

    def _portions(self, number: int) -> Iterator[tuple[range, bool]]:
        """
        Part the rows among the processes, and tell whether they count.

        All processes take as many at a time: TRL gathers its figures from all of them. The last few rows go one by
        one, and a process that has none left takes part with another row, which does not count.
        """
        size, processes, here = self.args.per_device_eval_batch_size, self.args.world_size, self.args.process_index
        full = number // (size * processes) * size * processes
        for start in range(here * size, full, size * processes):
            yield range(start, start + size), True
        for start in range(full, number, processes):
            place = start + here
            yield (range(place, place + 1), True) if place < number else (range(1), False)

    def _score_batch(self, batch: dict[str, Any], drift: Drift) -> Any:
        answers = batch["completion_mask"][:, 1:]
        reference = self.compute_ref_log_probs(self.ref_model or self.model, batch)
        heard: list[Any] = []

        def ask(**given: Any) -> Any:
            heard.append(self.model(**given))
            return heard[0]

        told = {**batch, "ref_chosen_logps": reference[0], "ref_rejected_logps": reference[1]}
        loss, log_probs = self.compute_loss(ask, told), heard[0].log_probs
        logps = (log_probs * self._weigh(answers)).sum(1).chunk(2)
        rewards = [self.beta * (own - theirs) for own, theirs in zip(logps, reference, strict=True)]
        pairs = len(answers) // 2
        nats, trained = drift.measure(batch["input_ids"][:pairs], batch["attention_mask"][:pairs], answers[:pairs])
        figures = [
            torch.as_tensor(loss, device=answers.device) * pairs,
            ((rewards[0] > rewards[1]) + 0.5 * (rewards[0] == rewards[1])).sum(),
            *(one.sum() for one in (*rewards, *logps)),
            log_probs[:pairs].sum(),
            trained,
            nats,
            torch.tensor(pairs, device=answers.device),
        ]
        return torch.stack([one.double() for one in figures])

    def _weigh(self, answers: Any) -> Any:
        """Give the weight of each token: what the longer answer has more may count for less."""
        if self.ld_alpha is None:
            return answers
        places, lengths = answers.cumsum(1), answers.sum(1)
        shared = torch.minimum(*lengths.chunk(2)).repeat(2)
        return answers * torch.where(places <= shared[:, None], 1.0, self.ld_alpha)

    # --- drift

    def _drift(self) -> Drift:
        vocabulary = self.material.model.get_output_embeddings().weight.shape[0]
        return Drift(self.model, self._as_reference, choose_rows_at_once(vocabulary, self.recipe.examples.max_length))

    @contextmanager
    def _as_reference(self) -> Iterator[Any]:
        """Give what answers in the reference's place."""
        if self.ref_model is not None:
            yield self.ref_model
            return
        model = self.accelerator.unwrap_model(self.model)
        with use_adapter(model, REFERENCE if REFERENCE in model.peft_config else None):
            yield self.model

    def _ask_scorers(self) -> dict[str, float]:
        """Measure the drift on the model's own answers too, where there are some."""
        scores = super()._ask_scorers()
        told = torch.zeros(2, dtype=torch.float64)
        drift, size = self._drift(), self.args.per_device_eval_batch_size
        for scorer in (one for one in self.material.scorers if isinstance(one, AnswerScorer)):
            examples = own_examples(scorer, self.material.tokenizer)
            for batch in batches(examples, size, self.material.tokenizer.pad_id or 0):
                told += drift.measure(**{name: one.to(self.args.device) for name, one in batch.items()}).cpu()
        return {**scores, "kl_own": float(told[0] / told[1])} if told[1] else scores

    def _judge(self, evaluation: Evaluation) -> None:
        super()._judge(evaluation)
        pairs = len(self.material.validation) if self.material.validation is not None else 0
        for event, message in find_signs(self.progress.evaluations, self.recipe.dpo, pairs):
            self.watch.event(event, evaluation.step, message)


@contextmanager
def padding_kept(material: Material) -> Iterator[None]:
    """Keep the padding token of tokenizer and model, into which TRL writes its own; both are saved with the result."""
    fast, model = material.tokenizer.fast, material.model
    told = [one for one in (model.config.get_text_config(), model.generation_config) if one is not None]
    before = fast.pad_token, [getattr(one, "pad_token_id", None) for one in told]
    try:
        yield
    finally:
        fast.pad_token = before[0]
        for one, pad_id in zip(told, before[1], strict=True):
            one.pad_token_id = pad_id
