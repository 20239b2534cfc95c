"""
The options that say which engine answers, and how ─► its settings.

In: --engine transformers:runs/faq, or --model runs/faq. Out: EngineSettings(engine="transformers", model="runs/faq").

A bare model tells its engine: an address is a server's, a .gguf is for llama.cpp, all else is for transformers.
"""

from dataclasses import dataclass
from typing import Any, get_args

from hanpuri.data.files.formats import nearest
from hanpuri.engines.settings import ENGINES, Aligned, EngineSettings, parse_engine
from hanpuri.errors import RecipeError


@dataclass(frozen=True)
class Choice:
    """What was said of the engine on the command line; None and False where nothing was."""

    engine: str | None = None
    model: str | None = None
    template: str | None = None
    system: str = ""
    aligned: str | None = None
    four_bit: bool = False
    device: str | None = None

    def settings(self) -> EngineSettings:
        """
        Make settings of it; an option of its own goes before what the engine's line says.

            >>> Choice(model="http://127.0.0.1:8000/v1").settings().name
            'openai:http://127.0.0.1:8000/v1'
            >>> Choice(engine="vllm", model="runs/faq").settings().name
            'vllm:runs/faq'

        Raises:
            RecipeError: if neither engine nor model was given, two models were, or one is wrong.
        """
        settings = parse_engine(self._line())
        if self.aligned is not None and self.aligned not in (known := get_args(Aligned)):
            guess = nearest(self.aligned, known)
            mend = f"write one of {', '.join(known)}" + (f"; did you mean {guess}?" if guess else "")
            raise RecipeError(f"--aligned is {self.aligned!r}", mend)
        told: dict[str, Any] = {
            key: value
            for key in ("template", "system", "aligned", "four_bit", "device")
            if (value := getattr(self, key))
        }
        return EngineSettings.model_validate(settings.model_dump() | told)

    def _line(self) -> str:
        if self.engine is None and self.model is None:
            mend = (
                "name a run, a model's folder or an engine: --model runs/faq, --engine openai:http://127.0.0.1:8000/v1"
            )
            raise RecipeError("no model was given", mend)
        if self.engine is None:
            return f"{engine_of(self.model or '')}:{self.model}"
        if self.model is None:
            return self.engine
        name, _, rest = self.engine.partition(":")
        if rest:
            raise RecipeError(f"two models were given: {self.engine} and {self.model}", "leave one of them out")
        head, comma, options = name.partition(",")
        return f"{head}:{self.model}{comma}{options}"


def engine_of(model: str) -> str:
    """
    Tell which engine a bare model is for; a name of an engine is one itself.

        >>> engine_of("a.gguf"), engine_of("https://example.org/v1"), engine_of("runs/faq")
        ('llamacpp', 'openai', 'transformers')
    """
    if model.startswith(("http://", "https://")):
        return "openai"
    return "llamacpp" if model.endswith(".gguf") else "transformers"


def choose(name: str | None, engine: str | None, model: str | None) -> tuple[str | None, str | None]:
    """
    Read the one word that `chat` takes: an engine with or without its model, or a bare model.

        >>> choose("echo", None, None), choose("compact:small", None, None), choose("runs/faq", None, None)
        (('echo', None), ('compact:small', None), (None, 'runs/faq'))

    Raises:
        RecipeError: if it says once more what an option says.
    """
    if name is None:
        return engine, model
    is_engine = name.partition(":")[0].partition(",")[0] in ENGINES
    if model is not None or (is_engine and engine is not None):
        raise RecipeError(f"two models were given: {name} and {model or engine}", "leave one of them out")
    return (name, None) if is_engine else (engine, name)
