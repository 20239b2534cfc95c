"""
Language models that a service holds open, and how many may ask one at a time.

In:  "qwen=openai:http://127.0.0.1:8000/v1#qwen3" or "transformers:runs/faq".   Out: a ServedEngine that clients know as
"qwen" or "faq": what stands behind it, a path or the address of another server, is nobody's business.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from hanpuri.engines.base import Engine
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import EngineSettings, parse_engine
from hanpuri.errors import RecipeError
from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.names import split_name

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

BUSY_SECONDS = 2.0
"""When a client may come again that found a language model's queue full."""


@dataclass
class ServedEngine:
    """A language model and the threads that it answers on."""

    name: str
    """As clients call it."""
    settings: EngineSettings
    engine: Engine
    threads: ThreadPoolExecutor
    max_waiting: int
    num_waiting: int = field(default=0, init=False)

    async def call(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """
        Call what asks the engine, off the event loop, when its turn has come.

        Raises:
            ServiceFault: 429, if too many wait already.
        """
        with self.place():
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, lambda: function(*args, **kwargs))

    @contextmanager
    def place(self) -> Iterator[None]:
        """
        Take a place among those that wait, for the length of a `with`.

        Raises:
            ServiceFault: 429, if too many wait already.
        """
        if self.num_waiting >= self.max_waiting:
            found = f"{self.num_waiting} requests wait for {self.name} already"
            raise ServiceFault(429, found, "come again later", retry_after=BUSY_SECONDS)
        self.num_waiting += 1
        try:
            yield
        finally:
            self.num_waiting -= 1


@contextmanager
def open_engines(told: Sequence[str], max_waiting: int) -> Iterator[Mapping[str, ServedEngine]]:
    """
    Open the engines of a service, by the names that clients call them.

    Raises:
        RecipeError: if an engine's line is broken, or two have one name.
        EngineError: as `open_engine`.
        ModelError: as `open_engine`.
    """
    with ExitStack() as open_ones:
        found: dict[str, ServedEngine] = {}
        for line in told:
            name, settings = parse_served(line)
            if name in found:
                raise RecipeError(f"two engines are called {name}", f"name one of them: other={line}")
            engine = open_ones.enter_context(open_engine(settings))  # closed after its threads have ended
            threads = ThreadPoolExecutor(_num_threads(settings), thread_name_prefix=name)
            open_ones.callback(threads.shutdown, cancel_futures=True)
            found[name] = ServedEngine(name, settings, engine, threads, max_waiting)
        yield found


def parse_served(told: str) -> tuple[str, EngineSettings]:
    """
    Read the name and the settings of an engine.

    Raises:
        RecipeError: if it is broken.
    """
    name, line = split_name(told)
    return name, parse_engine(line)


def _num_threads(settings: EngineSettings) -> int:
    """Ask a server in many threads; a model in this process answers one at a time."""
    return {"openai": settings.server.concurrency, "llamacpp": settings.llamacpp.parallel}.get(settings.engine, 1)
