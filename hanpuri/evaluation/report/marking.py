"""
A restored text and the clean one ─► the restored text with what is wrong in it marked, down to the letter.

In:  "방이 작아오", "방이 작아요".   Out: what a page shows as a marked text:

    Marked((Piece("방이 작아"), Piece("오", "wrong", "ㅗ→ㅛ", "vowel ㅗ, right is ㅛ (요)")))

Where one letter of a syllable is wrong it is named above the syllable; where more are, the right syllable is.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from hanpuri.evaluation.report.alignment import Pairing
from hanpuri.hangul import decompose, is_syllable
from hanpuri.pages.page import Marked, Piece

POSITIONS = ("lead", "vowel", "tail")
LONG = 240  # characters from which on stretches without a fault are shortened
KEPT = 24  # of such a stretch, at each end


def mark(hypothesis: str, reference: str, pairing: Pairing) -> Marked:
    """
    Mark in a restored text what is wrong, what is too much, and what is missing.

        >>> from hanpuri.evaluation.report.alignment import align
        >>> marked = mark("방 작아오!", "방이 작아요", *align(["방 작아오!"], ["방이 작아요"]))
        >>> [(piece.text, piece.mark) for piece in marked.pieces]
        [('방', ''), ('이', 'missing'), (' 작아', ''), ('오', 'wrong'), ('!', 'extra')]
    """
    found = []
    for first, second in zip(pairing.hypothesis.tolist(), pairing.reference.tolist(), strict=True):
        written, right = hypothesis[first] if first >= 0 else "", reference[second] if second >= 0 else ""
        found.append(_piece(written, right))
    pieces = list(_joined(found))
    if max(len(hypothesis), len(reference)) > LONG:
        pieces = [_shortened(piece) for piece in pieces]
    return Marked(tuple(pieces))


def wrong_letters(written: str, right: str) -> list[tuple[str, str, str]]:
    """
    Name the letters in which two syllables differ: the position, the letter written, the right one.

        >>> wrong_letters("쬭", "족"), wrong_letters("조", "좋")
        ([('lead', 'ㅉ', 'ㅈ'), ('vowel', 'ㅛ', 'ㅗ')], [('tail', '', 'ㅎ')])
    """
    sides = zip(POSITIONS, decompose(written), decompose(right), strict=True)
    return [(position, one, other) for position, one, other in sides if one != other]


def _piece(written: str, right: str) -> Piece:
    if written == right:
        return Piece(written)
    if not written:
        return Piece(_visible(right), "missing", told=f"missing: {_named(right)}")
    if not right:
        return Piece(_visible(written), "extra", told=f"too much: {_named(written)}")
    if not (is_syllable(written) and is_syllable(right)):
        return Piece(_visible(written), "wrong", f"→{_visible(right)}", f"{_named(written)}, right is {_named(right)}")
    wrong = wrong_letters(written, right)
    note = f"→{right}" if len(wrong) > 1 else f"{wrong[0][1] or '–'}→{wrong[0][2] or '–'}"
    letters = ", ".join(f"{position} {one or 'none'}, right is {other or 'none'}" for position, one, other in wrong)
    return Piece(written, "wrong", note, f"{letters} ({right})")


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Join neighbours that are marked alike; those with a note stay single, each below its own."""
    for (mark, note), group in groupby(pieces, lambda piece: (piece.mark, piece.note)):
        same = list(group)
        if note or len(same) == 1:
            yield from same
        else:
            told = f"{same[0].told.partition(':')[0]}: {len(same)} characters" if mark else ""
            yield Piece("".join(piece.text for piece in same), mark, told=told)


def _shortened(piece: Piece) -> Piece:
    if piece.mark or len(piece.text) <= 2 * KEPT + 3:
        return piece
    return Piece(f"{piece.text[:KEPT]} … {piece.text[-KEPT:]}")


def _visible(character: str) -> str:
    """Show a space or a line end that is wrong: it could not be seen."""
    return "␣" if character == " " else character if character.isprintable() else "·"


def _named(character: str) -> str:
    return "a space" if character == " " else character if character.isprintable() else f"U+{ord(character):04X}"
