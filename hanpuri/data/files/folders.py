"""
Which files a path stands for, and what each of them is.

In: a file or a folder. Out: its files in order of name, each with its format:

    reviews/            ─►  (reviews/2024.csv.gz, "csv"), (reviews/old/2019.json, "json")
    ├── 2024.csv.gz
    ├── .DS_Store       left out: its name begins with a dot
    └── old/2019.json
"""

from pathlib import Path
from typing import Literal

from hanpuri.data.files.formats import UNREAD, Format, open_fault, suffixes, told_format
from hanpuri.errors import DataError

RowFormat = Format | Literal["json"]
KINDS = "text, CSV, TSV, JSONL, JSON or Parquet"


def list_files(path: Path, format: RowFormat | None) -> list[tuple[Path, RowFormat]]:
    """
    List the files that `path` stands for; of what format they are, their names tell if `format` does not.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("b.csv", "a.json.gz"):
        ...         Path(folder, name).touch()
        ...     [(file.name, format) for file, format in list_files(Path(folder), None)]
        [('a.json.gz', 'json'), ('b.csv', 'csv')]

    Raises:
        DataError: if nothing is there, the folder holds no file, or files are of a kind that is not read.
    """
    if not path.exists():
        raise open_fault(path, FileNotFoundError())
    if path.is_dir():
        return _in_folder(path, format)
    return [(path, format or row_format(path) or "text")]


def row_format(path: Path) -> RowFormat | None:
    """
    Give the format that a file's name tells, or None if it tells none.

        >>> row_format(Path("chats.json.xz")), row_format(Path("reviews.log"))
        ('json', None)

    Raises:
        DataError: if the name tells of a kind of file that is not read.
    """
    suffix = suffixes(path)[0]
    if suffix == ".json":
        return "json"
    if suffix in UNREAD:
        raise DataError(f"{path} is a {suffix} file, expected {KINDS}", UNREAD[suffix])
    return told_format(path)


def _in_folder(folder: Path, format: RowFormat | None) -> list[tuple[Path, RowFormat]]:
    files = [path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(folder))]
    found: list[tuple[Path, RowFormat]] = []
    others: list[str] = []
    for path in sorted(files):
        try:
            told = format or row_format(path)
        except DataError as error:
            others.append(f"{path.relative_to(folder)} ({error.mend})")
            continue
        if told is None:
            others.append(str(path.relative_to(folder)))
        else:
            found.append((path, told))
    if others:
        more = f" and {len(others) - 20:,} more" if len(others) > 20 else ""
        message = f"{folder}: found {', '.join(others[:20])}{more}, expected only files of {KINDS}"
        raise DataError(message, "take them out of the folder, or say what all its files are: --format text")
    if not found:
        raise DataError(f"{folder}: found no file in the folder, expected files of {KINDS}", "check the path")
    return found


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
