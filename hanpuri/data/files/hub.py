"""
Data sets by name, read with the `datasets` library as a stream.

In: a name such as "user/reviews" and a split. Out: rows:

    "user/reviews", "train"  ─►  {"id": 1, "document": "쨰밌어요"}

The name may also be a folder of data files on disk, which is how this was tried: a name on the hub was not run here.
This is the one module that calls `datasets`, and it does so inside its function only: it is an extra.
"""

import importlib
from collections.abc import Iterator
from typing import Any

from hanpuri.errors import DataError

MEND = "check `hub` and `hub_split`; without a network, download it elsewhere and give the files as `path`"


def read_hub(name: str, split: str) -> Iterator[dict[str, Any]]:
    """
    Read the rows of a data set, the first of them as soon as it is there.

    Raises:
        DataError: if `datasets` is not installed, there is no such data set or split, or reading fails on the way.
    """
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        mend = 'install it: pip install "hanpuri[llm]", or give the files as `path`'
        raise DataError(f"{name}: found no datasets library, expected it for `hub`", mend) from None
    # The library lets errors of some ten packages through (http, fsspec, pyarrow, json ...), which share no base class.
    try:
        yield from map(dict, datasets.load_dataset(name, split=split, streaming=True))
    except Exception as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name}: found no data set that can be read ({told[:300]})", MEND) from None
