"""
A trained reward model that scores answers: any rows, any answers, a number each.

In: the folder of a run of `kind: reward`, then rows and an answer to each. Out: numbers; a higher one is a better
answer, and 0 means neither where the model was trained with `center`:

    RewardModel.load("runs/reward").score([{"noisy": "쨰밌어요"}] * 2, ["재밌어요", "째밌어요"])  ─►  [1.84, -0.37]

A text is what stood there in training, token for token: the prompt that is kept beside the weights, the answer, and the
token that ends it. What a text is given does not hang on what it is computed beside.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from hanpuri.data.examples import prompt_ids
from hanpuri.data.rows import form_of
from hanpuri.data.templates import Fields
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import DataError, ModelError
from hanpuri.runs import sha256_of
from hanpuri.training.answering import answered, asked_row
from hanpuri.training.prompting import Prompting, load_prompting

OnProgress = Callable[[int, int], None]


class RewardModel:
    """A network with its tokenizer and its template. Made by `load`."""

    identity: str
    """Tells its numbers from those of any other model, for what is kept of them."""
    prompting: Prompting

    def __init__(
        self, identity: str, model: Any, tokenizer: Tokenizer, prompting: Prompting, *, batch_size: int = 16
    ) -> None:
        self.identity = identity
        self.prompting = prompting
        self._model, self._tokenizer, self._batch_size = model, tokenizer, batch_size

    @classmethod
    def load(cls, path: str | Path, *, device: str | None = None, batch_size: int = 16) -> Self:
        """
        Load a reward model.

        Args:
            path: a run's folder, or its model/ or adapter/.
            device: "cuda" or "cpu"; a GPU if there is one.
            batch_size: texts that are scored at once.

        Raises:
            ModelError: if there is none, it is not whole, or it is no reward model, or a library is not installed.
            RecipeError: if the template beside it is broken.
        """
        place = _choose_device(device)
        from hanpuri.training.loading.models import check_tokenizer
        from hanpuri.training.loading.rewards import find_rewards, load_rewards, padding_id
        from hanpuri.training.publishing.origin import fingerprint, weight_files

        base, adapter = find_rewards(path)
        folder = adapter or base
        tokenizer = load_tokenizer(folder if (folder / "tokenizer.json").is_file() else base)
        prompting = load_prompting(folder, tokenizer)
        model = load_rewards(path, device=place, pad_id=padding_id(tokenizer, prompting))
        check_tokenizer(model.config, tokenizer)
        marks = [fingerprint(base), *([sha256_of(one) for one in weight_files(adapter)] if adapter else [])]
        return cls(
            f"reward:{'+'.join(mark[:16] for mark in marks)}", model, tokenizer, prompting, batch_size=batch_size
        )

    def score(
        self,
        rows: Sequence[Fields],
        answers: Sequence[str],
        names: Sequence[str] = (),
        on_progress: OnProgress = lambda done, total: None,
    ) -> list[float]:
        """
        Score answers; an empty one too, as the model might have said nothing.

        Args:
            rows: what was asked; what they hold of a right answer is not looked at.
            answers: one to each.
            names: what errors call the rows.
            on_progress: is told how many texts are scored, and of how many.

        Raises:
            DataError: if a row does not fit the template, or a text is longer than what the model can read.
            ValueError: if there are not as many answers as rows.
        """
        if len(answers) != len(rows):
            raise ValueError(f"found {len(answers)} answers to {len(rows)} rows, expected as many")
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        texts = [self.ids(row, answer, name) for row, answer, name in zip(rows, answers, names, strict=True)]
        self._check_lengths(texts, names)
        scores = [0.0] * len(texts)
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))  # the largest batch comes first
        for start in range(0, len(order), self._batch_size):
            places = order[start : start + self._batch_size]
            for place, score in zip(places, self._score([texts[place] for place in places]), strict=True):
                scores[place] = score
            on_progress(min(start + self._batch_size, len(order)), len(order))
        return scores

    def ids(self, row: Fields, answer: str, name: str) -> list[int]:
        """
        Write a row with an answer as the tokens that the network reads.

        Raises:
            DataError: if the row does not fit the template.
        """
        try:
            if form_of(row, name, asked=True) == "preference":
                row = asked_row(row["prompt"], str(row.get("input") or ""), self.prompting)
            rendered = answered(self.prompting, row, answer, name, may_be_empty=True)
            ids = prompt_ids(rendered, self._tokenizer)
        except DataError as error:
            named = error.message if error.message.startswith(f"{name}:") else f"{name}: {error.message}"
            raise DataError(named, error.mend) from None
        return ids if rendered.is_chat else [*ids, self._tokenizer.need_eos()]

    def _check_lengths(self, texts: Sequence[Sequence[int]], names: Sequence[str]) -> None:
        from hanpuri.training.loading.rope import reach

        positions = reach(self._model.config)
        if positions and (place := next((p for p, ids in enumerate(texts) if len(ids) > positions), None)) is not None:
            found = f"{names[place]}: found {len(texts[place]):,} tokens, and the reward model reads {positions:,}"
            raise DataError(found, "leave the row out, or train a reward model with model.rope_scaling")

    def _score(self, texts: Sequence[Sequence[int]]) -> list[float]:
        import torch

        from hanpuri.training.preference.laying import lay

        device = self._model.device
        batch = {name: tensor.to(device) for name, tensor in lay(texts, self._pad_id).items()}
        with torch.inference_mode():
            scores: list[float] = self._model(**batch, use_cache=False).logits[:, 0].float().tolist()
        return scores

    @property
    def _pad_id(self) -> int:
        return int(self._model.config.get_text_config().pad_token_id)


def _choose_device(device: str | None) -> str:
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        found = f"scoring needs the library {error.name}, which is not installed"
        raise ModelError(found, 'install it: pip install "hanpuri[llm]"') from None
    from hanpuri.training.loading.hardware import check_device

    if device is None:
        return "cuda" if torch.cuda.device_count() else "cpu"
    check_device(device)
    return device
