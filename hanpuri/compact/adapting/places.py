"""
Where an adapted model goes, and where what is not finished lies.

In:  the folder that a user names.   Out: that it is free; the one beside it that holds checkpoint and texts meanwhile.
"""

from pathlib import Path

from hanpuri.errors import DataError


def check_out(out: Path) -> None:
    """
    See that nothing is written over.

    Raises:
        DataError: if `out` is there.
    """
    if out.exists():
        raise DataError(f"{out} is there already", "name another --out, or remove it")


def working_folder(out: Path) -> Path:
    """
    Say where what is not finished lies.

    >>> working_folder(Path("models/mine")).as_posix()
    'models/mine.adapting'
    """
    return out.with_name(f"{out.name}.adapting")
