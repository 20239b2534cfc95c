"""
Everything that people do to hide Korean text, as a generator: clean text ─► hidden text, aligned to it.

In:  "귀여운 고양이".   Out: cells (귀 ← 커), (여 ← 여), (운 ← 운), (고 ← ㅍ), (양 ← 양), (이 ← 二).

`hanpuri.noise` changes syllables to syllables; here lengths, spaces and scripts change too. `kinds` is the list of what
is done, one row a kind; `hide` mixes them.
"""

from hanpuri.hiding.cells import Cell
from hanpuri.hiding.hide import Hidden, hide
from hanpuri.hiding.kinds import KINDS, Kind

__all__ = ["KINDS", "Cell", "Hidden", "Kind", "hide"]
