"""
The trainer of `kind: pretrain` and `kind: sft`: TRL's, which learns the next token, with an evaluation that is exact.

In: a model and rows of input_ids and labels. Out: the same model, further on. The evaluation is our own: theirs,
a mean over batches, weighs a row of 3 trained tokens like one of 300. Needs trl, as `engine` does.
"""

from collections.abc import Iterator
from typing import Any

import torch
from trl import SFTConfig, SFTTrainer

from hanpuri.data.examples import IGNORE
from hanpuri.training.feeding.datasets import Collator
from hanpuri.training.loop.engine import Loop

READERS = 2


class NextToken(Loop, SFTTrainer):  # type: ignore[misc]
    """The trainer of one run."""

    @staticmethod
    def settings(recipe: Any) -> tuple[type, dict[str, Any]]:
        """Tell it that rows are tokens already, and whole."""
        # Beside a GPU, others lay out the next batches while it computes.
        readers = READERS if torch.cuda.is_available() else 0
        own = {"dataset_kwargs": {"skip_prepare_dataset": True}, "max_length": None}
        return SFTConfig, {**own, "dataloader_num_workers": readers}

    def parts(self) -> dict[str, Any]:
        """Lay rows side by side, or end to end for flash attention."""
        attention = getattr(self.material.model.config, "_attn_implementation", None) or ""
        pad_id = self.material.tokenizer.pad_id or 0
        return {"data_collator": Collator(pad_id, end_to_end=attention.startswith("flash"))}

    def score_rows(self) -> dict[str, float]:
        """Give `loss`, the mean over all trained tokens, and `token_accuracy`."""
        rows = self.material.validation
        if rows is None or not len(rows):
            return {}
        loss, correct, trained = self.accelerator.reduce(sum(self._score_batches(rows)), "sum").tolist()
        return {"loss": loss / max(trained, 1), "token_accuracy": correct / max(trained, 1)}

    def _score_batches(self, rows: Any) -> Iterator[Any]:
        """Give the sums of loss, right tokens and trained tokens of each batch that falls to this process."""
        size, processes, here = self.args.per_device_eval_batch_size, self.args.world_size, self.args.process_index
        for start in range(0, len(rows), size * processes):
            places = range(start + here * size, min(start + (here + 1) * size, len(rows)))
            # Sharded models compute together: a process that has no row left takes part, and counts nothing.
            batch = self.data_collator([rows[place] for place in places or [0]])
            if not places:
                batch["labels"].fill_(IGNORE)
            batch = {name: tensor.to(self.args.device) for name, tensor in batch.items()}
            given = self.model(**batch, use_cache=False, fused_lm_head=True)
            sums = (-given.log_probs.double().sum(), given.is_top1.sum(), given.label_mask.sum())
            yield torch.stack([one.double() for one in sums])
