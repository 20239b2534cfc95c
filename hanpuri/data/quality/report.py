"""
Facts ─► report.html for people and report.json for programs.

In:  a folder and what the stages counted.   Out: two files in it, there whole or not at all. The JSON begins:

    {"warnings": [{"rule": "train_is_small", "message": "the train split has 40 rows, …", "mend": "add rows, …"}], …

There is no date in them and no duration: the same facts give the same bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hanpuri.data.files.targets import Target
from hanpuri.data.quality.facts import Facts
from hanpuri.data.quality.lengths import quantile, share_over
from hanpuri.data.quality.sections import LIMITS, sections
from hanpuri.data.quality.warnings import find_warnings
from hanpuri.errors import DataError
from hanpuri.pages.page import Page, render

LIBRARIES = ("pyarrow", "rensa", "ftfy", "phonenumbers", "stdnum", "jinja2", "matplotlib")


def check_libraries() -> None:
    """
    Check that all is there to make a training set and its report: to be asked before the work, not after it.

    Raises:
        DataError: if a library is missing.
    """
    if missing := [name for name in LIBRARIES if find_spec(name) is None]:
        raise DataError(f"making a training set needs {', '.join(missing)}", 'pip install "hanpuri[data]"')


def write_report(folder: Path, facts: Facts) -> None:
    """
    Write report.html and report.json into a folder.

    Raises:
        DataError: if a file cannot be written.
    """
    _write(folder / "report.html", render(report_page(facts)))
    _write(folder / "report.json", json.dumps(report_content(facts), ensure_ascii=False, indent=2) + "\n")


def report_page(facts: Facts) -> Page:
    """Lay out the page."""
    lead = f"What is in it (form {facts.form}, seed {facts.seed}), and what became of the rows that were read."
    return Page(f"Training set {facts.name}", lead, tuple(sections(facts, find_warnings(facts))))


def report_content(facts: Facts) -> dict[str, Any]:
    """Say the same in plain dicts and lists: the warnings, all facts, and the shares over the usual lengths."""
    content = {"warnings": [_plain(warned) for warned in find_warnings(facts)], **_plain(facts)}
    for tokens, plain in zip(facts.tokens, content["tokens"], strict=True):
        plain["median"] = quantile(tokens.lengths, 0.5)
        plain["share_over"] = {str(limit): share_over(tokens.lengths, limit) for limit in (*LIMITS, tokens.max_length)}
    return content


def _plain(value: Any) -> Any:
    """Turn dataclasses into dicts; counts come in the order of their names, whatever they were counted in."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _write(path: Path, text: str) -> None:
    target = Target(path)
    try:
        target.stream.write(text.encode("utf-8", "backslashreplace"))  # half a surrogate pair: \ud800 is JSON, too
        target.commit()
    except OSError as error:
        target.discard()
        raise target.fault(error) from None
    except BaseException:
        target.discard()
        raise
