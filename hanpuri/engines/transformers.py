"""
The engine that needs no other server: transformers, on a GPU or a CPU.

In: a run, a folder or a downloaded model. Out: an engine that asks it as it was trained:

    TransformersEngine.load("runs/faq").ask("한강은 어디로 흐르나요?")  ─►  Answer("서해로 흐릅니다.", …)

An adapter is laid on its base; the base is found by the name that the adapter keeps.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import yaml

from hanpuri.data.chats import choose_template
from hanpuri.data.examples import prompt_ids
from hanpuri.data.templates import Fields, Rendered
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.errors import ModelError
from hanpuri.training.generation import checked_ids, find_positions, generate, stream
from hanpuri.training.prompting import Prompting, load_prompting, make_prompting
from hanpuri.training.recipe import ModelSettings, Precision, QuantizationSettings, RopeScalingSettings


class TransformersEngine:
    """A model in memory with its tokenizer and its template. Made by `load`."""

    name: str
    prompting: Prompting
    positions: int | None
    """Tokens of prompt and answer together, at most."""
    identity: str
    """Where its weights lie and when they were written: other weights have another one."""

    def __init__(self, name: str, model: Any, tokenizer: Tokenizer, prompting: Prompting, identity: str = "") -> None:
        self.name = name
        self.identity = identity
        self.prompting = prompting
        self.positions = find_positions(model)
        self._model = model
        self._tokenizer = tokenizer

    @classmethod
    def load(
        cls,
        path: str,
        *,
        device: str | None = None,
        precision: Precision = "auto",
        quantization: QuantizationSettings | None = None,
        template: str | None = None,
    ) -> Self:
        """
        Load a model to answer with.

        Args:
            path: a run's folder, a model's or an adapter's, or the name of a downloaded model.
            device: "cuda" or "cpu"; a GPU if there is one.
            precision: what is computed in.
            quantization: hold the weights in 4 bits.
            template: ask with this one, and not as the model was trained: a name, a file, or `chat`.

        Raises:
            ModelError: if there is no such model, it is not whole, or torch, transformers or peft is not installed.
            RecipeError: if there is no such template, or the one that was kept is broken.
        """
        place = choose_device(device, quantization)
        folder, adapter = find_model(path)
        settings = ModelSettings(
            path=str(folder), precision=precision, quantization=quantization, rope_scaling=_rope_scaling(adapter)
        )
        tokenizer = load_tokenizer(adapter if adapter and _has_tokenizer(adapter) else folder)
        prompting = load_prompting(adapter or folder, tokenizer)
        if template is not None:
            chosen = choose_template(template, tokenizer)
            prompting = make_prompting(chosen, tokenizer)
        model = _load(settings, adapter, place, tokenizer)
        written = [
            (str(file), file.stat().st_mtime_ns)
            for place in (folder, adapter or folder)
            for file in place.glob("*model*")
        ]
        return cls(Path(path).resolve().name, model, tokenizer, prompting, identity=str(sorted(written)))

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """
        Answer rows, several at once; see `Engine.generate`.

        Raises:
            DataError: as `Engine.generate`.
        """
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        asked = self.prompting
        prompts = [asked.prompt(row, name) for row, name in zip(rows, names, strict=True)]
        answers = generate(
            self._model, self._tokenizer, prompts, decoding, stop_ids=asked.stop_ids, stop_text=asked.stop_text
        )
        return [replace(answer, text=asked.answer_of(answer.text)) for answer in answers]

    def stream(
        self, row: Fields, on_text: Callable[[str], None], decoding: Decoding = GREEDY, *, name: str = "row 1"
    ) -> Answer:
        """
        Answer one row, and hand on its text while it grows; no piece breaks a syllable.

        Raises:
            DataError: as `Engine.generate`.
        """
        prompt = self.prompting.prompt(row, name)
        return stream(self._model, self._tokenizer, prompt, decoding, on_text, self.prompting)

    def ask(self, text: str, decoding: Decoding = GREEDY) -> Answer:
        """Answer a text: as an instruction, or, where the template restores, as a noisy text."""
        return self.generate([self.prompting.question(text)], decoding, names=["the question"])[0]

    def check(self, row: Fields, name: str) -> Rendered:
        """
        See that a row can be asked, without asking it; its prompt.

        Raises:
            DataError: as `Engine.generate`.
        """
        prompt = self.prompting.prompt(row, name)
        checked_ids(prompt, self._tokenizer, self.positions)
        return prompt

    def count_tokens(self, row: Fields) -> int:
        """Count the tokens of a row's prompt."""
        return len(prompt_ids(self.prompting.prompt(row, "row 1"), self._tokenizer))


def find_model(path: str) -> tuple[Path, Path | None]:
    """
    Find what a path means: a model's folder, and the adapter's folder if there is one to lay on it.

    Raises:
        ModelError: if there is no such model, the adapter's base is not there.
    """
    from hanpuri.training.loading.adapters import adapter_place, read_base
    from hanpuri.training.loading.models import ADAPTER, model_place

    run = Path(path)
    has_model = any((place / "config.json").is_file() for place in (run, run / "model"))
    if has_model or not any((place / ADAPTER).is_file() for place in (run, run / "adapter")):
        return model_place(path), None
    adapter = adapter_place(path)
    base = read_base(adapter)
    try:
        return model_place(base), adapter
    except ModelError as error:
        raise ModelError(f"{adapter}: its base is not here: {error.message}", error.mend) from None


def choose_device(device: str | None, quantization: QuantizationSettings | None) -> str:
    """
    Choose where to compute: what is asked for, else a GPU if there is one.

    Raises:
        ModelError: if a library is missing.
        RecipeError: if there is no such device.
    """
    from hanpuri.training.loading.hardware import check_device, import_bitsandbytes

    try:
        import torch

        if quantization:
            import_bitsandbytes()
            import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise _missing(error) from None
    if device is None:
        return "cuda" if torch.cuda.device_count() else "cpu"
    check_device(device)
    return device


def _load(settings: ModelSettings, adapter: Path | None, device: str, tokenizer: Tokenizer) -> Any:
    from hanpuri.training.loading.adapters import load_adapter
    from hanpuri.training.loading.models import check_tokenizer, load_model

    model = load_model(settings, learns_whole=False, device=device)
    if adapter is not None:
        model = load_adapter(model, adapter)
    check_tokenizer(model.config, tokenizer)
    return (model if settings.quantization else model.to(device)).eval()


def _missing(error: ImportError) -> ModelError:
    found = f"answering needs the library {error.name}, which is not installed"
    return ModelError(found, 'install it: pip install "hanpuri[llm]"')


def _has_tokenizer(folder: Path) -> bool:
    return (folder / "tokenizer.json").is_file()


def _rope_scaling(adapter: Path | None) -> RopeScalingSettings | None:
    """Read how a run stretched its base's positions: an adapter alone does not say it."""
    path = adapter.parent / "recipe.yaml" if adapter else None
    if path is None or not path.is_file():
        return None
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    told = recipe.get("model", {}).get("rope_scaling") if isinstance(recipe, dict) else None
    return RopeScalingSettings.model_validate(told) if told else None
