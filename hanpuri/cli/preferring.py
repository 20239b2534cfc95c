"""
`hanpuri prefer`: preference pairs from what there is: a model's mistakes, scores of answers, people's corrections.

    $ hanpuri prefer mistakes pairs.jsonl --engine transformers:runs/mine --out mistakes.jsonl
    mistakes.jsonl: 187 pairs of 199 rows
      other length        12
      1 wrong             31
      …
    no pair of
      the answer is right    12   first pairs.jsonl:4

What was written is printed with the reasons why other rows gave nothing; `--ledger` writes the reason of each row.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hanpuri.cli.asking import tell_guess
from hanpuri.cli.drawing import Questions, finite, kept_path, say, split_note, watching
from hanpuri.cli.texts import reader_may_leave
from hanpuri.data.files.formats import nearest
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.opening import open_engine
from hanpuri.errors import DataError, EngineError
from hanpuri.runs.wording import printable

if TYPE_CHECKING:
    from hanpuri.preferences.mistakes import Wrong
    from hanpuri.preferences.pairs import Gathered


NO_ANSWER = "no answer came"


@dataclass(frozen=True)
class Output:
    """Where pairs go, and how what was found is told."""

    out: Path
    ledger: Path | None = None
    as_json: bool = False

    def check(self, source: Path, *others: Path) -> None:
        """
        See that all can be written, and apart from what is read, before the long part starts.

        Raises:
            DataError: if it cannot.
        """
        from hanpuri.preferences.pairs import check_apart, check_lines_path

        outs = [path for path in (self.out, self.ledger, *others) if path is not None]
        check_apart([source], outs)
        for path in outs:
            check_lines_path(path)

    def write(self, gathered: "Gathered", *notes: str, **more: object) -> None:
        """
        Write pairs and ledger, and print what became of the rows.

        Raises:
            DataError: if there is no pair to write, or a file cannot be written.
        """
        from hanpuri.preferences.pairs import length_note, write_lines

        if self.ledger is not None:
            write_lines(self.ledger, map(vars, gathered.left_out))
        if not gathered.rows:
            told = ", ".join(f"{why} ({count:,})" for why, count in gathered.counts.items())
            found = f"none of the {gathered.num_rows:,} rows gave a pair: {told}"
            raise DataError(found, f"{self.out} was not written; --ledger FILE says it of each row")
        write_lines(self.out, gathered.rows)
        notes = tuple(filter(None, (*notes, length_note(gathered.rows))))
        say(*notes)
        with reader_may_leave():
            if self.as_json:
                facts = {"out": str(self.out), **more, **gathered.as_dict(), "notes": list(notes)}
                print(json.dumps(facts, ensure_ascii=False))
            else:
                print_gathered(gathered, self.out)


def mistakes(
    questions: Questions,
    output: Output,
    *,
    measure: str | None,
    below: float | None,
    unfinished: bool,
    empty: bool,
    most: int | None,
) -> None:
    """
    Ask the rows, and write a pair for each wrong answer.

    Raises:
        HanpuriError: if rows, engine or an option is not what it should be, or no pair was found.
    """
    from hanpuri.preferences.mistakes import mine_mistakes

    settings = questions.choice.settings()
    wrong = _wrong(measure, below)
    output.check(questions.path)
    row_set = questions.read()
    if not row_set.has_references:
        found = f"{row_set.path}: found no right answers, by which an answer could be wrong"
        raise DataError(found, "give a file with clean or output; or score answers with hanpuri sample")
    say(split_note(row_set.path))
    kept = kept_path(output.out)
    with open_engine(settings) as engine, watching(f"{settings.name}: {row_set.name}", kept) as tell:
        tell_guess(engine, settings.template)
        gathered = mine_mistakes(
            engine,
            row_set.rows,
            decoding=questions.decoding(row_set),
            count=questions.samples,
            wrong=wrong,
            unfinished=unfinished,
            empty=empty,
            most=most,
            cache=AnswerCache(kept),
            on_progress=tell,
        )
    check_answered(gathered, settings.name)
    output.write(gathered, file=str(row_set.path), engine=settings.name)


def scores(path: Path, output: Output, *, margin: float, which: str) -> None:
    """
    Write pairs of sampled answers by their scores.

    Raises:
        DataError: if the file is not one of samples, an option is wrong, or no pair was found.
    """
    from hanpuri.preferences.sampling.samples import read_samples
    from hanpuri.preferences.sampling.scores import WHICH, pairs_from_scores

    chosen = next((one for one in WHICH if one == which), None)
    if chosen is None:
        guess = nearest(which, WHICH)
        mend = f"write one of {', '.join(WHICH)}" + (f"; did you mean {guess}?" if guess else "")
        raise DataError(f"--pairs is {which!r}", mend)
    output.check(path)
    gathered = pairs_from_scores(read_samples(path), margin=margin, which=chosen)
    output.write(gathered, split_note(path), file=str(path))


def corrections(path: Path, output: Output, *, faults: str, apart: Path | None) -> None:
    """
    Write pairs of what people corrected.

    Raises:
        DataError: if the file cannot be read, lines of it are faulty, or no pair was found.
    """
    from hanpuri.preferences.corrections import pairs_from_corrections, read_corrections
    from hanpuri.preferences.pairs import write_lines

    if faults not in ("error", "drop"):
        raise DataError(f"--faults is {faults!r}", "write error or drop")
    output.check(path, *filter(None, [apart]))
    found = pairs_from_corrections(*read_corrections(path, drop=faults == "drop"))
    if apart is not None:
        write_lines(apart, found.contradictions)
    longer = f"{found.num_other_length:,} of the pairs differ in length" if found.num_other_length else ""
    more = {"contradictions": len(found.contradictions), "other_length": found.num_other_length}
    output.write(found.gathered, longer, file=str(path), **more)


def check_answered(gathered: "Gathered", engine: str) -> None:
    """
    Say it where no row got an answer, which is no fault of the rows.

    Raises:
        EngineError: if it is so.
    """
    failed = [one.detail for one in gathered.left_out if one.why == NO_ANSWER]
    if failed and len(failed) == gathered.num_rows:
        found = f"{engine}: none of the {len(failed):,} rows got an answer: {failed[0]}"
        raise EngineError(found, "mend that, and run the same command again")


def print_gathered(gathered: "Gathered", out: Path, what: str = "pair") -> None:
    """Print how many rows were written, of which kinds, and why others were not."""
    count = len(gathered.rows)
    print(f"{printable(str(out))}: {count:,} {what}{'s' * (count != 1)} of {gathered.num_rows:,} rows")
    _print_counts(gathered.kinds or {}, {})
    if gathered.left_out:
        print(f"no {what} of")
        first: dict[str, str] = {}
        for one in gathered.left_out:
            first.setdefault(one.why, one.where)
        _print_counts(gathered.counts, first)


def _print_counts(counts: Mapping[str, int], first: Mapping[str, str]) -> None:
    width = max(map(len, counts), default=0)
    for name, count in counts.items():
        place = f"   first {printable(first[name])}" if name in first else ""
        print(f"  {name:<{width}}  {count:>7,}{place}")


def _wrong(measure: str | None, below: float | None) -> "Wrong | None":
    """Read what makes an answer wrong; None is what is usual for the rows' form."""
    from hanpuri.preferences.mistakes import MEASURES_OF_MISTAKES, Wrong

    if measure is None:
        if below is not None:
            raise DataError("--below was given, and no --measure that it is of", "name one: --measure token_f1")
        return None
    if measure not in MEASURES_OF_MISTAKES:
        guess = nearest(measure, MEASURES_OF_MISTAKES)
        mend = f"write one of {', '.join(MEASURES_OF_MISTAKES)}" + (f"; did you mean {guess}?" if guess else "")
        raise DataError(f"--measure is {measure!r}", mend)
    return Wrong(measure, 1.0 if below is None else finite("--below", below))
