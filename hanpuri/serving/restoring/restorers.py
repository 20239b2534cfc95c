"""
All that restores in a service: compact models and language models, by the names that clients know.

In:  texts, and the name of a model.   Out: a Restored for each, in their order, or a ServiceFault that says why not:

    await restorers.restore(["확잠실읾 념뭄 잙앙욤"], model="base")   ─►   [Restored(text="화장실이 너무 작아요", …)]
"""

import difflib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hanpuri.compact.restoring.runtime import Reach
from hanpuri.runs import count_usable_cpus
from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.names import name_all
from hanpuri.serving.restoring.asking import ask, can_restore
from hanpuri.serving.restoring.compact import CompactModel
from hanpuri.serving.restoring.restored import Alternative, Edit, Restored
from hanpuri.serving.restoring.turns import Turns
from hanpuri.serving.settings import Limits, ServiceSettings
from hanpuri.serving.watching.metrics import Counters

if TYPE_CHECKING:
    from hanpuri.serving.engines import ServedEngine

__all__ = ["Alternative", "Edit", "Restored", "Restorers", "open_restorers"]


class Restorers:
    """All that restores."""

    def __init__(
        self,
        models: Mapping[str, CompactModel],
        engines: "Mapping[str, ServedEngine]",
        turns: Turns,
        limits: Limits,
        counters: Counters,
    ) -> None:
        self.models, self.engines, self.turns, self.limits = models, engines, turns, limits
        self.names: tuple[str, ...] = (*models, *engines)
        """What restores; the first one answers where none is asked for."""
        self._counters = counters

    @property
    def default(self) -> str:
        """The model that answers where none is asked for."""
        return self.find(None)

    def find(self, model: str | None) -> str:
        """
        Find a model by the name that a client gave; its own name is not repeated to it, for it may be anything.

        Raises:
            ServiceFault: 404, if there is none of that name.
        """
        if model in self.names:
            return model
        if not self.names:
            raise ServiceFault(404, "found no model that restores", "see /v1/models for what there is")
        if model is None:
            return self.names[0]
        near = difflib.get_close_matches(model[:100], self.names, n=1)
        found = f"model: found no such model, expected one of {', '.join(self.names)}"
        raise ServiceFault(404, found, f"did you mean {near[0]}?" if near else "see /v1/models for what there is")

    async def restore(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        alternatives: int = 0,
        reach: Reach = "syllables",
        spacing: bool = False,
    ) -> list[Restored]:
        """
        Restore texts, in their order; a language model names no alternatives, and reads what it was trained to read.

        Raises:
            ServiceFault: 404, if there is no such model; 422, if there are too many texts or they are too long; 429, if
                too much waits already, or it took too long; 503, if a language model fails.
        """
        name = self.find(model)
        check_texts(texts, self.limits)
        start = time.perf_counter()
        if name in self.models:
            model_of_name = self.models[name]
            restored = await model_of_name.restore(texts, alternatives, self.turns, reach=reach, spacing=spacing)
        elif reach == "wide":
            found = f"reach: found wide for {name}, which is a language model, expected a compact model"
            raise ServiceFault(422, found, "leave reach out, or name another model of GET /v1/models")
        else:
            restored = await ask(self.engines[name], texts, self.limits.request_seconds)
        self._counters.restored(name, len(texts), sum(map(len, texts)), time.perf_counter() - start)
        return restored


def check_texts(texts: Sequence[str], limits: Limits) -> None:
    """
    Refuse too many texts, and too long ones.

    Raises:
        ServiceFault: 422, with the first text that is too long.
    """
    if len(texts) > limits.texts:
        found = f"texts: found {len(texts):,} texts, expected {limits.texts:,} at most"
        raise ServiceFault(422, found, "send them in several requests")
    for number, text in enumerate(texts, start=1):
        if len(text) > limits.characters:
            found = f"text {number}: found {len(text):,} characters, expected {limits.characters:,} at most"
            raise ServiceFault(422, found, "cut it into several texts")


@asynccontextmanager
async def open_restorers(
    settings: ServiceSettings, engines: "Mapping[str, ServedEngine]", counters: Counters
) -> AsyncIterator[Restorers]:
    """
    Load the compact models, and close when all is done that was accepted.

    Raises:
        RecipeError: if two models have one name.
        ModelError: if a model cannot be loaded.
    """
    models, _ = name_all(settings.models, settings.engines)
    threads = settings.threads or max(1, count_usable_cpus() // settings.workers)
    loaded = {name: CompactModel(name, model, threads) for name, model in models.items()}
    asked = {name: served for name, served in engines.items() if can_restore(served.engine)}
    turns = Turns(threads, settings.limits, settings.window_seconds, counters)
    try:
        yield Restorers(loaded, asked, turns, settings.limits, counters)
    finally:
        await turns.close()
