"""
Hiding by order: spaces that move, syllables that swap places.

In:  a row of "오랜만에 왔다".   Out: the same row, written 오만랜에왔다.
"""

import random

from hanpuri.hiding.cells import Row


def move_spaces(row: Row, rng: random.Random, share: float) -> None:
    """Spaces taken out, put in, or both; all of them, or a share."""
    how = rng.random()
    out = 1.0 if how < 0.4 else rng.random() if how < 0.75 else 0.0
    put = 0.0 if how < 0.4 else rng.random() * 0.5
    if rng.random() > share:
        out, put = out * share, put * share
    for place in range(1, len(row)):
        gap = row.noisy_gap[place]
        if gap and rng.random() < out:
            row.noisy_gap[place] = False
        elif not gap and put and rng.random() < put:
            row.noisy_gap[place] = True


def swap_syllables(row: Row, rng: random.Random, share: float) -> None:
    """Syllables inside a word in another order; the first one keeps its place more often than not."""
    for start, end in row.words():
        if rng.random() >= share or end - start < 3 or not all(row.is_plain(place) for place in range(start, end)):
            continue
        first = start + 1 if rng.random() < 0.85 else start
        last = end if rng.random() < 0.6 else end - 1
        if last - first < 2:
            first = start + 1 if end - start > 2 else start
            last = end
        if end - start > 4 or rng.random() < 0.5:
            first = rng.randrange(first, last - 1)
            last = first + 2
        moved = row.noisy[first:last]
        rng.shuffle(moved)
        if moved == row.noisy[first:last]:
            moved.reverse()
        row.noisy[first:last] = moved
