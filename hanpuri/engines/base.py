"""
What every engine can do: answer rows.

In: rows of any form, without their answers. Out: an answer each, in their order:

    {"instruction": "한강은 어디로 흐르나요?", "input": ""}   ─►   Answer("서해로 흐릅니다.", 9, finished=True)

How rows become prompts is the engine's matter: it knows the template that its model was trained with.
"""

from collections.abc import Sequence
from typing import Protocol

from hanpuri.data.templates import Fields
from hanpuri.training.decoding import Decoding
from hanpuri.training.decoding import Generated as Answer

__all__ = ["GREEDY", "Answer", "Decoding", "Engine"]

GREEDY = Decoding()
"""The likeliest token each time."""


class Engine(Protocol):
    """A model that answers."""

    @property
    def name(self) -> str:
        """What the model is called, without the folders above."""
        ...

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """
        Answer rows.

        Args:
            rows: of any form; what they hold of an answer is not looked at.
            decoding: how tokens are chosen.
            names: how errors name the rows; "row 1", …, if not given.

        Raises:
            DataError: if a row does not fit the template, or leaves no room for an answer.
        """
        ...
