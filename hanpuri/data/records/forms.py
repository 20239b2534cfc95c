"""
Which form the rows of a file have, told by its fields.

In: a file of rows. Out: a Reading of it, as rows of the first form whose fields the file has:

    pairs.jsonl with {"noisy": "쨰밌어요", "clean": "재밌어요"}  ─►  Reading(…, form="pairs")
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from hanpuri.data.recipe import FORMS, Form, SourceSettings
from hanpuri.data.records.records import Reading
from hanpuri.data.rows import FORM_ORDER
from hanpuri.errors import DataError


def open_rows(
    path: Path,
    form: Form | None = None,
    fields: Mapping[str, str] | None = None,
    faults: Literal["error", "drop"] = "error",
) -> Reading:
    """
    Open a file (or a folder of files) whose rows have one form.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "faq.jsonl")
        ...     _ = path.write_text('{"question": "몇 시에 열어요?", "answer": "아홉 시요."}', encoding="utf-8")
        ...     open_rows(path).form
        'instruction'

    Args:
        path: what to read.
        form: what a row is; told by the fields, if not given.
        fields: our field: their column.
        faults: as in a recipe's source.

    Raises:
        DataError: if the file cannot be read, or has the fields of no form.
    """
    refused: list[DataError] = []
    for candidate in [form] if form else FORM_ORDER:
        peeked = SourceSettings(path=path, fields=dict(fields or {}), faults="drop")
        try:
            next(Reading(peeked, candidate).records(), None)
        except DataError as error:
            refused.append(error)
            continue
        return Reading(peeked.model_copy(update={"faults": faults}), candidate)
    if len({str(error) for error in refused}) == 1:
        raise refused[0]
    expected = "; ".join(", ".join(FORMS[form]) for form in FORM_ORDER)
    raise DataError(f"{path}: found no fields of one form, expected {expected}", "rename the fields")
