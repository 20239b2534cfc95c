"""
The engine that needs no other server: transformers, on a GPU or a CPU.

In: a run, a folder or a downloaded model. Out: an engine that asks it as it was trained:

    TransformersEngine.load("runs/faq").ask("한강은 어디로 흐르나요?")  ─►  Answer("서해로 흐릅니다.", …)

An adapter is laid on its base; the base is found by the name that the adapter keeps. With `aligned`, noisy texts are
restored in place: see `alignment`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any, Self

from hanpuri.data.chats import choose_template
from hanpuri.data.examples import make_examples, prompt_ids
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import Fields, Rendered
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.engines.alignment import Pattern, make_pattern, noisy_of
from hanpuri.engines.base import GREEDY, Answer, Decoding, Likelihood
from hanpuri.engines.likelihood import score_examples
from hanpuri.engines.masking import TokenMasks
from hanpuri.engines.places import find_model
from hanpuri.engines.restoring import fit
from hanpuri.engines.settings import Aligned, EngineSettings
from hanpuri.errors import DataError, ModelError
from hanpuri.training.answering import answered
from hanpuri.training.decoding import Generated
from hanpuri.training.generation import checked_ids, find_positions, generate, own_stops, stream
from hanpuri.training.loading.rope import rope_scaling_of
from hanpuri.training.prompting import Prompting, load_prompting, make_prompting
from hanpuri.training.recipe import ModelSettings, Precision, QuantizationSettings
from hanpuri.training.writing import Guide

UNWRITTEN = "the model has no token for a character of the noisy text"
NO_LIMIT = 1 << 30
"""Tokens of an example: what is too long is told in other words than in training."""


class TransformersEngine:
    """A model in memory with its tokenizer and its template. Made by `load`, or by `open`."""

    name: str
    prompting: Prompting
    positions: int | None
    """Tokens of prompt and answer together, at most."""

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Tokenizer,
        prompting: Prompting,
        *,
        weights: str = "",
        aligned: Aligned = "off",
    ) -> None:
        self.name = name
        self.prompting = prompting
        self.positions = find_positions(model)
        self._weights = weights
        self._model = model
        self._tokenizer = tokenizer
        self._aligned = aligned
        stops = {*prompting.stop_ids, *own_stops(model)}
        self._masks = TokenMasks(tokenizer, stops) if aligned != "off" else None

    @classmethod
    def open(cls, settings: EngineSettings) -> Self:
        """
        Load the model of `transformers:runs/faq,aligned=airbnb`.

        Raises:
            DataError: if it gets a system text, and was trained on rows that cannot have one.
            EngineError: if llguidance is not installed, or cannot read the tokenizer, for aligned decoding.
            ModelError, RecipeError: as `load`.
        """
        compute = "bf16" if settings.precision == "auto" else settings.precision
        engine = cls.load(
            settings.model,
            device=settings.device,
            precision=settings.precision,
            quantization=QuantizationSettings(compute=compute) if settings.four_bit else None,
            template=settings.template,
            aligned=settings.aligned,
        )
        engine.name = settings.name
        engine.prompting = engine.prompting.with_system(settings.system)
        return engine

    @classmethod
    def load(
        cls,
        path: str,
        *,
        device: str | None = None,
        precision: Precision = "auto",
        quantization: QuantizationSettings | None = None,
        template: str | None = None,
        aligned: Aligned = "off",
    ) -> Self:
        """
        Load a model to answer with.

        Args:
            path: a run's folder, a model's or an adapter's, or the name of a downloaded model.
            device: "cuda" or "cpu"; a GPU if there is one.
            precision: what is computed in.
            quantization: hold the weights in 4 bits.
            template: ask with this one, and not as the model was trained: a name, a file, or `chat`.
            aligned: what a restored text may be; then only noisy texts can be asked.

        Raises:
            EngineError: if llguidance is not installed, or cannot read the tokenizer, for aligned decoding.
            ModelError: if there is no such model, it is not whole, or torch, transformers or peft is not installed.
            RecipeError: if there is no such template, or the one that was kept is broken.
        """
        place = choose_device(device, quantization)
        folder, adapter = find_model(path)
        settings = ModelSettings(
            path=str(folder), precision=precision, quantization=quantization, rope_scaling=rope_scaling_of(adapter)
        )
        tokenizer = load_tokenizer(adapter if adapter and (adapter / "tokenizer.json").is_file() else folder)
        prompting = load_prompting(adapter or folder, tokenizer)
        if template is not None:
            chosen = choose_template(template, tokenizer)
            prompting = make_prompting(chosen, tokenizer)
        model = _load(settings, adapter, place, tokenizer)
        weights = f"{_written(folder)} {_written(adapter) if adapter else ''} {model.dtype} {quantization}"
        name = Path(path).resolve().name
        return cls(name, model, tokenizer, prompting, weights=weights, aligned=aligned)

    @property
    def identity(self) -> str:
        """Where its weights lie and when they were written, what they are computed in, template, system, grammar."""
        asked = self.prompting
        return f"transformers {self._weights} {asked.hash} {asked.system!r} {self._aligned}"

    def prompt(self, row: Fields, name: str) -> str:
        """
        Write what the model is given for a row; see `Engine.prompt`.

        Raises:
            DataError: as `Engine.prompt`.
        """
        self._patterns([row], [name])
        return self.check(row, name).text

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """
        Answer rows, several at once; see `Engine.generate`.

        With aligned decoding, an answer that was cut is a beginning of one that fits.

        Raises:
            DataError: as `Engine.generate`; also, with aligned decoding, if a row holds no noisy text.
        """
        names = names or _numbered(rows)
        asked = self.prompting
        prompts = [asked.prompt(row, name) for row, name in zip(rows, names, strict=True)]
        patterns = self._patterns(rows, names)
        answers = generate(
            self._model,
            self._tokenizer,
            prompts,
            decoding,
            stop_ids=asked.stop_ids,
            stop_text="" if patterns else asked.stop_text,
            before=asked.before,
            guide=self._guide(patterns),
            longest=[fit(decoding, row).max_new_tokens for row in rows],
        )
        texts = [replace(answer, text=asked.answer_of(answer.text)) for answer in answers]
        each = zip(texts, prompts, patterns or repeat(None), strict=False)
        return [self._answer(one, prompt, pattern, decoding) for one, prompt, pattern in each]

    def stream(
        self,
        row: Fields,
        on_text: Callable[[str], None],
        decoding: Decoding = GREEDY,
        *,
        name: str = "row 1",
        stopped: Callable[[], bool] | None = None,
    ) -> Answer:
        """
        Answer one row, and hand on its text while it grows; see `StreamingEngine.stream`.

        Raises:
            DataError: as `generate`.
        """
        prompt = self.prompting.prompt(row, name)
        patterns = self._patterns([row], [name])
        guide, decoding = self._guide(patterns), fit(decoding, row)
        answer = stream(
            self._model,
            self._tokenizer,
            prompt,
            decoding,
            on_text,
            self.prompting,
            guide=guide and guide([0]),
            stopped=stopped,
        )
        return self._answer(answer, prompt, patterns[0] if patterns else None, decoding)

    def score(self, rows: Sequence[Fields], answers: Sequence[str], *, names: Sequence[str] = ()) -> list[Likelihood]:
        """
        Score an answer for each row: the tokens that training makes of it, and the one that ends it, behind the prompt.

        Aligned decoding has no part in this.

        Raises:
            DataError: if a row with its answer makes no sound example, or is longer than the model reads.
        """
        names = names or _numbered(rows)
        settings = ExampleSettings(max_length=NO_LIMIT)
        named = zip(rows, answers, names, strict=True)
        rendered = [answered(self.prompting, row, answer, name) for row, answer, name in named]
        examples = make_examples(rendered, self._tokenizer, settings).examples
        for example in examples:
            if self.positions and len(example) > self.positions:
                found = f"{example.id}: found {len(example):,} tokens of a prompt and its answer"
                raise DataError(f"{found}, expected at most {self.positions:,}, the model's positions", "shorten it")
        return [
            Likelihood(*score, num_bytes=len(answer.encode()))
            for score, answer in zip(score_examples(self._model, examples), answers, strict=True)
        ]

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

    def count_tokens(self, row: Fields, name: str = "row 1") -> int:
        """Count the tokens of a row's prompt; see `CountingEngine.count_tokens`."""
        return len(prompt_ids(self.prompting.prompt(row, name), self._tokenizer))

    def close(self) -> None:
        """End what computes beside the model."""
        if self._masks is not None:
            self._masks.close()

    def _patterns(self, rows: Sequence[Fields], names: Sequence[str]) -> list[Pattern]:
        """Say what each row's answer may be; an empty list where nothing is aligned."""
        if self._aligned == "off":
            return []
        noisy = [noisy_of(row, name) for row, name in zip(rows, names, strict=True)]
        return [make_pattern(text, self._aligned, name=name) for text, name in zip(noisy, names, strict=True)]

    def _guide(self, patterns: Sequence[Pattern]) -> Callable[[Sequence[int]], Guide] | None:
        """Give what begins a batch of rows, told by their places."""
        if (masks := self._masks) is None:
            return None
        around = self.prompting.before, self.prompting.after
        expressions = [pattern.regex(*around) for pattern in patterns]
        return lambda places: masks.begin([expressions[place] for place in places])

    def _answer(self, written: Generated, prompt: Rendered, pattern: Pattern | None, decoding: Decoding) -> Answer:
        """Count the prompt's tokens; an answer that ends and does not fit met a character that no token spells."""
        if pattern is not None and written.finished and not decoding.stop and not pattern.matches(written.text):
            return Answer.failed(UNWRITTEN)
        asked = len(prompt_ids(prompt, self._tokenizer))
        told = written.text, written.num_tokens, written.finished, written.num_trimmed
        return Answer(*told, num_prompt_tokens=asked)


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


def _written(folder: Path) -> list[tuple[str, int]]:
    """List the files that weights and tokens come from, with the times when they were written."""
    files = {*folder.glob("*model*"), *folder.glob("tokenizer*")}
    return sorted((str(file), file.stat().st_mtime_ns) for file in files)


def _numbered(rows: Sequence[Fields]) -> list[str]:
    return [f"row {number}" for number in range(1, len(rows) + 1)]


def _missing(error: ImportError) -> ModelError:
    found = f"answering needs the library {error.name}, which is not installed"
    return ModelError(found, 'install it: pip install "hanpuri[llm]"')
