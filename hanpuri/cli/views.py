"""
Before and after, for people: what a restoration changed, or how sure it is.

    ✗ 확잠실읾 념뭄 잙앙욤
    ✓ 화장실이 너무 작아요
"""

from typing import TextIO

from hanpuri.compact.runtime import Restoration

VIEWS = ("edits", "confidence")
GREEN, RED, UNDERLINED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[4m", "\x1b[0m"
# Below this a syllable deserves a second look.
UNSURE = 0.9


def write_view(out: TextIO, one: Restoration, view: str) -> None:
    """Write one restoration as `view` shows it; colours only on a terminal."""
    coloured = out.isatty()
    changed = [edit.position for edit in one.edits]
    unsure = [position for position, confidence in enumerate(one.confidence) if confidence < UNSURE]
    out.write(f"✗ {_mark(one.noisy, changed, RED, coloured)}\n")
    if view == "edits":
        out.write(f"✓ {_mark(one.text, changed, GREEN, coloured)}\n\n")
        return
    out.write(f"✓ {_mark(one.text, unsure, UNDERLINED, coloured)}\n")
    doubts = ", ".join(f"{one.text[position]} {one.confidence[position]:.2f}" for position in unsure)
    lowest = min(one.confidence, default=1.0)
    out.write(f"  lowest confidence {lowest:.2f}" + (f"; below {UNSURE}: {doubts}" if doubts else "") + "\n\n")


def _mark(text: str, positions: list[int], style: str, coloured: bool) -> str:
    if not coloured:
        return text
    marked = set(positions)
    return "".join(f"{style}{c}{PLAIN}" if position in marked else c for position, c in enumerate(text))
