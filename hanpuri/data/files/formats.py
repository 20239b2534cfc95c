"""
What a row is, which format a file has, and which of its fields holds the text.

In: a file name and the names of its columns. Out: a format, a field. One real item:

    "reviews.csv.gz", columns ("id", "review", "stars")  ─►  format "csv", compression ".gz", field "review"
"""

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from hanpuri.errors import DataError

Format = Literal["text", "csv", "tsv", "jsonl", "parquet"]

FORMATS: dict[str, Format] = {
    "text": "text",
    "txt": "text",
    "csv": "csv",
    "tsv": "tsv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
}
COMPRESSIONS = (".gz", ".xz")
TEXT_FIELDS = ("text", "review", "noisy", "content", "document")

# Suffixes that would pass for text, a text a line, and give nonsense: what to do with such a file instead.
UNREAD = {
    ".json": "write an object a line (jq -c '.[]' data.json > data.jsonl), or read it as it is with --format",
    ".xls": "save the sheet as CSV UTF-8",
    ".xlsx": "save the sheet as CSV UTF-8",
    ".zip": "unpack it first; .gz and .xz are read as they are",
    ".bz2": "unpack it first; .gz and .xz are read as they are",
    ".zst": "unpack it first; .gz and .xz are read as they are",
}


@dataclass(frozen=True, slots=True)
class Row:
    """
    One text on its way through the house, with all that is needed to write it back.

        >>> Row("이 영화 쨰밌어요", {"id": "1", "text": "이 영화 쨰밌어요"}, "reviews.csv:2").where
        'reviews.csv:2'
    """

    text: str
    """The text; "" where the file holds a null."""
    record: Mapping[str, object] | None
    """All fields of the row, the text's own included; None for a line of a text file."""
    where: str
    """"file:line", the line where the row begins, counted from 1; in Parquet "file:row"."""
    ending: str = "\n"
    """The row's own line end: "\\n", "\\r\\n", or "" for a last line that has none."""


class Fault(NamedTuple):
    """A row that cannot be read; the reader goes on behind it, so that all faults of a file come at once."""

    line: int
    message: str
    mend: str


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """
    Name the choice that `name` was most likely meant to be, or None if none is close.

    Case does not count, nor does Hangul typed as single letters (NFD), as macOS writes it in file names.

        >>> nearest("revew", ["id", "review", "stars"])
        'review'
        >>> nearest("TEXT", ["id", "text"])
        'text'
    """
    folded = {unicodedata.normalize("NFC", choice).casefold(): choice for choice in choices}
    found = difflib.get_close_matches(unicodedata.normalize("NFC", name).casefold(), folded, n=1)
    return folded[found[0]] if found else None


def suffixes(path: Path) -> tuple[str, str]:
    """
    Give the suffix that tells the format and the one that tells the compression, each "" if there is none.

        >>> suffixes(Path("data/Reviews.CSV.gz")), suffixes(Path("notes"))
        (('.csv', '.gz'), ('', ''))
    """
    compression = path.suffix.lower()
    if compression in COMPRESSIONS:
        return Path(path.stem).suffix.lower(), compression
    return compression, ""


def check_format(format: str) -> Format:
    """
    Check the name of a format.

        >>> check_format("ndjson")
        'jsonl'

    Raises:
        ValueError: if there is no such format; it names the nearest.
    """
    if format in FORMATS:
        return FORMATS[format]
    guess = nearest(format, FORMATS)
    hint = f"; did you mean {guess!r}?" if guess else ""
    raise ValueError(f"unknown format {format!r}, expected text, csv, tsv, jsonl or parquet{hint}")


def told_format(path: Path) -> Format | None:
    """
    Give the format that the file's name tells, or None if it tells none.

        >>> told_format(Path("reviews.ndjson.xz")), told_format(Path("reviews.log"))
        ('jsonl', None)

    Raises:
        DataError: if the name tells of a kind of file that is not read or written here.
    """
    suffix, compression = suffixes(path)
    if suffix in UNREAD:
        raise DataError(f"{path} is a {suffix} file, expected text, CSV, TSV, JSONL or Parquet", UNREAD[suffix])
    format = FORMATS.get(suffix[1:])
    if format == "parquet" and compression:
        raise DataError(f"{path}: found Parquet in {compression}, expected .parquet", "unpack it, it packs itself")
    return format


def choose_field(name: str, columns: Sequence[str], wanted: str | None) -> str:
    """
    Choose the column that holds the text: the wanted one, else the only one, else one with a telling name.

        >>> choose_field("reviews.csv", ["id", "review", "stars"], None)
        'review'

    Raises:
        DataError: if the wanted column is not there, or none is wanted and none stands out.
    """
    told = (", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")) or "none at all"
    if wanted is not None and wanted in columns:
        return wanted
    if wanted is not None:
        guess = nearest(wanted, columns)
        mend = f"did you mean --field {guess}?" if guess else "name one of them with --field"
        raise DataError(f'{name}: found no field "{wanted}", expected one of: {told}', mend)
    if len(columns) == 1:
        return columns[0]
    for field in TEXT_FIELDS:
        if field in columns:
            return field
    expected = f"{', '.join(TEXT_FIELDS[:-1])} or {TEXT_FIELDS[-1]}"
    raise DataError(f"{name}: found the fields {told}, expected {expected}", "name the text's field with --field")


def open_fault(path: Path, error: OSError) -> DataError:
    """
    Say why a file cannot be read, and what to do about it.

        >>> print(open_fault(Path("/"), IsADirectoryError()))
        /: found a folder, expected a file; name a file in it
    """
    if isinstance(error, FileNotFoundError):
        try:
            names = {other.name for other in islice(path.parent.iterdir(), 10_000)}
        except OSError:
            return DataError(f"{path}: found no folder {path.parent}, expected a file in it", "check the path")
        guess = nearest(path.name, names - {path.name})  # a link to nowhere stands in its folder and is not there
        mend = f"did you mean {path.with_name(guess)}?" if guess else "check the path"
        return DataError(f"{path}: found no such file", mend)
    if isinstance(error, IsADirectoryError):
        return DataError(f"{path}: found a folder, expected a file", "name a file in it")
    if isinstance(error, PermissionError):
        return DataError(f"{path}: found a file that you may not read", f"allow it: chmod u+r {path}")
    return DataError(f"{path}: cannot be read ({error.strerror or error})", "check the path and the disk")
