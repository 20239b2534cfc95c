"""
Settings ─► an engine that is ready to answer; what it holds is let go at the end.

In: EngineSettings(engine="compact", model="base"). Out: a CompactEngine, for the length of a `with`.

Each engine's library is imported here and not before: who restores with the compact model loads no torch.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from hanpuri.engines.base import Engine, StreamingEngine
from hanpuri.engines.pieces import PiecewiseEngine, StreamingPiecewiseEngine
from hanpuri.engines.settings import EngineSettings


@contextmanager
def open_engine(settings: EngineSettings) -> Iterator[Engine]:
    """
    Load what answers; a server is found, a process started, and closed again behind the `with`.

        >>> from hanpuri.engines.settings import parse_engine
        >>> with open_engine(parse_engine("echo")) as engine:
        ...     engine.generate([{"noisy": "확잠실읾"}])[0].text
        '확잠실읾'

    Raises:
        EngineError: if its library is not installed (it names the extra), or its server does not answer.
        ModelError: if there is no such model.
        RecipeError: if there is no such template.
    """
    engine = _load(settings)
    if settings.pieces is not None:
        kind = StreamingPiecewiseEngine if isinstance(engine, StreamingEngine) else PiecewiseEngine
        engine = kind(engine, settings.pieces)
    try:
        yield engine
    finally:
        close = getattr(engine, "close", None)
        if close is not None:
            close()


def _load(settings: EngineSettings) -> Engine:
    match settings.engine:
        case "echo":
            from hanpuri.engines.echo import EchoEngine

            return EchoEngine(settings.name)
        case "compact":
            from hanpuri.engines.compact import CompactEngine

            return CompactEngine.load(settings)
        case "transformers" if settings.channel != "off":
            from hanpuri.engines.noisy_channel.engine import NoisyChannelEngine

            return NoisyChannelEngine.open(settings)
        case "transformers":
            from hanpuri.engines.transformers import TransformersEngine

            return TransformersEngine.open(settings)
        case "vllm":
            from hanpuri.engines.vllm import VllmEngine

            return VllmEngine.load(settings)
        case "llamacpp":
            from hanpuri.engines.llamacpp import LlamaCppEngine

            return LlamaCppEngine.load(settings)
        case "openai":
            from hanpuri.engines.openai import OpenAIEngine

            return OpenAIEngine.load(settings)
