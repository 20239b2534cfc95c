"""
The engine of our own small restorer: it labels syllables, and answers nothing but noisy texts.

In: {"noisy": "확잠실읾 념뭄 잙앙욤"}. Out: Answer("화장실이 너무 작아요", 10, finished=True); no torch is needed.
"""

from collections.abc import Sequence
from typing import Self

from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.engines.settings import EngineSettings
from hanpuri.errors import DataError


class CompactEngine:
    """A shipped or trained restorer. Made by `load`."""

    name: str
    identity: str
    restores_only = True

    def __init__(self, name: str, restorer: Restorer, identity: str) -> None:
        self.name, self.identity = name, identity
        self.restorer = restorer

    @classmethod
    def load(cls, settings: EngineSettings) -> Self:
        """
        Load the model of `compact:base`, `compact:runs/mine`, `compact:base+small`; `base` if none is named.

        With `aligned=airbnb` it takes only syllables that this noise can come from; length and spacing it keeps anyway.
        With `reach=wide` it keeps neither, and reads what is hidden in other ways, too; with `spacing` it moves spaces.

        Raises:
            ModelError: if there is no such model, or it is damaged.
        """
        feasible = settings.aligned if settings.aligned in ("airbnb", "hand") else None
        name, reach = settings.model or "base", settings.reach
        restorer = Restorer(name, threads=settings.threads, feasible=feasible, reach=reach, spacing=settings.spacing)
        networks = [files.network for files in restorer.members]
        written = [(str(network), network.stat().st_mtime_ns) for network in networks]
        return cls(settings.name, restorer, f"compact {written} {feasible} {reach} {settings.spacing}")

    def prompt(self, row: Fields, name: str) -> str:
        """
        Give the noisy text of a row; see `Engine.prompt`.

        Raises:
            DataError: if it has none.
        """
        if not isinstance(noisy := row.get("noisy"), str):
            found = f"{name}: found the fields {', '.join(row)}, expected noisy: the compact model restores, no more"
            raise DataError(found, "ask a language model")
        return noisy

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """
        Restore rows; see `Engine.generate`. Of `decoding` nothing applies: no token is drawn.

        Raises:
            DataError: if a row has no noisy text.
        """
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        texts = [self.prompt(row, name) for row, name in zip(rows, names, strict=True)]
        return [
            Answer(one.text, len(one.text), finished=True, confidence=one.confidence)
            for one in self.restorer.restore(texts)
        ]
