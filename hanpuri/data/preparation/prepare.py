"""
A recipe ─► a folder with a training set: stage after stage, each of which can be taken up where it stopped.

In: a recipe of `kind: prepare`. Out, in `prepared/<name>/`:

    train.parquet, validation.parquet, test.parquet   the rows
    ledger.parquet                                    what became of every row that was read
    report.html, report.json                          what to know before a GPU is paid for
    recipe.yaml, environment.json                     what all this was made from

While it is made, `work/` lies beside them with whole shards: a second run goes on from there, to the same bytes.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from hanpuri.data.preparation.decisions import Decisions, decide
from hanpuri.data.preparation.intake import take_in
from hanpuri.data.preparation.outcome import join_parts, part_path, slice_of, write_ledger, write_parts
from hanpuri.data.preparation.overlap import EvaluationTexts, open_evaluation
from hanpuri.data.preparation.shards import Shards
from hanpuri.data.preparation.splitting import SPLITS, TRAIN
from hanpuri.data.preparation.summary import gather_facts
from hanpuri.data.preparation.tokenization import check_examples
from hanpuri.data.preparation.workers import Workers
from hanpuri.data.quality.report import check_libraries, write_report
from hanpuri.data.recipe import PrepareRecipe
from hanpuri.data.records.records import Reading, Record
from hanpuri.errors import DataError, HanpuriError
from hanpuri.runs import Run, write_json

BATCH_ROWS = 5_000  # small enough that 10,000 rows keep two processors busy
BATCH_CHARACTERS = 4_000_000
DONE = "report.json"

Report = Callable[[str, int, int | None], None]
"""Told the stage, how much of it is done, and of how much (None if that is not known)."""


def prepare(
    recipe: PrepareRecipe,
    folder: Path,
    *,
    report: Report = lambda stage, done, total: None,
    processes: int | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Path:
    """
    Make a training set, or go on making it.

    Args:
        recipe: what to make.
        folder: where; one with the finished set of another recipe or of other data is refused.
        report: is told how far the work is.
        processes: how many work side by side; as many as there are processors, if not given.
        batch_rows: rows to a shard; a stopped run has to be taken up with the same.

    Returns:
        the path of report.json.

    Raises:
        DataError: if a file cannot be read or nothing is left to train on.
        RecipeError: if the folder holds another recipe's result.
    """
    check_libraries()
    check_examples(recipe)
    readings = [Reading(source, recipe.form) for source in recipe.sources]
    readers = [*readings, *map(open_evaluation, recipe.evaluation)]
    _start(folder, recipe, [path for reader in readers for path in reader.files])
    if not (folder / DONE).exists():
        with Workers(processes) as workers:
            preparation = _Preparation(recipe, folder, workers, report)
            preparation.run(readings, batch_rows)
    shutil.rmtree(folder / "work", ignore_errors=True)
    return folder / DONE


def _start(folder: Path, recipe: PrepareRecipe, files: list[Path]) -> None:
    """Begin or go on; what was left half done of another recipe or of files that were mended since is thrown away."""
    try:
        Run.start(folder, recipe, files)
    except HanpuriError:
        if (folder / DONE).exists():
            raise
        shutil.rmtree(folder / "work", ignore_errors=True)
        for name in ("recipe.yaml", "environment.json"):
            (folder / name).unlink(missing_ok=True)
        Run.start(folder, recipe, files)


@dataclass(frozen=True)
class _Preparation:
    """The stages and what all of them need."""

    recipe: PrepareRecipe
    folder: Path
    workers: Workers
    report: Report

    def run(self, readings: list[Reading], batch_rows: int) -> None:
        evaluation = EvaluationTexts.read(self.recipe.evaluation, self.recipe.deduplicate.window)
        shards = self.take_in_all(readings, evaluation, batch_rows)
        decisions = self.decide(shards)
        self.write_splits(shards, decisions)
        write_ledger(shards, decisions, self.folder / "ledger.parquet")
        self.report("report", 0, 1)
        write_report(self.folder, gather_facts(self.recipe, self.folder, shards, decisions, evaluation))
        self.report("report", 1, 1)

    def take_in_all(self, readings: list[Reading], evaluation: EvaluationTexts, batch_rows: int) -> Shards:
        folder = self.folder / "work" / "read"
        folder.mkdir(parents=True, exist_ok=True)
        for number, reading in enumerate(readings):
            self.take_in(reading, evaluation, folder / f"{number:03}", batch_rows)
        return Shards(sorted(folder.glob("*.parquet")), self.recipe.form)

    def take_in(self, reading: Reading, evaluation: EvaluationTexts, stem: Path, batch_rows: int) -> None:
        """Take in a source; shards that an earlier run made are kept."""
        done = stem.with_suffix(".json")
        if done.exists():
            return
        paths = (stem.with_name(f"{stem.name}-{number:05}.parquet") for number in count())
        batches = zip(_batches(reading.records(), batch_rows), paths, strict=False)
        calls = ((take_in, (batch, self.recipe, evaluation, path)) for batch, path in batches if not path.exists())
        stage = f"reading {reading.title}"
        self.workers.run(calls, lambda num_done: self.report(stage, num_done * batch_rows, None))
        write_json(done, {"title": reading.title, "notes": reading.notes, "num_faults": reading.num_faults})

    def decide(self, shards: Shards) -> Decisions:
        path = self.folder / "work" / "decisions.parquet"
        if not path.exists():
            self.report("comparing rows", 0, len(shards))
            decide(shards, self.recipe).write(path)
            self.report("comparing rows", len(shards), len(shards))
        decisions = Decisions.read(path)
        if not (decisions.split == TRAIN).any():
            found = f"{self.recipe.name}: no row is left to train on, of {len(shards):,} that were read"
            raise DataError(found, f"{decisions.most_frequent_cause()} took most of them: see that step in the recipe")
        return decisions

    def write_splits(self, shards: Shards, decisions: Decisions) -> None:
        folder = self.folder / "work" / "parts"
        folder.mkdir(parents=True, exist_ok=True)
        numbers = range(len(shards.paths))
        missing = [number for number in numbers if not part_path(folder, number, SPLITS[-1]).exists()]
        calls = (
            (
                write_parts,
                (shards, number, slice_of(decisions, *shards.starts[number : number + 2]), self.recipe, folder),
            )
            for number in missing
        )
        self.workers.run(calls, lambda num_done: self.report("writing", num_done, len(missing)))
        for split in SPLITS:
            join_parts([part_path(folder, number, split) for number in numbers], self.folder / f"{split}.parquet")


def _batches(records: Iterable[Record], batch_rows: int) -> Iterator[list[Record]]:
    """Cut records into batches by their number and, where texts are long, by their characters."""
    batch: list[Record] = []
    num_characters = 0
    for record in records:
        batch.append(record)
        num_characters += sum(len(value) if isinstance(value, str) else 200 for value in record.fields.values())
        if len(batch) == batch_rows or num_characters > BATCH_CHARACTERS:
            yield batch
            batch, num_characters = [], 0
    if batch:
        yield batch
