"""
Answers ─► the file that a competition asks for.

In:  rows of a test file and an answer each. Out: a CSV with the test file's own ids, in its order:

    ID,output
    TEST_0001,화장실이 너무 작아요

Where there is no answer, a noisy text stands as it is, which is closer to the truth than nothing; a question, which is
no answer, gets an empty cell.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from hanpuri.data.files.targets import Target
from hanpuri.engines.base import Answer
from hanpuri.errors import DataError
from hanpuri.evaluation.rows import RowSet

HEAD = ("ID", "output")


def check_ids(row_set: RowSet) -> None:
    """
    Refuse a file in which two rows have the same id: nobody could say which answer is whose.

    Raises:
        DataError: naming the second of them.
    """
    seen: dict[str, str] = {}
    for row in row_set.rows:
        if row.id in seen:
            found = f"{row.where}: found the id {row.id} a second time, first at {seen[row.id]}"
            raise DataError(found, "give every row an id of its own")
        seen[row.id] = row.where


def write_submission(path: Path, row_set: RowSet, answers: Sequence[Answer]) -> None:
    """
    Write the file whole or not at all.

    Args:
        path: the CSV; also .gz and .xz.
        row_set: the rows that were asked.
        answers: one a row.

    Raises:
        DataError: if it cannot be written, or ids stand twice.
    """
    check_ids(row_set)
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEAD)
    for row, answer in zip(row_set.rows, answers, strict=True):
        instead = row.asked if row_set.form == "pairs" else ""
        table.writerow((row.id, instead if answer.failure else answer.text))
    target = Target(path)
    try:
        target.stream.write(text.getvalue().encode("utf-8", "surrogatepass"))
        target.commit()
    except OSError as error:
        target.discard()
        raise target.fault(error) from None
