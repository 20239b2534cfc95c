"""
The trainer of `kind: reward`: TRL's, which learns the Bradley-Terry loss, with an evaluation that is exact.

In: a network with a head of one number, and pairs as tokens. Out: the same network, further on; each held-out pair is
scored at each evaluation, and at the end what they tell stands in the run's folder:

    reward.json   {"pairs": 500, "accuracy": 0.942, "margin": 2.1, "bins": […], "by_length": {…}, …}
    reward.html   margins, calibration, lengths, and the most wrong pairs to read

Of a tie half counts as right. `loss` is that of the preferences alone; the pull to zero of `center` is left out of it.
Needs trl, as `loop.engine` does.
"""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from trl import RewardConfig, RewardTrainer

from hanpuri.runs import Run, write_json
from hanpuri.runs.files import write_whole
from hanpuri.training.loop.engine import Loop
from hanpuri.training.loop.numbers import need_number
from hanpuri.training.preference.laying import PairCollator
from hanpuri.training.preference.pair_scores import PairScores, PairTexts

FACTS, PAGE = "reward.json", "reward.html"

logger = logging.getLogger(__name__)


class RewardLoop(Loop, RewardTrainer):  # type: ignore[misc]
    """The trainer of one run."""

    logged: ClassVar[Mapping[str, str]] = {"accuracy": "accuracy", "margin": "margin", "mean_reward": "mean_reward"}

    @staticmethod
    def settings(recipe: Any) -> tuple[type, dict[str, Any]]:
        """Tell it how rewards are centred, and that dropout is the recipe's own affair."""
        return RewardConfig, {
            "center_rewards_coefficient": recipe.center,
            "disable_dropout": False,
            "max_length": None,
        }

    def parts(self) -> dict[str, Any]:
        """Lay both sides of pairs over each other, padded with what ends no text."""
        return {"data_collator": PairCollator(self._pad_id)}

    def __init__(self, recipe: Any, material: Any, *told: Any) -> None:
        config, fast = material.model.config.get_text_config(), material.tokenizer.fast
        self._pad_id, sign = config.pad_token_id, fast.pad_token
        super().__init__(recipe, material, *told)
        # TRL pads with the tokenizer's sign for it, or else with eos, and writes that into both.
        config.pad_token_id, fast.pad_token = self._pad_id, sign

    def score_rows(self) -> dict[str, float]:
        """Give `loss`, `accuracy`, `margin`, `calibration_error` and `mean_reward` of the held-out pairs."""
        scored = self.score_pairs()
        return scored.figures() if scored else {}

    def score_pairs(self) -> PairScores | None:
        """Score all held-out pairs; None if there are none."""
        rows = self.material.validation
        if rows is None or not len(rows):
            return None
        scores = torch.zeros(len(rows), 2, dtype=torch.float64, device=self.args.device)
        size, processes, here = self.args.per_device_eval_batch_size, self.args.world_size, self.args.process_index
        for start in range(0, len(rows), size * processes):
            places = range(start + here * size, min(start + (here + 1) * size, len(rows)))
            # Sharded models compute together: a process that has no row left takes part, and its scores are not kept.
            batch = self.data_collator([rows[place] for place in places or [0]])
            given = self.model(**{name: tensor.to(self.args.device) for name, tensor in batch.items()}, use_cache=False)
            if places:
                scores[places.start : places.stop] = given.logits[:, 0].double().view(2, -1).T
        scores = self.accelerator.reduce(scores, "sum")
        need_number(float(scores.sum()), "reward", *self.where())
        chosen, rejected = scores.T.cpu().numpy()
        lengths = np.array([[len(row[side]) for side in ("chosen_ids", "rejected_ids")] for row in rows]).T
        return PairScores(chosen, rejected, *lengths)

    def tell(self, run: Run) -> None:
        """Write what the held-out pairs tell of the weights that are kept; a page that cannot be drawn is left out."""
        self.model.eval()
        with self._as_if_nobody_looked():
            scored = self.score_pairs()
        if scored is None or not self.is_world_process_zero():
            return
        write_json(run.folder / FACTS, scored.as_dict())
        try:
            from hanpuri.training.preference.reward_page import write_page

            write_whole(run.folder / PAGE, write_page(scored, self._read, title=self.recipe.name))
        except (OSError, ImportError) as error:
            logger.debug("%s was not drawn: %s", PAGE, error)

    def _read(self, place: int) -> PairTexts:
        """Give a held-out pair as texts."""
        row, tokenizer = self.material.validation[place], self.material.tokenizer
        words = {side: [id for id in ids if id not in tokenizer.special_ids] for side, ids in row.items()}
        answers = (tokenizer.decode(words[side], continues=True) for side in ("chosen_ids", "rejected_ids"))
        return PairTexts(f"pair {place + 1}", tokenizer.decode(words["prompt_ids"]), *answers)
