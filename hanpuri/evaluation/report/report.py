"""
Evaluations ─► report.html: engines side by side, and where they go wrong.

In:  what `evaluate` found for engines × files, and the folders of models' runs.   Out: one page that needs no other:

    In short · Scores: reviews · Slices: reviews · Rows: reviews · Letters · Confidence · Speed · Failures · Origin

Of pairs of the same facts, time and machine it is the same to the byte.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from hanpuri.data.files.targets import Target
from hanpuri.errors import EngineError
from hanpuri.evaluation.comparison import Comparisons, compare_with_first, headline_of
from hanpuri.evaluation.evaluate import Evaluation
from hanpuri.evaluation.report.calibration import calibration_blocks, calibration_of
from hanpuri.evaluation.report.compared import Compared, compare
from hanpuri.evaluation.report.confusion import confusion_blocks, confusions
from hanpuri.evaluation.report.costs import cost_blocks, failure_blocks
from hanpuri.evaluation.report.models import run_blocks
from hanpuri.evaluation.report.origin import Origin, origin_blocks
from hanpuri.evaluation.report.rows import disagreements, judge, worst_rows
from hanpuri.evaluation.report.scores import score_blocks, sentence_on, slice_blocks
from hanpuri.pages.page import Block, Page, Paragraph, Section, render
from hanpuri.runs.wording import printable

LIBRARIES = ("jinja2", "matplotlib")


def check_libraries() -> None:
    """
    Check that a page can be made: to be asked before the evaluation, not after it.

    Raises:
        EngineError: if a library is missing.
    """
    if missing := [name for name in LIBRARIES if find_spec(name) is None]:
        said = f"the report needs the librar{'y' if len(missing) == 1 else 'ies'} {', '.join(missing)}"
        verb = "is" if len(missing) == 1 else "are"
        raise EngineError(f"{said}, which {verb} not installed", 'install it: pip install "hanpuri[evaluate]"')


def write_report(
    path: Path,
    evaluations: Sequence[Evaluation],
    *,
    runs: Sequence[Path] = (),
    comparisons: Comparisons | None = None,
    title: str | None = None,
    origin: Origin | None = None,
) -> None:
    """
    Write the page.

    Args:
        path: the file, there whole or not at all.
        evaluations: of any engines and files; the first engine of a file is what others are held against.
        runs: folders of runs that models came from, see `models.find_runs`.
        comparisons: differences to the first engine, where they are reckoned already.
        title: of the page.
        origin: when and where it was measured; here and now, if not given.

    Raises:
        DataError: if the file cannot be written, or engines were asked different rows of a file.
        EngineError: if a library is missing.
        ValueError: without an evaluation, or if an engine stands there twice for one file.
    """
    check_libraries()
    page = render(report_page(evaluations, runs=runs, comparisons=comparisons, title=title, origin=origin))
    target = Target(path)
    try:
        target.stream.write(page.encode("utf-8"))
        target.commit()
    except OSError as error:
        target.discard()
        raise target.fault(error) from None
    except BaseException:
        target.discard()
        raise


def report_page(
    evaluations: Sequence[Evaluation],
    *,
    runs: Sequence[Path] = (),
    comparisons: Comparisons | None = None,
    title: str | None = None,
    origin: Origin | None = None,
) -> Page:
    """Lay out the page; see `write_report`."""
    files = _by_file(evaluations)
    origin = origin or Origin.now()
    comparisons = compare_with_first(evaluations, origin.seed) if comparisons is None else comparisons
    engines = list(dict.fromkeys(one.engine for one in evaluations))
    pairs: list[Compared] = []
    sections = [Section("In short", tuple(Paragraph(sentence_on(of, origin.seed)) for of in files.values()))]
    for heading, of in zip(_headings(files), files.values(), strict=True):
        compared = [compare(one) for one in of] if of[0].row_set.form == "pairs" and _scored(of) else None
        sections += _file_sections(heading, of, comparisons, compared)
        pairs += compared or []
    sections += _letter_sections(engines, pairs) if pairs else []
    sections.append(Section("Speed and memory", tuple(cost_blocks(evaluations))))
    sections.append(Section("Failures", tuple(failure_blocks(evaluations))))
    if runs:
        sections.append(Section("Training of the models", tuple(run_blocks(runs))))
    sections.append(Section("Origin", tuple(origin_blocks(evaluations, origin))))
    num_rows = sum(len(of[0].answers) for of in files.values())
    lead = f"{_count(engines, 'engine')} on {_count(files, 'file')} of {num_rows:,} rows."
    return Page(title or "Evaluation", lead, tuple(section for section in sections if section.blocks))


def _by_file(evaluations: Sequence[Evaluation]) -> dict[str, list[Evaluation]]:
    found: dict[str, list[Evaluation]] = {}
    for one in evaluations:
        of = found.setdefault(one.row_set.name, [])
        if any(other.engine == one.engine for other in of):
            raise ValueError(
                f"{one.engine} was evaluated twice on {one.row_set.name}, expected each engine once a file"
            )
        of.append(one)
    if not found:
        raise ValueError("found no evaluation, expected 1 or more")
    return found


def _headings(files: Mapping[str, Sequence[Evaluation]]) -> Iterator[str]:
    """Name the files so that no two headings link to the same place: their anchors hold letters and figures only."""
    seen: set[str] = set()
    for name in files:
        said = [printable(name), *(f"{printable(name)} ({number})" for number in range(2, len(files) + 1))]
        heading = next(one for one in said if Section(one, ()).anchor not in seen)
        seen.add(Section(heading, ()).anchor)
        yield heading


def _file_sections(
    heading: str, evaluations: Sequence[Evaluation], comparisons: Comparisons, compared: Sequence[Compared] | None
) -> Iterator[Section]:
    """Show what there is on one file: scores, slices, and rows to read."""
    yield Section(f"Scores: {heading}", tuple(score_blocks(evaluations, comparisons)))
    if any(one.slices for one in evaluations):
        yield Section(f"Slices: {heading}", tuple(slice_blocks(evaluations)))
    if _scored(evaluations):
        yield Section(f"Rows: {heading}", tuple(_row_blocks(evaluations, compared)))


def _scored(evaluations: Sequence[Evaluation]) -> bool:
    return evaluations[0].row_set.has_references and headline_of(evaluations[0]) is not None


def _row_blocks(evaluations: Sequence[Evaluation], compared: Sequence[Compared] | None) -> Iterator[Block]:
    measure = headline_of(evaluations[0])
    assert measure is not None  # _scored
    sides: Sequence[Compared | None] = compared or [None] * len(evaluations)
    judged = [judge(one, measure, side) for one, side in zip(evaluations, sides, strict=True)]
    if compared:
        yield Paragraph(
            "Underlined is what is wrong, with the letter that should stand there above it, or the syllable where more"
            " than one letter is wrong; struck through is what is too much, framed what is missing."
        )
    for number, one in enumerate(judged):
        yield worst_rows(one, folded=number > 0)
    if len(judged) > 1:
        yield from disagreements(judged)


def _letter_sections(engines: Sequence[str], compared: Sequence[Compared]) -> Iterator[Section]:
    """Show which letters were taken for which, and what confidence is worth; over all files of pairs."""
    of_engine = {printable(name): [one for one in compared if one.engine == name] for name in engines}
    of_engine = {name: of for name, of in of_engine.items() if of}
    letters = [block for name, of in of_engine.items() for block in confusion_blocks(name, confusions(of))]
    yield Section("Letters", tuple(letters))
    yield Section("Confidence", tuple(calibration_blocks({name: calibration_of(of) for name, of in of_engine.items()})))


def _count(things: Sequence[object] | Mapping[str, object], name: str) -> str:
    return f"{len(things):,} {name}{'' if len(things) == 1 else 's'}"
