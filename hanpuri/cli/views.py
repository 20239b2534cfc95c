"""
Before and after, for people: what a restoration changed, or how sure it is.

    ✗ 확잠실읾 념뭄 잙앙욤
    ✓ 화장실이 너무 작아요
"""

from typing import TextIO

from hanpuri.compact.restoring.restoration import Restoration
from hanpuri.compact.restoring.runtime import SOUND

VIEWS = ("edits", "confidence")
GREEN, RED, UNDERLINED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[4m", "\x1b[0m"
# Below this a syllable deserves a second look.
UNSURE = 0.9


def write_view(out: TextIO, one: Restoration, view: str) -> None:
    """Write one restoration as `view` shows it; colours only on a terminal."""
    coloured = out.isatty()
    before, after = _changed(one)
    unsure = [position for position, confidence in enumerate(one.confidence) if confidence < UNSURE]
    out.write(f"✗ {_mark(one.noisy, before, RED, coloured)}\n")
    if view == "edits":
        out.write(f"✓ {_mark(one.text, after, GREEN, coloured)}\n{_kinds(one)}\n")
        return
    out.write(f"✓ {_mark(one.text, unsure, UNDERLINED, coloured)}\n")
    doubts = ", ".join(f"{one.text[position]} {one.confidence[position]:.2f}" for position in unsure)
    lowest = min(one.confidence, default=1.0)
    out.write(f"  lowest confidence {lowest:.2f}" + (f"; below {UNSURE}: {doubts}" if doubts else "") + "\n\n")


def _changed(one: Restoration) -> tuple[list[int], list[int]]:
    """Give the places of the noisy text and of the restored one that an edit touched."""
    before: list[int] = []
    after: list[int] = []
    longer = 0
    for edit in one.edits:
        before += range(edit.position, edit.position + len(edit.noisy))
        after += range(edit.position + longer, edit.position + longer + len(edit.restored))
        longer += len(edit.restored) - len(edit.noisy)
    return before, after


def _kinds(one: Restoration) -> str:
    """Say in a line what was hidden how, but for what is read as it sounds, which is most."""
    told: dict[str, list[str]] = {}
    for edit in one.parts or ():
        if edit.kind != SOUND:
            shown = (part.replace(" ", "␣") or "∅" for part in (edit.noisy, edit.restored))
            told.setdefault(edit.kind, []).append("→".join(shown))
    return "".join(f"  {kind}: {', '.join(edits)}\n" for kind, edits in told.items())


def _mark(text: str, positions: list[int], style: str, coloured: bool) -> str:
    if not coloured:
        return text
    marked = set(positions)
    return "".join(f"{style}{c}{PLAIN}" if position in marked else c for position, c in enumerate(text))
