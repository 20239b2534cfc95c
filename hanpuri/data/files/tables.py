"""
Lines to records: CSV, TSV and JSONL, broken ones reported and passed over.

In: lines that keep their ends. Out: for each record the number of its first line, its cells or fields, and its line
end. Two lines of CSV that are one record, a line of JSONL that is one, and one that is none:

    '1,"쨰밌\\n', '어요"\\r\\n'    ─►  (1, ["1", "쨰밌\\n어요"], "\\r\\n")
    '{"text": "쨰밌어요"}\\n'     ─►  (1, {"text": "쨰밌어요"}, "\\n")
    '{"text": \\n'               ─►  (1, Fault(1, "found a line that is no JSON ...", "write the line as ..."), "\\n")
"""

import csv
import json
from collections.abc import Iterable, Iterator

from hanpuri.data.files.formats import Fault, nearest

MAX_CELL_LENGTH = 1 << 24  # in characters; a quote that is never closed fails here, before it has eaten the memory

CSV_MEND = 'write a cell that holds a quote, a line end or the delimiter as "..." and each quote in it as ""'
UNCLOSED = "found a cell whose closing quote is missing"
JSONL_MEND = 'write the line as {"text": "..."}'
KINDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a truth value",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def split_ending(line: str) -> tuple[str, str]:
    """
    Split a line into its text and its end: "\\n", "\\r\\n", or "" for a last line that has none.

        >>> split_ending("쨰밌어요\\r\\n"), split_ending("a\\r")
        (('쨰밌어요', '\\r\\n'), ('a\\r', ''))
    """
    if line.endswith("\r\n"):
        return line[:-2], "\r\n"
    return (line[:-1], "\n") if line.endswith("\n") else (line, "")


def read_csv(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | Fault, str]]:
    """
    Read CSV or TSV, its header as a record like the others.

    A blank line is the empty cell of an only column; beside more columns it is no record.

        >>> list(read_csv(["id,text\\n", "1,a\\n", "\\n"], ","))
        [(1, ['id', 'text'], '\\n'), (2, ['1', 'a'], '\\n')]
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL_LENGTH))
    num_columns = 0
    last = ""

    def remembered() -> Iterator[str]:
        nonlocal last
        for last in lines:  # noqa: UP028
            yield last

    # `strict`: otherwise csv takes a quote that is never closed, and all lines behind it, for one long cell.
    reader = csv.reader(remembered(), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, _csv_fault(line, str(error)), ""
            continue
        num_columns = num_columns or len(cells)
        if cells or num_columns == 1:
            yield line, cells or [""], split_ending(last)[1]


def check_cells(line: int, cells: list[str], columns: tuple[str, ...]) -> Fault | None:
    """
    Check that a row of CSV has a cell for each column.

        >>> check_cells(3, ["1", "a", "b"], ("id", "text")).message
        'found 3 cells, expected 2 (id, text)'
    """
    if len(cells) == len(columns):
        return None
    found = f"found {len(cells)} cell{'s' * (len(cells) != 1)}"
    return Fault(line, f"{found}, expected {len(columns)} ({', '.join(columns[:20])})", CSV_MEND)


def read_jsonl(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, object] | Fault, str]]:
    """
    Read JSONL, an object a line.

        >>> list(read_jsonl(['{"text": "쨰밌어요"}\\n']))
        [(1, {'text': '쨰밌어요'}, '\\n')]
    """
    for number, whole in enumerate(lines, 1):
        line, ending = split_ending(whole)
        if line.strip(" \t\r"):
            yield number, _parsed(number, line), ending


def kind_of(value: object) -> str:
    """
    Say what a value is, in the words of JSON where it has one.

        >>> kind_of([]), kind_of(1.5), kind_of(b"")
        ('a list', 'a number', 'a bytes value')
    """
    return KINDS.get(type(value)) or f"a {type(value).__name__} value"


def check_text(line: int, record: dict[str, object], field: str) -> Fault | None:
    """
    Check that the text's field of a JSONL row is there, and holds a string or null.

        >>> check_text(2, {"text": 5}, "text").message
        'found a number in the field "text", expected a string'
    """
    if field not in record:
        guess = nearest(field, record)
        found = f'found no field "{field}" but {", ".join(list(record)[:20]) or "none at all"}'
        return Fault(line, found, f'rename "{guess}" to "{field}"' if guess else f'give the row its "{field}"')
    if isinstance(record[field], str | None):
        return None
    found = f'found {kind_of(record[field])} in the field "{field}", expected a string'
    return Fault(line, found, "put it in quotes, or name the text's field with --field")


def _csv_fault(line: int, told: str) -> Fault:
    if "unexpected end" in told or "field limit" in told:
        return Fault(line, UNCLOSED, CSV_MEND)
    return Fault(line, f"found a broken row ({told})", CSV_MEND)


def _parsed(number: int, line: str) -> dict[str, object] | Fault:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        told = f"{error.msg} at column {error.colno}"
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, brackets 1,000 deep
        told = str(error)
    else:
        if isinstance(record, dict):
            return record
        return Fault(number, f"found {kind_of(record)}, expected an object", JSONL_MEND)
    return Fault(number, f"found a line that is no JSON ({told}), expected an object", JSONL_MEND)
