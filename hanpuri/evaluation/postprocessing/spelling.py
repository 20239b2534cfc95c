"""
Spelling and spacing by a morphological analyser (Kiwi): what is commonly put behind a model.

In: "조아요". Out: "좋아요", or whatever the analyser holds for the likelier spelling; of a row, other spaces.

Both change the length of a text at will, and an analyser knows neither names nor the words of the trade: whether they
help is for held-out rows to say.
"""

from functools import cache
from typing import Any

from hanpuri.errors import EngineError

MAX_COST = 2.5
"""How much a correction may cost, in Kiwi's unit: more, and right words are corrected too."""


def space(text: str) -> str:
    """
    Put spaces where the analyser wants them; those that are there stay.

    Raises:
        EngineError: if kiwipiepy is not installed.
    """
    return str(_kiwi().space(text))


@cache
def spell(word: str) -> str:
    """
    Spell a word as the analyser would.

    Raises:
        EngineError: if kiwipiepy is not installed.
    """
    kiwi = _kiwi()
    tokens = kiwi.tokenize(word, typos=_typos(), typo_cost_threshold=MAX_COST)
    if not any(token.typo_cost for token in tokens):
        return word  # joining morphemes again may contract or lengthen what was right
    return str(kiwi.join(tokens))


def spell_in_place(word: str) -> str:
    """
    Spell a word as the analyser would, where that keeps its length.

    Raises:
        EngineError: if kiwipiepy is not installed.
    """
    spelled = spell(word)
    return spelled if len(spelled) == len(word) else word


@cache
def _kiwi() -> Any:
    try:
        from kiwipiepy import Kiwi
    except ImportError:
        found = "spelling and spacing need the library kiwipiepy, which is not installed"
        raise EngineError(found, 'install it: pip install "hanpuri[postprocess]"') from None
    return Kiwi(num_workers=1)


@cache
def _typos() -> Any:
    """Letters that are commonly mistaken, and tails that slide to the next syllable."""
    from kiwipiepy import basic_typos_with_continual

    return basic_typos_with_continual
