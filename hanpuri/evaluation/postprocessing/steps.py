"""
Settings of steps ─► functions from texts to texts, and an engine that has them behind it.

In: `steps: [{step: dictionary, below: 0.6, …}]` and restored texts. Out: corrected texts, in their order.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding, Engine
from hanpuri.engines.opening import open_engine
from hanpuri.engines.questions import question_of
from hanpuri.engines.settings import parse_engine
from hanpuri.errors import RecipeError
from hanpuri.evaluation.postprocessing import spelling
from hanpuri.evaluation.postprocessing.feasibility import repair
from hanpuri.evaluation.postprocessing.recipe import StepSettings
from hanpuri.evaluation.postprocessing.rescoring import rescore
from hanpuri.evaluation.postprocessing.texts import Restored, correct_words
from hanpuri.evaluation.postprocessing.vocabulary import Vocabulary

Texts = Sequence[Restored]
Step = Callable[[Texts], list[Restored]]


class Workshop:
    """What steps need, loaded once: vocabularies and models. For use with `with`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._vocabularies: dict[Path, Vocabulary] = {}
        self._engines: dict[str, Engine] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def vocabulary(self, step: StepSettings) -> Vocabulary:
        """
        Count the words of a step's clean texts.

        Raises:
            DataError: if they cannot be read.
            RecipeError: if the step names none.
        """
        if step.texts is None:
            raise RecipeError(
                f"the step {step.step} was given no clean texts", "name a file of them: texts, or --train"
            )
        if step.texts not in self._vocabularies:
            self._vocabularies[step.texts] = Vocabulary.load(step.texts)
        return self._vocabularies[step.texts]

    def engine(self, step: StepSettings) -> Engine:
        """
        Open a step's model.

        Raises:
            HanpuriError: if it cannot be opened.
            RecipeError: if the step names none.
        """
        if not step.engine:
            found = f"the step {step.step} was given no model"
            raise RecipeError(found, "name one: engine, or --lm transformers:runs/cpu-tiny")
        if step.engine not in self._engines:
            self._engines[step.engine] = self._stack.enter_context(open_engine(parse_engine(step.engine)))
        return self._engines[step.engine]


def make_step(settings: StepSettings, workshop: Workshop) -> Step:
    """
    Make the function of a step.

        >>> with Workshop() as workshop:
        ...     make_step(StepSettings(step="feasibility"), workshop)([Restored("너무", "너북", (1.0, 0.4))])[0].text
        '너무'

    Raises:
        HanpuriError: if what it needs is not there.
    """
    below = settings.below
    match settings.step:
        case "spacing":
            return lambda texts: [text.with_text(spelling.space(text.text)) for text in texts]
        case "spelling":
            spell = spelling.spell_in_place if settings.hold_length else spelling.spell
            return lambda texts: [correct_words(text, spell, below) for text in texts]
        case "dictionary":
            correct = workshop.vocabulary(settings).correct
            return lambda texts: [correct_words(text, correct, below) for text in texts]
        case "feasibility":
            syllables = workshop.vocabulary(settings).syllables if settings.texts else {}
            return lambda texts: [repair(text, syllables, settings.profile, below) for text in texts]
        case "rescoring":
            engine, common = workshop.engine(settings), workshop.vocabulary(settings).syllables
            how = {"below": below, "margin": settings.margin}
            return lambda texts: rescore(texts, engine, common, profile=settings.profile, **how)


class CorrectedEngine:
    """An engine with steps behind it; it restores, and answers nothing else."""

    restores_only = True

    def __init__(self, engine: Engine, steps: Sequence[StepSettings], workshop: Workshop) -> None:
        """
        Lay steps behind an engine.

        Raises:
            HanpuriError: if what a step needs is not there.
        """
        self.name = " + ".join([engine.name, *(step.name for step in steps)])
        self.identity = repr((engine.identity, [step.model_dump_json() for step in steps]))
        self._engine = engine
        self._steps = [make_step(step, workshop) for step in steps]

    def prompt(self, row: Fields, name: str) -> str:
        """Write what the engine is given; see `Engine.prompt`."""
        return self._engine.prompt(row, name)

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """Answer rows and correct the answers; see `Engine.generate`. A failure stays one."""
        answers = self._engine.generate(rows, decoding, names=names)
        texts = [Restored.of(question_of(row, "a row"), answer) for row, answer in zip(rows, answers, strict=True)]
        for step in self._steps:
            texts = step(texts)
        return [
            answer if answer.failure else replace(answer, text=text.text, confidence=text.confidence)
            for answer, text in zip(answers, texts, strict=True)
        ]
