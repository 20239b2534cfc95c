"""
Which engine answers, and how: one line on the command line, or a section of a recipe.

In: "transformers:runs/faq,aligned=airbnb" — a name, after a colon its model, after commas its settings.
Out: EngineSettings(engine="transformers", model="runs/faq", aligned="airbnb"), frozen.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from hanpuri.data.files.formats import nearest
from hanpuri.errors import RecipeError
from hanpuri.recipe import Settings, check_settings
from hanpuri.training.recipe import Precision

EngineName = Literal["echo", "compact", "transformers", "vllm", "llamacpp", "openai"]
Aligned = Literal["off", "syllables", "airbnb", "hand"]
Channel = Literal["off", "airbnb", "hand"]
Reach = Literal["syllables", "wide"]
Grammar = Literal["vllm", "llamacpp"]
ENGINES: tuple[str, ...] = ("echo", "compact", "transformers", "vllm", "llamacpp", "openai")


class ServerSettings(Settings):
    """How an OpenAI-compatible server is asked. Only of `openai`."""

    concurrency: int = Field(default=8, ge=1, description="Requests on their way at a time.")
    requests_per_minute: float | None = Field(default=None, gt=0, description="At most so many are begun in a minute.")
    timeout_seconds: float = Field(default=120.0, gt=0, description="How long one answer may take.")
    max_tries: int = Field(default=5, ge=1, description="How often a request is made that fails by no fault of ours.")
    max_wait_seconds: float = Field(default=60.0, ge=0, description="The longest pause between two tries.")
    max_lost: int = Field(
        default=8, ge=1, description="When so many rows in a row got no answer, the others are given up too."
    )
    api_key: str = Field(default="OPENAI_API_KEY", description="The environment variable that holds the key.")
    way: Literal["chat", "completions"] = Field(
        default="chat", description="Messages, which the server's template renders; or the text of our template."
    )
    tokenizer: str | None = Field(
        default=None, description="The model's folder: prompts are then sent as the tokens of its training."
    )
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="What the server calls the length of an answer."
    )
    grammar: Grammar | None = Field(
        default=None, description="How this server takes a grammar, for aligned decoding; found out, if not given."
    )
    price_input: float = Field(default=0.0, ge=0, description="Price of a million tokens of prompts.")
    price_output: float = Field(default=0.0, ge=0, description="Price of a million tokens of answers.")

    @model_validator(mode="after")
    def _check_tokenizer(self) -> Self:
        if self.tokenizer is not None and self.way != "completions":
            raise ValueError("a tokenizer was given, and messages are sent as text: write way=completions too")
        return self


class VllmSettings(Settings):
    """How vLLM runs. Only of `vllm`."""

    max_num_seqs: int = Field(default=64, ge=1, description="Rows that are answered at a time.")
    tensor_parallel: int = Field(default=1, ge=1, description="GPUs that share the model.")
    prefix_caching: bool = Field(default=True, description="Compute the common beginning of prompts once.")
    memory_share: float = Field(default=0.9, gt=0, le=1, description="Of a GPU's memory, what it may take.")
    max_length: int | None = Field(
        default=None, ge=8, description="Tokens of prompt and answer; as the longest row needs, if not given."
    )


class LlamaCppSettings(Settings):
    """How llama.cpp runs. Only of `llamacpp`."""

    threads: int | None = Field(default=None, ge=1, description="Processor threads; all, if not given.")
    context: int = Field(default=4096, ge=8, description="Tokens of prompt and answer at most.")
    parallel: int = Field(default=4, ge=1, description="Rows that are answered at a time.")
    gpu_layers: int = Field(default=0, ge=0, description="Layers that a GPU computes.")


class EngineSettings(Settings):
    """An engine and its model."""

    engine: EngineName = Field(description="Which engine.")
    model: str = Field(default="", description="A folder, a shipped model, a GGUF file, or a server's address.")
    label: str = Field(default="", description="What tables call it; as it is written, if not given.")
    template: str | None = Field(default=None, description="Ask with this one, not as the model was trained.")
    system: str = Field(default="", description="A text before every question.")
    aligned: Aligned = Field(
        default="off",
        description="Hold restored text in place: every syllable a syllable, or one that this noise can come from.",
    )
    pieces: int | None = Field(
        default=None,
        ge=10,
        description="Give noisy texts in pieces of at most so many characters. Not of compact, which needs none.",
    )
    channel: Channel = Field(
        default="off",
        description="Search for the text that the model and this noise together hold likeliest. Only of transformers.",
    )
    device: str | None = Field(default=None, description="cuda or cpu; a GPU if there is one.")
    precision: Precision = Field(default="auto", description="What is computed in.")
    four_bit: bool = Field(default=False, description="Load in 4 bits (nf4). Only of transformers.")
    reach: Reach = Field(
        default="syllables",
        description="Of compact: wide reads signs, other scripts and loose letters too, and lengths may change.",
    )
    spacing: bool = Field(default=False, description="Of compact with reach=wide: moves spaces to where they belong.")
    threads: int | None = Field(default=None, ge=1, description="Processor threads of compact.")
    server: ServerSettings = Field(default_factory=ServerSettings, description="Of openai.")
    vllm: VllmSettings = Field(default_factory=VllmSettings, description="Of vllm.")
    llamacpp: LlamaCppSettings = Field(default_factory=LlamaCppSettings, description="Of llamacpp.")

    @field_validator("engine", mode="before")
    @classmethod
    def _check_engine(cls, name: object) -> object:
        if name not in ENGINES:
            guess = nearest(str(name), ENGINES)
            raise ValueError(f"no such engine, {f'did you mean {guess}?' if guess else 'one of ' + ', '.join(ENGINES)}")
        return name

    @field_validator("aligned", "channel", mode="before")
    @classmethod
    def _read_off(cls, value: object) -> object:
        return "off" if value is False else value  # YAML's word for no

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        if not self.model and self.engine not in ("echo", "compact"):
            wanted = {"openai": "openai:http://127.0.0.1:8000/v1#MODEL", "llamacpp": "llamacpp:model.gguf"}
            example = wanted.get(self.engine, f"{self.engine}:runs/faq")
            raise ValueError(f"{self.engine} was given no model, write e.g. {example}")
        return self

    @model_validator(mode="after")
    def _check_channel(self) -> Self:
        if self.channel != "off" and self.engine != "transformers":
            raise ValueError(f"channel was given to {self.engine}, it needs transformers")
        if self.channel != "off" and self.aligned != "off":
            raise ValueError("found aligned and channel, expected one of them: channel holds the text in place too")
        return self

    @model_validator(mode="after")
    def _check_pieces(self) -> Self:
        if self.pieces is not None and (self.engine in ("echo", "compact") or self.channel != "off"):
            who = f"{self.engine} with a channel" if self.channel != "off" else self.engine
            raise ValueError(f"pieces was given to {who}, which reads texts of any length")
        return self

    @model_validator(mode="after")
    def _check_reach(self) -> Self:
        if self.reach != "syllables" and self.engine != "compact":
            raise ValueError(f"reach was given to {self.engine}, it needs compact")
        if self.reach == "wide" and self.aligned != "off":
            raise ValueError("found aligned and reach=wide, expected one of them: what is wide keeps no length")
        if self.spacing and self.reach != "wide":
            raise ValueError("found spacing, expected reach=wide with it")
        return self

    @property
    def name(self) -> str:
        """
        Name the engine as tables do: by its label, or by what was asked for, with the settings that are not the usual.

            >>> EngineSettings(engine="transformers", model="runs/faq", aligned="airbnb").name
            'transformers:runs/faq,aligned=airbnb'
        """
        if self.label:
            return self.label
        said = f"{self.engine}:{self.model}" if self.model else self.engine
        usual = {
            "aligned": "off",
            "pieces": None,
            "channel": "off",
            "reach": "syllables",
            "spacing": False,
            "template": None,
            "four_bit": False,
            "system": "",
        }
        told = [
            f",{key}={str(value).lower() if isinstance(value, bool) else value}"
            for key, usually in usual.items()
            if (value := getattr(self, key)) != usually
        ]
        return said + "".join(told)


def parse_engine(spec: str) -> EngineSettings:
    """
    Read an engine as it is written on the command line.

        >>> parse_engine("openai:http://127.0.0.1:8000/v1#qwen3,server.concurrency=4").server.concurrency
        4

    Raises:
        RecipeError: if there is no such engine or setting; with the nearest one.
    """
    # A comma ends the model only where a setting follows it: a file's name may hold one.
    head, *options = re.split(r",(?=[a-z_.]+=)", spec)
    engine, _, model = head.partition(":")
    if not engine:
        raise RecipeError(f"the engine {spec!r} has no name", f"write one of {', '.join(ENGINES)}")
    mend = "write it as NAME:MODEL,key=value, see docs/engines.md"
    return check_settings(f"the engine {spec!r}", EngineSettings, {"engine": engine, "model": model}, options, mend)


def _read_told(told: Any) -> Any:
    """Read an engine that stands in a recipe in one line; a section is left as it is."""
    if not isinstance(told, str):
        return told
    try:
        return parse_engine(told)
    except RecipeError as error:
        raise ValueError(error.message.removeprefix(f"the engine {told!r}: ")) from None


ToldEngine = Annotated[EngineSettings, BeforeValidator(_read_told)]
"""An engine in a recipe: written as on the command line, or as a section."""
