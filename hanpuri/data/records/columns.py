"""
Which column of a file gives which field of a record.

In: the columns that a file has, what a record needs, and what the recipe maps. Out: a column for each field:

    id, question, answer    form "instruction", no mapping  ─►  {"instruction": "question", "output": "answer",
                                                                 "id": "id"}

What the recipe maps comes first, then columns of our own names, then the usual names of others.
"""

from collections.abc import Mapping, Sequence

from hanpuri.data.files.formats import TEXT_FIELDS, nearest
from hanpuri.data.recipe import ABOUT, FORMS, OPTIONAL, Form
from hanpuri.errors import DataError

# What others call our fields. Instruction and output are taken from one row of PAIRS where a file has both.
ALIASES = {
    "instruction": ("question", "prompt"),
    "output": ("answer", "completion"),
    "input": ("context",),
    "messages": ("conversations",),
    "prompt": ("question", "instruction", "conversations"),
}
PAIRS = (("instruction", "output"), ("question", "answer"), ("prompt", "completion"))


def choose_columns(
    where: str, columns: Sequence[str], form: Form, mapped: Mapping[str, str], unneeded: Sequence[str] = ()
) -> dict[str, str]:
    """
    Choose the column of each field; an optional or unneeded one that is neither mapped nor there is left out.

        >>> choose_columns("faq.csv:1", ["번호", "question", "answer"], "instruction", {"id": "번호"})
        {'instruction': 'question', 'output': 'answer', 'id': '번호'}

    Raises:
        DataError: if mapped columns are not there, or there is none for a field that is needed; all of them at once.
    """
    pair = next((pair for pair in PAIRS if form == "instruction" and set(pair) <= set(columns)), ())
    paired = dict(zip(("instruction", "output"), pair, strict=False))
    chosen: dict[str, str] = {}
    missing: list[str] = []
    for field in (*FORMS[form], *ABOUT):
        usual = (paired.get(field, field), field, *ALIASES.get(field, ()))
        wanted = (mapped[field],) if field in mapped else usual
        column = next((name for name in wanted if name in columns), None)
        if column is not None:
            chosen[field] = column
        elif field in mapped or field not in (*OPTIONAL, *unneeded):
            missing.append(field)
    if missing:
        raise _fault(where, columns, missing, mapped, chosen)
    return chosen


def listed(columns: Sequence[str]) -> str:
    """
    List the names of columns, the first twenty of them.

        >>> listed(["id", "text"]), listed([])
        ('id, text', 'none at all')
    """
    return (", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")) or "none at all"


def _fault(
    where: str, columns: Sequence[str], missing: Sequence[str], mapped: Mapping[str, str], chosen: Mapping[str, str]
) -> DataError:
    free = [column for column in columns if column not in chosen.values()]
    problems = [
        f'no column "{mapped[field]}" for {field}' if field in mapped else _unmapped(field) for field in missing
    ]
    guesses = {field: guess for field in missing if (guess := _guess(field, free, mapped))}
    message = f"{where}: found {' and '.join(problems)}, expected one of: {listed(columns)}"
    if guesses:
        told = ", ".join(f"{field}: {guess}" for field, guess in guesses.items())
        return DataError(message, f"did you mean `fields: {{{told}}}`?")
    return DataError(message, f"say which of them it is: `fields: {{{missing[0]}: ...}}`")


def _unmapped(field: str) -> str:
    others = ALIASES.get(field, ())
    return f'no column "{field}"' + (f" ({', '.join(others)})" if others else "")


def _guess(field: str, free: Sequence[str], mapped: Mapping[str, str]) -> str | None:
    if field in mapped:
        return nearest(mapped[field], free)
    telling = TEXT_FIELDS if field in ("text", "clean") else ()
    near = (guess for name in (field, *ALIASES.get(field, ())) if (guess := nearest(name, free)))
    return next((name for name in telling if name in free), None) or next(near, None)
