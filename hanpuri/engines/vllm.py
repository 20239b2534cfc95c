"""
The engine for many rows on one machine: vLLM, without a server.

In: `vllm:runs/faq,vllm.max_num_seqs=128`. Out: an engine that is given all rows at once:

    {"instruction": "한강은 어디로 흐르나요?", "input": ""}   ─►   Answer("서해로 흐릅니다.", 9, finished=True)

vLLM takes token ids and gives token ids: the prompt, the text and its end are those of the engine `transformers`. The
weights are read when it is known how long rows are: at the first call of `generate`, or before, by `make_ready`. What
can be refused is refused before. `hanpuri.engines.vllm_loading` starts vLLM and ends it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from hanpuri.data.chats import choose_template
from hanpuri.data.examples import make_examples, prompt_ids
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import Fields
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.engines.alignment import Pattern, make_pattern, noisy_of
from hanpuri.engines.base import GREEDY, Answer, Decoding, Likelihood
from hanpuri.engines.places import find_model
from hanpuri.engines.restoring import fit
from hanpuri.engines.settings import EngineSettings
from hanpuri.engines.transformers import NO_LIMIT, UNWRITTEN
from hanpuri.engines.vllm_asking import likelihood, sampling, scoring
from hanpuri.engines.vllm_loading import (
    MEND,
    Plan,
    check_adapter,
    check_installed,
    choose_dtype,
    import_vllm,
    lora_request,
    reason,
    start,
    stop,
    stops_of,
)
from hanpuri.errors import DataError, EngineError, RecipeError
from hanpuri.training.answering import answered
from hanpuri.training.decoding import Ends, read_answer
from hanpuri.training.generation import checked_ids
from hanpuri.training.loading.models import check_tokenizer, check_weights, read_config
from hanpuri.training.loading.rope import reach
from hanpuri.training.prompting import Prompting, load_prompting, make_prompting

_RUNNING: "list[VllmEngine]" = []
"""The engine that has vLLM, if one has: there is one in a process, and it takes most of a GPU. The next one ends it."""


class VllmEngine:
    """A model that vLLM answers with. Made by `load`; it holds memory and processes until `close`."""

    name: str
    identity: str
    prompting: Prompting

    def __init__(self, settings: EngineSettings, plan: Plan, tokenizer: Tokenizer, prompting: Prompting) -> None:
        self.name = settings.name
        self.identity = _identity(settings, plan, prompting)
        self.prompting = prompting
        self._settings, self._plan, self._tokenizer = settings, plan, tokenizer
        self._stop_ids = frozenset({*prompting.stop_ids, *stops_of(plan.folder, plan.config)})
        self._llm: Any = None
        self._longest = 1
        """Tokens of the longest prompt that was seen so far."""

    @classmethod
    def load(cls, settings: EngineSettings) -> Self:
        """
        Check a model and what it is to be asked; its weights are read when the first rows come.

        Raises:
            EngineError: if vLLM is not installed or lacks what the settings ask for.
            ModelError: if there is no such model, it is not whole, or vLLM cannot lay its adapter on it.
            RecipeError: if there is no such template, or `vllm.max_length` is more than the model has positions.
        """
        if settings.four_bit:
            found = f"{settings.name} asks for 4 bits, which vLLM does not load"
            raise EngineError(found, "leave four_bit out, or take transformers")
        check_installed()
        folder, adapter = find_model(settings.model)
        device = import_vllm()
        if settings.device not in (None, device):
            found = f"the device {settings.device} was asked for, and the installed vLLM runs on {device}"
            raise EngineError(found, "leave the device out; which GPUs are taken is said in CUDA_VISIBLE_DEVICES")
        config = read_config(folder)
        _check_length(settings, config)
        check_weights(folder, "model")
        if adapter is not None:
            check_adapter(adapter, settings.model)
        asked, own = _place_of_tokenizer(adapter or folder, folder), _place_of_tokenizer(folder, adapter or folder)
        tokenizer = load_tokenizer(asked)
        check_tokenizer(config, tokenizer)
        prompting = _prompting(settings, adapter or folder, tokenizer)
        plan = Plan(folder, own, adapter, config, choose_dtype(settings.precision, device), 0, settings.vllm)
        return cls(settings, plan, tokenizer, prompting)

    def prompt(self, row: Fields, name: str) -> str:
        """
        Write what the model is asked; see `Engine.prompt`.

        Raises:
            DataError: as `Engine.prompt`; also, with aligned decoding, if the row holds no noisy text.
        """
        self._pattern(row, name)
        self.prompt_ids(row, name)
        return self.prompting.prompt(row, name).text

    def prompt_ids(self, row: Fields, name: str = "row 1") -> list[int]:
        """
        Turn a row into what vLLM is given: the tokens that stood before the answer in training.

        Raises:
            DataError: if the row does not fit the template, or leaves no room for an answer.
        """
        ids = checked_ids(self.prompting.prompt(row, name), self._tokenizer, reach(self._plan.config))
        wanted = self._settings.vllm.max_length
        if wanted is not None and len(ids) >= wanted:
            found = f"{name}: found a prompt of {len(ids):,} tokens, expected under {wanted:,}, vllm.max_length"
            raise DataError(found, "raise it, or shorten the row")
        self._longest = max(self._longest, len(ids))
        return ids

    @property
    def positions(self) -> int:
        """Tokens of prompt and answer together, at most."""
        return self._limit()

    def count_tokens(self, row: Fields, name: str = "row 1") -> int:
        """Count the tokens of a row's prompt; see `CountingEngine.count_tokens`."""
        return len(prompt_ids(self.prompting.prompt(row, name), self._tokenizer))

    def make_ready(self, decoding: Decoding = GREEDY) -> None:
        """
        Start vLLM with room for the longest row that `prompt` has written; else the next call of `generate` does it.

        Raises:
            EngineError: if vLLM does not start.
        """
        self._llm_for(self._longest + decoding.max_new_tokens)

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """
        Answer rows; see `Engine.generate`. All are checked before vLLM is started.

        Raises:
            DataError: if a row does not fit the template, leaves no room for an answer, or has no noisy text to hold
                the answer in place by.
            EngineError: if vLLM does not start, or fails.
        """
        if not rows:
            return []
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        patterns = [self._pattern(row, name) for row, name in zip(rows, names, strict=True)]
        prompts = [self.prompt_ids(row, name) for row, name in zip(rows, names, strict=True)]
        ends, fitting = self._ends(decoding), [fit(decoding, row) for row in rows]
        outputs = self._run(
            prompts,
            lambda: [self._sampling(*one, ends) for one in zip(prompts, patterns, fitting, strict=True)],
            self._longest + decoding.max_new_tokens,
        )
        checked = [None] * len(rows) if decoding.stop else patterns  # a stop may cut an answer short
        return [self._read(*one, ends) for one in zip(outputs, prompts, checked, strict=True)]

    def score(self, rows: Sequence[Fields], answers: Sequence[str], *, names: Sequence[str] = ()) -> list[Likelihood]:
        """
        Score an answer for each row; see `ScoringEngine.score`. Aligned decoding has no part in this.

        Raises:
            DataError: if a row with its answer makes no sound example, or fills all of the model's positions.
            EngineError: as `generate`.
        """
        if not rows:
            return []
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        # vLLM writes a token behind whatever it reads, and wants room for it.
        settings = ExampleSettings(max_length=self._limit() - 1)
        rendered = [answered(self.prompting, *one) for one in zip(rows, answers, names, strict=True)]
        examples = make_examples(rendered, self._tokenizer, settings).examples
        outputs = self._run(
            [example.input_ids.tolist() for example in examples],
            lambda: [scoring() for _ in examples],
            max(map(len, examples)) + 1,
        )
        return [likelihood(*one) for one in zip(outputs, examples, answers, strict=True)]

    def close(self) -> None:
        """Let vLLM go, with its processes and its memory; the next call of `generate` starts it again."""
        llm, self._llm = self._llm, None
        if llm is not None:
            _RUNNING.clear()
            stop(llm)

    def _run(self, prompts: list[list[int]], make_params: Callable[[], list[Any]], num_tokens: int) -> list[Any]:
        """Have vLLM answer prompts, of which the longest needs so many tokens with its answer."""
        llm = self._llm_for(num_tokens)
        asked = [{"prompt_token_ids": ids} for ids in prompts]
        try:
            outputs: list[Any] = llm.generate(
                asked, make_params(), use_tqdm=False, lora_request=lora_request(self._plan)
            )
        except BaseException as error:
            self.close()  # what is still on its way there would be taken for answers of the next call
            if not isinstance(error, Exception):
                raise
            raise EngineError(f"vLLM failed ({reason(error)})", MEND) from None
        return outputs

    def _llm_for(self, num_tokens: int) -> Any:
        """Give vLLM with room for rows of a length; it is started anew where it has less."""
        length = length_for(num_tokens, self._settings.vllm.max_length, reach(self._plan.config))
        if self._llm is not None and self._plan.max_length < length:
            self.close()
        if self._llm is None:
            for other in tuple(_RUNNING):
                other.close()
            self._plan = replace(self._plan, max_length=length)
            self._llm = start(self._plan, self._settings.model)
            _RUNNING.append(self)
        return self._llm

    def _limit(self) -> int:
        """Give how many tokens prompt and answer may have together."""
        limits = (self._settings.vllm.max_length, reach(self._plan.config), NO_LIMIT)
        return min(limit for limit in limits if limit is not None)

    def _pattern(self, row: Fields, name: str) -> Pattern | None:
        if self._settings.aligned == "off":
            return None
        return make_pattern(noisy_of(row, name), self._settings.aligned, name=name)

    def _ends(self, decoding: Decoding) -> Ends:
        own = self.prompting.stop_text if self._settings.aligned == "off" else ""  # a grammar ends by itself
        texts = dict.fromkeys(text for text in (own, *decoding.stop) if text)
        return Ends(self._stop_ids, tuple(texts), self.prompting.before)

    def _sampling(self, ids: Sequence[int], pattern: Pattern | None, decoding: Decoding, ends: Ends) -> Any:
        regex = pattern.regex(self.prompting.before, self.prompting.after) if pattern else None
        return sampling(ids, decoding, ends, room=self._limit() - len(ids), regex=regex)

    def _read(self, output: Any, ids: Sequence[int], pattern: Pattern | None, ends: Ends) -> Answer:
        (written,) = output.outputs
        if written.finish_reason not in ("stop", "length"):
            return Answer.failed(f"vLLM gave it up: {written.finish_reason}")
        raw = read_answer(written.token_ids, self._tokenizer, ends)
        text = self.prompting.answer_of(raw.text)
        if pattern and raw.finished and not pattern.matches(text):
            return Answer.failed(UNWRITTEN)
        return Answer(text, raw.num_tokens, raw.finished, raw.num_trimmed, num_prompt_tokens=len(ids))


