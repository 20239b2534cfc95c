"""
Long runs of combining marks, put in order, so that NFC takes time by a text's length and not by its square.

In:  "a" and 10,000 accents in disorder, which the standard library brings to NFC in 0.2 s with everybody waiting.
Out: the same text to Unicode, canonically equivalent, of which NFC is the same and takes a millisecond.
"""

import re
import unicodedata

SHORT = 64
"""Marks in a row that need no help; no writing has as many."""
LONG_RUN = re.compile(rb"[^\0]{%d,}" % SHORT)


def order_marks(text: str) -> str:
    """
    Put the marks of every long run in the order that NFC has them in; all else stays as it is.

        >>> accents = "a" + "\\u0301\\u0323" * 1000
        >>> order_marks(accents) == "a" + "\\u0323" * 1000 + "\\u0301" * 1000, order_marks("방이 좁아요")
        (True, '방이 좁아요')
    """
    if len(text) < SHORT or text.isascii():
        return text
    classes = bytes(map(unicodedata.combining, text))
    pieces, end = [], 0
    for run in LONG_RUN.finditer(classes):
        marks = "".join(unicodedata.normalize("NFD", mark) for mark in text[run.start() : run.end()])
        # Sorting is stable: marks of one class keep their order, as the standard has it.
        pieces += [text[end : run.start()], "".join(sorted(marks, key=unicodedata.combining))]
        end = run.end()
    return "".join([*pieces, text[end:]])
