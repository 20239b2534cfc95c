"""
What of an answer is seen without knowing the right one: whether it is empty, and whether it says the same again.

In: an answer. Out: a share, here of "네 네 네 네 네 네":

    repeated    0.75   of its stretches of four characters stood in it before
"""

STRETCH = 4  # characters


def repeated(text: str) -> float:
    """
    Give the share of an answer that says again what it said, by stretches of four characters.

        >>> repeated("방이 넓고 좋아요"), round(repeated("네 네 네 네 네 네"), 2), repeated("")
        (0.0, 0.75, 0.0)
    """
    stretches = [text[start : start + STRETCH] for start in range(len(text) - STRETCH + 1)]
    return 1 - len(set(stretches)) / len(stretches) if stretches else 0.0


def is_empty(text: str) -> bool:
    """
    Say whether an answer has no letter and no digit.

        >>> is_empty(" …"), is_empty("네")
        (True, False)
    """
    return not any(map(str.isalnum, text))