def length_for(num_tokens: int, wanted: int | None, positions: int | None) -> int:
    """
    Choose for how many tokens of a row vLLM gets room: the next power of two, so that it is seldom started anew.

        >>> length_for(300, None, 2048), length_for(300, None, 384), length_for(300, 1000, 2048)
        (512, 384, 1000)

    Args:
        num_tokens: what the longest row needs.
        wanted: what the user said.
        positions: what the model has.
    """
    if wanted is not None:
        return wanted
    length = 1 << (num_tokens - 1).bit_length()
    return length if positions is None else min(length, positions)


def _place_of_tokenizer(first: Path, second: Path) -> Path:
    return first if (first / "tokenizer.json").is_file() else second


def _prompting(settings: EngineSettings, folder: Path, tokenizer: Tokenizer) -> Prompting:
    """Find how the model of a folder is asked; the folder is read in any case, to see that nothing in it is broken."""
    prompting = load_prompting(folder, tokenizer)
    if settings.template is not None:
        prompting = make_prompting(choose_template(settings.template, tokenizer), tokenizer)
    return prompting.with_system(settings.system)


def _check_length(settings: EngineSettings, config: Any) -> None:
    positions, wanted = reach(config), settings.vllm.max_length
    if positions is not None and wanted is not None and wanted > positions:
        found = f"vllm.max_length is {wanted:,}, and the model has {positions:,} positions"
        raise RecipeError(found, "leave it out, or say less")


def _identity(settings: EngineSettings, plan: Plan, prompting: Prompting) -> str:
    """Name all that answers depend on; how many rows are answered at a time is none of it."""
    places = [plan.folder, *([plan.adapter] if plan.adapter else [])]
    written = sorted(
        (str(file), file.stat().st_mtime_ns)
        for place in places
        for file in {*place.glob("*model*"), *place.glob("tokenizer*")}
    )
    return f"vllm {written} {prompting.hash} {settings.system!r} {settings.aligned} {plan.dtype}"
