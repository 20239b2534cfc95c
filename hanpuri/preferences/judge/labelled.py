"""
What people say of pairs: the measure of a judge.

In: a line of JSONL for each label: a question, two answers, and which is better. Out: Labelled:

    {"prompt": "쨰밌어요", "chosen": "재밌어요", "rejected": "째밌어요", "label": "chosen"}
    {"noisy": "쨰밌어요", "first": "재밋어요", "second": "째밌어요", "label": "tie"}      ─►   Labelled(pair, "first")

The two answers are `first` and `second`, or `chosen` and `rejected`; the label is the name of one, or tie. If several
people have labelled a pair, each label has its line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hanpuri.data.files.encodings import check_encoding
from hanpuri.data.files.formats import Fault, open_fault
from hanpuri.data.files.tables import kind_of, read_jsonl
from hanpuri.data.files.textfiles import TextFile
from hanpuri.errors import DataError
from hanpuri.preferences.judge.judgements import Side
from hanpuri.preferences.judge.material import Pair
from hanpuri.preferences.judge.questions import told_question
from hanpuri.preferences.pairs import prompt_of

LABELS: dict[str, Side] = {"first": "first", "chosen": "first", "second": "second", "rejected": "second", "tie": "tie"}
NAMES = (("first", "second"), ("chosen", "rejected"))
ASKING = ("prompt", "input", "noisy", "instruction", "messages")
MEND = 'write the row as {"prompt": "...", "first": "...", "second": "...", "label": "first"}'
MAX_LISTED = 5


@dataclass(frozen=True)
class Labelled:
    """A pair, and which side of it somebody takes."""

    pair: Pair
    label: Side


def read_labels(path: Path) -> list[Labelled]:
    """
    Read a file of labels.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "people.jsonl")
        ...     row = '{"prompt": "몇 시예요?", "first": "두 시요.", "second": "몰라요.", "label": "first"}'
        ...     _ = path.write_text(row, encoding="utf-8")
        ...     read_labels(path)[0].label
        'first'

    Raises:
        DataError: if the file cannot be read, is empty, or a row is no labelled pair; the first five are named.
    """
    if not path.is_file():
        raise open_fault(path, IsADirectoryError() if path.is_dir() else FileNotFoundError())
    found: list[Labelled] = []
    faults: list[tuple[int, str]] = []
    for line, values, _ in read_jsonl(TextFile(path, check_encoding("utf-8")).lines()):
        try:
            if isinstance(values, Fault):
                raise ValueError(values.message)
            found.append(_read(values, f"{path}:{line}"))
        except ValueError as error:
            faults.append((line, str(error)))
    if faults:
        (first, why), *rest = faults
        lines = ", ".join(str(line) for line, _ in rest[: MAX_LISTED - 1]) + " …" * (len(rest) >= MAX_LISTED)
        also = f" (faulty too: line{'s' * (len(rest) > 1)} {lines})" if rest else ""
        raise DataError(f"{path}:{first}: {why}{also}", MEND)
    if not found:
        raise DataError(f"{path}: found no row, expected labelled pairs", MEND)
    return found


def _read(values: Mapping[str, object], where: str) -> Labelled:
    names = next((names for names in NAMES if set(names) <= set(values)), None)
    if names is None:
        raise ValueError(f"found the fields {', '.join(values) or 'none at all'}, expected two answers")
    texts = [values[name] for name in names]
    for name, text in zip(names, texts, strict=True):
        if not isinstance(text, str):
            raise ValueError(f'found {kind_of(text)} in "{name}", expected a text')
    label = values.get("label")
    if not isinstance(label, str) or LABELS.get(label) is None or label not in (*names, "tie"):
        raise ValueError(f"found the label {label!r}, expected {names[0]}, {names[1]} or tie")
    asked = {key: values[key] for key in ASKING if values.get(key)}
    return Labelled(Pair(where, _question(asked, where), str(texts[0]), str(texts[1])), LABELS[label])


def _question(asked: Mapping[str, object], where: str) -> Mapping[str, object]:
    try:
        told_question(asked, where)
        return asked if "prompt" in asked else prompt_of(asked)
    except (DataError, KeyError, TypeError, AttributeError):
        raise ValueError("found no question, expected one in prompt, noisy, instruction or messages") from None
