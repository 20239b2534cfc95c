"""
Says when a model knows what it is asked by heart, so that its own answers teach it nothing.

In: a score on the rows that it answers to learn from, and one on rows that it never saw. Out: a sentence, or "":

    char_accuracy, 0.964 on its prompts, 0.620 on held-out rows
      ─►   "the prompts are known by heart: char_accuracy is 0.964 on them and 0.620 on held-out rows; …"

Samples, rewards and mistakes come from the model's own answers. To rows that it was fine-tuned on it answers right
already: the best of its samples says what it says anyway. docs/experiments.md shows what that comes to.
"""

MEASURES = ("char_accuracy", "exact_match", "token_f1")
"""From 0 to 1, and 1 for the right answer alone; a right length says little of what is known."""
RIGHT = 0.9
"""A score from which on little is left to learn."""
APART = 0.1
"""How far the held-out score is below it at least."""


def known_by_heart(measure: str, on_prompts: float, held_out: float) -> str:
    """
    Say that prompts are known by heart, and what to do; "" if they are not, or the measure cannot tell.

    >>> print(known_by_heart("char_accuracy", 0.964, 0.62))  # doctest: +ELLIPSIS
    the prompts are known by heart: char_accuracy is 0.964 on them and 0.620 on held-out rows, ...
    >>> known_by_heart("char_accuracy", 0.7, 0.62), known_by_heart("cer", 0.95, 0.5)
    ('', '')
    """
    if measure not in MEASURES or not (on_prompts >= RIGHT and on_prompts - held_out >= APART):
        return ""
    told = f"{measure} is {on_prompts:.3f} on them and {held_out:.3f} on held-out rows"
    mend = "so that little is learnt from its answers; give prompts that it was not trained on"
    return f"the prompts are known by heart: {told}, {mend}"
