"""
What people made of restored texts ─► pairs: the corrected text before the one that they corrected.

In: JSONL as the service exports it, a line for each text that a person looked at. Out: rows of the form `preference`:

    {"noisy": "확잠실읾", "restored": "확장실이", "corrected": "화장실이", "id": "a1", "time": "2026-11-22T10:00:00Z"}
        ─►  {"prompt": "확잠실읾", "chosen": "화장실이", "rejected": "확장실이", "source": "corrections", "people": 1}

    noisy       the text that was given
    restored    what hanpuri made of it
    corrected   what the person made of that; may be missing where `accepted` is true
    accepted    true: restored is right as it is
    id          who it was, or which visit; without it nobody is taken to have come twice
    time        when, as ISO 8601 or as seconds since 1970; without it, later lines are later

What the same person said of the same text later takes the place of what was said before. Where people do not agree on
a text there is no pair: the lines stand apart in `Corrected.contradictions`. Texts are compared and written in NFC.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Real
from pathlib import Path

from hanpuri.data.files.encodings import check_encoding
from hanpuri.data.files.formats import Fault, nearest, open_fault
from hanpuri.data.files.tables import kind_of, read_jsonl
from hanpuri.data.files.textfiles import TextFile
from hanpuri.data.unsound import Unsound, Unsounds
from hanpuri.errors import DataError
from hanpuri.preferences.pairs import Gathered, LeftOut, Line, make_pair, normal, same_text

FIELDS = ("noisy", "restored", "corrected", "accepted", "id", "time")
SHOWN = 30  # characters of a time in an error
MEND = 'write it as {"noisy": "…", "restored": "…", "corrected": "…"}'
FAULTY = "faulty"
EARLIER = "said again later by the same person"
ACCEPTED = "accepted as it is"
UNSURE = "neither corrected nor accepted"
CONTRADICTED = "people do not agree"
AGREED = "said by another person too"


@dataclass(frozen=True)
class Correction:
    """What a person made of one restored text; all texts in NFC."""

    where: str
    """The file and the line."""
    noisy: str
    restored: str
    corrected: str | None
    """The right text, `restored` itself if it was accepted; None if the person said neither."""
    person: str
    """Their id; the line if they have none."""
    time: float | None
    """Seconds since 1970; None if the line does not tell."""


@dataclass(frozen=True)
class Corrected:
    """Pairs from corrections, and what people do not agree on."""

    gathered: Gathered
    contradictions: tuple[Line, ...]
    """The lines on which people do not agree, those of a text behind each other."""
    num_other_length: int
    """Pairs in which the corrected text has another length than the restored one."""


def read_corrections(path: Path, *, drop: bool = False) -> tuple[list[Correction], list[LeftOut]]:
    """
    Read a file of corrections.

    Args:
        path: JSONL, also .gz and .xz.
        drop: whether faulty lines are left out, and given apart; else they are refused.

    Raises:
        DataError: if the file cannot be read, holds nothing, or lines of it are faulty; with the first few.
    """
    if not path.is_file():
        raise open_fault(path, IsADirectoryError() if path.is_dir() else FileNotFoundError())
    found: list[Correction] = []
    faulty: list[LeftOut] = []
    faults = Unsounds("lines that are no corrections")
    for line, values, _ in read_jsonl(TextFile(path, check_encoding("utf-8")).lines()):
        where = f"{path}:{line}"
        one = values if isinstance(values, Fault) else _read(where, line, values)
        if isinstance(one, Fault):
            faults.add(Unsound(FAULTY, f"{where}: {one.message}", one.mend))
            faulty.append(LeftOut(where, FAULTY, one.message))
        else:
            found.append(one)
    if not drop:
        faults.raise_any()
    if not found and not faulty:
        raise DataError(f"{path} holds no rows", MEND)
    return found, faulty


def pairs_from_corrections(corrections: Sequence[Correction], faulty: Sequence[LeftOut] = ()) -> Corrected:
    """
    Make pairs of what people corrected; lines that were faulty are counted.

        >>> one = Correction("a.jsonl:1", "확잠실읾", "확장실이", "화장실이", "a1", None)
        >>> pairs_from_corrections([one]).gathered.rows[0]["rejected"]
        '확장실이'
    """
    out = [*faulty, *(LeftOut(one.where, UNSURE) for one in corrections if one.corrected is None)]
    pairs: list[Line] = []
    apart: list[Line] = []
    decided = [one for one in corrections if one.corrected is not None]
    for said in _by_text(_last_words(decided, out)):
        if len({(one.corrected or "").strip() for one in said}) > 1:
            out += [LeftOut(one.where, CONTRADICTED) for one in said]
            apart += [_line(one) for one in said]
        else:
            pairs += _agreed(said, out)
    num_other_length = sum(len(str(pair["chosen"])) != len(str(pair["rejected"])) for pair in pairs)
    gathered = Gathered(len(corrections) + len(faulty), tuple(pairs), tuple(out))
    return Corrected(gathered, tuple(apart), num_other_length)


def _last_words(given: Sequence[Correction], out: list[LeftOut]) -> list[Correction]:
    """Leave out what the same person said otherwise, or a second time, of a text later; in the order of the file."""
    ordered = given if any(one.time is None for one in given) else sorted(given, key=lambda one: one.time or 0.0)
    last = {(one.person, one.noisy): one.corrected for one in ordered}
    kept = {
        (one.person, one.noisy, one.restored): one
        for one in ordered
        if one.corrected == last[one.person, one.noisy]  # an earlier version's text may have been corrected alike
    }
    places = {one.where for one in kept.values()}
    out += [LeftOut(one.where, EARLIER) for one in given if one.where not in places]
    return [one for one in given if one.where in places]


def _by_text(given: Iterable[Correction]) -> list[list[Correction]]:
    found: dict[str, list[Correction]] = {}
    for one in given:
        found.setdefault(one.noisy, []).append(one)
    return list(found.values())


def _agreed(said: Sequence[Correction], out: list[LeftOut]) -> list[Line]:
    """Make a pair of each wrong form of a text that people corrected, all in the same way."""
    pairs: dict[str, Line] = {}
    people = len({one.person for one in said})
    for one in said:
        if one.corrected is None or same_text(one.corrected, one.restored):
            out.append(LeftOut(one.where, ACCEPTED))
        elif one.restored in pairs:
            out.append(LeftOut(one.where, AGREED))
        else:
            about = {"source": "corrections", "where": one.where, "people": people}
            pairs[one.restored] = make_pair({"noisy": one.noisy}, one.corrected, one.restored, **about)
    return list(pairs.values())


def _line(one: Correction) -> Line:
    texts = {"noisy": one.noisy, "restored": one.restored, "corrected": one.corrected}
    return {**texts, "id": one.person, "where": one.where}


def _read(where: str, line: int, values: Mapping[str, object]) -> Correction | Fault:
    try:
        noisy, restored = _text(values, "noisy"), _text(values, "restored")
        corrected = None if values.get("corrected") is None else _text(values, "corrected")
        corrected = _decide(restored, corrected, values.get("accepted"))
        person, time = values.get("id"), _seconds(values.get("time"))
        if isinstance(person, bool) or not isinstance(person, str | int | None):
            raise ValueError(f"the field id is {kind_of(person)}, expected a text")
    except ValueError as error:
        return Fault(line, str(error), MEND)
    return Correction(where, noisy, restored, corrected, where if person in (None, "") else str(person), time)


def _text(values: Mapping[str, object], field: str) -> str:
    if field not in values:
        guess = nearest(field, [name for name in values if name not in FIELDS])
        found = f'found no field "{field}" but {", ".join(values) or "none at all"}'
        raise ValueError(f'{found}, did you mean "{guess}"?' if guess else found)
    value = values[field]
    if not isinstance(value, str):
        raise ValueError(f"the field {field} is {kind_of(value)}, expected a text")
    if not value.strip():
        raise ValueError(f"the field {field} is empty, expected a text")
    return normal(value)


def _decide(restored: str, corrected: str | None, accepted: object) -> str | None:
    """Give the right text by what the person said; None if they said nothing."""
    if not isinstance(accepted, bool | None):
        raise ValueError(f"the field accepted is {kind_of(accepted)}, expected true or false")
    if accepted and corrected not in (None, restored):
        raise ValueError("found accepted with another text in corrected, expected one of both")
    if accepted is False and corrected == restored:
        return None
    return restored if accepted else corrected


def _seconds(time: object) -> float | None:
    """
    Read a time; one without a zone is taken for UTC.

        >>> _seconds("2026-11-22T10:00:00+09:00"), _seconds(1795309200), _seconds(None)
        (1795309200.0, 1795309200.0, None)
    """
    if time is None:
        return None
    try:
        if isinstance(time, Real) and not isinstance(time, bool):
            seconds = float(time)
        else:
            told = datetime.fromisoformat(str(time) if isinstance(time, str) else "")
            seconds = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds):
        shown = str(time) if len(str(time)) <= SHOWN else str(time)[:SHOWN] + "…"
        raise ValueError(f"found the time {shown!r}, expected one as 2026-11-22T10:00:00+09:00")
    return seconds
